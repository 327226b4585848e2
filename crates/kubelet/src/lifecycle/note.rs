//! What came of actions.

use super::backoff::Backoff;
use super::{
    Event, ImageStage, Lifecycle, Mounts, Outcome, PullFailure, Pulled, Scene, StartFailure,
};
use crate::clock;
use crate::pod::{Container, PullPolicy, Role, Waiting};
use cri::{ContainerId, Image, ImageError};
use std::time::{Duration, SystemTime};

impl Lifecycle {
    /// Takes in what came of an action, and gives what is to be told of it.
    pub(crate) fn note(&mut self, scene: &Scene<'_>, outcome: Outcome) -> Vec<Event> {
        let now = scene.now;
        match outcome {
            Outcome::Mounted(failures) => return self.mounted(failures, now),
            Outcome::Sandbox(Ok(_)) => self.pause = None,
            Outcome::Sandbox(Err(failure)) => {
                self.pause = Some(self.limits.again(now));
                let message = format!("Failed to create pod sandbox: {}", failure.0);
                return vec![Event::warning("FailedCreatePodSandBox", message)];
            }
            Outcome::SandboxStopped(id, Ok(())) => {
                self.stopped.insert(id);
            }
            Outcome::SandboxStopped(_, Err(error)) => {
                self.pause = Some(self.limits.again(now));
                let uid = &scene.pod.metadata.uid;
                let message = format!(
                    "error killing pod: failed to \"KillPodSandbox\" for {uid:?} with KillPodSandboxError: {error:?}"
                );
                return vec![Event::warning("FailedKillPod", message)];
            }
            Outcome::Inspected(name, image) => return self.inspected(scene, &name, image),
            Outcome::Pulled(name, pulled) => return self.pulled(scene, &name, pulled),
            Outcome::Started(name, started) => return self.started(scene, &name, started),
            Outcome::Hooked(name, id, hooked) => return self.hooked(scene, &name, id, hooked),
            Outcome::Unmounted => self.mounts = Mounts::Gone,
            Outcome::Forgotten => {
                if let Some(ending) = &mut self.ending {
                    ending.forgotten = true;
                }
            }
            Outcome::Done => {}
            Outcome::Failed(error) => {
                tracing::debug!(pod = %scene.pod, error, "to be tried again");
                self.pause = Some(self.limits.again(now));
            }
        }
        Vec::new()
    }

    fn mounted(&mut self, failures: Vec<String>, now: SystemTime) -> Vec<Event> {
        if failures.is_empty() {
            self.mounts = Mounts::Ready { since: now };
            return Vec::new();
        }
        match self.mounts {
            // What is mounted stays as it was.
            Mounts::Ready { .. } => self.mounts = Mounts::Ready { since: now },
            Mounts::Missing { failures: before } => {
                // Half a second, doubled each time, two minutes at most.
                let wait = Duration::from_millis(500) * 2_u32.pow(before.min(8));
                let wait = wait.min(Duration::from_secs(122));
                self.pause = Some(now + self.limits.pace.timer(wait));
                self.mounts = Mounts::Missing {
                    failures: before.saturating_add(1),
                };
            }
            Mounts::Gone => {}
        }
        let told = failures.into_iter();
        told.map(|message| Event::warning("FailedMount", message))
            .collect()
    }

    fn inspected(&mut self, scene: &Scene<'_>, name: &str, image: Option<Image>) -> Vec<Event> {
        let Some((role, container)) = scene.pod.container(name) else {
            return Vec::new();
        };
        let asked = &container.image;
        match (container.pull_policy(), image) {
            (PullPolicy::Never | PullPolicy::IfNotPresent, Some(image)) => {
                self.found(name, image);
                let told = format!("Container image {asked:?} already present on machine");
                vec![Event::normal("Pulled", told).of(role, name)]
            }
            (PullPolicy::Never, None) => {
                let told =
                    format!("Container image {asked:?} is not present with pull policy of Never");
                let event = Event::warning("ErrImageNeverPull", told.clone()).of(role, name);
                let error = self.fails(scene, role, container, ("ErrImageNeverPull", told));
                vec![event, error]
            }
            (PullPolicy::Always | PullPolicy::IfNotPresent, _) => {
                self.track(name).image = ImageStage::Wanted;
                Vec::new()
            }
        }
    }

