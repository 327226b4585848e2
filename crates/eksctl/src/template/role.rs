//! The stack of a service account's role.
//!
//! <https://docs.aws.amazon.com/eks/latest/eksctl/iamserviceaccounts.html>

use super::{Builder, attribute};
use crate::config::ServiceAccount;
use serde_json::{Map, Value, json};

/// The template: a role that pods with the account take by the cluster's tokens. `provider` is the identity
/// provider's ARN in IAM.
pub fn service_account(account: &ServiceAccount, provider: &str) -> String {
    let issuer = provider
        .split_once("oidc-provider/")
        .map_or(provider, |(_, issuer)| issuer);
    let name = &account.metadata;
    let subject = format!("system:serviceaccount:{}:{}", name.namespace, name.name);
    let conditions: Map<String, Value> = [
        (format!("{issuer}:aud"), json!("sts.amazonaws.com")),
        (format!("{issuer}:sub"), json!(subject)),
    ]
    .into_iter()
    .collect();
    let mut role = json!({
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [{
                "Action": ["sts:AssumeRoleWithWebIdentity"],
                "Effect": "Allow",
                "Condition": { "StringEquals": conditions },
                "Principal": { "Federated": provider },
            }],
        },
        "ManagedPolicyArns": account.attach_policy_arns,
    });
    if let Some(name) = &account.role_name {
        role["RoleName"] = json!(name);
    }
    let mut builder = Builder::default();
    builder.add("Role1", "AWS::IAM::Role", role);
    builder.output("Role1", attribute("Role1", "Arn"));
    builder.finish(&format!(
        "IAM role for serviceaccount \"{}/{}\" [created and managed by eksctl]",
        name.namespace, name.name
    ))
}
