//! The ClusterConfig file, and what holds where it says nothing.
//!
//! <https://docs.aws.amazon.com/eks/latest/eksctl/schema.html>

use crate::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the file's `apiVersion` must be.
const API_VERSION: &str = "eksctl.io/v1alpha5";
/// The region of a cluster that names none.
pub const REGION: &str = "us-west-2";
/// The Kubernetes version of one that names none.
pub const KUBERNETES: &str = "1.34";
/// The range of a VPC that names none.
pub const CIDR: &str = "192.168.0.0/16";

/// A cluster as its author wants it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterConfig {
    /// `eksctl.io/v1alpha5`.
    pub api_version: String,
    /// `ClusterConfig`.
    pub kind: String,
    /// What it is called and where it is.
    pub metadata: Metadata,
    /// Kubernetes' own network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_network_config: Option<KubernetesNetwork>,
    /// Who acts for pods.
    #[serde(default)]
    pub iam: Iam,
    /// The zones, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub availability_zones: Vec<String>,
    /// The network.
    #[serde(default)]
    pub vpc: Vpc,
    /// Add-ons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<Addon>,
    /// Node groups that EKS manages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managed_node_groups: Vec<NodeGroup>,
    /// Node groups that it doesn't.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_groups: Vec<NodeGroup>,
    /// Profiles of Fargate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fargate_profiles: Vec<FargateProfile>,
}

/// A profile of Fargate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FargateProfile {
    /// Its name.
    pub name: String,
    /// The pods that it takes.
    pub selectors: Vec<FargateSelector>,
    /// Its pods' role, if not the one that is made for all.
    #[serde(
        rename = "podExecutionRoleARN",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub pod_execution_role_arn: Option<String>,
    /// Its subnets, if not all private ones of the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<String>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Pods of a namespace with some labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FargateSelector {
    /// The namespace.
    pub namespace: String,
    /// The labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What a cluster is called and where it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its region.
    #[serde(default)]
    pub region: String,
    /// Its Kubernetes version.
    #[serde(default)]
    pub version: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Kubernetes' own network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesNetwork {
    /// The services' range.
    #[serde(
        rename = "serviceIPv4CIDR",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub service_cidr: Option<String>,
}

/// Who acts for pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Iam {
    /// Whether IAM trusts the cluster's tokens.
    #[serde(rename = "withOIDC", default)]
    pub with_oidc: bool,
    /// Service accounts with roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<ServiceAccount>,
}

/// A service account with a role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceAccount {
    /// Its name and namespace.
    pub metadata: AccountName,
    /// Its role's policies.
    #[serde(rename = "attachPolicyARNs", default)]
    pub attach_policy_arns: Vec<String>,
    /// Its role's name, if CloudFormation is not to make one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
    /// Whether only the role is made.
    #[serde(default)]
    pub role_only: bool,
}

/// A service account's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountName {
    /// Its name.
    pub name: String,
    /// Its namespace.
    #[serde(default)]
    pub namespace: String,
}

/// The network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vpc {
    /// The VPC, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its subnets, if it is there.
    #[serde(default, skip_serializing_if = "Subnets::is_empty")]
    pub subnets: Subnets,
    /// Its range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// How private subnets get out.
    #[serde(default)]
    pub nat: Nat,
    /// From where the API is reached.
    #[serde(default)]
    pub cluster_endpoints: Endpoints,
    /// Who reaches the public endpoint; everybody if empty.
    #[serde(
        rename = "publicAccessCIDRs",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub public_access_cidrs: Vec<String>,
}

/// Subnets of a VPC that is there, by their zones or by names of the author's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subnets {
    /// Those with a way to the internet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub public: BTreeMap<String, Subnet>,
    /// The others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub private: BTreeMap<String, Subnet>,
}

impl Subnets {
    fn is_empty(&self) -> bool {
        self.public.is_empty() && self.private.is_empty()
    }
}

/// A subnet that is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subnet {
    /// Its id; its name where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its zone, which it has anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub az: Option<String>,
    /// Its range, which it has anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
}

/// How private subnets get out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Nat {
    /// The NAT gateways.
    #[serde(default)]
    pub gateway: NatGateways,
}

/// The NAT gateways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NatGateways {
    /// One a zone.
    HighlyAvailable,
    /// One, in the first zone.
    #[default]
    Single,
    /// None.
    Disable,
}

/// From where the API is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoints {
    /// From the internet.
    #[serde(default = "yes")]
    pub public_access: bool,
    /// From the VPC.
    #[serde(default)]
    pub private_access: bool,
}

fn yes() -> bool {
    true
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            public_access: true,
            private_access: false,
        }
    }
}

/// An add-on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Addon {
    /// Its name.
    pub name: String,
    /// Its version; the cluster's own if empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its role.
    #[serde(
        rename = "serviceAccountRoleARN",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub role_arn: Option<String>,
    /// Its configuration, as JSON or YAML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_values: Option<String>,
}

