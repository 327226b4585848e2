//! Who may use a cluster's Kubernetes API.

use crate::eks_ground::Ground;
use serde_json::{Value, json};

const NODE: &str = "arn:aws:iam::123456789012:role/node";

fn with_entries() -> Ground {
    let mut ground = Ground::new();
    let mode = json!({ "accessConfig": { "authenticationMode": "API_AND_CONFIG_MAP" } });
    ground.cluster("c", &mode);
    ground
}

fn target(principal: &str, below: &str) -> String {
    let encoded = principal.replace(':', "%3A").replace('/', "%2F");
    format!("/clusters/c/access-entries/{encoded}{below}")
}

/// AWS-EKS: entries give names and groups by their type; the creator is the administrator.
#[test]
fn entries_have_names_by_their_type() {
    let mut ground = with_entries();
    let root = "arn:aws:iam::123456789012:root";
    let listed = ground.ok("GET", "/clusters/c/access-entries", &Value::Null);
    assert_eq!(listed["accessEntries"], json!([root]));
    let policies = ground.ok("GET", &target(root, "/access-policies"), &Value::Null);
    let admin = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";
    assert_eq!(policies["associatedAccessPolicies"][0]["policyArn"], admin);
    let asked = json!({ "principalArn": NODE, "type": "EC2_LINUX" });
    let entry = ground.ok("POST", "/clusters/c/access-entries", &asked)["accessEntry"].clone();
    assert_eq!(entry["username"], "system:node:{{EC2PrivateDNSName}}");
    assert_eq!(entry["kubernetesGroups"], json!(["system:nodes"]));
    let arn = entry["accessEntryArn"].as_str().unwrap();
    let begin = "arn:aws:eks:us-west-2:123456789012:access-entry/c/role/123456789012/node/";
    assert!(arn.starts_with(begin), "{arn}");
    let role = json!({ "principalArn": "arn:aws:iam::123456789012:role/dev", "kubernetesGroups": ["devs"] });
    let entry = ground.ok("POST", "/clusters/c/access-entries", &role)["accessEntry"].clone();
    let session = "arn:aws:sts::123456789012:assumed-role/dev/{{SessionName}}";
    assert_eq!(entry["username"], session);
    let again = ground.refused("POST", "/clusters/c/access-entries", &asked);
    assert_eq!(again, "ResourceInUseException");
    ground.ok("DELETE", &target(NODE, ""), &Value::Null);
    let gone = ground.refused("GET", &target(NODE, ""), &Value::Null);
    assert_eq!(gone, "ResourceNotFoundException");
}

/// AWS-EKS: policies are associated in a scope, and only with entries of users' own.
#[test]
fn policies_are_associated_in_a_scope() {
    let mut ground = with_entries();
    crate::iam::ok(&mut ground.account, "CreateUser", &[("UserName", "dev")]);
    let dev = "arn:aws:iam::123456789012:user/dev";
    ground.ok(
        "POST",
        "/clusters/c/access-entries",
        &json!({ "principalArn": dev }),
    );
    let view = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";
    let asked =
        json!({ "policyArn": view, "accessScope": { "type": "namespace", "namespaces": ["n"] } });
    let below = target(dev, "/access-policies");
    let told = ground.ok("POST", &below, &asked)["associatedAccessPolicy"].clone();
    assert_eq!(
        told["accessScope"],
        json!({ "type": "namespace", "namespaces": ["n"] })
    );
    let having = format!("/clusters/c/access-entries?associatedPolicyArn={view}");
    assert_eq!(
        ground.ok("GET", &having, &Value::Null)["accessEntries"],
        json!([dev])
    );
    for asked in [
        json!({ "policyArn": view, "accessScope": { "type": "namespace" } }),
        json!({ "policyArn": "arn:aws:iam::aws:policy/X", "accessScope": { "type": "cluster" } }),
    ] {
        assert_eq!(
            ground.refused("POST", &below, &asked),
            "InvalidParameterException"
        );
    }
    let one = format!("{below}/{}", view.replace(':', "%3A").replace('/', "%2F"));
    ground.ok("DELETE", &one, &Value::Null);
    assert_eq!(
        ground.refused("DELETE", &one, &Value::Null),
        "ResourceNotFoundException"
    );
}

/// AWS-EKS: what can't be an entry, and where entries don't count.
#[test]
fn entries_that_cant_be_are_refused() {
    let mut ground = with_entries();
    for asked in [
        json!({ "principalArn": "dev" }),
        json!({ "principalArn": "arn:aws:iam::123456789012:role/nobody" }),
        json!({ "principalArn": NODE, "kubernetesGroups": ["system:masters"] }),
        json!({ "principalArn": NODE, "type": "EC2_LINUX", "username": "n" }),
        json!({ "principalArn": NODE, "type": "LINUX" }),
    ] {
        let refused = ground.refused("POST", "/clusters/c/access-entries", &asked);
        assert_eq!(refused, "InvalidParameterException", "{asked}");
    }
    ground.cluster("old", &json!({}));
    let refused = ground.refused("GET", "/clusters/old/access-entries", &Value::Null);
    assert_eq!(refused, "InvalidRequestException");
    // The way leads to access entries and never back.
    let mode = |mode: &str| json!({ "accessConfig": { "authenticationMode": mode } });
    ground.ok(
        "POST",
        "/clusters/old/update-config",
        &mode("API_AND_CONFIG_MAP"),
    );
    ground.ok("GET", "/clusters/old/access-entries", &Value::Null);
    let refused = ground.refused("POST", "/clusters/old/update-config", &mode("CONFIG_MAP"));
    assert_eq!(refused, "InvalidParameterException");
}