    fn pulled(
        &mut self,
        scene: &Scene<'_>,
        name: &str,
        pulled: Result<Pulled, ImageError>,
    ) -> Vec<Event> {
        let Some((role, container)) = scene.pod.container(name) else {
            return Vec::new();
        };
        let asked = &container.image;
        match pulled {
            Ok(pulled) => {
                self.pulls.remove(asked);
                let told = format!(
                    "Successfully pulled image {asked:?} in {} ({} including waiting). Image size: {} bytes.",
                    clock::duration(pulled.took),
                    clock::duration(pulled.in_all),
                    pulled.image.size,
                );
                self.found(name, pulled.image);
                vec![Event::normal("Pulled", told).of(role, name)]
            }
            Err(error @ ImageError::InvalidName(_)) => {
                let told = format!("Failed to apply default image tag {asked:?}: {error}");
                let event = Event::warning("InspectFailed", told.clone()).of(role, name);
                vec![
                    event,
                    self.fails(scene, role, container, ("InvalidImageName", told)),
                ]
            }
            Err(error) => {
                let told = in_grpcs_words(&error);
                let before = self.pulls.get(asked).map(|failure| failure.backoff);
                let backoff = Backoff::after(before, scene.now, scene.now, &self.limits);
                let failure = PullFailure {
                    backoff,
                    message: format!("ErrImagePull: {told}"),
                };
                self.pulls.insert(asked.clone(), failure);
                let message = format!("Failed to pull image {asked:?}: {told}");
                let event = Event::warning("Failed", message).of(role, name);
                let failed = self.fails(scene, role, container, ("ErrImagePull", told));
                // The next look finds the back-off.
                let half = self.limits.pace.timer(backoff.wait) / 2;
                self.track(name).retry = Some(scene.now + half);
                vec![event, failed]
            }
        }
    }

    fn started(
        &mut self,
        scene: &Scene<'_>,
        name: &str,
        started: Result<ContainerId, StartFailure>,
    ) -> Vec<Event> {
        let Some((role, container)) = scene.pod.container(name) else {
            return Vec::new();
        };
        let made = || {
            let told = format!("Created container: {name}");
            Event::normal("Created", told).of(role, name)
        };
        match started {
            Ok(id) => {
                let track = self.track(name);
                track.waiting = None;
                track.image = ImageStage::Unknown;
                track.told = None;
                track.hook = container.lifecycle.post_start.as_ref().map(|_| id);
                let told = format!("Started container {name}");
                vec![made(), Event::normal("Started", told).of(role, name)]
            }
            Err(StartFailure::Config(why)) => {
                vec![self.fails(scene, role, container, ("CreateContainerConfigError", why))]
            }
            Err(StartFailure::Create(why)) => {
                vec![self.fails(scene, role, container, ("CreateContainerError", why))]
            }
            Err(StartFailure::Run(why)) => {
                let failed = self.fails(scene, role, container, ("RunContainerError", why));
                // From the next look on its end counts as any other's.
                self.track(name).retry = Some(scene.now + Duration::from_secs(1));
                vec![made(), failed]
            }
        }
    }

    fn hooked(
        &mut self,
        scene: &Scene<'_>,
        name: &str,
        id: ContainerId,
        hooked: Result<(), String>,
    ) -> Vec<Event> {
        let Some((role, _)) = scene.pod.container(name) else {
            return Vec::new();
        };
        let track = self.track(name);
        track.hook = None;
        let Err(why) = hooked else { return Vec::new() };
        track.waiting = Some(Waiting {
            reason: "PostStartHookError".to_owned(),
            message: why,
        });
        track.doomed = Some((id, "FailedPostStartHook".to_owned()));
        // What a hook says may be secret; its failure isn't.
        vec![Event::warning("FailedPostStartHook", "PostStartHook failed").of(role, name)]
    }

    /// A container can't be started: it waits, and is tried again.
    fn fails(
        &mut self,
        scene: &Scene<'_>,
        role: Role,
        container: &Container,
        (reason, message): (&str, String),
    ) -> Event {
        let retry = self.limits.again(scene.now);
        let told = match reason {
            "ErrImagePull" | "ErrImageNeverPull" | "InvalidImageName" => format!("Error: {reason}"),
            _ => format!("Error: {message}"),
        };
        let track = self.track(&container.name);
        track.image = ImageStage::Unknown;
        track.retry = Some(retry);
        track.waiting = Some(Waiting {
            reason: reason.to_owned(),
            message,
        });
        Event::warning("Failed", told).of(role, &container.name)
    }
}

/// A failed pull as a kubelet hears it from its runtime.
fn in_grpcs_words(error: &ImageError) -> String {
    let code = match error {
        ImageError::NotFound(_) => "NotFound",
        _ => "Unknown",
    };
    format!("rpc error: code = {code} desc = {error}")
}
