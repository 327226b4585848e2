//! Nodes, namespaces, events, configuration.

use super::{Printer, age, col, count, num, or_none, wide};
use crate::object::{self, list, text};
use serde_json::{Value, json};

pub(super) const NODE: Printer = Printer {
    columns: &[
        col("Status"),
        col("Roles"),
        col("Age"),
        col("Version"),
        wide("Internal-IP"),
        wide("External-IP"),
        wide("OS-Image"),
        wide("Kernel-Version"),
        wide("Container-Runtime"),
    ],
    cells: |object, now| {
        let info = |name: &str| {
            let told = text(object, &["status", "nodeInfo", name]);
            json!(if told.is_empty() { "<unknown>" } else { told })
        };
        let address = |kind: &str| {
            let found = list(object, &["status", "addresses"])
                .iter()
                .find(|address| address["type"] == kind);
            or_none(found.map_or("", |address| text(address, &["address"])))
        };
        vec![
            json!(node_status(object)),
            json!(roles(object)),
            age::of(object, now),
            info("kubeletVersion"),
            address("InternalIP"),
            address("ExternalIP"),
            info("osImage"),
            info("kernelVersion"),
            info("containerRuntimeVersion"),
        ]
    },
};

fn node_status(node: &Value) -> String {
    let ready = list(node, &["status", "conditions"])
        .iter()
        .find(|c| c["type"] == "Ready");
    let mut status = match ready {
        Some(condition) if condition["status"] == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node["spec"]["unschedulable"] == true {
        status.push_str(",SchedulingDisabled");
    }
    status
}

fn roles(node: &Value) -> String {
    let mut roles: Vec<&str> = object::entries(node, &["metadata", "labels"])
        .filter_map(|(key, value)| {
            let role = key.strip_prefix("node-role.kubernetes.io/");
            let old = (key == "kubernetes.io/role").then(|| value.as_str().unwrap_or_default());
            role.or(old).filter(|role| !role.is_empty())
        })
        .collect();
    roles.sort_unstable();
    if roles.is_empty() {
        "<none>".to_owned()
    } else {
        roles.join(",")
    }
}

pub(super) const NAMESPACE: Printer = Printer {
    columns: &[col("Status"), col("Age")],
    cells: |object, now| {
        vec![
            json!(text(object, &["status", "phase"])),
            age::of(object, now),
        ]
    },
};

pub(super) const EVENT: Printer = Printer {
    columns: &[
        col("Last Seen"),
        col("Type"),
        col("Reason"),
        col("Object"),
        wide("Subobject"),
        wide("Source"),
        col("Message"),
        wide("First Seen"),
        wide("Count"),
        wide("Name"),
    ],
    cells: event,
};

fn event(object: &Value, now: i64) -> Vec<Value> {
    let moment = |names: [&str; 2]| {
        let found = names
            .iter()
            .map(|name| text(object, &[name]))
            .find(|text| !text.is_empty());
        age::since(found.unwrap_or_default(), now)
    };
    let about = &object["involvedObject"];
    let kind = text(about, &["kind"]).to_lowercase();
    let (component, host) = (
        text(object, &["source", "component"]),
        text(object, &["source", "host"]),
    );
    let source = if host.is_empty() {
        component.to_owned()
    } else {
        format!("{component}, {host}")
    };
    vec![
        json!(moment(["lastTimestamp", "eventTime"])),
        json!(text(object, &["type"])),
        json!(text(object, &["reason"])),
        json!(format!("{kind}/{}", text(about, &["name"]))),
        json!(text(about, &["fieldPath"])),
        json!(source),
        json!(text(object, &["message"]).trim()),
        json!(moment(["firstTimestamp", "eventTime"])),
        json!(count(object, &["count"]).max(1)),
        json!(object::name(object)),
    ]
}

/// How many entries maps of an object have together.
fn entries(object: &Value, fields: &[&str]) -> Value {
    let count: usize = fields
        .iter()
        .map(|field| object::entries(object, &[field]).count())
        .sum();
    json!(count)
}

pub(super) const CONFIG_MAP: Printer = Printer {
    columns: &[num("Data"), col("Age")],
    cells: |object, now| {
        vec![
            entries(object, &["data", "binaryData"]),
            age::of(object, now),
        ]
    },
};

pub(super) const SECRET: Printer = Printer {
    columns: &[col("Type"), num("Data"), col("Age")],
    cells: |object, now| {
        vec![
            json!(text(object, &["type"])),
            entries(object, &["data"]),
            age::of(object, now),
        ]
    },
};

pub(super) const LEASE: Printer = Printer {
    columns: &[col("Holder"), col("Age")],
    cells: |object, now| {
        vec![
            json!(text(object, &["spec", "holderIdentity"])),
            age::of(object, now),
        ]
    },
};

pub(super) const PRIORITY_CLASS: Printer = Printer {
    columns: &[
        num("Value"),
        ("Global-Default", "boolean", false),
        col("Age"),
        col("PreemptionPolicy"),
    ],
    cells: |object, now| {
        let policy = text(object, &["preemptionPolicy"]);
        vec![
            object["value"].clone(),
            json!(object["globalDefault"] == true),
            age::of(object, now),
            json!(if policy.is_empty() {
                "PreemptLowerPriority"
            } else {
                policy
            }),
        ]
    },
};

pub(super) const NODE_METRICS: Printer = Printer {
    columns: &[col("cpu"), col("memory"), col("Window")],
    cells: |object, _| {
        vec![
            json!(text(object, &["usage", "cpu"])),
            json!(text(object, &["usage", "memory"])),
            json!(text(object, &["window"])),
        ]
    },
};

pub(super) const POD_METRICS: Printer = Printer {
    columns: &[col("cpu"), col("memory"), col("Window")],
    cells: |object, _| {
        let sum = |name: &str, unit: &str| {
            let all = list(object, &["containers"]).iter();
            let amounts = all.filter_map(|c| {
                text(c, &["usage", name])
                    .strip_suffix(unit)?
                    .parse::<i64>()
                    .ok()
            });
            json!(format!("{}{unit}", amounts.sum::<i64>()))
        };
        vec![
            sum("cpu", "n"),
            sum("memory", "Ki"),
            json!(text(object, &["window"])),
        ]
    },
};

pub(super) const QUOTA: Printer = Printer {
    columns: &[col("Request"), col("Limit"), col("Age")],
    cells: |object, now| {
        let told = |of_limits: bool| {
            let all = object::entries(object, &["status", "hard"]);
            let mut told: Vec<String> = all
                .filter(|(name, _)| name.starts_with("limits.") == of_limits)
                .map(|(name, hard)| {
                    let used = text(object, &["status", "used", name]);
                    format!("{name}: {used}/{}", hard.as_str().unwrap_or_default())
                })
                .collect();
            told.sort();
            json!(told.join(", "))
        };
        vec![told(false), told(true), age::of(object, now)]
    },
};

pub(super) const LIMIT_RANGE: Printer = Printer {
    columns: &[col("Created At")],
    cells: |object, _| vec![object["metadata"]["creationTimestamp"].clone()],
};

pub(super) const RUNTIME_CLASS: Printer = Printer {
    columns: &[col("Handler"), col("Age")],
    cells: |object, now| vec![json!(text(object, &["handler"])), age::of(object, now)],
};
