//! Classic load balancers.

use super::ask::{Ask, member};
use super::{Kind, fixed, live, tags};
use crate::step::{ID, Step, Steps};
use serde_json::{Map, Value, json};
use wire::call::Service::ClassicLoadBalancing;

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "AWS::ElasticLoadBalancing::LoadBalancer",
    properties: &[
        fixed("LoadBalancerName"),
        fixed("AvailabilityZones"),
        fixed("Scheme"),
        fixed("Subnets"),
        live("AccessLoggingPolicy"),
        live("ConnectionDrainingPolicy"),
        live("ConnectionSettings"),
        live("CrossZone"),
        live("HealthCheck"),
        live("Instances"),
        live("Listeners").required(),
        live("SecurityGroups"),
        live("Tags"),
    ],
    attributes: &[
        "CanonicalHostedZoneName",
        "CanonicalHostedZoneNameID",
        "DNSName",
        "SourceSecurityGroup.GroupName",
        "SourceSecurityGroup.OwnerAlias",
    ],
    create,
    update,
    delete,
}];

fn listeners(of: &[Value]) -> Vec<Value> {
    let listener = |of: &Value| {
        let get = |name: &str| of.get(name).cloned().unwrap_or(Value::Null);
        json!({
            "LoadBalancerPort": get("LoadBalancerPort"),
            "InstancePort": get("InstancePort"),
            "Protocol": get("Protocol"),
            "InstanceProtocol": get("InstanceProtocol"),
            "SSLCertificateId": get("SSLCertificateId"),
        })
    };
    of.iter().map(listener).collect()
}

fn create(ask: &Ask<'_>) -> Steps {
    let name = json!(ask.name("LoadBalancerName", 32));
    let given = json!({
        "LoadBalancerName": name,
        "AvailabilityZones": ask.get("AvailabilityZones"),
        "Listeners": listeners(&ask.list("Listeners")),
        "Scheme": ask.get("Scheme"),
        "SecurityGroups": ask.get("SecurityGroups"),
        "Subnets": ask.get("Subnets"),
        "Tags": tags::listed(ask),
    });
    let made = Step::new(ClassicLoadBalancing, "CreateLoadBalancer", given)
        .learns("DNSName", "/DNSName")
        .knows(ID, name.clone());
    let mut steps = vec![made];
    steps.extend(settings(ask, &name));
    let instances = ask.list("Instances");
    steps.extend(members(
        "RegisterInstancesWithLoadBalancer",
        &name,
        &instances,
    ));
    let at = "/LoadBalancerDescriptions/0";
    let given = json!({ "LoadBalancerNames": [name] });
    steps.push(
        Step::new(ClassicLoadBalancing, "DescribeLoadBalancers", given)
            .perhaps(
                "CanonicalHostedZoneName",
                format!("{at}/CanonicalHostedZoneName"),
            )
            .perhaps(
                "CanonicalHostedZoneNameID",
                format!("{at}/CanonicalHostedZoneNameID"),
            )
            .perhaps(
                "SourceSecurityGroup.GroupName",
                format!("{at}/SourceSecurityGroup/GroupName"),
            )
            .perhaps(
                "SourceSecurityGroup.OwnerAlias",
                format!("{at}/SourceSecurityGroup/OwnerAlias"),
            ),
    );
    Ok(steps)
}

/// Attributes by the names that they have in templates and in the API.
const ATTRIBUTES: [(&str, &str); 3] = [
    ("AccessLoggingPolicy", "AccessLog"),
    ("ConnectionDrainingPolicy", "ConnectionDraining"),
    ("ConnectionSettings", "ConnectionSettings"),
];

