//! `create cluster`, `create nodegroup`, `create addon`.

use crate::config::{Addon, ClusterConfig, NodeGroup};
use crate::family::Family;
use crate::template::{Boot, cluster_stack, group_stack};
use crate::{
    Error, Level, Means, VERSION, fargate, identity_provider, network, service_account, stack,
    template,
};
use serde_json::{Value, json};
use std::time::Duration;
use wire::call::Service::{Ec2, Eks, Ssm};

/// The add-ons that every cluster gets.
const USUAL_ADDONS: [&str; 3] = ["vpc-cni", "kube-proxy", "coredns"];
/// How long nodes have to become ready, in seconds.
const NODES: i64 = 25 * 60;

/// Makes a cluster.
///
/// # Errors
/// It is there already, or something of it can't be made.
pub fn cluster(means: &dyn Means, config: &mut ClusterConfig) -> Result<(), Error> {
    let (name, region) = (config.metadata.name.clone(), config.metadata.region.clone());
    let info = |line: &str| means.say(Level::Info, line);
    info(&format!("eksctl version {VERSION}"));
    info(&format!("using region {region}"));
    let network = network::plan(means, config)?;
    let version = config.metadata.version.clone();
    for (group, _) in config.groups() {
        let (name, family) = (&group.name, Family::of(&version).name());
        info(&format!(
            "nodegroup \"{name}\" will use \"\" [{family}/{version}]"
        ));
    }
    info(&format!("using Kubernetes version {version}"));
    announce(means, config);
    let stack_name = cluster_stack(&name);
    info(&format!("building cluster stack \"{stack_name}\""));
    let text = template::cluster(config, &network);
    let tags: Vec<(&str, &str)> = config
        .metadata
        .tags
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    stack::deploy(means, &name, &stack_name, &text, &tags)?;
    let mut addons: Vec<Addon> = config.addons.clone();
    for usual in USUAL_ADDONS {
        if !addons.iter().any(|addon| addon.name == usual) {
            addons.push(Addon {
                name: usual.to_owned(),
                ..Addon::default()
            });
        }
    }
    for addon in &addons {
        begin_addon(means, &name, addon)?;
    }
    let groups: Vec<(NodeGroup, bool)> = config
        .groups()
        .map(|(group, managed)| (group.clone(), managed))
        .collect();
    make_groups(means, &name, &version, &groups)?;
    info("waiting for the control plane to become ready");
    let described = describe(means, &name)?;
    let path = means.write_kubeconfig(&described, &region)?;
    means.say(Level::Success, &format!("saved kubeconfig as \"{path}\""));
    if config.iam.with_oidc || !config.iam.service_accounts.is_empty() {
        identity_provider::associate(means, &name)?;
    } else {
        info("no tasks");
    }
    for account in &config.iam.service_accounts {
        service_account::create(means, &name, account, true)?;
    }
    fargate::create(means, &name, &config.fargate_profiles)?;
    let done = format!("all EKS cluster resources for \"{name}\" have been created");
    means.say(Level::Success, &done);
    for (group, managed) in &groups {
        await_nodes(means, &described, group)?;
        let kind = if *managed {
            "managed nodegroup(s)"
        } else {
            "nodegroup(s)"
        };
        means.say(
            Level::Success,
            &format!("created 1 {kind} in cluster \"{name}\""),
        );
    }
    info(&format!(
        "kubectl command should work with \"{path}\", try 'kubectl get nodes'"
    ));
    means.say(
        Level::Success,
        &format!("EKS cluster \"{name}\" in \"{region}\" region is ready"),
    );
    Ok(())
}

fn announce(means: &dyn Means, config: &ClusterConfig) {
    let info = |line: String| means.say(Level::Info, &line);
    let (name, region) = (&config.metadata.name, &config.metadata.region);
    let managed = !config.managed_node_groups.is_empty();
    let groups = config.groups().count();
    let kind = match (managed, groups) {
        (true, _) => " with managed nodes",
        (false, 0) => "",
        (false, _) => " with un-managed nodes",
    };
    info(format!(
        "creating EKS cluster \"{name}\" in \"{region}\" region{kind}"
    ));
    if groups > 0 {
        let kind = if managed {
            "managed nodegroup"
        } else {
            "nodegroup"
        };
        info(format!(
            "will create {} separate CloudFormation stacks for cluster itself and the initial {kind}",
            groups + 1
        ));
    }
    info(format!(
        "if you encounter any issues, check CloudFormation console or try 'eksctl utils describe-stacks --region={region} --cluster={name}'"
    ));
    let endpoints = config.vpc.cluster_endpoints;
    info(format!(
        "Kubernetes API endpoint access will use {}{{publicAccess={}, privateAccess={}}} for cluster \"{name}\" in \"{region}\"",
        if endpoints == Default::default() {
            "default of "
        } else {
            "provided values "
        },
        endpoints.public_access,
        endpoints.private_access
    ));
    info(format!(
        "CloudWatch logging will not be enabled for cluster \"{name}\" in \"{region}\""
    ));
    info(format!(
        "you can enable it with 'eksctl utils update-cluster-logging --enable-types={{SPECIFY-YOUR-LOG-TYPES-HERE (e.g. all)}} --region={region} --cluster={name}'"
    ));
    if config.addons.is_empty() {
        info(format!(
            "default addons {} were not specified, will install them as EKS addons",
            USUAL_ADDONS.join(", ")
        ));
    }
    let groups: Vec<String> = config
        .groups()
        .map(|(group, managed)| {
            let kind = if managed {
                "managed nodegroup"
            } else {
                "nodegroup"
            };
            format!("create {kind} \"{}\"", group.name)
        })
        .collect();
    let rest = if groups.is_empty() {
        String::new()
    } else {
        format!(", {}", groups.join(", "))
    };
    info(format!(
        "2 sequential tasks: {{ create cluster control plane \"{name}\"{rest} }}"
    ));
}

