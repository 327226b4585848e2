//! The stack of the role that pods on Fargate take.
//!
//! <https://docs.aws.amazon.com/eks/latest/eksctl/fargate.html>

use super::{Builder, attribute, managed_policy, trust};
use serde_json::json;

/// The template.
pub fn fargate() -> String {
    let mut builder = Builder::default();
    builder.tagged(
        "FargatePodExecutionRole",
        "AWS::IAM::Role",
        json!({
            "AssumeRolePolicyDocument": trust("eks-fargate-pods.amazonaws.com"),
            "ManagedPolicyArns": [managed_policy("AmazonEKSFargatePodExecutionRolePolicy")],
        }),
    );
    builder.output(
        crate::fargate::ROLE,
        attribute("FargatePodExecutionRole", "Arn"),
    );
    builder.finish("Fargate IAM (dedicated: true) [created and managed by eksctl]")
}
