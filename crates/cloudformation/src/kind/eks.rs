//! EKS: clusters, add-ons, access entries.

use super::ask::{Ask, member, renamed};
use super::{Kind, fixed, live, tags};
use crate::parameter::plain;
use crate::step::{ID, Step, Steps, id, learned};
use serde_json::{Value, json};
use wire::call::Service::Eks;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::EKS::Cluster",
        properties: &[
            fixed("Name"),
            fixed("RoleArn").required(),
            live("Version"),
            live("ResourcesVpcConfig").required(),
            fixed("KubernetesNetworkConfig"),
            live("Logging"),
            live("AccessConfig"),
            fixed("BootstrapSelfManagedAddons"),
            live("UpgradePolicy"),
            live("Tags"),
        ],
        attributes: &[
            "Arn",
            "CertificateAuthorityData",
            "ClusterSecurityGroupId",
            "Endpoint",
            "OpenIdConnectIssuerUrl",
        ],
        create: create_cluster,
        update: update_cluster,
        delete: delete_cluster,
    },
    Kind {
        name: "AWS::EKS::Addon",
        properties: &[
            fixed("ClusterName").required(),
            fixed("AddonName").required(),
            live("AddonVersion"),
            live("ConfigurationValues"),
            live("ResolveConflicts"),
            live("ServiceAccountRoleArn"),
            live("PreserveOnDelete"),
            live("Tags"),
        ],
        attributes: &["Arn"],
        create: create_addon,
        update: update_addon,
        delete: delete_addon,
    },
    Kind {
        name: "AWS::EKS::AccessEntry",
        properties: &[
            fixed("ClusterName").required(),
            fixed("PrincipalArn").required(),
            fixed("Type"),
            live("KubernetesGroups"),
            live("Username"),
            live("AccessPolicies"),
            live("Tags"),
        ],
        attributes: &["AccessEntryArn"],
        create: create_entry,
        update: update_entry,
        delete: delete_entry,
    },
];

pub(super) const GONE: &[&str] = &["ResourceNotFoundException"];

/// Members that are numbers in EKS's JSON, and may be texts in templates.
const NUMBERS: [&str; 6] = [
    "minSize",
    "maxSize",
    "desiredSize",
    "diskSize",
    "maxUnavailable",
    "maxUnavailablePercentage",
];
/// Members that are truths.
const TRUTHS: [&str; 4] = [
    "endpointPublicAccess",
    "endpointPrivateAccess",
    "enabled",
    "bootstrapClusterCreatorAdminPermissions",
];

/// A property's value as EKS's JSON has it: names with small letters, numbers and truths of their types.
pub(super) fn camel(value: &Value) -> Value {
    typed(&renamed(value, &|name| {
        let mut letters = name.chars();
        let first = letters.next().map(|first| first.to_ascii_lowercase());
        first.into_iter().chain(letters).collect()
    }))
}

fn typed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let text = plain(value);
                let value = match text {
                    Some(text) if NUMBERS.contains(&name.as_str()) => text
                        .parse::<i64>()
                        .map_or_else(|_| value.clone(), Value::from),
                    Some(text) if TRUTHS.contains(&name.as_str()) => text
                        .parse::<bool>()
                        .map_or_else(|_| value.clone(), Value::from),
                    _ => typed(value),
                };
                (name.clone(), value)
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => items.iter().map(typed).collect(),
        other => other.clone(),
    }
}

fn describe_cluster(name: &Value) -> Step {
    Step::new(Eks, "DescribeCluster", json!({ "name": name }))
}

/// Logging as the API has it: one list of types, on.
fn logging(ask: &Ask<'_>) -> Value {
    let of = ask.get("Logging");
    let types = of
        .pointer("/ClusterLogging/EnabledTypes")
        .and_then(Value::as_array);
    match types {
        Some(types) => {
            let names: Vec<String> = types.iter().filter_map(|of| member(of, "Type")).collect();
            json!({ "clusterLogging": [{ "types": names, "enabled": true }] })
        }
        None => Value::Null,
    }
}

