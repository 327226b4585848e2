//! What a pod needs while it shall run.

use super::{Action, Event, Instance, Lifecycle, Mounts, Scene, Step, Victim, init, restarts};
use crate::pod::{Container, Pod, RestartPolicy, Role};
use std::time::{Duration, SystemTime};

/// How often it is told that there is no network.
const TOLD: Duration = Duration::from_secs(10);

/// The earliest of the moments to look again at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wake(pub(super) Option<SystemTime>);

impl Wake {
    pub(super) fn at(&mut self, moment: SystemTime) {
        self.0 = Some(self.0.map_or(moment, |earlier| earlier.min(moment)));
    }
}

impl Lifecycle {
    /// The next thing that a pod needs which shall run.
    pub(super) fn run(&mut self, scene: &Scene<'_>) -> Step {
        let mut wake = Wake(self.deadline(scene.pod));
        if let Some(until) = self.pause.filter(|until| *until > scene.now) {
            wake.at(until);
            // What must end ends whatever else failed.
            return self.doomed(scene).unwrap_or_else(|| Step::wait(wake.0));
        }
        self.pause = None;
        let mut events = Vec::new();
        let step = self
            .network(scene, &mut wake)
            .or_else(|| self.mounts(scene, &mut wake))
            .or_else(|| self.sandbox(scene))
            .or_else(|| self.doomed(scene))
            .or_else(|| self.hooks(scene))
            .or_else(|| self.starts(scene, &mut wake, &mut events))
            .or_else(|| self.tidy(scene))
            .unwrap_or_else(|| Step::wait(wake.0));
        events.into_iter().fold(step, Step::telling)
    }

    /// Pods with a network of their own wait for the node's.
    fn network(&mut self, scene: &Scene<'_>, wake: &mut Wake) -> Option<Step> {
        let trouble = scene.network.filter(|_| !scene.pod.spec.host_network)?;
        if scene.seen.sandbox().is_some() {
            return None;
        }
        let step = Step::wait(wake.0);
        let told = self.network_told;
        let again = told.is_none_or(|told| told + TOLD <= scene.now);
        if !again {
            return Some(step);
        }
        self.network_told = Some(scene.now);
        let message = format!(
            "network is not ready: {}",
            crate::node::network_message(trouble)
        );
        Some(step.telling(Event::warning("NetworkNotReady", message)))
    }

    fn mounts(&mut self, scene: &Scene<'_>, wake: &mut Wake) -> Option<Step> {
        match self.mounts {
            Mounts::Ready { since } => {
                let due = since + self.limits.pace.timer(self.limits.refresh);
                wake.at(due);
                (due <= scene.now).then(|| Step::act(Action::Mount))
            }
            Mounts::Missing { .. } | Mounts::Gone => Some(Step::act(Action::Mount)),
        }
    }

    /// A sandbox, if there is none that is usable and something shall run in it.
    fn sandbox(&mut self, scene: &Scene<'_>) -> Option<Step> {
        let (pod, seen) = (scene.pod, scene.seen);
        if seen.sandbox().is_some() {
            self.replaced = None;
            return None;
        }
        let old = seen.sandboxes.first();
        if old.is_some() && self.has_run_its_course(scene) {
            self.finish(scene, None);
            return Some(self.end(scene));
        }
        if let Some(old) = old
            && self.replaced.as_ref() != Some(&old.id)
        {
            self.replaced = Some(old.id.clone());
            let told = "Pod sandbox changed, it will be killed and re-created.";
            let mut step = self
                .clear(scene)
                .unwrap_or_else(|| self.make_sandbox(scene));
            step.events.insert(0, Event::normal("SandboxChanged", told));
            return Some(step);
        }
        if let Some(step) = self.clear(scene) {
            return Some(step);
        }
        let init: Vec<_> = seen
            .containers
            .iter()
            .filter(|instance| is_init(pod, instance))
            .map(|instance| instance.id.clone())
            .collect();
        if !init.is_empty() {
            return Some(Step::act(Action::Remove(init)));
        }
        Some(self.make_sandbox(scene))
    }

    fn make_sandbox(&self, scene: &Scene<'_>) -> Step {
        let attempt = scene
            .seen
            .sandboxes
            .first()
            .map_or(0, |old| old.attempt + 1);
        Step::act(Action::MakeSandbox { attempt })
    }

    /// Ends what is left in sandboxes that can't be used.
    fn clear(&mut self, scene: &Scene<'_>) -> Option<Step> {
        let grace = Duration::from_secs(scene.pod.grace());
        let victims = super::end::victims(scene, grace);
        if !victims.is_empty() {
            return Some(super::end::kill(scene, victims));
        }
        let mut all = scene.seen.sandboxes.iter();
        let left = all.find(|sandbox| !self.stopped.contains(&sandbox.id))?;
        Some(Step::act(Action::StopSandbox(left.id.clone())))
    }

