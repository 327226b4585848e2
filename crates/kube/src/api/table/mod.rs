//! Objects as rows for people, as `kubectl get` prints them.
//!
//! Columns and cells are those of upstream's printers
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables>).

mod access;
mod age;
mod cluster;
mod custom;
mod network;
mod pod;
mod storage;
mod workload;

use super::Request;
use super::read::partial;
use crate::object;
use crate::resource::Resource;
use serde_json::{Value, json};

/// Which part of the objects comes with their rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Metadata,
    Object,
    None,
}

impl Wanted {
    pub(super) fn of(request: &Request) -> Self {
        match request.parameter("includeObject") {
            Some("Object") => Self::Object,
            Some("None") => Self::None,
            _ => Self::Metadata,
        }
    }
}

/// A column: its name, the type of its cells, and whether only `-o wide` shows it.
type Column = (&'static str, &'static str, bool);

/// A kind's columns after its name, and how an object fills them.
struct Printer {
    columns: &'static [Column],
    cells: fn(&Value, i64) -> Vec<Value>,
}

/// A text column that is always shown.
const fn col(name: &'static str) -> Column {
    (name, "string", false)
}

/// A text column that `-o wide` shows.
const fn wide(name: &'static str) -> Column {
    (name, "string", true)
}

/// A column of numbers.
const fn num(name: &'static str) -> Column {
    (name, "integer", false)
}

/// Kinds that show nothing but their age.
const AGE: Printer = Printer {
    columns: &[col("Age")],
    cells: |object, now| vec![age::of(object, now)],
};

fn printer(resource: &Resource) -> Printer {
    match &*resource.kind {
        "Pod" => pod::PRINTER,
        "Deployment" => workload::DEPLOYMENT,
        "ReplicaSet" => workload::REPLICA_SET,
        "ReplicationController" => workload::REPLICATION_CONTROLLER,
        "ResourceQuota" => cluster::QUOTA,
        "LimitRange" => cluster::LIMIT_RANGE,
        "RuntimeClass" => cluster::RUNTIME_CLASS,
        "StatefulSet" => workload::STATEFUL_SET,
        "DaemonSet" => workload::DAEMON_SET,
        "Job" => workload::JOB,
        "CronJob" => workload::CRON_JOB,
        "ControllerRevision" => workload::CONTROLLER_REVISION,
        "HorizontalPodAutoscaler" => workload::AUTOSCALER,
        "PodDisruptionBudget" => workload::DISRUPTION_BUDGET,
        "Service" => network::SERVICE,
        "Endpoints" => network::ENDPOINTS,
        "EndpointSlice" => network::ENDPOINT_SLICE,
        "Ingress" => network::INGRESS,
        "IngressClass" => network::INGRESS_CLASS,
        "NetworkPolicy" => network::POLICY,
        "Node" => cluster::NODE,
        "Namespace" => cluster::NAMESPACE,
        "Event" => cluster::EVENT,
        "ConfigMap" => cluster::CONFIG_MAP,
        "Secret" => cluster::SECRET,
        "Lease" => cluster::LEASE,
        "PriorityClass" => cluster::PRIORITY_CLASS,
        "PersistentVolume" => storage::VOLUME,
        "PersistentVolumeClaim" => storage::CLAIM,
        "StorageClass" => storage::CLASS,
        "NodeMetrics" => cluster::NODE_METRICS,
        "PodMetrics" => cluster::POD_METRICS,
        "ServiceAccount" => access::SERVICE_ACCOUNT,
        "Role" | "ClusterRole" | "CustomResourceDefinition" => access::CREATED,
        "RoleBinding" | "ClusterRoleBinding" => access::BINDING,
        "CertificateSigningRequest" => access::SIGNING_REQUEST,
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => access::WEBHOOKS,
        "ValidatingAdmissionPolicy" => access::POLICY,
        "ValidatingAdmissionPolicyBinding" => access::POLICY_BINDING,
        _ => AGE,
    }
}

/// A table of objects.
pub(super) fn table(
    resource: &Resource,
    objects: &[&Value],
    meta: &Value,
    wanted: Wanted,
    now: i64,
) -> Value {
    if let Some(custom) = &resource.custom {
        return custom::table(custom, objects, meta, wanted, now);
    }
    let printer = printer(resource);
    // Events are the only objects that go without their names.
    let named = resource.kind != "Event";
    let mut columns = Vec::new();
    if named {
        columns.push(json!({
            "name": "Name", "type": "string", "format": "name", "priority": 0,
            "description": "Name must be unique within a namespace.",
        }));
    }
    for (name, kind, wide) in printer.columns {
        columns.push(json!({
            "name": name, "type": kind, "format": "", "priority": i32::from(*wide),
            "description": name,
        }));
    }
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut cells = Vec::new();
            if named {
                cells.push(json!(name(object)));
            }
            cells.extend((printer.cells)(object, now));
            row(cells, object, wanted)
        })
        .collect();
    document(meta, &columns, &rows)
}

/// What stands under "Name": an object's name and, with a class of volumes, whether it is the default one.
fn name(object: &Value) -> String {
    let name = object::name(object);
    let default = &object["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"];
    if object["kind"] == "StorageClass" && default == "true" {
        return format!("{name} (default)");
    }
    name.to_owned()
}

/// An object's row.
fn row(cells: Vec<Value>, object: &Value, wanted: Wanted) -> Value {
    let mut row = json!({"cells": cells});
    match wanted {
        Wanted::Metadata => row["object"] = partial(object),
        Wanted::Object => row["object"] = object.clone(),
        Wanted::None => {}
    }
    row
}

fn document(meta: &Value, columns: &[Value], rows: &[Value]) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": columns,
        "rows": rows,
    })
}

/// Text, or `<none>`.
fn or_none(text: &str) -> Value {
    json!(if text.is_empty() { "<none>" } else { text })
}

/// Labels as `a=b,c=d`, or `<none>`.
fn labels(value: &Value) -> Value {
    let pairs: Vec<String> = object::entries(value, &[])
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    or_none(&pairs.join(","))
}

/// A label selector as people write it.
fn selector(value: &Value) -> Value {
    let mut parts: Vec<String> = object::entries(value, &["matchLabels"])
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    for expression in object::list(value, &["matchExpressions"]) {
        let key = object::text(expression, &["key"]);
        let values: Vec<&str> = object::list(expression, &["values"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        parts.push(match object::text(expression, &["operator"]) {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    or_none(&parts.join(","))
}

/// A number below an object, 0 where there is none.
fn count(object: &Value, path: &[&str]) -> i64 {
    object::number(object, path).unwrap_or(0)
}

/// The names and images of a pod spec's containers.
fn containers(spec: &Value) -> [Value; 2] {
    ["name", "image"].map(|field| {
        let list = object::list(spec, &["containers"]);
        let all: Vec<&str> = list.iter().map(|c| object::text(c, &[field])).collect();
        json!(all.join(","))
    })
}
