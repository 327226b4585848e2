//! Target groups.

use super::ask::Ask;
use super::load_balancer::retag;
use super::{Kind, fixed, live, tags};
use crate::step::{ID, Step, Steps, id};
use serde_json::{Value, json};
use wire::call::Service::LoadBalancing;

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "AWS::ElasticLoadBalancingV2::TargetGroup",
    properties: &[
        fixed("Name"),
        fixed("IpAddressType"),
        fixed("Port"),
        fixed("Protocol"),
        fixed("ProtocolVersion"),
        fixed("TargetType"),
        fixed("VpcId"),
        live("HealthCheckEnabled"),
        live("HealthCheckIntervalSeconds"),
        live("HealthCheckPath"),
        live("HealthCheckPort"),
        live("HealthCheckProtocol"),
        live("HealthCheckTimeoutSeconds"),
        live("HealthyThresholdCount"),
        live("UnhealthyThresholdCount"),
        live("Matcher"),
        live("TargetGroupAttributes"),
        live("Targets"),
        live("Tags"),
    ],
    attributes: &["TargetGroupArn", "TargetGroupName"],
    create,
    update,
    delete,
}];

/// What can be changed by one call.
const HEALTH_CHECK: [&str; 9] = [
    "HealthCheckEnabled",
    "HealthCheckIntervalSeconds",
    "HealthCheckPath",
    "HealthCheckPort",
    "HealthCheckProtocol",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
];

fn create(ask: &Ask<'_>) -> Steps {
    let mut given = json!({ "Name": ask.name("Name", 32), "Tags": tags::listed(ask) });
    let fixed = [
        "IpAddressType",
        "Port",
        "Protocol",
        "ProtocolVersion",
        "TargetType",
        "VpcId",
    ];
    for name in fixed.into_iter().chain(HEALTH_CHECK) {
        given[name] = ask.get(name);
    }
    let made = Step::new(LoadBalancing, "CreateTargetGroup", given)
        .learns(ID, "/TargetGroups/0/TargetGroupArn")
        .learns("TargetGroupArn", "/TargetGroups/0/TargetGroupArn")
        .learns("TargetGroupName", "/TargetGroups/0/TargetGroupName");
    let mut steps = vec![made];
    steps.extend(attributes(ask, &id()));
    steps.extend(targets("RegisterTargets", &id(), ask.list("Targets")));
    Ok(steps)
}

fn attributes(ask: &Ask<'_>, arn: &Value) -> Option<Step> {
    let attributes = ask.list("TargetGroupAttributes");
    (!attributes.is_empty() && ask.changed("TargetGroupAttributes")).then(|| {
        let given = json!({ "TargetGroupArn": arn, "Attributes": attributes });
        Step::new(LoadBalancing, "ModifyTargetGroupAttributes", given)
    })
}

fn targets(operation: &'static str, arn: &Value, targets: Vec<Value>) -> Option<Step> {
    (!targets.is_empty()).then(|| {
        let given = json!({ "TargetGroupArn": arn, "Targets": targets });
        Step::new(LoadBalancing, operation, given)
    })
}

fn update(ask: &Ask<'_>) -> Steps {
    let arn = Value::from(ask.id());
    let mut steps = Vec::new();
    if HEALTH_CHECK.iter().any(|name| ask.changed(name)) {
        let mut given = json!({ "TargetGroupArn": arn });
        for name in HEALTH_CHECK {
            given[name] = ask.get(name);
        }
        steps.push(Step::new(LoadBalancing, "ModifyTargetGroup", given));
    }
    steps.extend(attributes(ask, &arn));
    let (before, after) = (ask.list_before("Targets"), ask.list("Targets"));
    let only = |these: &[Value], those: &[Value]| -> Vec<Value> {
        these
            .iter()
            .filter(|of| !those.contains(of))
            .cloned()
            .collect()
    };
    steps.extend(targets("RegisterTargets", &arn, only(&after, &before)));
    steps.extend(targets("DeregisterTargets", &arn, only(&before, &after)));
    steps.extend(retag(ask));
    Ok(steps)
}

fn delete(ask: &Ask<'_>) -> Steps {
    let given = json!({ "TargetGroupArn": ask.id() });
    let step = Step::new(LoadBalancing, "DeleteTargetGroup", given)
        .tolerates(&["TargetGroupNotFound"])
        .retries(&["ResourceInUse"]);
    Ok(vec![step])
}
