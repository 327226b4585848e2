//! Application, network and gateway load balancers, their listeners and rules.

use super::ask::Ask;
use super::{Kind, fixed, live, tags};
use crate::step::{ID, Step, Steps, id};
use serde_json::{Value, json};
use wire::call::Service::LoadBalancing;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::ElasticLoadBalancingV2::LoadBalancer",
        properties: &[
            fixed("Name"),
            fixed("Scheme"),
            fixed("Type"),
            live("IpAddressType"),
            live("LoadBalancerAttributes"),
            live("SecurityGroups"),
            live("SubnetMappings"),
            live("Subnets"),
            live("Tags"),
        ],
        attributes: &[
            "CanonicalHostedZoneID",
            "DNSName",
            "LoadBalancerArn",
            "LoadBalancerName",
        ],
        create,
        update,
        delete,
    },
    Kind {
        name: "AWS::ElasticLoadBalancingV2::Listener",
        properties: &[
            fixed("LoadBalancerArn").required(),
            live("AlpnPolicy"),
            live("Certificates"),
            live("DefaultActions").required(),
            live("Port"),
            live("Protocol"),
            live("SslPolicy"),
        ],
        attributes: &["ListenerArn"],
        create: create_listener,
        update: update_listener,
        delete: delete_listener,
    },
    Kind {
        name: "AWS::ElasticLoadBalancingV2::ListenerRule",
        properties: &[
            fixed("ListenerArn").required(),
            live("Actions").required(),
            live("Conditions").required(),
            live("Priority").required(),
        ],
        attributes: &["RuleArn"],
        create: create_rule,
        update: update_rule,
        delete: delete_rule,
    },
];

/// The steps of a change of tags that Elastic Load Balancing keeps.
pub(super) fn retag(ask: &Ask<'_>) -> Vec<Step> {
    let Some(difference) = tags::difference(ask) else {
        return Vec::new();
    };
    let arn = ask.id();
    let mut steps = Vec::new();
    if !difference.gone.is_empty() {
        let given = json!({ "ResourceArns": [arn], "TagKeys": difference.gone });
        steps.push(Step::new(LoadBalancing, "RemoveTags", given));
    }
    if !difference.new.is_empty() {
        let given = json!({ "ResourceArns": [arn], "Tags": tags::pairs(&difference.new) });
        steps.push(Step::new(LoadBalancing, "AddTags", given));
    }
    steps
}

fn create(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "Name": ask.name("Name", 32),
        "Scheme": ask.get("Scheme"),
        "Type": ask.get("Type"),
        "IpAddressType": ask.get("IpAddressType"),
        "SecurityGroups": ask.get("SecurityGroups"),
        "SubnetMappings": ask.get("SubnetMappings"),
        "Subnets": ask.get("Subnets"),
        "Tags": tags::listed(ask),
    });
    let made = Step::new(LoadBalancing, "CreateLoadBalancer", given)
        .learns(ID, "/LoadBalancers/0/LoadBalancerArn")
        .learns("LoadBalancerArn", "/LoadBalancers/0/LoadBalancerArn")
        .learns("LoadBalancerName", "/LoadBalancers/0/LoadBalancerName")
        .learns("DNSName", "/LoadBalancers/0/DNSName")
        .learns(
            "CanonicalHostedZoneID",
            "/LoadBalancers/0/CanonicalHostedZoneId",
        );
    let mut steps = vec![made];
    steps.extend(attributes(ask, &id()));
    let given = json!({ "LoadBalancerArns": [id()] });
    steps.push(
        Step::new(LoadBalancing, "DescribeLoadBalancers", given)
            .until(
                "/LoadBalancers/0/State/Code",
                &["active"],
                &["failed", "gone"],
            )
            .because("/LoadBalancers/0/State/Reason"),
    );
    Ok(steps)
}

fn attributes(ask: &Ask<'_>, arn: &Value) -> Option<Step> {
    let attributes = ask.list("LoadBalancerAttributes");
    (!attributes.is_empty() && ask.changed("LoadBalancerAttributes")).then(|| {
        let given = json!({ "LoadBalancerArn": arn, "Attributes": attributes });
        Step::new(LoadBalancing, "ModifyLoadBalancerAttributes", given)
    })
}

