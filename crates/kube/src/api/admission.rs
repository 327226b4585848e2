//! What the cluster adds to objects and refuses before they are stored.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/>

use super::Call;
use super::status::{Cause, Status};
use crate::object::{self, default};
use crate::resource::Resource;
use crate::store::Key;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

pub(super) fn create(
    call: &mut Call<'_>,
    resource: &Resource,
    object: &mut Value,
) -> Result<(), Status> {
    namespace_lifecycle(call, resource, object)?;
    match &*resource.kind {
        "Pod" => pod(call, object)?,
        "Service" => service(call, resource, object)?,
        "Namespace" => namespace(object),
        "Job" => job(object),
        "PersistentVolumeClaim" => claim(call, object),
        "CustomResourceDefinition" => definition(call, object),
        "Node" => node(object),
        _ => {}
    }
    Ok(())
}

/// A new node takes no pods until its kubelet says that it is ready.
/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#taintnodesbycondition>
fn node(object: &mut Value) {
    const NOT_READY: &str = "node.kubernetes.io/not-ready";
    let spec = object::map_mut(object, "spec");
    let taints = spec.entry("taints").or_insert_with(|| json!([]));
    if let Value::Array(taints) = taints
        && !taints
            .iter()
            .any(|t| t["key"] == NOT_READY && t["effect"] == "NoSchedule")
    {
        taints.push(json!({"key": NOT_READY, "effect": "NoSchedule"}));
    }
}

pub(super) fn update(
    call: &mut Call<'_>,
    resource: &Resource,
    live: &Value,
    object: &mut Value,
) -> Result<(), Status> {
    if resource.kind == "Service" {
        // What was allocated stays unless the type has no use for it.
        let headless = object::text(object, &["spec", "type"]) == "ExternalName";
        if object["spec"]["clusterIP"].is_null() && !headless {
            object["spec"]["clusterIP"] = live["spec"]["clusterIP"].clone();
            object["spec"]["clusterIPs"] = live["spec"]["clusterIPs"].clone();
        }
        service(call, resource, object)?;
    }
    match &*resource.kind {
        "Namespace" => namespace(object),
        "CustomResourceDefinition" => definition(call, object),
        _ => {}
    }
    Ok(())
}

/// Nothing is made in a namespace that isn't there or goes.
fn namespace_lifecycle(call: &Call<'_>, resource: &Resource, object: &Value) -> Result<(), Status> {
    if !resource.namespaced {
        return Ok(());
    }
    let namespace = object::namespace(object);
    let namespaces = crate::client::resource("namespaces").ok_or_else(Status::no_such_path)?;
    let Some(found) = call.store.get(&Key::new("namespaces", "", namespace)) else {
        return Err(Status::not_found(namespaces, namespace));
    };
    if object::is_terminating(found) && resource.kind != "Event" {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        return Err(Status::forbidden(resource, object::name(object), why));
    }
    Ok(())
}

fn namespace(object: &mut Value) {
    let name = object::name(object).to_owned();
    let labels = object::map_mut(&mut object["metadata"], "labels");
    labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
    let terminating = object::is_terminating(object);
    if !terminating {
        default(
            object::map_mut(object, "spec"),
            "finalizers",
            json!(["kubernetes"]),
        );
        object["status"] = json!({"phase": "Active"});
    }
}

/// What goes with a definition before it goes.
pub(crate) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

fn definition(call: &mut Call<'_>, object: &mut Value) {
    let now = call.now();
    call.warnings
        .extend(crate::custom::definition::warnings(object));
    let before = object["status"]["conditions"].clone();
    crate::custom::definition::status(object, &now);
    if before.is_array() {
        object["status"]["conditions"] = before;
    }
    if !object::is_terminating(object) {
        let metadata = object::metadata(object);
        let held = metadata.entry("finalizers").or_insert_with(|| json!([]));
        if let Value::Array(held) = held
            && !held.iter().any(|name| name == CLEANUP)
        {
            held.push(CLEANUP.into());
        }
    }
}

fn job(object: &mut Value) {
    if object["spec"]["manualSelector"] == true || !object["spec"]["selector"].is_null() {
        return;
    }
    let (uid, name) = (
        object::uid(object).to_owned(),
        object::name(object).to_owned(),
    );
    object["spec"]["selector"] =
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    let labels = object::map_mut(&mut object["spec"]["template"]["metadata"], "labels");
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels.insert(key.to_owned(), value.as_str().into());
    }
}

/// A claim without a class gets the default one.
fn claim(call: &Call<'_>, object: &mut Value) {
    const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
    if !object["spec"]["storageClassName"].is_null() {
        return;
    }
    let classes = call.store.list("storageclasses.storage.k8s.io", None);
    let class = classes
        .map(|(_, class)| class)
        .find(|class| class["metadata"]["annotations"][DEFAULT] == "true");
    if let Some(class) = class {
        object["spec"]["storageClassName"] = object::name(class).into();
    }
}

