//! `delete cluster`, `delete nodegroup`, `delete addon`.

use crate::template::{cluster_stack, group_stack};
use crate::{Error, Level, Means, create, fargate, identity_provider, stack};
use serde_json::{Value, json};
use std::time::Duration;
use wire::call::Service::{ClassicLoadBalancing, Eks, Iam, LoadBalancing};

/// How long the load balancers of services and ingresses have to go, in seconds.
const BALANCERS: i64 = 10 * 60;

/// Deletes a cluster and everything that eksctl made for it.
///
/// # Errors
/// There is none of that name, or something can't be deleted.
pub fn cluster(means: &dyn Means, name: &str) -> Result<(), Error> {
    means.say(Level::Info, &format!("deleting EKS cluster \"{name}\""));
    let described = match create::describe(means, name) {
        Ok(described) => Some(described),
        Err(error) if error.code() == Some("ResourceNotFoundException") => None,
        Err(error) => return Err(error),
    };
    let stacks = stack::of_cluster(means, name)?;
    if described.is_none() && stacks.is_empty() {
        return Err(Error::Invalid(format!("cluster {name:?} doesn't exist")));
    }
    if let Some(described) = &described {
        let public = described
            .pointer("/resourcesVpcConfig/endpointPublicAccess")
            .and_then(Value::as_bool);
        if public != Some(false) {
            clean_balancers(means, described, name)?;
        }
    }
    if described.is_some() {
        fargate::delete_all(means, name)?;
    }
    let own = cluster_stack(name);
    let others: Vec<&str> = stacks
        .iter()
        .map(|stack| stack.name.as_str())
        .filter(|of| *of != own)
        .collect();
    for stack in &others {
        stack::delete(means, stack, false)?;
    }
    for stack in &others {
        stack::settle(means, stack, &["DELETE_COMPLETE"])?;
    }
    if let Some(described) = &described
        && let Some(arn) = identity_provider::find(means, described)?
    {
        means.call(
            Iam,
            "DeleteOpenIDConnectProvider",
            json!({ "OpenIDConnectProviderArn": arn }),
        )?;
    }
    if stacks.iter().any(|stack| stack.name == own) {
        stack::delete(means, &own, true)?;
    }
    means.say(Level::Success, "all cluster resources were deleted");
    Ok(())
}

/// Deletes the services and ingresses that have load balancers, and waits until these are gone: their controllers
/// go with the cluster, and their network interfaces would keep the VPC.
fn clean_balancers(means: &dyn Means, cluster: &Value, name: &str) -> Result<(), Error> {
    means.say(Level::Info, "cleaning up AWS load balancers created by Kubernetes objects of Kind Service, Ingress, or Gateway");
    for path in ["/api/v1/services", "/apis/networking.k8s.io/v1/ingresses"] {
        let answer = means
            .kubernetes(cluster, "GET", path, &Value::Null)?
            .unwrap_or(Value::Null);
        let objects = answer
            .get("items")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        for object in objects {
            let text = |pointer: &str| {
                object
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let (base, kind) = path.rsplit_once('/').unwrap_or((path, ""));
            if kind == "services" && text("/spec/type") != "LoadBalancer" {
                continue;
            }
            let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
            let one = format!("{base}/namespaces/{namespace}/{kind}/{name}");
            means.kubernetes(cluster, "DELETE", &one, &Value::Null)?;
        }
    }
    let begun = means.now();
    while balancers_left(means, name)? {
        if means.now() - begun > BALANCERS {
            return Err(Error::TimedOut("load balancers to be deleted".to_owned()));
        }
        means.wait(Duration::from_millis(500));
    }
    Ok(())
}

/// Whether a load balancer is left that a controller of the cluster made.
fn balancers_left(means: &dyn Means, cluster: &str) -> Result<bool, Error> {
    let owners = [
        format!("kubernetes.io/cluster/{cluster}"),
        "elbv2.k8s.aws/cluster".to_owned(),
    ];
    for (service, list, name, describe) in [
        (
            ClassicLoadBalancing,
            "LoadBalancerDescriptions",
            "LoadBalancerName",
            "LoadBalancerNames",
        ),
        (
            LoadBalancing,
            "LoadBalancers",
            "LoadBalancerArn",
            "ResourceArns",
        ),
    ] {
        let answer = means.call(service, "DescribeLoadBalancers", json!({}))?;
        let all = answer
            .get(list)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let names: Vec<&str> = all.iter().filter_map(|of| of.get(name)?.as_str()).collect();
        // So many may be named in a request.
        for some in names.chunks(20) {
            let answer = means.call(service, "DescribeTags", json!({ describe: some }))?;
            let tags = answer
                .get("TagDescriptions")
                .and_then(Value::as_array)
                .cloned();
            let tags: Vec<Value> = tags.unwrap_or_default();
            let tags = tags
                .iter()
                .filter_map(|of| of.get("Tags")?.as_array())
                .flatten();
            let text = |tag: &Value, name: &str| {
                tag.get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let mut ours = tags.filter(|tag| {
                let key = text(tag, "Key");
                key == owners[0] || (key == owners[1] && text(tag, "Value") == cluster)
            });
            if ours.next().is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Deletes a node group.
///
/// # Errors
/// There is none of that name, or it can't be deleted.
pub fn node_group(means: &dyn Means, cluster: &str, group: &str) -> Result<(), Error> {
    let name = group_stack(cluster, group);
    if stack::find(means, &name)?.is_none() {
        return Err(Error::Invalid(format!(
            "no nodegroup {group:?} in cluster {cluster:?}"
        )));
    }
    means.say(
        Level::Info,
        &format!("will delete 1 nodegroups from cluster \"{cluster}\""),
    );
    stack::delete(means, &name, true)?;
    means.say(
        Level::Success,
        &format!("deleted 1 nodegroup(s) from cluster \"{cluster}\""),
    );
    Ok(())
}

/// Deletes an add-on.
///
/// # Errors
/// There is none of that name.
pub fn addon(means: &dyn Means, cluster: &str, name: &str) -> Result<(), Error> {
    means.call(
        Eks,
        "DeleteAddon",
        json!({ "clusterName": cluster, "addonName": name }),
    )?;
    means.say(Level::Info, &format!("deleted addon: {name}"));
    Ok(())
}
