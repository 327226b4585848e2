//! Workloads.

use super::{Printer, age, col, containers, count, num, or_none, selector, wide};
use crate::object::{self, list, text};
use crate::schema::parse_rfc3339;
use serde_json::{Value, json};

pub(super) const DEPLOYMENT: Printer = Printer {
    columns: &[
        col("Ready"),
        num("Up-to-date"),
        num("Available"),
        col("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    cells: |object, now| {
        let [names, images] = containers(&object["spec"]["template"]["spec"]);
        vec![
            ready(object, "readyReplicas", "replicas"),
            json!(count(object, &["status", "updatedReplicas"])),
            json!(count(object, &["status", "availableReplicas"])),
            age::of(object, now),
            names,
            images,
            selector(&object["spec"]["selector"]),
        ]
    },
};

/// `ready/wanted`.
fn ready(object: &Value, ready: &str, wanted: &str) -> Value {
    let (ready, wanted) = (
        count(object, &["status", ready]),
        count(object, &["spec", wanted]),
    );
    json!(format!("{ready}/{wanted}"))
}

pub(super) const REPLICA_SET: Printer = Printer {
    columns: &[
        num("Desired"),
        num("Current"),
        num("Ready"),
        col("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    cells: |object, now| {
        let [names, images] = containers(&object["spec"]["template"]["spec"]);
        vec![
            json!(count(object, &["spec", "replicas"])),
            json!(count(object, &["status", "replicas"])),
            json!(count(object, &["status", "readyReplicas"])),
            age::of(object, now),
            names,
            images,
            selector(&object["spec"]["selector"]),
        ]
    },
};

pub(super) const REPLICATION_CONTROLLER: Printer = Printer {
    columns: REPLICA_SET.columns,
    cells: |object, now| {
        let mut cells = (REPLICA_SET.cells)(object, now);
        if let Some(last) = cells.last_mut() {
            *last = super::labels(&object["spec"]["selector"]);
        }
        cells
    },
};

pub(super) const STATEFUL_SET: Printer = Printer {
    columns: &[col("Ready"), col("Age"), wide("Containers"), wide("Images")],
    cells: |object, now| {
        let [names, images] = containers(&object["spec"]["template"]["spec"]);
        vec![
            ready(object, "readyReplicas", "replicas"),
            age::of(object, now),
            names,
            images,
        ]
    },
};

pub(super) const DAEMON_SET: Printer = Printer {
    columns: &[
        num("Desired"),
        num("Current"),
        num("Ready"),
        num("Up-to-date"),
        num("Available"),
        col("Node Selector"),
        col("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    cells: |object, now| {
        let spec = &object["spec"]["template"]["spec"];
        let [names, images] = containers(spec);
        let number = |name: &str| json!(count(object, &["status", name]));
        vec![
            number("desiredNumberScheduled"),
            number("currentNumberScheduled"),
            number("numberReady"),
            number("updatedNumberScheduled"),
            number("numberAvailable"),
            super::labels(&spec["nodeSelector"]),
            age::of(object, now),
            names,
            images,
            selector(&object["spec"]["selector"]),
        ]
    },
};

pub(super) const JOB: Printer = Printer {
    columns: &[
        col("Status"),
        col("Completions"),
        col("Duration"),
        col("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    cells: job,
};

fn job(object: &Value, now: i64) -> Vec<Value> {
    let [names, images] = containers(&object["spec"]["template"]["spec"]);
    let holds = |name: &str| {
        list(object, &["status", "conditions"])
            .iter()
            .any(|condition| condition["type"] == name && condition["status"] == "True")
    };
    let status = if holds("Complete") {
        "Complete"
    } else if holds("Failed") {
        "Failed"
    } else if object::is_terminating(object) {
        "Terminating"
    } else if holds("Suspended") {
        "Suspended"
    } else if holds("FailureTarget") {
        "FailureTarget"
    } else if holds("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    };
    let succeeded = count(object, &["status", "succeeded"]);
    let completions = match object::number(object, &["spec", "completions"]) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None => match object::number(object, &["spec", "parallelism"]) {
            Some(parallel) if parallel > 1 => format!("{succeeded}/1 of {parallel}"),
            _ => format!("{succeeded}/1"),
        },
    };
    let moment = |name: &str| parse_rfc3339(text(object, &["status", name]));
    let duration = match (moment("startTime"), moment("completionTime")) {
        (Some(start), Some(end)) => age::told(end - start),
        (Some(start), None) => age::told(now - start),
        (None, _) => String::new(),
    };
    vec![
        json!(status),
        json!(completions),
        json!(duration),
        age::of(object, now),
        names,
        images,
        selector(&object["spec"]["selector"]),
    ]
}

pub(super) const CRON_JOB: Printer = Printer {
    columns: &[
        col("Schedule"),
        col("Timezone"),
        ("Suspend", "boolean", false),
        num("Active"),
        col("Last Schedule"),
        col("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    cells: |object, now| {
        let [names, images] =
            containers(&object["spec"]["jobTemplate"]["spec"]["template"]["spec"]);
        let last = text(object, &["status", "lastScheduleTime"]);
        let suspended = object["spec"]["suspend"] == true;
        vec![
            json!(text(object, &["spec", "schedule"])),
            or_none(text(object, &["spec", "timeZone"])),
            json!(if suspended { "True" } else { "False" }),
            json!(list(object, &["status", "active"]).len()),
            if last.is_empty() {
                json!("<none>")
            } else {
                json!(age::since(last, now))
            },
            age::of(object, now),
            names,
            images,
            selector(&object["spec"]["jobTemplate"]["spec"]["selector"]),
        ]
    },
};

pub(super) const CONTROLLER_REVISION: Printer = Printer {
    columns: &[col("Controller"), num("Revision"), col("Age")],
    cells: |object, now| {
        let owner = list(object, &["metadata", "ownerReferences"])
            .iter()
            .find(|owner| owner["controller"] == true);
        let controller = owner.map_or("<none>".to_owned(), |owner| {
            let version = text(owner, &["apiVersion"]);
            let group = version.split_once('/').map_or("", |(group, _)| group);
            let kind = text(owner, &["kind"]).to_lowercase();
            format!("{kind}.{group}/{}", text(owner, &["name"]))
        });
        vec![
            json!(controller),
            object["revision"].clone(),
            age::of(object, now),
        ]
    },
};

pub(super) const AUTOSCALER: Printer = Printer {
    columns: &[
        col("Reference"),
        col("Targets"),
        col("MinPods"),
        col("MaxPods"),
        num("Replicas"),
        col("Age"),
    ],
    cells: |object, now| {
        let target = &object["spec"]["scaleTargetRef"];
        let min = object::number(object, &["spec", "minReplicas"]);
        vec![
            json!(format!(
                "{}/{}",
                text(target, &["kind"]),
                text(target, &["name"])
            )),
            json!(targets(object)),
            json!(min.map_or("<unset>".to_owned(), |min| min.to_string())),
            json!(count(object, &["spec", "maxReplicas"]).to_string()),
            json!(count(object, &["status", "currentReplicas"])),
            age::of(object, now),
        ]
    },
};

fn targets(object: &Value) -> String {
    let current = list(object, &["status", "currentMetrics"]);
    let told: Vec<String> = list(object, &["spec", "metrics"])
        .iter()
        .enumerate()
        .map(|(index, metric)| {
            let name = text(metric, &["resource", "name"]);
            let target = &metric["resource"]["target"];
            let now = current
                .get(index)
                .map_or(&Value::Null, |m| &m["resource"]["current"]);
            if let Some(wanted) = target["averageUtilization"].as_i64() {
                let is = now["averageUtilization"].as_i64();
                let is = is.map_or("<unknown>".to_owned(), |is| format!("{is}%"));
                format!("{name}: {is}/{wanted}%")
            } else {
                let is = text(now, &["averageValue"]);
                let is = if is.is_empty() { "<unknown>" } else { is };
                format!("{name}: {is}/{}", text(target, &["averageValue"]))
            }
        })
        .collect();
    if told.is_empty() {
        "<none>".to_owned()
    } else {
        told.join(", ")
    }
}

pub(super) const DISRUPTION_BUDGET: Printer = Printer {
    columns: &[
        col("Min Available"),
        col("Max Unavailable"),
        num("Allowed Disruptions"),
        col("Age"),
    ],
    cells: |object, now| {
        let amount = |name: &str| match &object["spec"][name] {
            Value::Null => json!("N/A"),
            Value::String(text) => json!(text),
            other => json!(other.to_string()),
        };
        vec![
            amount("minAvailable"),
            amount("maxUnavailable"),
            json!(count(object, &["status", "disruptionsAllowed"])),
            age::of(object, now),
        ]
    },
};
