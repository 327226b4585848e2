//! Fargate's machine → host.
//!
//! | AWS | fabric |
//! | --- | --- |
//! | machine | host with the name of its interface, which is its only way |
//! | its interface | port with the cluster security group |
//!
//! A pod on Fargate has its machine's address, and the machine no other pod.
//! <https://docs.aws.amazon.com/eks/latest/userguide/fargate.html>

use super::put;
use super::touched::differing;
use crate::model::State;
use crate::model::eks::FargateMachine;
use fabric::{Fabric, Host, HostId, HostRoute};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// The host of a machine.
pub fn host_id(machine: &FargateMachine) -> HostId {
    HostId::from(machine.interface.as_str())
}

pub(super) fn update(fabric: &mut Fabric, old: &State, new: &State) {
    let (before, after) = (&old.eks_fargate_machines, &new.eks_fargate_machines);
    differing(before, after, |key, versions| {
        for machine in versions {
            let there = after.contains_key(key);
            put(
                &mut fabric.hosts,
                host_id(machine),
                there.then(|| host(new, machine)),
            );
        }
    });
}

fn host(state: &State, machine: &FargateMachine) -> Host {
    let interface = state.network_interfaces.get(&machine.interface);
    let subnet = interface.and_then(|interface| state.subnets.get(&interface.subnet));
    let everywhere = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);
    let ranges = subnet.map(|subnet| subnet.cidr).into_iter();
    Host {
        id: host_id(machine),
        running: true,
        forwarding: false,
        routes: ranges
            .chain([everywhere])
            .map(|prefix| HostRoute {
                from: None,
                prefix,
                port: machine.interface.as_str().into(),
                metric: 512,
            })
            .collect(),
        source_translation: None,
        answers: Vec::new(),
        opaque: None,
    }
}
