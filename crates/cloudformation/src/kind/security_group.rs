//! Security groups and their rules.

use super::ask::Ask;
use super::{Kind, fixed, live, tags};
use crate::step::{ID, Step, Steps, id};
use serde_json::{Value, json};
use wire::call::Service::Ec2;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::EC2::SecurityGroup",
        properties: &[
            fixed("GroupName"),
            fixed("GroupDescription").required(),
            fixed("VpcId"),
            live("SecurityGroupIngress"),
            live("SecurityGroupEgress"),
            live("Tags"),
        ],
        attributes: &["GroupId", "VpcId", "Id"],
        create,
        update,
        delete,
    },
    Kind {
        name: "AWS::EC2::SecurityGroupIngress",
        properties: &[
            fixed("GroupId"),
            fixed("GroupName"),
            fixed("IpProtocol").required(),
            fixed("FromPort"),
            fixed("ToPort"),
            fixed("CidrIp"),
            fixed("CidrIpv6"),
            fixed("SourceSecurityGroupId"),
            fixed("SourceSecurityGroupName"),
            fixed("SourceSecurityGroupOwnerId"),
            fixed("SourcePrefixListId"),
            live("Description"),
        ],
        attributes: &["Id"],
        create: |ask| rule(ask, "AuthorizeSecurityGroupIngress"),
        update: |ask| describe_rule(ask, "UpdateSecurityGroupRuleDescriptionsIngress"),
        delete: |ask| revoke_rule(ask, "RevokeSecurityGroupIngress"),
    },
    Kind {
        name: "AWS::EC2::SecurityGroupEgress",
        properties: &[
            fixed("GroupId").required(),
            fixed("IpProtocol").required(),
            fixed("FromPort"),
            fixed("ToPort"),
            fixed("CidrIp"),
            fixed("CidrIpv6"),
            fixed("DestinationSecurityGroupId"),
            fixed("DestinationPrefixListId"),
            live("Description"),
        ],
        attributes: &["Id"],
        create: |ask| rule(ask, "AuthorizeSecurityGroupEgress"),
        update: |ask| describe_rule(ask, "UpdateSecurityGroupRuleDescriptionsEgress"),
        delete: |ask| revoke_rule(ask, "RevokeSecurityGroupEgress"),
    },
];

/// A rule as EC2 takes it.
fn permission(rule: &Value) -> Value {
    let get = |name: &str| rule.get(name).cloned().unwrap_or(Value::Null);
    let peer = |name: &str, properties: [&str; 2]| {
        let given = properties
            .into_iter()
            .map(get)
            .find(|value| !value.is_null());
        given.map_or(
            Value::Null,
            |value| json!([{ name: value, "Description": get("Description") }]),
        )
    };
    let group = match peer(
        "GroupId",
        ["SourceSecurityGroupId", "DestinationSecurityGroupId"],
    ) {
        Value::Null => peer("GroupName", ["SourceSecurityGroupName", ""]),
        group => group,
    };
    json!({
        "IpProtocol": get("IpProtocol"),
        "FromPort": get("FromPort"),
        "ToPort": get("ToPort"),
        "IpRanges": peer("CidrIp", ["CidrIp", ""]),
        "Ipv6Ranges": peer("CidrIpv6", ["CidrIpv6", ""]),
        "Groups": group,
        "PrefixListIds": peer("PrefixListId", ["SourcePrefixListId", "DestinationPrefixListId"]),
    })
}

