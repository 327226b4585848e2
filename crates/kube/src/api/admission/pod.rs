//! Pods: their class, priority, tolerations and account.

use super::super::Call;
use super::super::status::Status;
use crate::object::{self, default};
use crate::resource::Resource;
use crate::store::Key;
use serde_json::{Value, json};

/// What a new pod's status says.
pub(super) fn prepare(object: &mut Value) {
    object::map_mut(object, "status").insert("phase".to_owned(), "Pending".into());
    let class = qos_class(object);
    object["status"]["qosClass"] = class.into();
}

/// What a new pod gets.
pub(super) fn admit(
    call: &mut Call<'_>,
    resource: &Resource,
    object: &mut Value,
) -> Result<(), Status> {
    super::limits::pod(call, resource, object)?;
    runtime(call, resource, object)?;
    priority(call, resource, object)?;
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

const CLASSES: &str = "priorityclasses.scheduling.k8s.io";

/// A pod is as important as its class, or the one of pods that name none.
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/>
fn priority(call: &Call<'_>, resource: &Resource, pod: &mut Value) -> Result<(), Status> {
    let refused = |why: String| Err(Status::forbidden(resource, object::name(pod), why));
    let mut name = object::text(pod, &["spec", "priorityClassName"]).to_owned();
    if name.is_empty() {
        let mut all = call.store.list(CLASSES, None);
        let global = all.find(|(_, class)| class["globalDefault"] == true);
        name = global.map_or_else(String::new, |(key, _)| key.name.to_string());
    }
    let (priority, policy) = if name.is_empty() {
        (0, "")
    } else if let Some(class) = call.store.get(&Key::new(CLASSES, "", &name)) {
        let value = class["value"].as_i64().unwrap_or(0);
        (value, object::text(class, &["preemptionPolicy"]))
    } else {
        return refused(format!("no PriorityClass with name {name} was found"));
    };
    let policy = match policy {
        "" => "PreemptLowerPriority",
        policy => policy,
    };
    let given = object::number(pod, &["spec", "priority"]);
    if given.is_some_and(|given| given != priority) {
        let given = given.unwrap_or(0);
        return refused(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {priority} from the given PriorityClass name"
        ));
    }
    let (policy, spec) = (policy.to_owned(), object::map_mut(pod, "spec"));
    if !name.is_empty() {
        spec.insert("priorityClassName".to_owned(), name.into());
    }
    default(spec, "priority", priority);
    default(spec, "preemptionPolicy", policy);
    Ok(())
}

/// A pod gets what its runtime needs, and goes where the runtime is.
/// <https://kubernetes.io/docs/concepts/containers/runtime-class/>
fn runtime(call: &Call<'_>, resource: &Resource, pod: &mut Value) -> Result<(), Status> {
    let name = object::text(pod, &["spec", "runtimeClassName"]).to_owned();
    if name.is_empty() {
        return Ok(());
    }
    let key = Key::new("runtimeclasses.node.k8s.io", "", &name);
    let Some(class) = call.store.get(&key).cloned() else {
        let why = format!("pod rejected: RuntimeClass {name:?} not found");
        return Err(Status::forbidden(resource, object::name(pod), why));
    };
    let overhead = &class["overhead"]["podFixed"];
    if !overhead.is_null() {
        let given = &pod["spec"]["overhead"];
        if !given.is_null() && given != overhead {
            let why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
            return Err(Status::forbidden(resource, object::name(pod), why));
        }
        pod["spec"]["overhead"] = overhead.clone();
    }
    let spec = object::map_mut(pod, "spec");
    for (label, value) in object::entries(&class, &["scheduling", "nodeSelector"]) {
        let selector = spec.entry("nodeSelector").or_insert_with(|| json!({}));
        default(object::object_mut(selector), label, value.clone());
    }
    let tolerations = object::list(&class, &["scheduling", "tolerations"]);
    if !tolerations.is_empty()
        && let Value::Array(held) = spec.entry("tolerations").or_insert_with(|| json!([]))
    {
        held.extend(
            tolerations
                .iter()
                .filter(|t| !held.contains(t))
                .cloned()
                .collect::<Vec<_>>(),
        );
    }
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
    let secrets = &account["imagePullSecrets"];
    if object::list(pod, &["spec", "imagePullSecrets"]).is_empty() && !secrets.is_null() {
        pod["spec"]["imagePullSecrets"] = secrets.clone();
    }
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
