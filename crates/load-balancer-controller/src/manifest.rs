//! The objects that bring the controller to a cluster, with upstream's names.
//! <https://github.com/aws/eks-charts/tree/master/stable/aws-load-balancer-controller>

use serde::Deserialize;
use serde_json::Value;

/// The kinds that the controller follows.
const KINDS: &str = include_str!("manifest/crds.yaml");
/// The controller.
const CONTROLLER: &str = include_str!("manifest/controller.yaml");

/// The policy that the controller's role needs.
/// <https://kubernetes-sigs.github.io/aws-load-balancer-controller/v2.11/deploy/installation/>
pub const POLICY: &str = include_str!("manifest/iam-policy.json");

/// The version where nobody says another.
pub const VERSION: &str = "v2.11.0";

/// What differs from cluster to cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Where<'a> {
    /// The cluster's region.
    pub region: &'a str,
    /// The cluster's name.
    pub cluster: &'a str,
    /// Its VPC.
    pub vpc: &'a str,
    /// The registry of images.
    pub registry: &'a str,
    /// The tag of the image; [`VERSION`] where nothing else is asked for.
    pub tag: &'a str,
}

/// The objects.
pub fn objects(of: &Where<'_>) -> Vec<Value> {
    let text = format!("{KINDS}---\n{CONTROLLER}")
        .replace("${REGISTRY}", of.registry)
        .replace("${TAG}", of.tag)
        .replace("${REGION}", of.region)
        .replace("${VPC}", of.vpc)
        .replace("${CLUSTER}", of.cluster);
    // A test reads them all.
    serde_norway::Deserializer::from_str(&text)
        .filter_map(|document| Value::deserialize(document).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Options;

    /// AWS-LBC: every document is an object, and the controller takes its own flags.
    #[test]
    fn every_document_is_an_object() {
        let objects = objects(&Where {
            region: "eu-central-1",
            cluster: "prod",
            vpc: "vpc-1",
            registry: "602401143452.dkr.ecr.eu-central-1.amazonaws.com",
            tag: VERSION,
        });
        let documents = [KINDS, CONTROLLER].map(|of| of.split("\n---\n").count());
        assert_eq!(objects.len(), documents.iter().sum::<usize>());
        for object in &objects {
            assert!(object["kind"].is_string(), "{object}");
            assert!(!object.to_string().contains("${"), "{object}");
        }
        let deployment = objects
            .iter()
            .find(|of| of["kind"] == "Deployment")
            .unwrap();
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        let args: Vec<String> = serde_json::from_value(args.clone()).unwrap();
        assert_eq!(Options::read(&args).unwrap().vpc, "vpc-1");
    }
}
