//! What an instance is as a node: its hardware, what of it pods may have, its labels and addresses.
//!
//! What is kept back for the system is what Amazon's images keep back.
//! <https://github.com/awslabs/amazon-eks-ami/blob/main/nodeadm/internal/kubelet/config.go>

use super::imds::{Metadata, MetadataError};
use aws::model::instance_type;
use kubelet::Capacity;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use vpc_cni::limits::{Limits, PodOptions};

/// The root volume of a node where nothing says otherwise, in bytes.
const DISK: u64 = 20 << 30;
/// A kubelet evicts pods before memory is that short, in bytes.
const EVICTION: u64 = 100 << 20;

/// An instance, as its metadata tells of it.
#[derive(Clone, Debug)]
pub(super) struct Hardware {
    pub(super) id: String,
    pub(super) region: String,
    pub(super) zone: String,
    pub(super) zone_id: String,
    pub(super) kind: String,
    pub(super) address: Ipv4Addr,
    pub(super) public_address: Option<String>,
    pub(super) public_name: Option<String>,
}

impl Hardware {
    /// Asks the metadata.
    ///
    /// # Errors
    /// It isn't reached.
    pub(super) async fn read(metadata: &Metadata<'_>) -> Result<Self, MetadataError> {
        let get = async |path: &str| metadata.get(&format!("meta-data/{path}")).await;
        let address = get("local-ipv4").await?;
        Ok(Self {
            id: get("instance-id").await?,
            region: get("placement/region").await?,
            zone: get("placement/availability-zone").await?,
            zone_id: get("placement/availability-zone-id").await?,
            kind: get("instance-type").await?,
            address: address
                .parse()
                .map_err(|_| MetadataError::Malformed(format!("{address} is no address")))?,
            public_address: get("public-ipv4").await.ok(),
            public_name: get("public-hostname").await.ok(),
        })
    }

    /// The instance in Kubernetes' words.
    pub(super) fn provider_id(&self) -> String {
        format!("aws:///{}/{}", self.zone, self.id)
    }

    /// The labels that the cloud gives nodes.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        BTreeMap::from([
            label("node.kubernetes.io/instance-type", &self.kind),
            label("beta.kubernetes.io/instance-type", &self.kind),
            label("topology.kubernetes.io/region", &self.region),
            label("failure-domain.beta.kubernetes.io/region", &self.region),
            label("topology.kubernetes.io/zone", &self.zone),
            label("failure-domain.beta.kubernetes.io/zone", &self.zone),
            label("topology.k8s.aws/zone-id", &self.zone_id),
        ])
    }

    /// The node's further addresses.
    pub(super) fn addresses(&self, name: &str) -> Vec<(String, String)> {
        let mut addresses = Vec::new();
        let mut add = |kind: &str, value: &str| addresses.push((kind.to_owned(), value.to_owned()));
        if let Some(public) = self
            .public_address
            .as_deref()
            .filter(|text| !text.is_empty())
        {
            add("ExternalIP", public);
        }
        add("InternalDNS", name);
        if let Some(public) = self.public_name.as_deref().filter(|text| !text.is_empty()) {
            add("ExternalDNS", public);
        }
        addresses
    }

    /// What the instance has and what of it pods may have, with so many pods.
    pub(super) fn capacity(&self, pods: Option<u64>) -> (Capacity, Capacity) {
        let known = instance_type::find(&self.kind);
        let most = max_pods(&self.kind);
        let pods = pods.or(most).unwrap_or(110);
        let (cpus, memory) = known.map_or((2, 8 << 10), |kind| (kind.vcpus, kind.memory_mib));
        let has = Capacity {
            cpu_millis: u64::from(cpus) * 1000,
            memory: memory << 20,
            storage: DISK,
            pods,
        };
        let kept = ((11 * most.unwrap_or(pods) + 255) << 20) + EVICTION;
        let gives = Capacity {
            cpu_millis: has.cpu_millis - reserved_cpu(has.cpu_millis),
            memory: has.memory.saturating_sub(kept),
            storage: has.storage / 10 * 9,
            pods,
        };
        (has, gives)
    }
}

/// As many pods as a type's interfaces have addresses for.
fn max_pods(kind: &str) -> Option<u64> {
    let most = Limits::of(kind)?.max_pods(PodOptions::default());
    u64::try_from(most).ok()
}

/// Thousandths of processors kept for the system: 6 % of the first, 1 % of the second, 0.5 % of the next two,
/// 0.25 % of the rest.
fn reserved_cpu(millis: u64) -> u64 {
    let bands = [(1000, 600), (1000, 100), (2000, 50), (u64::MAX, 25)];
    let mut left = millis;
    let mut kept = 0;
    for (width, share) in bands {
        let here = left.min(width);
        kept += here * share / 10_000;
        left -= here;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hardware(kind: &str) -> Hardware {
        Hardware {
            id: "i-1".to_owned(),
            region: "us-west-2".to_owned(),
            zone: "us-west-2a".to_owned(),
            zone_id: "usw2-az1".to_owned(),
            kind: kind.to_owned(),
            address: Ipv4Addr::LOCALHOST,
            public_address: None,
            public_name: None,
        }
    }

    /// AWS-MAXPODS: a node takes as many pods as its type has addresses for, and keeps memory back for them.
    #[test]
    fn a_node_offers_what_its_type_has() {
        let (has, gives) = hardware("m5.large").capacity(None);
        assert_eq!((has.pods, has.cpu_millis, has.memory), (29, 2000, 8 << 30));
        assert_eq!(gives.cpu_millis, 1930);
        assert_eq!(gives.memory, (8 << 30) - ((11 * 29 + 255 + 100) << 20));
        assert_eq!(hardware("t3.medium").capacity(None).0.pods, 17);
        assert_eq!(hardware("m5.large").capacity(Some(5)).0.pods, 5);
    }

    #[test]
    fn a_node_is_labelled_by_its_place() {
        let hardware = hardware("m5.large");
        assert_eq!(hardware.provider_id(), "aws:///us-west-2a/i-1");
        assert_eq!(
            hardware.labels()["topology.kubernetes.io/zone"],
            "us-west-2a"
        );
    }
}
