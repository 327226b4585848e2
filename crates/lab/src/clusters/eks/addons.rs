//! Add-ons: keeps what the account asks for in a cluster, as ordinary objects, and tells how they are.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/eks-add-ons.html>

use super::super::manifests::{self, Images, Values};
use super::fargate::COMPUTE;
use super::{Definition, PORT, load_balancers};
use crate::cloud::Cloud;
use aws::model::eks::addon::{Addon, AddonIssue, AddonStatus};
use aws::model::eks::{PartKey, Version, catalog, version};
use kube::api::Status;
use kube::client::Client;
use kube::cluster::Cluster;
use kube::object;
use kube::registry;
use kube::store::{Key, Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whose fields add-ons' are.
const MANAGER: &str = "eks";

/// A kind that was just defined is waited for so often, each time so long.
const ATTEMPTS: usize = 50;
const MOMENT: Duration = Duration::from_millis(100);

/// What an add-on's objects were made of.
type Applied = BTreeMap<PartKey, (String, Option<String>, Option<String>)>;

/// Keeps a cluster's add-ons until the task is ended.
pub(super) async fn run(cluster: Cluster, cloud: Cloud, definition: Definition) {
    let client = Client::of_control_plane(cluster, "eks-addon-manager");
    let mut follow = client.cluster().follow();
    let mut snapshots = cloud.snapshots();
    let mut applied = Applied::new();
    loop {
        follow.borrow_and_update();
        let snapshot = snapshots.borrow_and_update().clone();
        let own = snapshot.state.eks_addons.values();
        for addon in own.filter(|addon| addon.key.cluster == definition.key) {
            tend(&client, &cloud, &definition, addon, &mut applied).await;
        }
        tokio::select! {
            changed = follow.changed() => if changed.is_err() { return },
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}

/// Brings one add-on on.
async fn tend(
    client: &Client,
    cloud: &Cloud,
    definition: &Definition,
    addon: &Addon,
    applied: &mut Applied,
) {
    let objects = objects(
        definition,
        &addon.key.name,
        Some(&addon.version),
        &addon.values(),
    );
    if addon.status == AddonStatus::Deleting {
        applied.remove(&addon.key);
        if !addon.preserve {
            // As where Helm brought the load balancer controller: users' objects of its kinds stay.
            let goes = |of: &&Value| {
                addon.key.name != load_balancers::NAME || of["kind"] != "CustomResourceDefinition"
            };
            let going: Vec<Value> = objects.iter().filter(goes).cloned().collect();
            remove(client, &going).await;
        }
        let key = addon.key.clone();
        return report(cloud, move |state| state.addon_removed(&key)).await;
    }
    let made_of = (
        addon.version.clone(),
        addon.configuration.clone(),
        addon.role.clone(),
    );
    let mut issues = Vec::new();
    if applied.get(&addon.key) != Some(&made_of) {
        match put(client, objects, addon).await {
            Ok(()) => drop(applied.insert(addon.key.clone(), made_of)),
            Err(status) => issues.push(conflict(&status)),
        }
    }
    if issues.is_empty() {
        issues = ailing(&client.cluster().now().store, &addon.key.name);
    }
    let settled = match addon.status {
        AddonStatus::Active => issues.is_empty(),
        AddonStatus::Degraded => issues == addon.issues,
        _ => false,
    };
    if !settled {
        let key = addon.key.clone();
        report(cloud, move |state| state.addon_health(&key, issues)).await;
    }
}

async fn report(cloud: &Cloud, change: impl FnOnce(&mut aws::model::State) + Send + 'static) {
    let reporting = cloud.change("eks", move |state| {
        let mut next = state.clone();
        change(&mut next);
        (Some(next), ())
    });
    // A lab that ends needs no reports.
    let _ = reporting.await;
}

/// Puts an add-on's objects into the cluster.
async fn put(client: &Client, objects: Vec<Value>, addon: &Addon) -> Result<(), Status> {
    for mut object in objects {
        if let (Some(role), "ServiceAccount") =
            (&addon.role, object["kind"].as_str().unwrap_or_default())
        {
            object["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = json!(role);
        }
        let resource = served(client, &object).await?;
        let force = addon.conflicts == "OVERWRITE";
        match client.apply(&resource, &object, MANAGER, force).await {
            // What others changed is theirs.
            Err(status) if status.code == 409 && addon.conflicts == "PRESERVE" => {}
            answered => drop(answered?),
        }
    }
    Ok(())
}

async fn remove(client: &Client, objects: &[Value]) {
    for object in objects.iter().rev() {
        let Ok(resource) = resource(client, object) else {
            continue;
        };
        let (namespace, name) = (object::namespace(object), object::name(object));
        let options = json!({"propagationPolicy": "Background"});
        match client.delete(&resource, namespace, name, &options).await {
            Err(status) if status.code != 404 => {
                tracing::debug!(%status, name, "an add-on's object stays");
            }
            _ => {}
        }
    }
}

fn resource(
    client: &Client,
    object: &Value,
) -> Result<std::sync::Arc<kube::resource::Resource>, Status> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let store = client.cluster().now().store.clone();
    registry::by_kind(&store, version, kind)
        .ok_or_else(|| Status::internal(format!("there is no {version} {kind}")))
}

/// As [`resource`]; a kind that the add-on has just defined is served a moment later.
async fn served(
    client: &Client,
    object: &Value,
) -> Result<std::sync::Arc<kube::resource::Resource>, Status> {
    for _ in 0..ATTEMPTS {
        if let Ok(found) = resource(client, object) {
            return Ok(found);
        }
        tokio::time::sleep(MOMENT).await;
    }
    resource(client, object)
}

fn conflict(status: &Status) -> AddonIssue {
    AddonIssue {
        code: "ConfigurationConflict".to_owned(),
        message: format!(
            "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. {}",
            status.message
        ),
        resources: Vec::new(),
    }
}

/// What is wrong with an add-on's pods.
fn ailing(store: &Store, name: &str) -> Vec<AddonIssue> {
    let number = |object: &Value, path: &[&str]| object::number(object, path).unwrap_or(0);
    let key = |resource: &str, name: &str| Key::new(resource, "kube-system", name);
    let daemon_set = match name {
        "vpc-cni" => "aws-node",
        other => other,
    };
    let (found, ready, wanted) = if ["coredns", load_balancers::NAME].contains(&name) {
        let found = store.get(&key("deployments.apps", name));
        (found, ["status", "availableReplicas"], ["spec", "replicas"])
    } else {
        let found = store.get(&key("daemonsets.apps", daemon_set));
        let wanted = ["status", "desiredNumberScheduled"];
        (found, ["status", "numberReady"], wanted)
    };
    let short = found.is_some_and(|of| number(of, &ready) < number(of, &wanted));
    if !short {
        return Vec::new();
    }
    vec![AddonIssue {
        code: "InsufficientNumberOfReplicas".to_owned(),
        message: "The add-on is unhealthy because it doesn't have the desired number of replicas."
            .to_owned(),
        resources: Vec::new(),
    }]
}

/// The objects of an add-on in a version, with its configuration; the version that EKS chooses, where none is given.
pub(super) fn objects(
    definition: &Definition,
    name: &str,
    chosen: Option<&str>,
    configuration: &Value,
) -> Vec<Value> {
    let kubernetes: Version = definition.version().parse().unwrap_or(version::DEFAULT);
    let default = || catalog::find(name)?.versions(kubernetes).into_iter().next();
    let version = chosen
        .map(str::to_owned)
        .or_else(default)
        .unwrap_or_default();
    let registry = vpc_cni::manifest::registry(&definition.key.region);
    let server = definition.server();
    let values = Values {
        api: server.trim_start_matches("https://").to_owned(),
        port: PORT,
        dns: definition.dns(),
        pods: String::new(),
        images: Images::Amazon {
            registry,
            version: version.clone(),
        },
    };
    let mut objects = match name {
        "vpc-cni" => vpc_cni::manifest::objects(&vpc_cni::manifest::Place {
            region: &definition.key.region,
            cluster: &definition.key.name,
            endpoint: &server,
            tag: &version,
        }),
        "kube-proxy" => manifests::objects(manifests::KUBE_PROXY, &values),
        load_balancers::NAME => load_balancers::objects(definition, &version, configuration),
        _ => manifests::objects(manifests::COREDNS, &values),
    };
    for object in &mut objects {
        keep_off_fargate(object, configuration);
        configure(object, configuration);
    }
    objects
}

/// What runs on instances stays off Fargate's nodes: daemon sets always, CoreDNS unless it is told otherwise.
fn keep_off_fargate(object: &mut Value, configuration: &Value) {
    let (label, fargate) = COMPUTE;
    let elsewhere = configuration["computeType"]
        .as_str()
        .is_some_and(|of| of.eq_ignore_ascii_case(fargate));
    match object["kind"].as_str().unwrap_or_default() {
        // Amazon's network plugin says so itself.
        "DaemonSet" if object["spec"]["template"]["spec"]["affinity"].is_null() => {
            let term = json!({"matchExpressions": [
                {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
                {"key": label, "operator": "NotIn", "values": [fargate, "hybrid", "auto"]},
            ]});
            object["spec"]["template"]["spec"]["affinity"]["nodeAffinity"] = json!({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}});
        }
        "Deployment" if object["metadata"]["name"] == "coredns" && !elsewhere => {
            object["spec"]["template"]["metadata"]["annotations"][label] = json!("ec2");
        }
        _ => {}
    }
}

/// Puts an add-on's configuration into an object of its.
fn configure(object: &mut Value, configuration: &Value) {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    match kind.as_str() {
        "DaemonSet" | "Deployment" => configure_pods(object, configuration),
        "ConfigMap" => {
            if let Some(corefile) = configuration["corefile"].as_str() {
                object["data"]["Corefile"] = json!(corefile);
            }
            let controller = &mut object["data"]["enable-network-policy-controller"];
            if let (Some(wanted), true) = (
                configuration["enableNetworkPolicy"].as_str(),
                controller.is_string(),
            ) {
                *controller = json!(wanted);
            }
        }
        _ => {}
    }
}

/// Puts an add-on's configuration into what makes its pods.
fn configure_pods(object: &mut Value, configuration: &Value) {
    if let Some(count) = configuration["replicaCount"].as_u64() {
        object["spec"]["replicas"] = json!(count);
    }
    let template = &mut object["spec"]["template"];
    for (value, list) in [("podLabels", "labels"), ("podAnnotations", "annotations")] {
        for (name, text) in configuration[value].as_object().into_iter().flatten() {
            template["metadata"][list][name] = text.clone();
        }
    }
    let pods = &mut template["spec"];
    for field in ["tolerations", "nodeSelector", "affinity"] {
        if !configuration[field].is_null() {
            pods[field] = configuration[field].clone();
        }
    }
    let Some(Value::Array(containers)) = pods.get_mut("containers") else {
        return;
    };
    for container in containers.iter_mut() {
        switch_policies(container, configuration);
    }
    let Some(first) = containers.first_mut() else {
        return;
    };
    if !configuration["resources"].is_null() {
        first["resources"] = configuration["resources"].clone();
    }
    let wanted = configuration["env"].as_object().into_iter().flatten();
    let mut variables = object::list(first, &["env"]).to_vec();
    for (name, value) in wanted {
        variables.retain(|known| known["name"] != name.as_str());
        variables.push(json!({"name": name, "value": value}));
    }
    if !variables.is_empty() {
        first["env"] = json!(variables);
    }
}

/// Switches the engine of network policies, whose switch is an argument.
/// <https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html>
fn switch_policies(container: &mut Value, configuration: &Value) {
    const SWITCH: &str = "--enable-network-policy=";
    let Some(wanted) = configuration["enableNetworkPolicy"].as_str() else {
        return;
    };
    for argument in container["args"].as_array_mut().into_iter().flatten() {
        if argument.as_str().is_some_and(|of| of.starts_with(SWITCH)) {
            *argument = json!(format!("{SWITCH}{wanted}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-EKS: an add-on's configuration is in what makes its pods.
    #[test]
    fn configuration_is_in_the_objects() {
        let mut set = json!({"kind": "DaemonSet", "spec": {"template": {"spec": {"containers": [
            {"name": "aws-node", "env": [{"name": "WARM_ENI_TARGET", "value": "1"}]},
            {"name": "aws-eks-nodeagent", "args": ["--enable-network-policy=false"]},
        ]}}}});
        let wanted = json!({
            "env": {"WARM_ENI_TARGET": "2"}, "enableNetworkPolicy": "true",
            "podLabels": {"team": "net"}, "tolerations": [{"operator": "Exists"}],
        });
        configure(&mut set, &wanted);
        let template = &set["spec"]["template"];
        assert_eq!(template["metadata"]["labels"]["team"], "net");
        assert_eq!(template["spec"]["tolerations"][0]["operator"], "Exists");
        let containers = &template["spec"]["containers"];
        assert_eq!(containers[0]["env"][0]["value"], "2");
        assert_eq!(containers[1]["args"][0], "--enable-network-policy=true");
    }
}