fn create_cluster(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "name": ask.name("Name", 100),
        "roleArn": ask.get("RoleArn"),
        "version": ask.text("Version"),
        "resourcesVpcConfig": camel(&ask.get("ResourcesVpcConfig")),
        "kubernetesNetworkConfig": camel(&ask.get("KubernetesNetworkConfig")),
        "logging": logging(ask),
        "accessConfig": camel(&ask.get("AccessConfig")),
        "bootstrapSelfManagedAddons": ask.truth("BootstrapSelfManagedAddons"),
        "upgradePolicy": camel(&ask.get("UpgradePolicy")),
        "tags": tags::object(ask),
    });
    let made = Step::new(Eks, "CreateCluster", given)
        .learns(ID, "/cluster/name")
        .learns("Arn", "/cluster/arn");
    let ready = describe_cluster(&id())
        .until(
            "/cluster/status",
            &["ACTIVE"],
            &["FAILED", "DELETING", "gone"],
        )
        .learns(
            "CertificateAuthorityData",
            "/cluster/certificateAuthority/data",
        )
        .learns(
            "ClusterSecurityGroupId",
            "/cluster/resourcesVpcConfig/clusterSecurityGroupId",
        )
        .learns("Endpoint", "/cluster/endpoint")
        .learns("OpenIdConnectIssuerUrl", "/cluster/identity/oidc/issuer");
    Ok(vec![made, ready])
}

/// A change that EKS carries out in its own time.
fn awaited(ask: &Ask<'_>, operation: &'static str, given: Value) -> [Step; 2] {
    let begun = Step::new(Eks, operation, given).learns("Update", "/update/id");
    let given = json!({ "name": ask.id(), "updateId": learned("Update") });
    let done = Step::new(Eks, "DescribeUpdate", given)
        .until("/update/status", &["Successful"], &["Failed", "Cancelled"])
        .because("/update/errors/0/errorMessage");
    [begun, done]
}

fn update_cluster(ask: &Ask<'_>) -> Steps {
    let name = ask.id();
    let mut steps = Vec::new();
    if ask.changed("Version") {
        let given = json!({ "name": name, "version": ask.text("Version") });
        steps.extend(awaited(ask, "UpdateClusterVersion", given));
    }
    if ask.changed("ResourcesVpcConfig") {
        let given =
            json!({ "name": name, "resourcesVpcConfig": camel(&ask.get("ResourcesVpcConfig")) });
        steps.extend(awaited(ask, "UpdateClusterConfig", given));
    }
    if ask.changed("Logging") {
        let given = json!({ "name": name, "logging": logging(ask) });
        steps.extend(awaited(ask, "UpdateClusterConfig", given));
    }
    if ask.changed("AccessConfig") {
        let mode = camel(&ask.get("AccessConfig"))
            .get("authenticationMode")
            .cloned();
        let given = json!({ "name": name, "accessConfig": { "authenticationMode": mode } });
        steps.extend(awaited(ask, "UpdateClusterConfig", given));
    }
    if ask.changed("UpgradePolicy") {
        let given = json!({ "name": name, "upgradePolicy": camel(&ask.get("UpgradePolicy")) });
        steps.extend(awaited(ask, "UpdateClusterConfig", given));
    }
    steps.extend(retag(ask, &ask.attribute("Arn")));
    Ok(steps)
}

/// The steps of a change of tags that EKS keeps.
pub(super) fn retag(ask: &Ask<'_>, arn: &str) -> Vec<Step> {
    let Some(difference) = tags::difference(ask) else {
        return Vec::new();
    };
    let mut steps = Vec::new();
    if !difference.gone.is_empty() {
        let given = json!({ "resourceArn": arn, "tagKeys": difference.gone });
        steps.push(Step::new(Eks, "UntagResource", given));
    }
    if !difference.new.is_empty() {
        let given = json!({ "resourceArn": arn, "tags": difference.new });
        steps.push(Step::new(Eks, "TagResource", given));
    }
    steps
}

fn delete_cluster(ask: &Ask<'_>) -> Steps {
    let name = Value::from(ask.id());
    let going = Step::new(Eks, "DeleteCluster", json!({ "name": name })).tolerates(GONE);
    let gone = describe_cluster(&name)
        .until("/cluster/status", &["gone"], &["FAILED"])
        .tolerates(GONE);
    Ok(vec![going, gone])
}

fn addon(ask: &Ask<'_>) -> Value {
    json!({ "clusterName": ask.get("ClusterName"), "addonName": ask.get("AddonName") })
}

fn full_addon(ask: &Ask<'_>) -> Value {
    json!({
        "clusterName": ask.get("ClusterName"),
        "addonName": ask.get("AddonName"),
        "addonVersion": ask.text("AddonVersion"),
        "configurationValues": ask.get("ConfigurationValues"),
        "resolveConflicts": ask.get("ResolveConflicts"),
        "serviceAccountRoleArn": ask.get("ServiceAccountRoleArn"),
    })
}

