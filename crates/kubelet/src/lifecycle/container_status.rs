//! What is told of a container.

use super::{Instance, Lifecycle, Scene, Verdict, should_start};
use crate::clock;
use crate::pod::{
    Container, ContainerStatus, PodStatus, Role, Running, State, Terminated, VolumeMountStatus,
    Waiting,
};
use cri::ContainerState;

/// What the ids of containers begin with.
const SCHEME: &str = "skylab://";

/// A container that ran and of which there is no trace.
const UNKNOWN: &str = "ContainerStatusUnknown";

impl Lifecycle {
    /// What is told of the containers of some roles.
    pub(super) fn container_statuses(
        &self,
        scene: &Scene<'_>,
        before: &PodStatus,
        roles: &[Role],
    ) -> Vec<ContainerStatus> {
        scene
            .pod
            .containers()
            .filter(|(role, _)| roles.contains(role))
            .map(|(role, container)| self.container_status(scene, before, role, container))
            .collect()
    }

    fn container_status(
        &self,
        scene: &Scene<'_>,
        before: &PodStatus,
        role: Role,
        container: &Container,
    ) -> ContainerStatus {
        let name = container.name.as_str();
        let before = before.container(name);
        let mut instances = scene.seen.all(name);
        let latest = instances.next();
        let mut status = match latest {
            Some(latest) => self.of_instance(scene, latest, instances.next(), before),
            None => absent(scene, container, before),
        };
        let waiting = self.tracks.get(name).and_then(|t| t.waiting.as_ref());
        if let Some(waiting) = waiting
            && should_start(scene.pod, role, latest)
            && self.ending.is_none()
        {
            if matches!(status.state, Some(State::Terminated(_))) {
                status.last_state = status.state.take();
            }
            status.state = Some(State::Waiting(waiting.clone()));
        }
        let running = matches!(status.state, Some(State::Running(_)));
        self.fill_health(
            scene,
            role,
            container,
            latest.filter(|_| running),
            &mut status,
        );
        status.volume_mounts = volume_mounts(container);
        status
    }

    fn of_instance(
        &self,
        scene: &Scene<'_>,
        latest: &Instance,
        previous: Option<&Instance>,
        before: Option<&ContainerStatus>,
    ) -> ContainerStatus {
        let id = format!("{SCHEME}{}", latest.id);
        let hooked = self.tracks.get(&latest.name).and_then(|t| t.hook.as_ref());
        let state = if hooked == Some(&latest.id) {
            State::Waiting(creating(scene))
        } else {
            state(latest)
        };
        let last_state = match (previous, before) {
            (Some(previous), _) => Some(state_of_previous(previous)),
            (None, Some(before)) if before.container_id == id => before.last_state.clone(),
            (None, Some(before)) => match &before.state {
                Some(ended @ State::Terminated(_)) => Some(ended.clone()),
                _ => before.last_state.clone(),
            },
            (None, None) => None,
        };
        ContainerStatus {
            name: latest.name.clone(),
            state: Some(state),
            last_state,
            restart_count: latest.attempt,
            image: full_name(&latest.image),
            image_id: self
                .image_ids
                .get(&latest.image_id)
                .unwrap_or(&latest.image_id)
                .clone(),
            container_id: id,
            ..ContainerStatus::default()
        }
    }

    /// Whether it has started, and whether it is ready.
    fn fill_health(
        &self,
        scene: &Scene<'_>,
        role: Role,
        container: &Container,
        running: Option<&Instance>,
        status: &mut ContainerStatus,
    ) {
        let ended_well = matches!(&status.state, Some(State::Terminated(t)) if t.exit_code == 0);
        if role == Role::Ephemeral {
            return;
        }
        let health = running.map(|instance| {
            let health = scene.health.get(&instance.id);
            health.copied().unwrap_or_default()
        });
        let passed = |probe: bool, verdict: Verdict| !probe || verdict == Verdict::Success;
        let started = health.is_some_and(|h| passed(container.startup_probe.is_some(), h.startup));
        status.started = Some(started);
        status.ready = match role {
            Role::Init => ended_well,
            _ => {
                started
                    && health
                        .is_some_and(|h| passed(container.readiness_probe.is_some(), h.readiness))
            }
        };
    }
}

