//! Bringing a container up: its back-off, its image, then itself.

use super::backoff::Backoff;
use super::run::Wake;
use super::{Action, Event, ImageStage, Instance, Lifecycle, Scene, Step, should_start};
use crate::clock;
use crate::pod::{Container, Role, Waiting};
use std::time::Duration;

/// How often a back-off is told while it lasts.
const TOLD: Duration = Duration::from_secs(15);

impl Lifecycle {
    /// The next thing that a container needs which shall run; nothing where it runs, or must wait.
    pub(super) fn bring_up(
        &mut self,
        scene: &Scene<'_>,
        role: Role,
        container: &Container,
        wake: &mut Wake,
        events: &mut Vec<Event>,
    ) -> Option<Step> {
        let last = scene.seen.latest(&container.name);
        if !should_start(scene.pod, role, last) {
            return None;
        }
        let sandbox = scene.seen.sandbox()?.id.clone();
        let track = self.track(&container.name);
        if let Some(retry) = track.retry.filter(|retry| *retry > scene.now) {
            wake.at(retry);
            return None;
        }
        track.retry = None;
        if self.stays_down(scene, role, container, last, wake, events) {
            return None;
        }
        let limits = self.limits;
        let track = self.track(&container.name);
        let name = container.name.clone();
        match track.image.clone() {
            ImageStage::Unknown => Some(Step::act(Action::Inspect { container: name })),
            ImageStage::Wanted => self.pull(scene, role, container, wake, events),
            ImageStage::Here(image) => {
                let attempt = track.attempt.map_or(0, |attempt| attempt + 1);
                if let Some(failed) = last.and_then(Instance::finished) {
                    let next = Backoff::after(track.crashes, failed, scene.now, &limits);
                    track.crashes = Some(next);
                }
                Some(Step::act(Action::Start {
                    container: name,
                    attempt,
                    image,
                    sandbox,
                }))
            }
        }
    }

    /// Whether a container that ended is still kept from running.
    fn stays_down(
        &mut self,
        scene: &Scene<'_>,
        role: Role,
        container: &Container,
        last: Option<&Instance>,
        wake: &mut Wake,
        events: &mut Vec<Event>,
    ) -> bool {
        let limits = self.limits;
        let track = self.track(&container.name);
        let Some(failed) = last.and_then(Instance::finished) else {
            return false;
        };
        // An attempt that is under way has its back-off behind it.
        if track.image != ImageStage::Unknown {
            return false;
        }
        let until = track
            .crashes
            .and_then(|crashes| crashes.until(failed, &limits));
        let Some(until) = until.filter(|until| *until > scene.now) else {
            return false;
        };
        wake.at(until);
        let wait = track.crashes.map(|c| c.wait).unwrap_or_default();
        let (name, pod) = (&container.name, scene.pod.told());
        track.waiting = Some(Waiting {
            reason: "CrashLoopBackOff".to_owned(),
            message: format!(
                "back-off {} restarting failed container={name} pod={pod}",
                clock::duration(wait)
            ),
        });
        let again = track.told.is_none_or(|told| told + TOLD <= scene.now);
        if again {
            track.told = Some(scene.now);
            let told = format!("Back-off restarting failed container {name} in pod {pod}");
            events.push(Event::warning("BackOff", told).of(role, name));
        }
        true
    }

    /// A pull, unless one failed a short while ago.
    fn pull(
        &mut self,
        scene: &Scene<'_>,
        role: Role,
        container: &Container,
        wake: &mut Wake,
        events: &mut Vec<Event>,
    ) -> Option<Step> {
        let (name, image) = (&container.name, &container.image);
        let limits = self.limits;
        let failure = self.pulls.get(image).map(|failure| {
            let until = failure.backoff.until(failure.backoff.set, &limits);
            (until, failure.message.clone())
        });
        if let Some((Some(until), message)) = failure
            && until > scene.now
        {
            wake.at(until);
            let told = format!("Back-off pulling image {image:?}");
            events.push(Event::normal("BackOff", told.clone()).of(role, name));
            events.push(Event::warning("Failed", "Error: ImagePullBackOff").of(role, name));
            let track = self.track(name);
            track.waiting = Some(Waiting {
                reason: "ImagePullBackOff".to_owned(),
                message: format!("{told}: {message}"),
            });
            track.image = ImageStage::Unknown;
            track.retry = Some(until);
            return None;
        }
        let told = Event::normal("Pulling", format!("Pulling image {image:?}"));
        let step = Step::act(Action::Pull {
            container: name.clone(),
        });
        Some(step.telling(told.of(role, name)))
    }
}
