//! AWS's own managed policies, with the documents that AWS publishes.
//!
//! <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>
//! The list holds those that networks, load balancers and clusters are run with; their unique ids are made up,
//! as AWS publishes none.

use super::policy::{Policy, Version};
use super::{Path, Tags, letters};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// One policy a line, in a JSON list.
const PUBLISHED: &str = include_str!("managed/policies.json");

#[derive(Deserialize)]
struct Published {
    name: String,
    path: String,
    version: u32,
    created: i64,
    updated: i64,
    document: String,
}

/// AWS's managed policies by ARN.
pub fn catalogue() -> &'static BTreeMap<String, Policy> {
    static CATALOGUE: OnceLock<BTreeMap<String, Policy>> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        // The list is a part of the program, and a test reads it.
        let published: Vec<Published> = serde_json::from_str(PUBLISHED).unwrap_or_default();
        let policies = published.into_iter().map(policy);
        policies.map(|of| (of.arn.clone(), of)).collect()
    })
}

fn policy(of: Published) -> Policy {
    let arn = format!("arn:aws:iam::aws:policy{}{}", of.path, of.name);
    let version = Version {
        document: of.document,
        created: of.updated,
    };
    Policy {
        id: format!("ANPA{}", letters(&Sha256::digest(&arn), 17)),
        arn,
        name: of.name,
        path: Path::of_aws(&of.path),
        description: None,
        created: of.created,
        updated: of.updated,
        versions: BTreeMap::from([(of.version, version)]),
        default_version: of.version,
        versions_made: of.version,
        tags: Tags::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Document, Kind};

    /// AWS-IAM: AWS's managed policies are there, and each is a policy that can be read.
    #[test]
    fn all_published_policies_are_policies() {
        let catalogue = catalogue();
        assert!(catalogue.len() > 40);
        for policy in catalogue.values() {
            let document = policy.document().unwrap_or_default();
            let parsed = Document::parse(document, Kind::Identity);
            assert!(parsed.is_ok(), "{}: {parsed:?}", policy.arn);
        }
        for name in [
            "AmazonEKSClusterPolicy",
            "AmazonEKSWorkerNodePolicy",
            "AmazonEKS_CNI_Policy",
            "service-role/AmazonEBSCSIDriverPolicy",
        ] {
            assert!(catalogue.contains_key(&format!("arn:aws:iam::aws:policy/{name}")));
        }
    }
}