fn update(ask: &Ask<'_>) -> Steps {
    let arn = Value::from(ask.id());
    let mut steps = Vec::new();
    if ask.changed("Subnets") || ask.changed("SubnetMappings") {
        let given = json!({
            "LoadBalancerArn": arn,
            "Subnets": ask.get("Subnets"),
            "SubnetMappings": ask.get("SubnetMappings"),
        });
        steps.push(Step::new(LoadBalancing, "SetSubnets", given));
    }
    if ask.changed("SecurityGroups") {
        let given = json!({ "LoadBalancerArn": arn, "SecurityGroups": ask.get("SecurityGroups") });
        steps.push(Step::new(LoadBalancing, "SetSecurityGroups", given));
    }
    if ask.changed("IpAddressType") {
        let kind = ask
            .text("IpAddressType")
            .unwrap_or_else(|| "ipv4".to_owned());
        let given = json!({ "LoadBalancerArn": arn, "IpAddressType": kind });
        steps.push(Step::new(LoadBalancing, "SetIpAddressType", given));
    }
    steps.extend(attributes(ask, &arn));
    steps.extend(retag(ask));
    Ok(steps)
}

fn delete(ask: &Ask<'_>) -> Steps {
    let given = json!({ "LoadBalancerArn": ask.id() });
    let going =
        Step::new(LoadBalancing, "DeleteLoadBalancer", given).tolerates(&["LoadBalancerNotFound"]);
    let given = json!({ "LoadBalancerArns": [ask.id()] });
    let gone = Step::new(LoadBalancing, "DescribeLoadBalancers", given)
        .until("/LoadBalancers/0/LoadBalancerArn", &["gone"], &[])
        .tolerates(&["LoadBalancerNotFound"]);
    Ok(vec![going, gone])
}

fn listener(ask: &Ask<'_>) -> Value {
    json!({
        "AlpnPolicy": ask.get("AlpnPolicy"),
        "Certificates": ask.get("Certificates"),
        "DefaultActions": ask.get("DefaultActions"),
        "Port": ask.get("Port"),
        "Protocol": ask.get("Protocol"),
        "SslPolicy": ask.get("SslPolicy"),
    })
}

fn create_listener(ask: &Ask<'_>) -> Steps {
    let mut given = listener(ask);
    given["LoadBalancerArn"] = ask.get("LoadBalancerArn");
    let step = Step::new(LoadBalancing, "CreateListener", given)
        .learns(ID, "/Listeners/0/ListenerArn")
        .learns("ListenerArn", "/Listeners/0/ListenerArn");
    Ok(vec![step])
}

fn update_listener(ask: &Ask<'_>) -> Steps {
    let mut given = listener(ask);
    given["ListenerArn"] = json!(ask.id());
    Ok(vec![Step::new(LoadBalancing, "ModifyListener", given)])
}

fn delete_listener(ask: &Ask<'_>) -> Steps {
    let given = json!({ "ListenerArn": ask.id() });
    let step = Step::new(LoadBalancing, "DeleteListener", given).tolerates(&["ListenerNotFound"]);
    Ok(vec![step])
}

fn create_rule(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "ListenerArn": ask.get("ListenerArn"),
        "Actions": ask.get("Actions"),
        "Conditions": ask.get("Conditions"),
        "Priority": ask.get("Priority"),
    });
    let step = Step::new(LoadBalancing, "CreateRule", given)
        .learns(ID, "/Rules/0/RuleArn")
        .learns("RuleArn", "/Rules/0/RuleArn");
    Ok(vec![step])
}

fn update_rule(ask: &Ask<'_>) -> Steps {
    let mut steps = Vec::new();
    if ask.changed("Actions") || ask.changed("Conditions") {
        let given = json!({
            "RuleArn": ask.id(),
            "Actions": ask.get("Actions"),
            "Conditions": ask.get("Conditions"),
        });
        steps.push(Step::new(LoadBalancing, "ModifyRule", given));
    }
    if ask.changed("Priority") {
        let priority = json!([{ "RuleArn": ask.id(), "Priority": ask.get("Priority") }]);
        let given = json!({ "RulePriorities": priority });
        steps.push(Step::new(LoadBalancing, "SetRulePriorities", given));
    }
    Ok(steps)
}

fn delete_rule(ask: &Ask<'_>) -> Steps {
    let given = json!({ "RuleArn": ask.id() });
    let step = Step::new(LoadBalancing, "DeleteRule", given).tolerates(&["RuleNotFound"]);
    Ok(vec![step])
}