/// The health check and the attributes, where they change.
fn settings(ask: &Ask<'_>, name: &Value) -> Vec<Step> {
    let mut steps = Vec::new();
    let check = ask.get("HealthCheck");
    if ask.changed("HealthCheck") && !check.is_null() {
        let given = json!({ "LoadBalancerName": name, "HealthCheck": check });
        steps.push(Step::new(
            ClassicLoadBalancing,
            "ConfigureHealthCheck",
            given,
        ));
    }
    let mut attributes = Map::new();
    for (property, attribute) in ATTRIBUTES {
        if ask.changed(property) && !ask.get(property).is_null() {
            attributes.insert(attribute.to_owned(), ask.get(property));
        }
    }
    if ask.changed("CrossZone") {
        let on = json!({ "Enabled": ask.truth("CrossZone").unwrap_or(false) });
        attributes.insert("CrossZoneLoadBalancing".to_owned(), on);
    }
    if !attributes.is_empty() {
        let given = json!({ "LoadBalancerName": name, "LoadBalancerAttributes": attributes });
        steps.push(Step::new(
            ClassicLoadBalancing,
            "ModifyLoadBalancerAttributes",
            given,
        ));
    }
    steps
}

fn members(operation: &'static str, name: &Value, instances: &[Value]) -> Option<Step> {
    (!instances.is_empty()).then(|| {
        let instances: Vec<Value> = instances
            .iter()
            .map(|id| json!({ "InstanceId": id }))
            .collect();
        let given = json!({ "LoadBalancerName": name, "Instances": instances });
        Step::new(ClassicLoadBalancing, operation, given)
    })
}

fn update(ask: &Ask<'_>) -> Steps {
    let name = json!(ask.id());
    let mut steps = settings(ask, &name);
    let only = |these: &[Value], those: &[Value]| -> Vec<Value> {
        these
            .iter()
            .filter(|of| !those.contains(of))
            .cloned()
            .collect()
    };
    let (before, after) = (
        listeners(&ask.list_before("Listeners")),
        listeners(&ask.list("Listeners")),
    );
    let ports: Vec<String> = only(&before, &after)
        .iter()
        .filter_map(|listener| member(listener, "LoadBalancerPort"))
        .collect();
    if !ports.is_empty() {
        let given = json!({ "LoadBalancerName": name, "LoadBalancerPorts": ports });
        steps.push(Step::new(
            ClassicLoadBalancing,
            "DeleteLoadBalancerListeners",
            given,
        ));
    }
    let new = only(&after, &before);
    if !new.is_empty() {
        let given = json!({ "LoadBalancerName": name, "Listeners": new });
        steps.push(Step::new(
            ClassicLoadBalancing,
            "CreateLoadBalancerListeners",
            given,
        ));
    }
    if ask.changed("SecurityGroups") {
        let given =
            json!({ "LoadBalancerName": name, "SecurityGroups": ask.get("SecurityGroups") });
        steps.push(Step::new(
            ClassicLoadBalancing,
            "ApplySecurityGroupsToLoadBalancer",
            given,
        ));
    }
    let (before, after) = (ask.list_before("Instances"), ask.list("Instances"));
    let (new, gone) = (only(&after, &before), only(&before, &after));
    steps.extend(members("RegisterInstancesWithLoadBalancer", &name, &new));
    steps.extend(members("DeregisterInstancesFromLoadBalancer", &name, &gone));
    if let Some(difference) = tags::difference(ask) {
        if !difference.gone.is_empty() {
            let keys: Vec<Value> = difference
                .gone
                .iter()
                .map(|key| json!({ "Key": key }))
                .collect();
            let given = json!({ "LoadBalancerNames": [name], "Tags": keys });
            steps.push(Step::new(ClassicLoadBalancing, "RemoveTags", given));
        }
        if !difference.new.is_empty() {
            let given =
                json!({ "LoadBalancerNames": [name], "Tags": tags::pairs(&difference.new) });
            steps.push(Step::new(ClassicLoadBalancing, "AddTags", given));
        }
    }
    Ok(steps)
}

fn delete(ask: &Ask<'_>) -> Steps {
    let given = json!({ "LoadBalancerName": ask.id() });
    Ok(vec![Step::new(
        ClassicLoadBalancing,
        "DeleteLoadBalancer",
        given,
    )])
}
