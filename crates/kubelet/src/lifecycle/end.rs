//! A pod's end: its containers, its sandboxes, its volumes, its object, and the memory of it.

use super::{Action, Event, Lifecycle, Mounts, Scene, Step, Victim};
use crate::pod::{Pod, Role};
use std::time::Duration;

impl Lifecycle {
    /// The next thing to do for a pod that shall end.
    pub(super) fn end(&mut self, scene: &Scene<'_>) -> Step {
        let Some(ending) = self.ending.clone() else {
            return Step::wait(None);
        };
        if ending.forgotten {
            return Step::gone();
        }
        if let Some(until) = self.pause.filter(|until| *until > scene.now) {
            return Step::wait(Some(until));
        }
        self.pause = None;
        let victims = victims(scene, Duration::from_secs(ending.grace));
        if !victims.is_empty() {
            return kill(scene, victims);
        }
        let mut all = scene.seen.sandboxes.iter();
        if let Some(left) = all.find(|sandbox| !self.stopped.contains(&sandbox.id)) {
            return Step::act(Action::StopSandbox(left.id.clone()));
        }
        if self.mounts != Mounts::Gone {
            return Step::act(Action::Unmount);
        }
        if !scene.known {
            return Step::act(Action::Forget);
        }
        if scene.pod.deleted() && !ending.deleting {
            if let Some(ending) = &mut self.ending {
                ending.deleting = true;
            }
            return Step::act(Action::Delete);
        }
        Step::wait(None)
    }
}

/// Ends containers, and tells.
pub(super) fn kill(scene: &Scene<'_>, victims: Vec<Victim>) -> Step {
    let told: Vec<Event> = victims
        .iter()
        .filter_map(|victim| {
            let (role, container) = scene.pod.container(&victim.name)?;
            let message = format!("Stopping container {}", container.name);
            Some(Event::normal("Killing", message).of(role, &container.name))
        })
        .collect();
    let step = Step::act(Action::Kill(victims));
    told.into_iter().fold(step, Step::telling)
}

/// All that runs of a pod. Sidecars outlive the main containers, and end in the opposite order of their
/// beginning.
/// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#termination-with-sidecars>
pub(super) fn victims(scene: &Scene<'_>, grace: Duration) -> Vec<Victim> {
    let running: Vec<&str> = scene.seen.running().map(|i| i.name.as_str()).collect();
    scene
        .seen
        .running()
        .map(|instance| Victim {
            id: instance.id.clone(),
            name: instance.name.clone(),
            grace,
            after: outlived(scene.pod, &instance.name)
                .filter(|name| running.contains(&name.as_str()))
                .cloned()
                .collect(),
        })
        .collect()
}

/// The containers that one of a name outlives: none, unless it is a sidecar.
fn outlived<'a>(pod: &'a Pod, name: &'a str) -> impl Iterator<Item = &'a String> + 'a {
    let init = &pod.spec.init_containers;
    let sidecar = pod
        .container(name)
        .is_some_and(|(role, _)| role == Role::Sidecar);
    let index = init.iter().position(|container| container.name == name);
    let later = init
        .iter()
        .skip(index.map_or(usize::MAX, |index| index.saturating_add(1)))
        .filter(|container| container.restarts_always());
    pod.spec
        .containers
        .iter()
        .chain(later)
        .filter(move |_| sidecar)
        .map(|container| &container.name)
}