/// A cluster as EKS describes it.
pub(crate) fn describe(means: &dyn Means, name: &str) -> Result<Value, Error> {
    let answer = means.call(Eks, "DescribeCluster", json!({ "name": name }))?;
    Ok(answer.get("cluster").cloned().unwrap_or(Value::Null))
}

/// Begins to install an add-on.
fn begin_addon(means: &dyn Means, cluster: &str, addon: &Addon) -> Result<(), Error> {
    means.say(Level::Info, &format!("creating addon: {}", addon.name));
    let given = json!({
        "clusterName": cluster,
        "addonName": addon.name,
        "addonVersion": addon.version,
        "serviceAccountRoleArn": addon.role_arn,
        "configurationValues": addon.configuration_values,
        "resolveConflicts": "OVERWRITE",
    });
    means.call(Eks, "CreateAddon", given)?;
    means.say(
        Level::Info,
        &format!("successfully created addon: {}", addon.name),
    );
    Ok(())
}

/// Installs an add-on and waits until it works.
///
/// # Errors
/// EKS refuses it, or it never works.
pub fn addon(means: &dyn Means, cluster: &str, addon: &Addon) -> Result<(), Error> {
    begin_addon(means, cluster, addon)?;
    let begun = means.now();
    let given = json!({ "clusterName": cluster, "addonName": addon.name });
    loop {
        let answer = means.call(Eks, "DescribeAddon", given.clone())?;
        match answer.pointer("/addon/status").and_then(Value::as_str) {
            Some("ACTIVE") => {
                means.say(Level::Info, &format!("addon \"{}\" active", addon.name));
                return Ok(());
            }
            Some("CREATE_FAILED") => {
                return Err(Error::Invalid(format!(
                    "addon {:?} could not be installed",
                    addon.name
                )));
            }
            _ if means.now() - begun > NODES => {
                return Err(Error::TimedOut(format!("addon {:?}", addon.name)));
            }
            _ => means.wait(Duration::from_millis(500)),
        }
    }
}

/// Makes node groups of a cluster that is there, and waits for their nodes.
///
/// # Errors
/// There is no such cluster, or a group can't be made.
pub fn node_groups(
    means: &dyn Means,
    cluster: &str,
    groups: &[(NodeGroup, bool)],
) -> Result<(), Error> {
    let described = describe(means, cluster)?;
    let version = described
        .get("version")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    means.say(Level::Info, &format!("using Kubernetes version {version}"));
    make_groups(means, cluster, &version, groups)?;
    for (group, _) in groups {
        await_nodes(means, &described, group)?;
    }
    let count = groups.len();
    means.say(
        Level::Success,
        &format!("created {count} nodegroup(s) in cluster \"{cluster}\""),
    );
    Ok(())
}

/// Makes the stacks of node groups, side by side.
fn make_groups(
    means: &dyn Means,
    cluster: &str,
    version: &str,
    groups: &[(NodeGroup, bool)],
) -> Result<(), Error> {
    let mut begun = Vec::new();
    for (group, managed) in groups {
        let name = group_stack(cluster, &group.name);
        let kind = if *managed {
            "managed nodegroup"
        } else {
            "nodegroup"
        };
        means.say(Level::Info, &format!("building {kind} stack \"{name}\""));
        if group.min_size.is_none() {
            let (least, ..) = group.sizes();
            let line = format!(
                "--nodes-min={least} was set automatically for nodegroup {}",
                group.name
            );
            means.say(Level::Info, &line);
        }
        let chosen = chosen_subnets(means, cluster, group)?;
        let text = if *managed {
            template::managed(cluster, group, &chosen, Family::of(version))
        } else {
            own_group(means, cluster, version, group, &chosen)?
        };
        let tags = [
            ("alpha.eksctl.io/nodegroup-name", group.name.as_str()),
            (
                "alpha.eksctl.io/nodegroup-type",
                if *managed { "managed" } else { "unmanaged" },
            ),
        ];
        stack::begin(means, cluster, &name, &text, &tags)?;
        begun.push(name);
    }
    for name in begun {
        stack::settle(means, &name, &["CREATE_COMPLETE"])?;
    }
    Ok(())
}

