//! What tests of this crate share.

use crate::config::{Capacity, Eviction, KubeletConfig, Machine, PORT, Pace};
use std::net::Ipv4Addr;

/// A node as tests have it.
pub(crate) fn config() -> KubeletConfig {
    let capacity = Capacity {
        cpu_millis: 4000,
        memory: 8 << 30,
        storage: 20 << 30,
        pods: 110,
    };
    KubeletConfig {
        name: "n1".into(),
        hostname: "n1".into(),
        address: Ipv4Addr::new(10, 0, 0, 1),
        addresses: Vec::new(),
        labels: [("zone".to_owned(), "a".to_owned())].into(),
        annotations: Default::default(),
        taints: Vec::new(),
        provider_id: None,
        capacity,
        allocatable: capacity,
        machine: Machine {
            architecture: "amd64".into(),
            kubelet_version: "v1.32.0".into(),
            ..Machine::default()
        },
        cluster_dns: Vec::new(),
        cluster_domain: "cluster.local".into(),
        node_dns: Default::default(),
        directory: "/nonexistent/kubelet".into(),
        logs: "/nonexistent/logs".into(),
        volumes: "/nonexistent/volumes".into(),
        disks: "/nonexistent/disks".into(),
        pace: Pace::REAL,
        identity: None,
        port: PORT,
        eviction: Eviction::default(),
    }
}
