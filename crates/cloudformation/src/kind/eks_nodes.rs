//! EKS: what a cluster's pods run on.

use super::ask::Ask;
use super::eks::{GONE, camel, retag};
use super::{Kind, fixed, live, tags};
use crate::parameter::plain;
use crate::step::{ID, Step, Steps, learned};
use serde_json::{Map, Value, json};
use wire::call::Service::Eks;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::EKS::Nodegroup",
        properties: &[
            fixed("ClusterName").required(),
            fixed("NodegroupName"),
            fixed("NodeRole").required(),
            fixed("Subnets").required(),
            fixed("AmiType"),
            fixed("CapacityType"),
            fixed("DiskSize"),
            fixed("InstanceTypes"),
            fixed("RemoteAccess"),
            live("Labels"),
            live("LaunchTemplate"),
            live("ReleaseVersion"),
            live("ScalingConfig"),
            live("Taints"),
            live("UpdateConfig"),
            live("Version"),
            live("ForceUpdateEnabled"),
            live("NodeRepairConfig"),
            live("Tags"),
        ],
        attributes: &["Arn", "ClusterName", "Id", "NodegroupName"],
        create: create_group,
        update: update_group,
        delete: delete_group,
    },
    Kind {
        name: "AWS::EKS::FargateProfile",
        properties: &[
            fixed("ClusterName").required(),
            fixed("FargateProfileName"),
            fixed("PodExecutionRoleArn").required(),
            fixed("Selectors").required(),
            fixed("Subnets"),
            live("Tags"),
        ],
        attributes: &["Arn"],
        create: create_profile,
        update: update_profile,
        delete: delete_profile,
    },
];

/// A launch template's version is a text in EKS's JSON.
fn launch_template(ask: &Ask<'_>) -> Value {
    let mut of = camel(&ask.get("LaunchTemplate"));
    if let Some(version) = of.get_mut("version") {
        *version = json!(plain(version));
    }
    of
}

/// Labels keep their names; their values are texts.
fn labels(of: Option<&Value>) -> Map<String, Value> {
    let of = of.and_then(Value::as_object).into_iter().flatten();
    of.filter_map(|(name, value)| Some((name.clone(), Value::from(plain(value)?))))
        .collect()
}

fn create_group(ask: &Ask<'_>) -> Steps {
    let cluster = ask.required("ClusterName")?;
    let name = ask.name("NodegroupName", 63);
    let given_labels = labels(ask.properties.get("Labels"));
    let mut given = camel(&json!({
        "AmiType": ask.get("AmiType"),
        "CapacityType": ask.get("CapacityType"),
        "DiskSize": ask.get("DiskSize"),
        "InstanceTypes": ask.get("InstanceTypes"),
        "RemoteAccess": ask.get("RemoteAccess"),
        "ReleaseVersion": ask.get("ReleaseVersion"),
        "ScalingConfig": ask.get("ScalingConfig"),
        "Subnets": ask.get("Subnets"),
        "Taints": ask.get("Taints"),
        "UpdateConfig": ask.get("UpdateConfig"),
        "NodeRole": ask.get("NodeRole"),
        "NodeRepairConfig": ask.get("NodeRepairConfig"),
    }));
    given["clusterName"] = json!(cluster);
    given["nodegroupName"] = json!(name);
    given["version"] = json!(ask.text("Version"));
    given["launchTemplate"] = launch_template(ask);
    given["tags"] = tags::object(ask);
    if !given_labels.is_empty() {
        given["labels"] = Value::Object(given_labels);
    }
    let id = format!("{cluster}/{name}");
    let made = Step::new(Eks, "CreateNodegroup", given)
        .learns("Arn", "/nodegroup/nodegroupArn")
        .knows("Id", json!(id))
        .knows("ClusterName", json!(cluster))
        .knows("NodegroupName", json!(name))
        .knows(ID, json!(id));
    Ok(vec![made, group_ready(ask, &json!(name))])
}

fn group_ready(ask: &Ask<'_>, name: &Value) -> Step {
    let given = json!({ "clusterName": ask.get("ClusterName"), "nodegroupName": name });
    Step::new(Eks, "DescribeNodegroup", given)
        .until(
            "/nodegroup/status",
            &["ACTIVE"],
            &["CREATE_FAILED", "DEGRADED", "gone"],
        )
        .because("/nodegroup/health/issues/0/message")
}

/// What a group's labels become: new and changed ones, and the names of those that go.
fn changed_labels(ask: &Ask<'_>) -> Value {
    let before = labels(ask.before.and_then(|before| before.get("Labels")));
    let after = labels(ask.properties.get("Labels"));
    let gone: Vec<&String> = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .collect();
    json!({ "addOrUpdateLabels": after, "removeLabels": gone })
}

/// What a group's taints become.
fn changed_taints(ask: &Ask<'_>) -> Value {
    let camels = |taints: Vec<Value>| -> Vec<Value> { taints.iter().map(camel).collect() };
    let (before, after) = (
        camels(ask.list_before("Taints")),
        camels(ask.list("Taints")),
    );
    let gone: Vec<&Value> = before
        .iter()
        .filter(|taint| !after.contains(taint))
        .collect();
    json!({ "addOrUpdateTaints": after, "removeTaints": gone })
}

