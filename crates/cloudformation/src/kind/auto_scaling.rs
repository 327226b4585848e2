//! Auto Scaling groups.

use super::ask::{Ask, member};
use super::{Kind, fixed, live};
use crate::step::{ID, Step, Steps};
use serde_json::{Value, json};
use wire::call::Service::AutoScaling;

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "AWS::AutoScaling::AutoScalingGroup",
    properties: &[
        fixed("AutoScalingGroupName"),
        live("AvailabilityZones"),
        live("Cooldown"),
        live("DesiredCapacity"),
        live("HealthCheckGracePeriod"),
        live("HealthCheckType"),
        live("LaunchTemplate"),
        live("LoadBalancerNames"),
        live("MaxSize").required(),
        live("MinSize").required(),
        live("NewInstancesProtectedFromScaleIn"),
        live("TargetGroupARNs"),
        live("TerminationPolicies"),
        live("VPCZoneIdentifier"),
        live("Tags"),
    ],
    attributes: &["AutoScalingGroupARN"],
    create,
    update,
    delete,
}];

/// What a group is created and changed with.
fn settings(ask: &Ask<'_>, name: &Value) -> Value {
    let subnets = ask.list("VPCZoneIdentifier");
    let subnets: Vec<&str> = subnets.iter().filter_map(Value::as_str).collect();
    json!({
        "AutoScalingGroupName": name,
        "AvailabilityZones": ask.get("AvailabilityZones"),
        "DefaultCooldown": ask.get("Cooldown"),
        "DesiredCapacity": ask.get("DesiredCapacity"),
        "HealthCheckGracePeriod": ask.get("HealthCheckGracePeriod"),
        "HealthCheckType": ask.get("HealthCheckType"),
        "LaunchTemplate": ask.get("LaunchTemplate"),
        "MaxSize": ask.get("MaxSize"),
        "MinSize": ask.get("MinSize"),
        "NewInstancesProtectedFromScaleIn": ask.get("NewInstancesProtectedFromScaleIn"),
        "TerminationPolicies": ask.get("TerminationPolicies"),
        "VPCZoneIdentifier": (!subnets.is_empty()).then(|| subnets.join(",")),
    })
}

/// A group's tags: each says whether instances get it; the stack's all do.
fn tags(ask: &Ask<'_>, group: Option<&str>) -> Vec<Value> {
    let own = ask.list("Tags");
    let named = |key: &str| {
        own.iter()
            .any(|tag| member(tag, "Key").as_deref() == Some(key))
    };
    let stack = ask
        .stack_tags
        .iter()
        .filter(|(key, _)| !named(key))
        .map(|(key, value)| json!({ "Key": key, "Value": value, "PropagateAtLaunch": true }));
    let tags = own.iter().cloned().chain(stack.collect::<Vec<_>>());
    tags.map(|mut tag| {
        if let Some(group) = group {
            tag["ResourceId"] = json!(group);
            tag["ResourceType"] = json!("auto-scaling-group");
        }
        tag
    })
    .collect()
}

fn create(ask: &Ask<'_>) -> Steps {
    let name = json!(ask.name("AutoScalingGroupName", 255));
    let mut given = settings(ask, &name);
    given["TargetGroupARNs"] = ask.get("TargetGroupARNs");
    given["LoadBalancerNames"] = ask.get("LoadBalancerNames");
    given["Tags"] = json!(tags(ask, None));
    let made = Step::new(AutoScaling, "CreateAutoScalingGroup", given).knows(ID, name.clone());
    let given = json!({ "AutoScalingGroupNames": [name] });
    let found = Step::new(AutoScaling, "DescribeAutoScalingGroups", given).learns(
        "AutoScalingGroupARN",
        "/AutoScalingGroups/0/AutoScalingGroupARN",
    );
    Ok(vec![made, found])
}

fn update(ask: &Ask<'_>) -> Steps {
    let name = json!(ask.id());
    let given = settings(ask, &name);
    let mut steps = vec![Step::new(AutoScaling, "UpdateAutoScalingGroup", given)];
    for (property, attach, detach) in [
        (
            "TargetGroupARNs",
            "AttachLoadBalancerTargetGroups",
            "DetachLoadBalancerTargetGroups",
        ),
        (
            "LoadBalancerNames",
            "AttachLoadBalancers",
            "DetachLoadBalancers",
        ),
    ] {
        let (before, after) = (ask.list_before(property), ask.list(property));
        let only = |these: &[Value], those: &[Value]| -> Vec<Value> {
            these
                .iter()
                .filter(|of| !those.contains(of))
                .cloned()
                .collect()
        };
        for (operation, of) in [
            (attach, only(&after, &before)),
            (detach, only(&before, &after)),
        ] {
            if !of.is_empty() {
                let given = json!({ "AutoScalingGroupName": name, property: of });
                steps.push(Step::new(AutoScaling, operation, given));
            }
        }
    }
    if ask.changed("Tags") {
        let (before, group) = (ask.list_before("Tags"), ask.id());
        let after = tags(ask, Some(&group));
        let keys: Vec<Option<String>> = after.iter().map(|tag| member(tag, "Key")).collect();
        let gone = before
            .iter()
            .map(|tag| member(tag, "Key"))
            .filter(|key| !keys.contains(key));
        let of_group =
            |key| json!({ "Key": key, "ResourceId": group, "ResourceType": "auto-scaling-group" });
        let gone: Vec<Value> = gone.map(of_group).collect();
        if !gone.is_empty() {
            steps.push(Step::new(
                AutoScaling,
                "DeleteTags",
                json!({ "Tags": gone }),
            ));
        }
        if !after.is_empty() {
            steps.push(Step::new(
                AutoScaling,
                "CreateOrUpdateTags",
                json!({ "Tags": after }),
            ));
        }
    }
    Ok(steps)
}

/// The group goes with its instances, and is gone when they are.
fn delete(ask: &Ask<'_>) -> Steps {
    let given = json!({ "AutoScalingGroupName": ask.id(), "ForceDelete": true });
    let going = Step::new(AutoScaling, "DeleteAutoScalingGroup", given)
        .tolerates(&["ValidationError"])
        .retries(&["ScalingActivityInProgress", "ResourceInUse"]);
    let given = json!({ "AutoScalingGroupNames": [ask.id()] });
    let gone = Step::new(AutoScaling, "DescribeAutoScalingGroups", given).until(
        "/AutoScalingGroups/0/AutoScalingGroupName",
        &["gone"],
        &[],
    );
    Ok(vec![going, gone])
}
