//! The objects that bring the plugin to a cluster, with upstream's names.
//! <https://github.com/aws/amazon-vpc-cni-k8s/blob/master/config/master/aws-k8s-cni.yaml>

use serde::Deserialize;
use serde_json::Value;

const MANIFEST: &str = include_str!("manifest/aws-node.yaml");

/// The account whose registries have Amazon's own images for clusters in most regions.
/// <https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html>
pub const REGISTRY_ACCOUNT: &str = "602401143452";
/// The tag of the images, an add-on's version without its build.
pub const TAG: &str = "v1.20.4";

/// What differs from cluster to cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The cluster's region.
    pub region: &'a str,
    /// The cluster's name.
    pub cluster: &'a str,
    /// Where the cluster's API is, `https://…`.
    pub endpoint: &'a str,
    /// The tag of the images; [`TAG`] where nothing else is asked for.
    pub tag: &'a str,
}

/// The registry of a region.
pub fn registry(region: &str) -> String {
    format!("{REGISTRY_ACCOUNT}.dkr.ecr.{region}.amazonaws.com")
}

/// The objects: a definition, an account with its role, a daemon set.
pub fn objects(place: &Place<'_>) -> Vec<Value> {
    let text = MANIFEST
        .replace("${REGISTRY}", &registry(place.region))
        .replace("${TAG}", place.tag)
        .replace("${ENDPOINT}", place.endpoint)
        .replace("${CLUSTER}", place.cluster);
    // A test reads them all.
    serde_norway::Deserializer::from_str(&text)
        .filter_map(|document| Value::deserialize(document).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::Settings;

    fn all() -> Vec<Value> {
        objects(&Place {
            region: "eu-central-1",
            cluster: "prod",
            endpoint: "https://example.eks.amazonaws.com",
            tag: TAG,
        })
    }

    #[test]
    fn every_document_is_an_object() {
        let objects = all();
        assert_eq!(objects.len(), MANIFEST.split("\n---\n").count());
        for object in objects {
            assert!(object["kind"].is_string(), "{object}");
            assert!(!object.to_string().contains("${"), "{object}");
        }
    }

    /// AWS-CNI: the daemon set has upstream's containers, and its variables are ones that the agent
    /// takes without a complaint.
    #[test]
    fn the_daemon_set_is_as_upstreams() {
        let objects = all();
        let set = objects
            .iter()
            .find(|one| one["kind"] == "DaemonSet")
            .unwrap();
        let spec = &set["spec"]["template"]["spec"];
        assert_eq!(spec["initContainers"][0]["name"], "aws-vpc-cni-init");
        let agent = &spec["containers"][0];
        assert_eq!(agent["name"], "aws-node");
        let image = format!("602401143452.dkr.ecr.eu-central-1.amazonaws.com/amazon-k8s-cni:{TAG}");
        assert_eq!(agent["image"], image);
        let variables = agent["env"].as_array().unwrap();
        let (settings, complaints) = Settings::read(|name| {
            let found = variables.iter().find(|one| one["name"] == name)?;
            found["value"].as_str().map(str::to_owned)
        })
        .unwrap();
        assert_eq!(complaints, Vec::<String>::new());
        assert_eq!(settings.cluster_name.as_deref(), Some("prod"));
        assert_eq!(settings.targets.warm_prefixes, 1);
    }
}
