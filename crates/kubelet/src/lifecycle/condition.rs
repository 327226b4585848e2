//! A pod's conditions.
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions>

use crate::clock;
use crate::pod::{Condition, ContainerStatus, Pod, PodStatus, State};
use std::time::SystemTime;

/// The conditions that are a kubelet's to set.
const OURS: [&str; 5] = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
];

/// The condition of pods that end for their node's sake.
/// <https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions>
const DISRUPTION: &str = "DisruptionTarget";
/// Its reason where the kubelet ended them.
const BY_KUBELET: &str = "TerminationByKubelet";

/// Whether a condition is this kubelet's to tell: what others set is not sent back to them, since it may have changed
/// meanwhile.
pub(super) fn is_ours(condition: &Condition) -> bool {
    let kind = condition.kind.as_str();
    let ended = kind == DISRUPTION && condition.reason.as_deref() == Some(BY_KUBELET);
    ended || OURS.contains(&kind)
}

/// A condition before it has its time.
struct Finding {
    kind: &'static str,
    holds: bool,
    reason: &'static str,
    message: String,
}

impl Finding {
    fn holds(kind: &'static str) -> Self {
        Self {
            kind,
            holds: true,
            reason: "",
            message: String::new(),
        }
    }

    fn fails(kind: &'static str, reason: &'static str, message: String) -> Self {
        Self {
            kind,
            holds: false,
            reason,
            message,
        }
    }
}

/// A pod's conditions: others' as the API has them, ours as they are. A condition's time stays where
/// its status stays.
pub(super) fn all(
    pod: &Pod,
    status: &PodStatus,
    before: &[Condition],
    sandbox: bool,
    disrupted: Option<&str>,
    now: SystemTime,
) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = pod
        .status
        .conditions
        .iter()
        .filter(|condition| !OURS.contains(&condition.kind.as_str()))
        .filter(|condition| disrupted.is_none() || condition.kind != DISRUPTION)
        .cloned()
        .collect();
    let network = if sandbox {
        Finding::holds("PodReadyToStartContainers")
    } else {
        Finding::fails("PodReadyToStartContainers", "", String::new())
    };
    let findings = [
        network,
        initialized(pod, status),
        ready(pod, status, &conditions),
        containers_ready(pod, status, "ContainersReady"),
        Finding::holds("PodScheduled"),
    ];
    let disruption = disrupted.map(|message| Finding {
        reason: BY_KUBELET,
        message: message.to_owned(),
        ..Finding::holds(DISRUPTION)
    });
    for finding in findings.into_iter().chain(disruption) {
        let status = if finding.holds { "True" } else { "False" };
        let known = before.iter().find(|c| c.kind == finding.kind);
        let since = known
            .filter(|known| known.status == status)
            .and_then(|known| known.last_transition_time.clone());
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        conditions.push(Condition {
            kind: finding.kind.to_owned(),
            status: status.to_owned(),
            reason: said(finding.reason),
            message: said(&finding.message),
            last_probe_time: None,
            last_transition_time: since.or_else(|| Some(clock::rfc3339(now))),
        });
    }
    conditions
}

fn initialized(pod: &Pod, status: &PodStatus) -> Finding {
    let kind = "Initialized";
    let statuses = &status.init_container_statuses;
    let (mut unknown, mut incomplete) = (Vec::new(), Vec::new());
    for container in &pod.spec.init_containers {
        match find(statuses, &container.name) {
            None => unknown.push(container.name.as_str()),
            Some(known) if container.restarts_always() && known.started == Some(true) => {}
            Some(known) if !container.restarts_always() && known.ready => {}
            Some(_) => incomplete.push(container.name.as_str()),
        }
    }
    if status.phase == "Succeeded" && unknown.is_empty() {
        return Finding {
            reason: "PodCompleted",
            ..Finding::holds(kind)
        };
    }
    let mut main = status.container_statuses.iter();
    if main.any(has_started) {
        return Finding::holds(kind);
    }
    let message = told(&[
        ("containers with unknown status", &unknown),
        ("containers with incomplete status", &incomplete),
    ]);
    if message.is_empty() {
        return Finding::holds(kind);
    }
    Finding::fails(kind, "ContainersNotInitialized", message)
}

/// Whether a container is or was running.
fn has_started(status: &ContainerStatus) -> bool {
    let ran = |state: &Option<State>| {
        matches!(state, Some(State::Running(_)) | Some(State::Terminated(_)))
    };
    ran(&status.state) || ran(&status.last_state) || status.started == Some(true)
}

fn containers_ready(pod: &Pod, status: &PodStatus, kind: &'static str) -> Finding {
    let (mut unknown, mut unready) = (Vec::new(), Vec::new());
    let sidecars = pod.spec.init_containers.iter();
    let sidecars = sidecars.filter(|container| container.restarts_always());
    for container in sidecars.chain(&pod.spec.containers) {
        match status.container(&container.name) {
            None => unknown.push(container.name.as_str()),
            Some(known) if !known.ready => unready.push(container.name.as_str()),
            Some(_) => {}
        }
    }
    if status.phase == "Succeeded" && unknown.is_empty() {
        return Finding::fails(kind, "PodCompleted", String::new());
    }
    if status.phase == "Failed" {
        return Finding::fails(kind, "PodFailed", String::new());
    }
    let message = told(&[
        ("containers with unknown status", &unknown),
        ("containers with unready status", &unready),
    ]);
    if message.is_empty() {
        return Finding::holds(kind);
    }
    Finding::fails(kind, "ContainersNotReady", message)
}

fn ready(pod: &Pod, status: &PodStatus, others: &[Condition]) -> Finding {
    let containers = containers_ready(pod, status, "Ready");
    if !containers.holds {
        return containers;
    }
    let mut missing = Vec::new();
    for gate in &pod.spec.readiness_gates {
        let gate = &gate.condition_type;
        match others.iter().find(|condition| condition.kind == *gate) {
            None => missing.push(format!(
                "corresponding condition of pod readiness gate {gate:?} does not exist."
            )),
            Some(found) if found.status != "True" => missing.push(format!(
                "the status of pod readiness gate {gate:?} is not \"True\", but {}",
                found.status
            )),
            Some(_) => {}
        }
    }
    if missing.is_empty() {
        return containers;
    }
    Finding::fails("Ready", "ReadinessGatesNotReady", missing.join(", "))
}

fn told(lists: &[(&str, &[&str])]) -> String {
    let said = lists.iter().filter(|(_, names)| !names.is_empty());
    let said = said.map(|(what, names)| format!("{what}: [{}]", names.join(" ")));
    said.collect::<Vec<_>>().join(", ")
}

fn find<'a>(statuses: &'a [ContainerStatus], name: &str) -> Option<&'a ContainerStatus> {
    statuses.iter().find(|status| status.name == name)
}
