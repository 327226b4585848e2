//! The REST JSON operations that Skylab's own callers use: their methods and paths.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_Operations.html>

use super::Unsigned;
use crate::error::ApiError;
use crate::query::encode;
use serde_json::{Map, Value};

/// EKS's operations.
const OPERATIONS: &[(&str, &str, &str)] = &[
    (
        "AssociateAccessPolicy",
        "POST",
        "/clusters/{name}/access-entries/{principalArn}/access-policies",
    ),
    (
        "CreateAccessEntry",
        "POST",
        "/clusters/{name}/access-entries",
    ),
    ("CreateAddon", "POST", "/clusters/{name}/addons"),
    ("CreateCluster", "POST", "/clusters"),
    (
        "CreateFargateProfile",
        "POST",
        "/clusters/{name}/fargate-profiles",
    ),
    ("CreateNodegroup", "POST", "/clusters/{name}/node-groups"),
    (
        "CreatePodIdentityAssociation",
        "POST",
        "/clusters/{name}/pod-identity-associations",
    ),
    (
        "DeleteAccessEntry",
        "DELETE",
        "/clusters/{name}/access-entries/{principalArn}",
    ),
    (
        "DeleteAddon",
        "DELETE",
        "/clusters/{name}/addons/{addonName}",
    ),
    ("DeleteCluster", "DELETE", "/clusters/{name}"),
    (
        "DeleteFargateProfile",
        "DELETE",
        "/clusters/{name}/fargate-profiles/{fargateProfileName}",
    ),
    (
        "DeleteNodegroup",
        "DELETE",
        "/clusters/{name}/node-groups/{nodegroupName}",
    ),
    (
        "DeletePodIdentityAssociation",
        "DELETE",
        "/clusters/{name}/pod-identity-associations/{associationId}",
    ),
    (
        "DescribeAccessEntry",
        "GET",
        "/clusters/{name}/access-entries/{principalArn}",
    ),
    (
        "DescribeAddon",
        "GET",
        "/clusters/{name}/addons/{addonName}",
    ),
    ("DescribeAddonVersions", "GET", "/addons/supported-versions"),
    ("DescribeCluster", "GET", "/clusters/{name}"),
    ("DescribeClusterVersions", "GET", "/cluster-versions"),
    (
        "DescribeFargateProfile",
        "GET",
        "/clusters/{name}/fargate-profiles/{fargateProfileName}",
    ),
    (
        "DescribeNodegroup",
        "GET",
        "/clusters/{name}/node-groups/{nodegroupName}",
    ),
    (
        "DescribeUpdate",
        "GET",
        "/clusters/{name}/updates/{updateId}",
    ),
    (
        "DisassociateAccessPolicy",
        "DELETE",
        "/clusters/{name}/access-entries/{principalArn}/access-policies/{policyArn}",
    ),
    (
        "ListAccessEntries",
        "GET",
        "/clusters/{name}/access-entries",
    ),
    ("ListAddons", "GET", "/clusters/{name}/addons"),
    (
        "ListAssociatedAccessPolicies",
        "GET",
        "/clusters/{name}/access-entries/{principalArn}/access-policies",
    ),
    ("ListClusters", "GET", "/clusters"),
    (
        "ListFargateProfiles",
        "GET",
        "/clusters/{name}/fargate-profiles",
    ),
    ("ListNodegroups", "GET", "/clusters/{name}/node-groups"),
    ("ListTagsForResource", "GET", "/tags/{resourceArn}"),
    ("TagResource", "POST", "/tags/{resourceArn}"),
    ("UntagResource", "DELETE", "/tags/{resourceArn}"),
    (
        "UpdateAccessEntry",
        "POST",
        "/clusters/{name}/access-entries/{principalArn}",
    ),
    (
        "UpdateAddon",
        "POST",
        "/clusters/{name}/addons/{addonName}/update",
    ),
    (
        "UpdateClusterConfig",
        "POST",
        "/clusters/{name}/update-config",
    ),
    ("UpdateClusterVersion", "POST", "/clusters/{name}/updates"),
    (
        "UpdateNodegroupConfig",
        "POST",
        "/clusters/{name}/node-groups/{nodegroupName}/update-config",
    ),
    (
        "UpdateNodegroupVersion",
        "POST",
        "/clusters/{name}/node-groups/{nodegroupName}/update-version",
    ),
];

/// What a member of the path is called in the request, where that differs.
fn member(operation: &str, label: &str) -> String {
    let is_cluster = label == "name"
        && !matches!(
            operation,
            "CreateCluster"
                | "DescribeCluster"
                | "DeleteCluster"
                | "UpdateClusterConfig"
                | "UpdateClusterVersion"
                | "DescribeUpdate"
        );
    if is_cluster {
        "clusterName".to_owned()
    } else {
        label.to_owned()
    }
}

/// Puts an operation's method, path, query string and body into a request. The cluster's name is
/// `clusterName` or `name`, whichever is given.
pub(super) fn fill(request: &mut Unsigned, operation: &str, given: Value) -> Result<(), ApiError> {
    let found = OPERATIONS.iter().find(|(name, ..)| *name == operation);
    let Some((_, method, template)) = found else {
        let message = format!("The action {operation} is not valid for this web service.");
        return Err(ApiError::new("InvalidAction", message));
    };
    let Value::Object(mut given) = given else {
        return Err(ApiError::new(
            "SerializationException",
            "Start of structure expected",
        ));
    };
    request.method = method;
    request.path = path(template, operation, &mut given);
    if *method == "POST" {
        request.body = Value::Object(given).to_string();
    } else {
        request.query = query(&given);
    }
    Ok(())
}

fn path(template: &str, operation: &str, given: &mut Map<String, Value>) -> String {
    let part = |part: &str| {
        let label = part
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        let Some(label) = label else {
            return part.to_owned();
        };
        let value = given
            .remove(&member(operation, label))
            .or_else(|| given.remove(label));
        encode(value.as_ref().and_then(Value::as_str).unwrap_or_default())
    };
    template.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn query(given: &Map<String, Value>) -> String {
    let mut parts = Vec::new();
    let mut put = |name: &str, value: &Value| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        parts.push(format!("{}={}", encode(name), encode(&text)));
    };
    for (name, value) in given {
        match value {
            Value::Array(items) => items.iter().for_each(|item| put(name, item)),
            value => put(name, value),
        }
    }
    parts.join("&")
}