/// A container of which the runtime has nothing: it wasn't made yet, or was lost.
fn absent(
    scene: &Scene<'_>,
    container: &Container,
    before: Option<&ContainerStatus>,
) -> ContainerStatus {
    let fresh = ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone(),
        state: Some(State::Waiting(creating(scene))),
        ..ContainerStatus::default()
    };
    let Some(before) = before else { return fresh };
    if matches!(before.state, Some(State::Terminated(_))) {
        return before.clone();
    }
    let mut status = ContainerStatus {
        restart_count: before.restart_count,
        last_state: before.last_state.clone(),
        ..fresh
    };
    if matches!(before.state, Some(State::Running(_))) {
        status.last_state = Some(State::Terminated(Terminated {
            exit_code: 137,
            reason: UNKNOWN.to_owned(),
            message: "The container could not be located when the pod was deleted.  The container used to be Running".to_owned(),
            container_id: before.container_id.clone(),
            ..Terminated::default()
        }));
        if !scene.pod.deleted() {
            status.restart_count += 1;
        }
    }
    status
}

/// A container that isn't made yet.
fn creating(scene: &Scene<'_>) -> Waiting {
    let reason = if scene.pod.spec.init_containers.is_empty() {
        "ContainerCreating"
    } else {
        "PodInitializing"
    };
    Waiting {
        reason: reason.to_owned(),
        message: String::new(),
    }
}

fn state(instance: &Instance) -> State {
    match &instance.state {
        ContainerState::Created => State::Waiting(Waiting::default()),
        ContainerState::Running { started } => State::Running(Running {
            started_at: clock::rfc3339(*started),
        }),
        ContainerState::Exited {
            started,
            finished,
            code,
            reason,
            ..
        } => State::Terminated(Terminated {
            exit_code: *code,
            reason: reason.clone(),
            message: instance.message.clone(),
            started_at: Some(clock::rfc3339(*started)),
            finished_at: Some(clock::rfc3339(*finished)),
            container_id: format!("{SCHEME}{}", instance.id),
        }),
    }
}

/// An instance in whose place there is another has ended, or was never started.
fn state_of_previous(previous: &Instance) -> State {
    match state(previous) {
        ended @ State::Terminated(_) => ended,
        _ => State::Terminated(Terminated {
            exit_code: 137,
            reason: UNKNOWN.to_owned(),
            container_id: format!("{SCHEME}{}", previous.id),
            ..Terminated::default()
        }),
    }
}

/// In the end every container of a pod that was initialized has ended, wherever it was lost.
pub(super) fn close(statuses: &mut [ContainerStatus]) {
    for status in statuses {
        if matches!(status.state, Some(State::Terminated(_))) {
            continue;
        }
        status.ready = false;
        status.started = status.started.map(|_| false);
        let ended = status.last_state.as_ref().and_then(State::terminated);
        let unknown = Terminated {
            exit_code: 137,
            reason: UNKNOWN.to_owned(),
            message: "The container could not be located when the pod was terminated".to_owned(),
            ..Terminated::default()
        };
        let ended = ended.filter(|ended| ended.reason == UNKNOWN).cloned();
        status.state = Some(State::Terminated(ended.unwrap_or(unknown)));
    }
}

/// An image's name with its registry and tag: `docker.io/library/nginx:latest`.
fn full_name(image: &str) -> String {
    if image.starts_with("sha256:") {
        return image.to_owned();
    }
    let (registry, rest) = match image.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
        _ => ("docker.io", image),
    };
    let library = if registry == "docker.io" && !rest.contains('/') {
        "library/"
    } else {
        ""
    };
    let last = rest.rsplit('/').next().unwrap_or(rest);
    let tag = if last.contains([':', '@']) {
        ""
    } else {
        ":latest"
    };
    format!("{registry}/{library}{rest}{tag}")
}

fn volume_mounts(container: &Container) -> Vec<VolumeMountStatus> {
    let mounts = container.volume_mounts.iter();
    mounts
        .map(|mount| VolumeMountStatus {
            name: mount.name.clone(),
            mount_path: mount.mount_path.clone(),
            read_only: mount.read_only,
            recursive_read_only: mount.read_only.then(|| "Disabled".to_owned()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::full_name;

    #[test]
    fn images_have_full_names() {
        for (asked, told) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1", "docker.io/library/nginx:1"),
            ("me/app", "docker.io/me/app:latest"),
            ("registry:5000/app", "registry:5000/app:latest"),
            ("skylab.local/host", "skylab.local/host:latest"),
            ("a.io/b@sha256:00", "a.io/b@sha256:00"),
            ("sha256:00", "sha256:00"),
        ] {
            assert_eq!(full_name(asked), told);
        }
    }
}
