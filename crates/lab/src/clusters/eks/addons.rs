//! Add-ons: keeps what the account asks for in a cluster, as ordinary objects, and tells how they are.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/eks-add-ons.html>

use super::super::manifests::{self, Images, Values};
use super::{Definition, PORT};
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

/// Whose fields add-ons' are.
const MANAGER: &str = "eks";

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
            remove(client, &objects).await;
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
        let resource = resource(client, &object)?;
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
    let (found, ready, wanted) = if name == "coredns" {
        let found = store.get(&key("deployments.apps", "coredns"));
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
        _ => manifests::objects(manifests::COREDNS, &values),
    };
    for object in &mut objects {
        configure(object, configuration);
    }
    objects
}

/// Puts an add-on's configuration into an object of its.
fn configure(object: &mut Value, configuration: &Value) {
    match object["kind"].as_str().unwrap_or_default() {
        "DaemonSet" => {
            let containers = object.pointer_mut("/spec/template/spec/containers/0/env");
            let (Some(Value::Array(variables)), Some(wanted)) =
                (containers, configuration["env"].as_object())
            else {
                return;
            };
            for (name, value) in wanted {
                variables.retain(|known| known["name"] != name.as_str());
                variables.push(json!({"name": name, "value": value}));
            }
        }
        "Deployment" => {
            if let Some(count) = configuration["replicaCount"].as_u64() {
                object["spec"]["replicas"] = json!(count);
            }
        }
        "ConfigMap" => {
            if let Some(corefile) = configuration["corefile"].as_str() {
                object["data"]["Corefile"] = json!(corefile);
            }
        }
        _ => {}
    }
}