/// An add-on without nodes to run on is degraded and none the less made.
fn addon_ready(ask: &Ask<'_>) -> Step {
    Step::new(Eks, "DescribeAddon", addon(ask))
        .until(
            "/addon/status",
            &["ACTIVE", "DEGRADED"],
            &["CREATE_FAILED", "UPDATE_FAILED", "gone"],
        )
        .because("/addon/health/issues/0/message")
}

fn create_addon(ask: &Ask<'_>) -> Steps {
    let name = format!(
        "{}|{}",
        ask.required("ClusterName")?,
        ask.required("AddonName")?
    );
    let mut given = full_addon(ask);
    given["tags"] = tags::object(ask);
    let made = Step::new(Eks, "CreateAddon", given)
        .learns("Arn", "/addon/addonArn")
        .knows(ID, Value::from(name));
    Ok(vec![made, addon_ready(ask)])
}

fn update_addon(ask: &Ask<'_>) -> Steps {
    let mut steps = vec![
        Step::new(Eks, "UpdateAddon", full_addon(ask)),
        addon_ready(ask),
    ];
    steps.extend(retag(ask, &ask.attribute("Arn")));
    Ok(steps)
}

fn delete_addon(ask: &Ask<'_>) -> Steps {
    let mut given = addon(ask);
    given["preserve"] = json!(ask.truth("PreserveOnDelete"));
    let going = Step::new(Eks, "DeleteAddon", given).tolerates(GONE);
    let gone = Step::new(Eks, "DescribeAddon", addon(ask))
        .until("/addon/status", &["gone"], &["DELETE_FAILED"])
        .tolerates(GONE);
    Ok(vec![going, gone])
}

fn entry(ask: &Ask<'_>) -> Value {
    json!({ "clusterName": ask.get("ClusterName"), "principalArn": ask.get("PrincipalArn") })
}

/// Gives the principal an access policy.
fn allow(ask: &Ask<'_>, policy: &Value) -> Step {
    let mut given = entry(ask);
    given["policyArn"] = json!(member(policy, "PolicyArn"));
    given["accessScope"] = camel(policy.get("AccessScope").unwrap_or(&Value::Null));
    Step::new(Eks, "AssociateAccessPolicy", given)
}

fn create_entry(ask: &Ask<'_>) -> Steps {
    let name = format!(
        "{}|{}",
        ask.required("PrincipalArn")?,
        ask.required("ClusterName")?
    );
    let mut given = entry(ask);
    given["type"] = ask.get("Type");
    given["kubernetesGroups"] = ask.get("KubernetesGroups");
    given["username"] = ask.get("Username");
    given["tags"] = tags::object(ask);
    let made = Step::new(Eks, "CreateAccessEntry", given)
        .learns("AccessEntryArn", "/accessEntry/accessEntryArn")
        .knows(ID, Value::from(name));
    let mut steps = vec![made];
    steps.extend(
        ask.list("AccessPolicies")
            .iter()
            .map(|policy| allow(ask, policy)),
    );
    Ok(steps)
}

fn update_entry(ask: &Ask<'_>) -> Steps {
    let mut steps = Vec::new();
    if ask.changed("KubernetesGroups") || ask.changed("Username") {
        let mut given = entry(ask);
        given["kubernetesGroups"] = json!(ask.list("KubernetesGroups"));
        given["username"] = ask.get("Username");
        steps.push(Step::new(Eks, "UpdateAccessEntry", given));
    }
    let (before, after) = (
        ask.list_before("AccessPolicies"),
        ask.list("AccessPolicies"),
    );
    let new = after.iter().filter(|policy| !before.contains(policy));
    steps.extend(new.map(|policy| allow(ask, policy)));
    let kept: Vec<Option<String>> = after
        .iter()
        .map(|policy| member(policy, "PolicyArn"))
        .collect();
    let gone = before.iter().map(|policy| member(policy, "PolicyArn"));
    for arn in gone.filter(|arn| !kept.contains(arn)) {
        let mut given = entry(ask);
        given["policyArn"] = json!(arn);
        steps.push(Step::new(Eks, "DisassociateAccessPolicy", given).tolerates(GONE));
    }
    steps.extend(retag(ask, &ask.attribute("AccessEntryArn")));
    Ok(steps)
}

fn delete_entry(ask: &Ask<'_>) -> Steps {
    Ok(vec![
        Step::new(Eks, "DeleteAccessEntry", entry(ask)).tolerates(GONE),
    ])
}
