//! Init containers: one after another, each to its end; sidecars are done once they have started.

use super::{Instance, Scene, Verdict};
use crate::pod::{Container, RestartPolicy, Role};

/// How far a pod's init containers are.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    /// Which to start, in their order.
    pub(super) start: Vec<(Role, &'a Container)>,
    /// Whether the main containers may begin.
    pub(super) done: bool,
}

/// How far they are. Those that ended long ago may have been forgotten by the runtime, so that the last
/// one of which there is a trace tells of all before it.
pub(super) fn progress<'a>(scene: &Scene<'a>) -> Progress<'a> {
    let (pod, seen) = (scene.pod, scene.seen);
    let all = &pod.spec.init_containers;
    let main_runs = pod.spec.containers.iter().any(|container| {
        let last = seen.latest(&container.name);
        last.is_some_and(|instance| instance.exit_code().is_none())
    });
    let mut start = Vec::new();
    let mut done = all.is_empty() || main_runs;
    let mut later_began = main_runs;
    for (index, container) in all.iter().enumerate().rev() {
        let role = role(container);
        let Some(last) = seen.latest(&container.name) else {
            if later_began && role == Role::Sidecar {
                start.push((role, container));
            }
            continue;
        };
        if later_began && role == Role::Init {
            continue;
        }
        match stage(scene, role, container, last) {
            Stage::Passed if index + 1 == all.len() => done = true,
            Stage::Passed if !later_began => start.extend(next(all, index)),
            Stage::Down => start.push((role, container)),
            Stage::Passed | Stage::Underway | Stage::Failed => {}
        }
        later_began = true;
    }
    if !later_began && let Some(first) = all.first() {
        start.push((role(first), first));
    }
    start.reverse();
    Progress { start, done }
}

fn next(all: &[Container], index: usize) -> Option<(Role, &Container)> {
    let container = all.get(index + 1)?;
    Some((role(container), container))
}

fn role(container: &Container) -> Role {
    if container.restarts_always() {
        Role::Sidecar
    } else {
        Role::Init
    }
}

enum Stage {
    /// Those after it may begin.
    Passed,
    /// It runs and has not passed.
    Underway,
    /// It must be started (again) before those after it.
    Down,
    /// It failed for good.
    Failed,
}

fn stage(scene: &Scene<'_>, role: Role, container: &Container, last: &Instance) -> Stage {
    let code = last.exit_code();
    match (role, code) {
        (Role::Sidecar, Some(_)) => Stage::Down,
        (Role::Sidecar, None) if last.running() => {
            let health = scene.health.get(&last.id).copied().unwrap_or_default();
            if container.startup_probe.is_none() || health.startup == Verdict::Success {
                Stage::Passed
            } else {
                Stage::Underway
            }
        }
        (_, Some(0)) => Stage::Passed,
        (_, Some(_)) if scene.pod.spec.restart_policy == RestartPolicy::Never => Stage::Failed,
        (_, Some(_)) => Stage::Down,
        (_, None) if last.running() => Stage::Underway,
        // It was made and not started.
        (_, None) => Stage::Down,
    }
}
