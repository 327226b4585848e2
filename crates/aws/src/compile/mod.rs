//! The model as a fabric.
//!
//! | AWS | fabric |
//! | --- | --- |
//! | VPC | network, with the link-local services on its own addresses |
//! | subnet | segment; its route table, its network ACL on the boundary |
//! | route table | route table; a target that is gone drops (state `blackhole`) |
//! | internet gateway | gateway that translates 1:1 |
//! | NAT gateway | a managed translating host with one port |
//! | network interface | port; its security groups are one any-allow layer |
//! | security group | stateful any-allow filter, and the address set of its members |
//! | network ACL | stateless first-match filter |
//! | prefix list | address set |
//! | instance | host |
//! | load balancer | balancer, and a host for each node |
//! | EKS cluster | the host of its Kubernetes API |
//!
//! There is one way to compile: [`update`] looks at what differs between two states and compiles
//! that anew, so the cost follows the change; the whole fabric is the update from nothing.

pub mod eks;
pub mod fargate;
mod host;
mod internet_gateway;
pub mod load_balancer;
mod network_acl;
mod network_interface;
mod route_table;
mod security_group;
mod subnet;
mod touched;
mod vpc;

pub use route_table::is_active;
pub use subnet::route_table_of;
pub use vpc::{METADATA, RESOLVER, TIME, resolver};

use crate::model::State;
use fabric::{Fabric, NetworkId};
use std::sync::Arc;
use touched::Touched;

/// What lies outside the account, as far as its compilation needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The internet's network, which internet gateways join; its only segment has the same id.
    pub internet: NetworkId,
}

/// The account's part of a fabric, from nothing.
pub fn fabric(state: &State, outside: &Outside) -> Fabric {
    let mut fabric = Fabric::default();
    update(
        &mut fabric,
        &State::empty(state.settings.clone()),
        state,
        outside,
    );
    fabric
}

/// Brings a fabric that shows `old` to show `new`. What isn't the account's is left alone.
pub fn update(fabric: &mut Fabric, old: &State, new: &State, outside: &Outside) {
    let touched = Touched::between(old, new);
    for id in &touched.vpcs {
        put(
            &mut fabric.networks,
            id.as_str().into(),
            vpc::network(new, id),
        );
    }
    for id in &touched.subnets {
        put(
            &mut fabric.segments,
            id.as_str().into(),
            subnet::segment(new, id),
        );
    }
    for id in &touched.route_tables {
        put(
            &mut fabric.route_tables,
            id.as_str().into(),
            route_table::route_table(new, id),
        );
    }
    for id in &touched.security_groups {
        put(
            &mut fabric.filters,
            id.as_str().into(),
            security_group::filter(new, id),
        );
    }
    for id in &touched.network_acls {
        put(
            &mut fabric.filters,
            id.as_str().into(),
            network_acl::filter(new, id),
        );
    }
    for id in &touched.prefix_lists {
        put(
            &mut fabric.address_sets,
            id.as_str().into(),
            security_group::prefix_list(new, id),
        );
    }
    security_group::update_members(&mut fabric.address_sets, &touched, old, new);
    for id in &touched.network_interfaces {
        put(
            &mut fabric.ports,
            id.as_str().into(),
            network_interface::port(new, id),
        );
    }
    for id in &touched.instances {
        put(
            &mut fabric.hosts,
            id.as_str().into(),
            host::instance(new, id),
        );
    }
    for id in &touched.nat_gateways {
        put(
            &mut fabric.hosts,
            id.as_str().into(),
            host::nat_gateway(new, id),
        );
    }
    load_balancer::update(fabric, old, new);
    eks::update(fabric, old, new, outside);
    fargate::update(fabric, old, new);
    internet_gateway::update(&mut fabric.gateways, &touched, old, new, outside);
}

/// Puts a compiled thing in its table, or takes it out.
fn put<K: Ord + Clone, V: PartialEq>(table: &mut imbl::OrdMap<K, Arc<V>>, id: K, value: Option<V>) {
    match value {
        Some(value) => {
            table.insert(id, Arc::new(value));
        }
        None => {
            table.remove(&id);
        }
    }
}