/// The rule that a new group in a VPC has: everything may leave.
fn everything_out() -> Value {
    json!({ "IpProtocol": "-1", "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] })
}

fn change(operation: &'static str, group: &Value, rules: Vec<Value>) -> Option<Step> {
    let there = !rules.is_empty();
    there.then(|| {
        Step::new(
            Ec2,
            operation,
            json!({ "GroupId": group, "IpPermissions": rules }),
        )
    })
}

fn create(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "GroupName": ask.name("GroupName", 255),
        "GroupDescription": ask.get("GroupDescription"),
        "VpcId": ask.get("VpcId"),
        "TagSpecification": tags::specification(ask, "security-group"),
    });
    let made = Step::new(Ec2, "CreateSecurityGroup", given)
        .learns(ID, "/groupId")
        .learns("GroupId", "/groupId")
        .tagged("security-group", ID);
    let found = Step::new(Ec2, "DescribeSecurityGroups", json!({ "GroupId": [id()] }))
        .learns("VpcId", "/securityGroupInfo/0/vpcId");
    let mut steps = vec![made, found];
    let ingress = ask
        .list("SecurityGroupIngress")
        .iter()
        .map(permission)
        .collect();
    steps.extend(change("AuthorizeSecurityGroupIngress", &id(), ingress));
    let egress: Vec<Value> = ask
        .list("SecurityGroupEgress")
        .iter()
        .map(permission)
        .collect();
    if !egress.is_empty() {
        let usual = vec![everything_out()];
        steps.extend(change("RevokeSecurityGroupEgress", &id(), usual));
        steps.extend(change("AuthorizeSecurityGroupEgress", &id(), egress));
    }
    Ok(steps)
}

fn update(ask: &Ask<'_>) -> Steps {
    let group = Value::from(ask.id());
    let mut steps = Vec::new();
    for (property, authorize, revoke) in [
        (
            "SecurityGroupIngress",
            "AuthorizeSecurityGroupIngress",
            "RevokeSecurityGroupIngress",
        ),
        (
            "SecurityGroupEgress",
            "AuthorizeSecurityGroupEgress",
            "RevokeSecurityGroupEgress",
        ),
    ] {
        let rules = |rules: Vec<Value>| -> Vec<Value> {
            match rules.is_empty() && property == "SecurityGroupEgress" {
                true => vec![everything_out()],
                false => rules.iter().map(permission).collect(),
            }
        };
        let (before, after) = (rules(ask.list_before(property)), rules(ask.list(property)));
        let gone = before
            .iter()
            .filter(|rule| !after.contains(rule))
            .cloned()
            .collect();
        let new = after
            .into_iter()
            .filter(|rule| !before.contains(rule))
            .collect();
        steps.extend(change(authorize, &group, new));
        steps.extend(change(revoke, &group, gone));
    }
    steps.extend(tags::ec2_steps(ask, &ask.id()));
    Ok(steps)
}

fn delete(ask: &Ask<'_>) -> Steps {
    let step = Step::new(Ec2, "DeleteSecurityGroup", json!({ "GroupId": ask.id() }))
        .tolerates(&["InvalidGroup.NotFound", "InvalidGroupId.NotFound"])
        .retries(&["DependencyViolation"]);
    Ok(vec![step])
}

fn of_rule(ask: &Ask<'_>) -> Value {
    json!({
        "GroupId": ask.get("GroupId"),
        "GroupName": ask.get("GroupName"),
        "IpPermissions": [permission(&Value::Object(ask.properties.clone()))],
    })
}

fn rule(ask: &Ask<'_>, operation: &'static str) -> Steps {
    let step = Step::new(Ec2, operation, of_rule(ask))
        .learns(ID, "/securityGroupRuleSet/0/securityGroupRuleId")
        .learns("Id", "/securityGroupRuleSet/0/securityGroupRuleId");
    Ok(vec![step])
}

fn describe_rule(ask: &Ask<'_>, operation: &'static str) -> Steps {
    Ok(vec![Step::new(Ec2, operation, of_rule(ask))])
}

fn revoke_rule(ask: &Ask<'_>, operation: &'static str) -> Steps {
    let given = json!({
        "GroupId": ask.get("GroupId"),
        "GroupName": ask.get("GroupName"),
        "SecurityGroupRuleId": [ask.id()],
    });
    let step = Step::new(Ec2, operation, given).tolerates(&[
        "InvalidSecurityGroupRuleId.NotFound",
        "InvalidPermission.NotFound",
        "InvalidGroup.NotFound",
    ]);
    Ok(vec![step])
}
