//! How a kubelet is set up.

use crate::place::{Memory, NodeFiles, Place};
use cri::{Dns, Images, Runtime};
use kube_client::Client;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The port of a kubelet's own server.
pub const PORT: u16 = 10250;

/// How a kubelet is set up; what its configuration file and flags say upstream.
/// <https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/>
#[derive(Clone, Debug)]
pub struct KubeletConfig {
    /// The node's name in the API.
    pub name: String,
    /// The node's host name.
    pub hostname: String,
    /// The node's address (`InternalIP`).
    pub address: Ipv4Addr,
    /// Further addresses of the node: a type, `ExternalIP` or `InternalDNS`, and a value.
    pub addresses: Vec<(String, String)>,
    /// Labels that the node gets beside those every node has.
    pub labels: BTreeMap<String, String>,
    /// Annotations that the node gets.
    pub annotations: BTreeMap<String, String>,
    /// Taints that the node is registered with.
    pub taints: Vec<Taint>,
    /// The cloud's id of the machine, `aws:///us-west-2a/i-0123456789abcdef0`.
    pub provider_id: Option<String>,
    /// What the machine has.
    pub capacity: Capacity,
    /// What of it pods may have.
    pub allocatable: Capacity,
    /// What the machine is.
    pub machine: Machine,
    /// The name servers of pods with `dnsPolicy: ClusterFirst`.
    pub cluster_dns: Vec<Ipv4Addr>,
    /// The domain of services, `cluster.local`.
    pub cluster_domain: String,
    /// The node's own resolver, for pods with `dnsPolicy: Default`.
    pub node_dns: Dns,
    /// A directory on the lab's side that is the kubelet's alone: pods' volumes and the like. What it
    /// holds of pods that are gone is removed.
    pub directory: PathBuf,
    /// A directory on the lab's side for the logs of containers.
    pub logs: PathBuf,
    /// The lab's own store of volumes: what lies below `/var/lib/skylab/volumes/` on every node.
    pub volumes: PathBuf,
    /// Where the files of the cloud's disks are, each in a directory named after its id.
    pub disks: PathBuf,
    /// How time goes.
    pub pace: Pace,
    /// How the kubelet's server proves who it is, and whom it trusts; without it there is no server.
    pub identity: Option<Identity>,
    /// The server's port, [`PORT`].
    pub port: u16,
    /// When pods must go.
    pub eviction: Eviction,
}

/// How little of something may be available before pods are evicted.
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#hard-eviction-thresholds>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// Of memory.
    pub memory_available: Threshold,
    /// Of the disk that pods' directories and logs are on.
    pub nodefs_available: Threshold,
}

impl Default for Eviction {
    fn default() -> Self {
        Self {
            memory_available: Threshold::Bytes(100 << 20),
            nodefs_available: Threshold::Percent(10),
        }
    }
}

/// An amount of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of what the node has.
    Percent(u8),
}

/// A mark that keeps pods off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// Amounts of what pods need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Thousandths of processors.
    pub cpu_millis: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of disk.
    pub storage: u64,
    /// Pods.
    pub pods: u64,
}

/// What a node tells of its machine (`nodeInfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// `amd64` or `arm64`.
    pub architecture: String,
    /// Which boot this is.
    pub boot_id: String,
    /// `skylab://0.1.0`.
    pub runtime_version: String,
    /// The kernel's version.
    pub kernel_version: String,
    /// `v1.32.0`.
    pub kubelet_version: String,
    /// The machine's own id.
    pub machine_id: String,
    /// `Amazon Linux 2023.6`.
    pub os_image: String,
    /// The machine's id as its firmware tells it.
    pub system_uuid: String,
}

/// How time goes in a lab: timers that are nobody's business but the machinery's run faster.
/// Objects still show what is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// By how much heartbeats, back-offs and resyncs are faster.
    pub timers: u32,
    /// By how much probes are.
    pub probes: u32,
}

impl Pace {
    /// As on a real node.
    pub const REAL: Self = Self {
        timers: 1,
        probes: 1,
    };

    /// What is left of a timer; not less than a second, unless it was shorter from the start.
    pub fn timer(self, time: Duration) -> Duration {
        faster(time, self.timers)
    }

    /// What is left of a probe's delay or period.
    pub fn probe(self, time: Duration) -> Duration {
        faster(time, self.probes)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::REAL
    }
}

fn faster(time: Duration, by: u32) -> Duration {
    let least = time.min(Duration::from_secs(1));
    (time / by.max(1)).max(least)
}

/// Who a kubelet's server is and whom it trusts, in PEM.
#[derive(Clone)]
pub struct Identity {
    /// The server's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Whose client certificates are believed: the cluster's authority.
    pub authority: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// What a kubelet works with.
#[derive(Clone)]
pub struct Means {
    /// What runs containers on the node.
    pub runtime: Arc<dyn Runtime>,
    /// The node's images.
    pub images: Arc<dyn Images>,
    /// The API, as the node's own user (`system:node:<name>` of group `system:nodes`).
    pub client: Client,
    /// The node's network.
    pub place: Arc<dyn Place>,
    /// The node's files.
    pub files: Arc<dyn NodeFiles>,
    /// Where volumes in memory come from.
    pub memory: Arc<dyn Memory>,
}

impl fmt::Debug for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Means")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_lab_waits_a_second_at_least() {
        let pace = Pace {
            timers: 10,
            probes: 1,
        };
        let seconds = Duration::from_secs;
        assert_eq!(pace.timer(seconds(40)), seconds(4));
        assert_eq!(pace.timer(seconds(5)), seconds(1));
        assert_eq!(
            pace.timer(Duration::from_millis(100)),
            Duration::from_millis(100)
        );
        assert_eq!(pace.probe(seconds(10)), seconds(10));
        assert_eq!(Pace::REAL.timer(seconds(10)), seconds(10));
    }
}