/// A node group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeGroup {
    /// Its name.
    pub name: String,
    /// Its instances' type.
    #[serde(default = "instance_type")]
    pub instance_type: String,
    /// How many nodes there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_capacity: Option<i64>,
    /// How many there are at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_size: Option<i64>,
    /// How many there are at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<i64>,
    /// The size of their disks in GiB.
    #[serde(default = "volume_size")]
    pub volume_size: i64,
    /// Whether they lie in the private subnets.
    #[serde(default)]
    pub private_networking: bool,
    /// Their zones, if not all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub availability_zones: Vec<String>,
    /// Their labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Their tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

fn instance_type() -> String {
    "m5.large".to_owned()
}

fn volume_size() -> i64 {
    80
}

impl NodeGroup {
    /// A group of a name, as it is without a word: two m5.large.
    pub fn named(name: String) -> Self {
        Self {
            name,
            instance_type: instance_type(),
            desired_capacity: None,
            min_size: None,
            max_size: None,
            volume_size: volume_size(),
            private_networking: false,
            availability_zones: Vec::new(),
            labels: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    /// Least, wanted and most nodes: what isn't said follows from what is, and is two otherwise.
    pub fn sizes(&self) -> (i64, i64, i64) {
        let wanted = self
            .desired_capacity
            .or(self.min_size)
            .or(self.max_size)
            .unwrap_or(2);
        let least = self.min_size.unwrap_or(wanted);
        let most = self.max_size.unwrap_or(wanted.max(least));
        (least, wanted.clamp(least, most.max(least)), most)
    }
}

impl ClusterConfig {
    /// A cluster of a name, as it is without a word.
    pub fn named(name: String) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "ClusterConfig".to_owned(),
            metadata: Metadata {
                name,
                region: REGION.to_owned(),
                version: KUBERNETES.to_owned(),
                tags: BTreeMap::new(),
            },
            kubernetes_network_config: None,
            iam: Iam::default(),
            availability_zones: Vec::new(),
            vpc: Vpc::default(),
            addons: Vec::new(),
            managed_node_groups: Vec::new(),
            node_groups: Vec::new(),
            fargate_profiles: Vec::new(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It isn't a ClusterConfig, or says what Skylab doesn't have.
    pub fn read(text: &str) -> Result<Self, Error> {
        let wrong = |error: serde_norway::Error| {
            Error::Invalid(format!("couldn't create a ClusterConfig: {error}"))
        };
        let mut config: Self = serde_norway::from_str(text).map_err(wrong)?;
        if config.api_version != API_VERSION || config.kind != "ClusterConfig" {
            let message =
                format!("the file must have apiVersion {API_VERSION} and kind ClusterConfig");
            return Err(Error::Invalid(message));
        }
        let metadata = &mut config.metadata;
        for (value, usual) in [
            (&mut metadata.region, REGION),
            (&mut metadata.version, KUBERNETES),
        ] {
            if value.is_empty() {
                *value = usual.to_owned();
            }
        }
        for account in &mut config.iam.service_accounts {
            if account.metadata.namespace.is_empty() {
                account.metadata.namespace = "default".to_owned();
            }
        }
        Ok(config)
    }

    /// As a file.
    pub fn file(&self) -> String {
        serde_norway::to_string(self).unwrap_or_default()
    }

    /// Its groups, managed ones first, with whether they are.
    pub fn groups(&self) -> impl Iterator<Item = (&NodeGroup, bool)> {
        let managed = self.managed_node_groups.iter().map(|group| (group, true));
        managed.chain(self.node_groups.iter().map(|group| (group, false)))
    }
}

/// A generated name for a cluster: two words and the time.
pub fn generated_name(chance: u64, now: i64) -> String {
    const FIRST: [&str; 8] = [
        "amazing",
        "attractive",
        "bold",
        "exciting",
        "floral",
        "hilarious",
        "scrumptious",
        "wonderful",
    ];
    const SECOND: [&str; 8] = [
        "badger",
        "creature",
        "gopher",
        "mushroom",
        "outfit",
        "painting",
        "sculpture",
        "unicorn",
    ];
    let (first, second) = (chance as usize % 8, (chance >> 8) as usize % 8);
    format!("{}-{}-{now}", FIRST[first], SECOND[second])
}

/// A generated name for a node group.
pub fn generated_group(chance: u64) -> String {
    format!("ng-{:08x}", chance as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-EKSCTL: a file says what it wants and the defaults the rest.
    #[test]
    fn a_file_is_read_with_its_defaults() {
        let text = "
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: { name: demo, region: eu-west-1 }
vpc: { nat: { gateway: HighlyAvailable }, clusterEndpoints: { privateAccess: true } }
managedNodeGroups:
  - { name: ng-1, instanceType: t3.medium, minSize: 1, maxSize: 4, privateNetworking: true }
";
        let config = ClusterConfig::read(text).unwrap();
        assert_eq!(config.metadata.version, KUBERNETES);
        assert_eq!(config.vpc.nat.gateway, NatGateways::HighlyAvailable);
        assert!(config.vpc.cluster_endpoints.public_access);
        assert_eq!(config.managed_node_groups[0].sizes(), (1, 1, 4));
        assert_eq!(NodeGroup::named("ng".to_owned()).sizes(), (2, 2, 2));
        let again = ClusterConfig::read(&config.file()).unwrap();
        assert_eq!(again, config);
        let odd = text.replace("region:", "regoin:");
        assert!(
            ClusterConfig::read(&odd)
                .unwrap_err()
                .to_string()
                .contains("regoin")
        );
    }
}