/// The subnets in the zones that a group names; none for all.
fn chosen_subnets(
    means: &dyn Means,
    cluster: &str,
    group: &NodeGroup,
) -> Result<Vec<String>, Error> {
    if group.availability_zones.is_empty() {
        return Ok(Vec::new());
    }
    let missing = || Error::Invalid(format!("cluster {cluster:?} has no stack of eksctl's"));
    let stack = stack::find(means, &cluster_stack(cluster))?.ok_or_else(missing)?;
    let output = if group.private_networking {
        "SubnetsPrivate"
    } else {
        "SubnetsPublic"
    };
    let ids = stack.output(output).unwrap_or_default();
    let ids: Vec<&str> = ids.split(',').collect();
    let answer = means.call(Ec2, "DescribeSubnets", json!({ "SubnetId": ids }))?;
    let subnets = answer
        .get("subnetSet")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let text = |subnet: &Value, name: &str| {
        subnet
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let inside = subnets.iter().filter(|subnet| {
        group
            .availability_zones
            .contains(&text(subnet, "availabilityZone"))
    });
    let chosen: Vec<String> = inside.map(|subnet| text(subnet, "subnetId")).collect();
    if chosen.is_empty() {
        return Err(Error::Invalid(format!(
            "the cluster has no subnets in {:?}",
            group.availability_zones
        )));
    }
    Ok(chosen)
}

/// The stack of a group that EKS doesn't manage: its image, and what its nodes are told at boot.
fn own_group(
    means: &dyn Means,
    cluster: &str,
    version: &str,
    group: &NodeGroup,
    chosen: &[String],
) -> Result<String, Error> {
    let family = Family::of(version);
    let parameter = family.parameter(version);
    let answer = means.call(Ssm, "GetParameter", json!({ "Name": parameter }))?;
    let image = answer.pointer("/Parameter/Value").and_then(Value::as_str);
    let image =
        image.ok_or_else(|| Error::Invalid(format!("no image for Kubernetes {version}")))?;
    let described = describe(means, cluster)?;
    let user_data = template::user_data(&described, &group.name, family);
    let boot = Boot {
        image,
        user_data: &user_data,
    };
    Ok(template::unmanaged(cluster, group, chosen, boot))
}

/// A group's nodes that are ready, by name.
fn ready_nodes(
    means: &dyn Means,
    cluster: &Value,
    group: &str,
) -> Result<(usize, Vec<String>), Error> {
    let path = format!("/api/v1/nodes?labelSelector=alpha.eksctl.io%2Fnodegroup-name%3D{group}");
    let answer = means
        .kubernetes(cluster, "GET", &path, &Value::Null)?
        .unwrap_or(Value::Null);
    let nodes = answer
        .get("items")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let ready = |node: &&Value| {
        let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
        conditions.into_iter().flatten().any(|of| {
            let text = |name: &str| of.get(name).and_then(Value::as_str);
            text("type") == Some("Ready") && text("status") == Some("True")
        })
    };
    let names = nodes
        .iter()
        .filter(ready)
        .filter_map(|node| node.pointer("/metadata/name")?.as_str());
    Ok((nodes.len(), names.map(str::to_owned).collect()))
}

/// Waits until enough of a group's nodes are ready.
fn await_nodes(means: &dyn Means, cluster: &Value, group: &NodeGroup) -> Result<(), Error> {
    let (least, ..) = group.sizes();
    let least = usize::try_from(least).unwrap_or(0);
    let name = &group.name;
    let public = cluster
        .pointer("/resourcesVpcConfig/endpointPublicAccess")
        .and_then(Value::as_bool);
    if public == Some(false) {
        means.say(
            Level::Warning,
            "the API is private: whether nodes are ready can't be seen from here",
        );
        return Ok(());
    }
    let begun = means.now();
    means.say(
        Level::Info,
        &format!("waiting for at least {least} node(s) to become ready in \"{name}\""),
    );
    loop {
        let (all, ready) = ready_nodes(means, cluster, name)?;
        if ready.len() >= least {
            means.say(
                Level::Info,
                &format!("nodegroup \"{name}\" has {all} node(s)"),
            );
            for node in &ready {
                means.say(Level::Info, &format!("node \"{node}\" is ready"));
            }
            return Ok(());
        }
        if means.now() - begun > NODES {
            return Err(Error::TimedOut(format!(
                "at least {least} node(s) to join the cluster and become ready in {name:?}"
            )));
        }
        means.wait(Duration::from_millis(500));
    }
}