    /// Whether a pod that lost its sandbox has nothing left to run.
    fn has_run_its_course(&self, scene: &Scene<'_>) -> bool {
        let (pod, seen) = (scene.pod, scene.seen);
        if pod.spec.restart_policy == RestartPolicy::Never && !seen.containers.is_empty() {
            return true;
        }
        let again = |container: &Container| {
            let last = seen.latest(&container.name);
            last.and_then(Instance::exit_code)
                .is_none_or(|code| restarts(pod, code))
        };
        let created = pod
            .spec
            .containers
            .iter()
            .any(|container| seen.latest(&container.name).is_some());
        created && !pod.spec.containers.iter().any(again)
    }

    /// Containers that run and must not.
    fn doomed(&mut self, scene: &Scene<'_>) -> Option<Step> {
        let mut victims = Vec::new();
        let mut events = Vec::new();
        for (role, container) in scene.pod.containers() {
            let Some(instance) = scene.seen.latest(&container.name) else {
                continue;
            };
            if !instance.running() {
                continue;
            }
            let Some((message, grace)) = self.doom(scene, role, container, instance) else {
                continue;
            };
            events.push(Event::normal("Killing", message).of(role, &container.name));
            victims.push(Victim {
                id: instance.id.clone(),
                name: container.name.clone(),
                grace: Duration::from_secs(grace),
                after: Vec::new(),
            });
        }
        if victims.is_empty() {
            return None;
        }
        let step = Step::act(Action::Kill(victims));
        Some(events.into_iter().fold(step, Step::telling))
    }

    /// Why an instance must end, and how long it has.
    fn doom(
        &self,
        scene: &Scene<'_>,
        role: Role,
        container: &Container,
        instance: &Instance,
    ) -> Option<(String, u64)> {
        let track = self.tracks.get(&container.name);
        if let Some((id, message)) = track.and_then(|track| track.doomed.as_ref())
            && *id == instance.id
        {
            return Some((message.clone(), scene.pod.grace()));
        }
        if matches!(role, Role::Init | Role::Ephemeral) {
            return None;
        }
        let health = scene.health.get(&instance.id)?;
        let failed = super::Verdict::Failure;
        let (name, probe) = if health.startup == failed {
            ("startup", &container.startup_probe)
        } else if health.liveness == failed {
            ("liveness", &container.liveness_probe)
        } else {
            return None;
        };
        let what = if role == Role::Sidecar {
            "Init container"
        } else {
            "Container"
        };
        let again =
            if role == Role::Sidecar || scene.pod.spec.restart_policy != RestartPolicy::Never {
                ", will be restarted"
            } else {
                ""
            };
        let message = format!("{what} {} failed {name} probe{again}", container.name);
        let own = probe
            .as_ref()
            .and_then(|p| p.termination_grace_period_seconds);
        let grace = own.and_then(|seconds| u64::try_from(seconds).ok());
        Some((message, grace.unwrap_or_else(|| scene.pod.grace())))
    }

    /// Hooks after a start that haven't run.
    fn hooks(&self, scene: &Scene<'_>) -> Option<Step> {
        scene.pod.containers().find_map(|(_, container)| {
            let id = self.tracks.get(&container.name)?.hook.clone()?;
            Some(Step::act(Action::PostStart {
                container: container.name.clone(),
                id,
            }))
        })
    }

    /// Containers to start: those to look around with, then init containers, then the main ones.
    fn starts(
        &mut self,
        scene: &Scene<'_>,
        wake: &mut Wake,
        events: &mut Vec<Event>,
    ) -> Option<Step> {
        let pod = scene.pod;
        for container in &pod.spec.ephemeral_containers {
            let step = self.bring_up(scene, Role::Ephemeral, container, wake, events);
            if step.is_some() {
                return step;
            }
        }
        let progress = init::progress(scene);
        for (role, container) in progress.start {
            let step = self.bring_up(scene, role, container, wake, events);
            if step.is_some() {
                return step;
            }
            if role == Role::Init {
                break;
            }
        }
        if !progress.done {
            return None;
        }
        let mut main = pod.spec.containers.iter();
        main.find_map(|container| self.bring_up(scene, Role::Main, container, wake, events))
    }

    /// Forgets instances but the newest and the one before, and sandboxes that were replaced.
    fn tidy(&self, scene: &Scene<'_>) -> Option<Step> {
        let seen = scene.seen;
        let ended = |instance: &&Instance| !instance.running();
        let old: Vec<_> = scene
            .pod
            .containers()
            .flat_map(|(_, container)| seen.all(&container.name).skip(2).filter(ended))
            .map(|instance| instance.id.clone())
            .collect();
        if !old.is_empty() {
            return Some(Step::act(Action::Remove(old)));
        }
        let mut replaced = seen.sandboxes.iter().skip(1);
        let empty = replaced.find(|sandbox| {
            let mut containers = seen.containers.iter();
            self.stopped.contains(&sandbox.id) && !containers.any(|c| c.sandbox == sandbox.id)
        })?;
        Some(Step::act(Action::RemoveSandbox(empty.id.clone())))
    }
}

fn is_init(pod: &Pod, instance: &Instance) -> bool {
    let mut init = pod.spec.init_containers.iter();
    init.any(|container| container.name == instance.name)
}