fn pod(call: &mut Call<'_>, object: &mut Value) -> Result<(), Status> {
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

/// Gives a service its address and node ports.
fn service(call: &mut Call<'_>, resource: &Resource, object: &mut Value) -> Result<(), Status> {
    let kind = object::text(object, &["spec", "type"]).to_owned();
    if kind == "ExternalName" {
        let spec = object::map_mut(object, "spec");
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
        return Ok(());
    }
    let own = (
        object::namespace(object).to_owned(),
        object::name(object).to_owned(),
    );
    cluster_ip(call, resource, object, &own)?;
    let wants = kind == "NodePort"
        || (kind == "LoadBalancer" && object["spec"]["allocateLoadBalancerNodePorts"] != false);
    node_ports(call, resource, object, &own, wants)
}

fn others<'c>(
    call: &'c Call<'_>,
    own: &'c (String, String),
) -> impl Iterator<Item = &'c Value> + 'c {
    call.store
        .list("services", None)
        .map(|(_, service)| service.as_ref())
        .filter(move |service| {
            (object::namespace(service), object::name(service)) != (&own.0, &own.1)
        })
}

fn cluster_ip(
    call: &mut Call<'_>,
    resource: &Resource,
    object: &mut Value,
    own: &(String, String),
) -> Result<(), Status> {
    let wanted = object::text(object, &["spec", "clusterIP"]).to_owned();
    if wanted == "None" {
        object["spec"]["clusterIPs"] = json!(["None"]);
        return Ok(());
    }
    let taken: BTreeSet<String> = others(call, own)
        .map(|service| object::text(service, &["spec", "clusterIP"]).to_owned())
        .collect();
    let (base, prefix) = call.context.settings.service_cidr;
    let size = 1_u32 << (32 - u32::from(prefix.min(31)));
    let chosen = if wanted.is_empty() {
        // The lower part is kept for addresses that users choose.
        let offset = u32::from_be_bytes([0, 0, call.random()[0], call.random()[1]]) % size;
        let nth = |step: u32| u32::from(base) + 1 + (offset + step) % (size - 2).max(1);
        (0..size)
            .map(|step| Ipv4Addr::from(nth(step)).to_string())
            .find(|address| !taken.contains(address))
            .ok_or_else(|| Status::internal("failed to allocate a serviceIP: range is full"))?
    } else {
        let address: Option<Ipv4Addr> = wanted.parse().ok();
        let inside =
            address.is_some_and(|address| u32::from(address).wrapping_sub(u32::from(base)) < size);
        let field = "spec.clusterIPs";
        let causes = match (inside, taken.contains(&wanted)) {
            (false, _) => {
                let detail = format!(
                    "failed to allocate IP {wanted}: the provided IP is not in the valid range. The range of valid IPs is {base}/{prefix}"
                );
                vec![Cause::invalid(field, &json!([wanted]), detail)]
            }
            (true, true) => {
                let detail =
                    format!("failed to allocate IP {wanted}: provided IP is already allocated");
                vec![Cause::invalid(field, &json!([wanted]), detail)]
            }
            (true, false) => Vec::new(),
        };
        if !causes.is_empty() {
            return Err(Status::invalid(resource, object::name(object), &causes));
        }
        wanted
    };
    object["spec"]["clusterIP"] = json!(chosen);
    object["spec"]["clusterIPs"] = json!([chosen]);
    Ok(())
}

fn node_ports(
    call: &mut Call<'_>,
    resource: &Resource,
    object: &mut Value,
    own: &(String, String),
    wants: bool,
) -> Result<(), Status> {
    let mut taken: BTreeSet<(i64, String)> = others(call, own)
        .flat_map(|service| object::list(service, &["spec", "ports"]))
        .filter_map(|port| {
            Some((
                port["nodePort"].as_i64()?,
                object::text(port, &["protocol"]).to_owned(),
            ))
        })
        .collect();
    let range = call.context.settings.node_ports.clone();
    let name = object::name(object).to_owned();
    let count = i64::from(*range.end()) - i64::from(*range.start()) + 1;
    let mut ports = object["spec"]["ports"].take();
    for (index, port) in ports.as_array_mut().into_iter().flatten().enumerate() {
        let map = object::object_mut(port);
        if !wants {
            map.remove("nodePort");
            continue;
        }
        let protocol = map
            .get("protocol")
            .and_then(Value::as_str)
            .unwrap_or("TCP")
            .to_owned();
        let field = format!("spec.ports[{index}].nodePort");
        let chosen = match map
            .get("nodePort")
            .and_then(Value::as_i64)
            .filter(|port| *port != 0)
        {
            Some(asked) => {
                let inside = u16::try_from(asked).is_ok_and(|port| range.contains(&port));
                let wrong = if !inside {
                    format!(
                        "provided port is not in the valid range. The range of valid ports is {}-{}",
                        range.start(),
                        range.end()
                    )
                } else if taken.contains(&(asked, protocol.clone())) {
                    "provided port is already allocated".to_owned()
                } else {
                    String::new()
                };
                if !wrong.is_empty() {
                    let cause = Cause::invalid(field, &json!(asked), wrong);
                    return Err(Status::invalid(resource, &name, &[cause]));
                }
                asked
            }
            None => {
                let random = call.random();
                let offset = i64::from(u16::from_be_bytes([random[0], random[1]])) % count;
                (0..count)
                    .map(|step| i64::from(*range.start()) + (offset + step) % count)
                    .find(|port| !taken.contains(&(*port, protocol.clone())))
                    .ok_or_else(|| {
                        Status::internal("failed to allocate a nodePort: range is full")
                    })?
            }
        };
        taken.insert((chosen, protocol));
        map.insert("nodePort".to_owned(), chosen.into());
    }
    if !ports.is_null() {
        object["spec"]["ports"] = ports;
    }
    Ok(())
}
