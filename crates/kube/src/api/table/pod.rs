//! Pods.

use super::{Printer, age, col, or_none, wide};
use crate::object::{self, list, text};
use serde_json::{Value, json};

pub(super) const PRINTER: Printer = Printer {
    columns: &[
        col("Ready"),
        col("Status"),
        col("Restarts"),
        col("Age"),
        wide("IP"),
        wide("Node"),
        wide("Nominated Node"),
        wide("Readiness Gates"),
    ],
    cells,
};

fn cells(pod: &Value, now: i64) -> Vec<Value> {
    let containers = list(pod, &["spec", "containers"]).len();
    let statuses = list(pod, &["status", "containerStatuses"]);
    let ready = statuses
        .iter()
        .filter(|status| status["ready"] == true)
        .count();
    let gates = list(pod, &["spec", "readinessGates"]);
    vec![
        json!(format!("{ready}/{containers}")),
        json!(status(pod)),
        json!(restarts(pod, now)),
        age::of(pod, now),
        or_none(text(pod, &["status", "podIP"])),
        or_none(text(pod, &["spec", "nodeName"])),
        or_none(text(pod, &["status", "nominatedNodeName"])),
        if gates.is_empty() {
            json!("<none>")
        } else {
            let held = |gate: &&Value| {
                list(pod, &["status", "conditions"])
                    .iter()
                    .any(|condition| {
                        condition["type"] == gate["conditionType"] && condition["status"] == "True"
                    })
            };
            json!(format!(
                "{}/{}",
                gates.iter().filter(held).count(),
                gates.len()
            ))
        },
    ]
}

fn restarts(pod: &Value, now: i64) -> String {
    let statuses = list(pod, &["status", "containerStatuses"]);
    let init = list(pod, &["status", "initContainerStatuses"]);
    let all = || statuses.iter().chain(init);
    let total: i64 = all()
        .filter_map(|status| status["restartCount"].as_i64())
        .sum();
    let last = all()
        .map(|status| text(status, &["lastState", "terminated", "finishedAt"]))
        .max()
        .unwrap_or_default();
    if total > 0 && !last.is_empty() {
        format!("{total} ({} ago)", age::since(last, now))
    } else {
        total.to_string()
    }
}

/// A pod's state in a word, as upstream's printer finds it.
fn status(pod: &Value) -> String {
    let mut reason = text(pod, &["status", "phase"]).to_owned();
    let own = text(pod, &["status", "reason"]);
    if !own.is_empty() {
        own.clone_into(&mut reason);
    }
    let scheduled = list(pod, &["status", "conditions"])
        .iter()
        .find(|c| c["type"] == "PodScheduled");
    if scheduled.is_some_and(|condition| condition["reason"] == "SchedulingGated") {
        "SchedulingGated".clone_into(&mut reason);
    }
    if let Some(init) = initializing(pod) {
        reason = init;
    } else {
        running(pod, &mut reason);
    }
    if object::is_terminating(pod) {
        return if own == "NodeLost" {
            "Unknown"
        } else {
            "Terminating"
        }
        .to_owned();
    }
    reason
}

/// Which init container holds the pod up, if one does.
fn initializing(pod: &Value) -> Option<String> {
    let specs = list(pod, &["spec", "initContainers"]);
    for (index, status) in list(pod, &["status", "initContainerStatuses"])
        .iter()
        .enumerate()
    {
        let terminated = &status["state"]["terminated"];
        let waiting = text(status, &["state", "waiting", "reason"]);
        let sidecar = specs
            .iter()
            .any(|spec| spec["name"] == status["name"] && spec["restartPolicy"] == "Always");
        if terminated["exitCode"] == 0 || (sidecar && status["started"] == true) {
            continue;
        }
        if !terminated.is_null() {
            let reason = text(terminated, &["reason"]);
            return Some(match (reason, terminated["signal"].as_i64()) {
                ("", Some(signal)) if signal != 0 => format!("Init:Signal:{signal}"),
                ("", _) => format!("Init:ExitCode:{}", terminated["exitCode"]),
                (reason, _) => format!("Init:{reason}"),
            });
        }
        if !waiting.is_empty() && waiting != "PodInitializing" {
            return Some(format!("Init:{waiting}"));
        }
        return Some(format!("Init:{index}/{}", specs.len()));
    }
    None
}

/// What the containers say.
fn running(pod: &Value, reason: &mut String) {
    let mut any_running = false;
    for status in list(pod, &["status", "containerStatuses"]).iter().rev() {
        let waiting = text(status, &["state", "waiting", "reason"]);
        let terminated = &status["state"]["terminated"];
        if !waiting.is_empty() {
            waiting.clone_into(reason);
        } else if !terminated.is_null() {
            let own = text(terminated, &["reason"]);
            *reason = match (own, terminated["signal"].as_i64()) {
                ("", Some(signal)) if signal != 0 => format!("Signal:{signal}"),
                ("", _) => format!("ExitCode:{}", terminated["exitCode"]),
                (own, _) => own.to_owned(),
            };
        } else if status["ready"] == true && !status["state"]["running"].is_null() {
            any_running = true;
        }
    }
    if reason == "Completed" && any_running {
        let ready = list(pod, &["status", "conditions"])
            .iter()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        *reason = if ready { "Running" } else { "NotReady" }.to_owned();
    }
}
