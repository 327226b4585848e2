//! Pods: their class, priority, tolerations and account.

use super::super::Call;
use super::super::status::Status;
use crate::object::{self, default};
use crate::store::Key;
use serde_json::{Value, json};

/// What a new pod gets.
pub(super) fn create(call: &mut Call<'_>, object: &mut Value) -> Result<(), Status> {
    object::map_mut(object, "status").insert("phase".to_owned(), "Pending".into());
    let class = qos_class(object);
    object["status"]["qosClass"] = class.into();
    priority(call, object)?;
    tolerations(object, call.context.settings.pace.timer(300));
    service_account(call, object)
}

/// <https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/>
fn qos_class(pod: &Value) -> &'static str {
    let (mut any, mut all) = (false, true);
    let init = object::list(pod, &["spec", "initContainers"]);
    for container in object::list(pod, &["spec", "containers"])
        .iter()
        .chain(init)
    {
        let resources = &container["resources"];
        for name in ["cpu", "memory"] {
            let (limit, request) = (&resources["limits"][name], &resources["requests"][name]);
            any |= !limit.is_null() || !request.is_null();
            all &= !limit.is_null() && (request.is_null() || request == limit);
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

fn priority(call: &Call<'_>, pod: &mut Value) -> Result<(), Status> {
    let name = object::text(pod, &["spec", "priorityClassName"]).to_owned();
    let (priority, policy) = match name.as_str() {
        "" => (0, "PreemptLowerPriority".to_owned()),
        "system-cluster-critical" => (2_000_000_000, "PreemptLowerPriority".to_owned()),
        "system-node-critical" => (2_000_001_000, "PreemptLowerPriority".to_owned()),
        name => {
            let key = Key::new("priorityclasses.scheduling.k8s.io", "", name);
            let Some(class) = call.store.get(&key) else {
                let pods = crate::client::resource("pods").ok_or_else(Status::no_such_path)?;
                let why = format!("no PriorityClass with name {name} was found");
                return Err(Status::forbidden(pods, object::name(pod), why));
            };
            let policy = object::text(class, &["preemptionPolicy"]);
            let policy = if policy.is_empty() {
                "PreemptLowerPriority"
            } else {
                policy
            };
            (class["value"].as_i64().unwrap_or(0), policy.to_owned())
        }
    };
    let spec = object::map_mut(pod, "spec");
    default(spec, "priority", priority);
    default(spec, "preemptionPolicy", policy);
    Ok(())
}

/// Pods stay five minutes on a node that is not ready.
fn tolerations(pod: &mut Value, seconds: i64) {
    let spec = object::map_mut(pod, "spec");
    let list = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Value::Array(list) = list else { return };
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        let tolerated = list.iter().any(|toleration| {
            let all = toleration["key"].is_null() && toleration["operator"] == "Exists";
            all || toleration["key"] == key
        });
        if !tolerated {
            list.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds,
            }));
        }
    }
}

/// Where containers find their account's token.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A pod runs as a service account, whose token its containers get.
fn service_account(call: &mut Call<'_>, pod: &mut Value) -> Result<(), Status> {
    // Pods that a kubelet mirrors have none.
    if !pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_null() {
        return Ok(());
    }
    let spec = object::map_mut(pod, "spec");
    default(spec, "serviceAccountName", "default");
    let name = spec["serviceAccountName"]
        .as_str()
        .unwrap_or("default")
        .to_owned();
    spec.insert("serviceAccount".to_owned(), name.clone().into());
    let namespace = object::namespace(pod).to_owned();
    let Some(account) = call
        .store
        .get(&Key::new("serviceaccounts", &namespace, &name))
    else {
        let pods = crate::client::resource("pods").ok_or_else(Status::no_such_path)?;
        let why = format!(
            "error looking up service account {namespace}/{name}: serviceaccount {name:?} not found"
        );
        return Err(Status::forbidden(pods, object::name(pod), why));
    };
    let of_account = account["automountServiceAccountToken"].as_bool();
    let own = pod["spec"]["automountServiceAccountToken"].as_bool();
    if own.or(of_account) == Some(false) {
        return Ok(());
    }
    let mounted = |container: &Value| {
        object::list(container, &["volumeMounts"])
            .iter()
            .any(|mount| mount["mountPath"] == TOKEN_PATH)
    };
    let containers = object::list(pod, &["spec", "containers"]);
    if containers.iter().all(mounted) {
        return Ok(());
    }
    let volume = format!("kube-api-access-{}", call.suffix());
    for kind in ["containers", "initContainers"] {
        let list = pod["spec"].get_mut(kind).and_then(Value::as_array_mut);
        for container in list.into_iter().flatten() {
            if !mounted(container) {
                let mounts = object::object_mut(container)
                    .entry("volumeMounts")
                    .or_insert_with(|| json!([]));
                if let Value::Array(mounts) = mounts {
                    mounts.push(json!({"name": volume, "mountPath": TOKEN_PATH, "readOnly": true}));
                }
            }
        }
    }
    let spec = object::map_mut(pod, "spec");
    if let Value::Array(volumes) = spec.entry("volumes").or_insert_with(|| json!([])) {
        volumes.push(token_volume(&volume));
    }
    Ok(())
}

fn token_volume(name: &str) -> Value {
    json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {
            "name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}],
        }},
        {"downwardAPI": {"items": [{
            "path": "namespace",
            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
        }]}},
    ]}})
}
