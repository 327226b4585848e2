//! A cluster's record.

use super::*;
use ipnet::{IpNet, Ipv4Net};
use std::net::Ipv4Addr;

/// A cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its region and name.
    pub key: ClusterKey,
    /// The 32 hexadecimal digits by which its endpoint and its OIDC issuer are known.
    pub id: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Who made it, as the ARN of a principal of IAM.
    pub creator: String,
    /// The ARN of the role that its control plane takes.
    pub role: String,
    /// The version of Kubernetes.
    pub version: Version,
    /// Its VPC.
    pub vpc: VpcId,
    /// The subnets named for its control plane's interfaces.
    pub subnets: Vec<SubnetId>,
    /// The user's security groups on these interfaces.
    pub security_groups: Vec<SecurityGroupId>,
    /// The cluster security group, which is EKS's.
    pub cluster_group: SecurityGroupId,
    /// The control plane's interfaces.
    pub interfaces: Vec<NetworkInterfaceId>,
    /// Where the Kubernetes API is and who may reach it.
    pub endpoint: Endpoint,
    /// The range of services' addresses.
    pub service_cidr: Ipv4Net,
    /// The control plane's logs that are kept (`api`, `audit`, …).
    pub logs: BTreeSet<String>,
    /// Where the cluster looks for who may use it.
    pub authentication: Authentication,
    /// Whether its creator is its administrator.
    pub creator_is_admin: bool,
    /// Whether vpc-cni, kube-proxy and coredns are installed although nobody asks for these add-ons.
    pub bootstrap_addons: bool,
    /// `STANDARD` or `EXTENDED` support.
    pub support: String,
    /// Whether it can't be deleted.
    pub deletion_protection: bool,
    /// Its status.
    pub status: ClusterStatus,
    /// When a status that ends by itself may end, in seconds since 1970.
    pub until: i64,
    /// The certificate of its Kubernetes API's authority, PEM in base64; `None` until the control plane is there.
    pub authority: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The token that its creation came with.
    pub token: Option<String>,
}

/// Where a cluster's Kubernetes API is.
/// <https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its host name.
    pub host: String,
    /// Its address on the internet, held also while nobody can reach it.
    pub public_address: Ipv4Addr,
    /// Whether it is reached from the internet.
    pub public: bool,
    /// Whether its name stands for the control plane's interfaces in the VPC.
    pub private: bool,
    /// From where on the internet.
    pub public_cidrs: Vec<IpNet>,
}

/// A cluster's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterStatus {
    /// Its control plane is being made.
    Creating,
    /// At work.
    Active,
    /// At work and being changed.
    Updating,
    /// Going.
    Deleting,
    /// It couldn't be made.
    Failed,
}

impl ClusterStatus {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
            Self::Failed => "FAILED",
        }
    }
}

impl fmt::Display for ClusterStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a cluster looks for who may use its Kubernetes API.
/// <https://docs.aws.amazon.com/eks/latest/userguide/setting-up-access-entries.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Authentication {
    /// In the ConfigMap aws-auth.
    ConfigMap,
    /// In access entries, then in the ConfigMap.
    ApiAndConfigMap,
    /// In access entries.
    Api,
}

impl Authentication {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "CONFIG_MAP",
            Self::ApiAndConfigMap => "API_AND_CONFIG_MAP",
            Self::Api => "API",
        }
    }

    /// Whether access entries count.
    pub fn has_entries(self) -> bool {
        self != Self::ConfigMap
    }
}

impl Cluster {
    /// Its ARN.
    pub fn arn(&self, account: &str) -> String {
        let ClusterKey { region, name } = &self.key;
        format!("arn:aws:eks:{region}:{account}:cluster/{name}")
    }

    /// The URL of its Kubernetes API.
    pub fn endpoint_url(&self) -> String {
        format!("https://{}", self.endpoint.host)
    }

    /// The issuer of its service accounts' tokens.
    pub fn issuer(&self) -> String {
        format!(
            "https://oidc.eks.{}.amazonaws.com/id/{}",
            self.key.region, self.id
        )
    }

    /// The security groups of its control plane's interfaces.
    pub fn groups(&self) -> Vec<SecurityGroupId> {
        let own = std::iter::once(&self.cluster_group);
        own.chain(&self.security_groups).cloned().collect()
    }

    /// The private addresses of its control plane's interfaces: what the service `kubernetes` stands for.
    pub fn private_addresses(&self, state: &State) -> Vec<Ipv4Addr> {
        let interfaces = self.interfaces.iter();
        interfaces
            .filter_map(|id| state.network_interfaces.get(id)?.primary())
            .map(|address| address.ip)
            .collect()
    }
}
