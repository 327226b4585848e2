//! Where a pod is in its life, in one word.
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase>

use crate::pod::{ContainerStatus, Pod, PodStatus, RestartPolicy, State};

/// The pod's phase, from its containers' statuses. `over` says that nothing is started any more.
pub(super) fn of(pod: &Pod, status: &PodStatus, over: bool) -> &'static str {
    let (init, main) = (init(pod, status), main(pod, status));
    let policy = pod.spec.restart_policy;
    if init.failed && policy == RestartPolicy::Never {
        return "Failed";
    }
    let held_up = init.pending || (init.sidecar_pending && !main.began);
    if held_up || init.waiting || init.unknown || main.waiting > 0 || main.unknown > 0 {
        return "Pending";
    }
    if main.running + init.sidecars > 0 {
        return "Running";
    }
    if main.stopped == 0 {
        return "Pending";
    }
    let for_good = over || policy != RestartPolicy::Always;
    match (main.failed, for_good) {
        (0, true) => "Succeeded",
        (_, true) if over || policy == RestartPolicy::Never => "Failed",
        _ => "Running",
    }
}

/// What the init containers' statuses come to.
#[derive(Default)]
struct Init {
    /// One hasn't run to its end.
    pending: bool,
    /// One failed.
    failed: bool,
    /// A sidecar hasn't started.
    sidecar_pending: bool,
    /// A sidecar was never made.
    waiting: bool,
    /// So many sidecars run.
    sidecars: usize,
    /// Nothing is known of a sidecar.
    unknown: bool,
}

fn init(pod: &Pod, status: &PodStatus) -> Init {
    let mut all = Init::default();
    for container in &pod.spec.init_containers {
        let known = find(&status.init_container_statuses, &container.name);
        if container.restarts_always() {
            let Some(known) = known else {
                all.unknown = true;
                continue;
            };
            match &known.state {
                Some(State::Running(_)) => {
                    all.sidecars += 1;
                    all.sidecar_pending |= known.started != Some(true);
                }
                Some(State::Terminated(_)) => {}
                _ => {
                    all.waiting |= known.last_state.is_none();
                    all.sidecar_pending |= known.last_state.is_none();
                }
            }
            continue;
        }
        let ended = known.and_then(|known| match &known.state {
            Some(State::Terminated(ended)) => Some(ended),
            Some(State::Waiting(_)) => known.last_state.as_ref()?.terminated(),
            _ => None,
        });
        match ended {
            Some(ended) => all.failed |= ended.exit_code != 0,
            None => all.pending = true,
        }
    }
    all
}

/// What the main containers' statuses come to.
#[derive(Default)]
struct Main {
    running: usize,
    waiting: usize,
    stopped: usize,
    failed: usize,
    unknown: usize,
    /// One has been running.
    began: bool,
}

fn main(pod: &Pod, status: &PodStatus) -> Main {
    let mut all = Main::default();
    for container in &pod.spec.containers {
        let Some(known) = find(&status.container_statuses, &container.name) else {
            all.unknown += 1;
            continue;
        };
        let last = known.last_state.as_ref().and_then(State::terminated);
        match (&known.state, last) {
            (Some(State::Running(_)), _) => all.running += 1,
            (Some(State::Terminated(ended)), _) => {
                all.stopped += 1;
                all.failed += usize::from(ended.exit_code != 0);
            }
            // It waits to be started again.
            (_, Some(_)) => {
                all.stopped += 1;
                all.failed += 1;
            }
            (_, None) => all.waiting += 1,
        }
        let began = !matches!(known.state, Some(State::Waiting(_)) | None) || last.is_some();
        all.began |= began;
    }
    all
}

fn find<'a>(statuses: &'a [ContainerStatus], name: &str) -> Option<&'a ContainerStatus> {
    statuses.iter().find(|status| status.name == name)
}