fn update_group(ask: &Ask<'_>) -> Steps {
    let name = json!(ask.attribute("NodegroupName"));
    let of_group = |members: Value| {
        let mut given = json!({ "clusterName": ask.get("ClusterName"), "nodegroupName": name });
        for (member, value) in members.as_object().into_iter().flatten() {
            given[member] = value.clone();
        }
        given
    };
    let done = || {
        let given = json!({
            "name": ask.get("ClusterName"),
            "nodegroupName": name,
            "updateId": learned("Update"),
        });
        Step::new(Eks, "DescribeUpdate", given)
            .until("/update/status", &["Successful"], &["Failed", "Cancelled"])
            .because("/update/errors/0/errorMessage")
    };
    let mut steps = Vec::new();
    let mut change = |operation, given| {
        steps.push(Step::new(Eks, operation, of_group(given)).learns("Update", "/update/id"));
        steps.push(done());
    };
    let version = ["Version", "ReleaseVersion", "LaunchTemplate"];
    if version.iter().any(|property| ask.changed(property)) {
        change(
            "UpdateNodegroupVersion",
            json!({
                "version": ask.text("Version"),
                "releaseVersion": ask.text("ReleaseVersion"),
                "launchTemplate": launch_template(ask),
                "force": ask.truth("ForceUpdateEnabled"),
            }),
        );
    }
    let config = [
        "Labels",
        "Taints",
        "ScalingConfig",
        "UpdateConfig",
        "NodeRepairConfig",
    ];
    if config.iter().any(|property| ask.changed(property)) {
        let mut given = camel(&json!({
            "ScalingConfig": ask.get("ScalingConfig"),
            "UpdateConfig": ask.get("UpdateConfig"),
            "NodeRepairConfig": ask.get("NodeRepairConfig"),
        }));
        if ask.changed("Labels") {
            given["labels"] = changed_labels(ask);
        }
        if ask.changed("Taints") {
            given["taints"] = changed_taints(ask);
        }
        change("UpdateNodegroupConfig", given);
    }
    steps.extend(retag(ask, &ask.attribute("Arn")));
    Ok(steps)
}

fn delete_group(ask: &Ask<'_>) -> Steps {
    let (cluster, name) = (ask.get("ClusterName"), ask.attribute("NodegroupName"));
    let given = json!({ "clusterName": cluster, "nodegroupName": name });
    let going = Step::new(Eks, "DeleteNodegroup", given.clone()).tolerates(GONE);
    let gone = Step::new(Eks, "DescribeNodegroup", given)
        .until("/nodegroup/status", &["gone"], &["DELETE_FAILED"])
        .because("/nodegroup/health/issues/0/message")
        .tolerates(GONE);
    Ok(vec![going, gone])
}

fn create_profile(ask: &Ask<'_>) -> Steps {
    let cluster = ask.required("ClusterName")?;
    let name = ask.name("FargateProfileName", 100);
    let selectors = ask
        .list("Selectors")
        .iter()
        .map(selector)
        .collect::<Vec<_>>();
    let given = json!({
        "clusterName": cluster,
        "fargateProfileName": name,
        "podExecutionRoleArn": ask.get("PodExecutionRoleArn"),
        "selectors": selectors,
        "subnets": ask.get("Subnets"),
        "tags": tags::object(ask),
    });
    let made = Step::new(Eks, "CreateFargateProfile", given)
        .learns("Arn", "/fargateProfile/fargateProfileArn")
        .knows("Name", json!(name))
        .knows(ID, json!(format!("{cluster}|{name}")));
    let given = json!({ "clusterName": cluster, "fargateProfileName": name });
    let ready = Step::new(Eks, "DescribeFargateProfile", given).until(
        "/fargateProfile/status",
        &["ACTIVE"],
        &["CREATE_FAILED", "gone"],
    );
    Ok(vec![made, ready])
}

/// A selector; its labels are a list of keys and values in templates.
fn selector(of: &Value) -> Value {
    let listed = of.get("Labels").and_then(Value::as_array);
    let labels: Map<String, Value> = listed
        .into_iter()
        .flatten()
        .filter_map(|label| {
            let text = |name: &str| label.get(name).and_then(plain);
            Some((text("Key")?, Value::from(text("Value")?)))
        })
        .collect();
    let labels = (!labels.is_empty()).then_some(labels);
    json!({ "namespace": of.get("Namespace"), "labels": labels })
}

fn update_profile(ask: &Ask<'_>) -> Steps {
    Ok(retag(ask, &ask.attribute("Arn")))
}

fn delete_profile(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "clusterName": ask.get("ClusterName"),
        "fargateProfileName": ask.attribute("Name"),
    });
    let going = Step::new(Eks, "DeleteFargateProfile", given.clone()).tolerates(GONE);
    let gone = Step::new(Eks, "DescribeFargateProfile", given)
        .until("/fargateProfile/status", &["gone"], &["DELETE_FAILED"])
        .tolerates(GONE);
    Ok(vec![going, gone])
}
