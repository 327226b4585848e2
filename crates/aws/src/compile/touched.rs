//! What a change of the account touches in the fabric.

use crate::model::network_interface::{NetworkInterface, PublicAddress};
use crate::model::route_table::{AssociatedWith, Destination, RouteTable, RouteTarget};
use crate::model::*;
use imbl::ordmap::DiffItem;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The resources to compile anew. The interfaces that changed stand here with both their states'
/// ids; so do things that went.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) vpcs: BTreeSet<VpcId>,
    pub(super) subnets: BTreeSet<SubnetId>,
    pub(super) route_tables: BTreeSet<RouteTableId>,
    pub(super) internet_gateways: BTreeSet<InternetGatewayId>,
    pub(super) nat_gateways: BTreeSet<NatGatewayId>,
    pub(super) network_interfaces: BTreeSet<NetworkInterfaceId>,
    pub(super) security_groups: BTreeSet<SecurityGroupId>,
    pub(super) network_acls: BTreeSet<NetworkAclId>,
    pub(super) prefix_lists: BTreeSet<PrefixListId>,
    pub(super) instances: BTreeSet<InstanceId>,
}

/// Calls `visit` with the id and each existing version, before and after, of what differs.
pub(super) fn differing<K: Ord + Clone, V: PartialEq>(
    old: &Table<K, V>,
    new: &Table<K, V>,
    mut visit: impl FnMut(&K, &[&V]),
) {
    if old.ptr_eq(new) {
        return;
    }
    for item in old.diff(new) {
        match item {
            DiffItem::Add(id, value) | DiffItem::Remove(id, value) => visit(id, &[value.as_ref()]),
            DiffItem::Update {
                old: (id, before),
                new: (_, after),
            } => {
                if before != after {
                    visit(id, &[before.as_ref(), after.as_ref()]);
                }
            }
        }
    }
}

impl Touched {
    pub(super) fn between(old: &State, new: &State) -> Self {
        let mut touched = Self::default();
        touched.note_networks(old, new);
        touched.note_hosts(old, new);
        touched.note_filters(old, new);
        touched
    }

    fn note_networks(&mut self, old: &State, new: &State) {
        differing(&old.vpcs, &new.vpcs, |id, _| {
            self.vpcs.insert(id.clone());
        });
        differing(&old.subnets, &new.subnets, |id, _| {
            self.subnets.insert(id.clone());
        });
        differing(&old.route_tables, &new.route_tables, |id, versions| {
            self.route_tables.insert(id.clone());
            let associations = |table: &&RouteTable| table.associations.clone();
            if versions.len() == 2 && associations(&versions[0]) == associations(&versions[1]) {
                return;
            }
            for table in versions {
                self.associated(table, new);
            }
        });
        differing(
            &old.internet_gateways,
            &new.internet_gateways,
            |id, versions| {
                self.internet_gateways.insert(id.clone());
                for vpc in versions.iter().filter_map(|gateway| gateway.vpc.as_ref()) {
                    self.routes_to(
                        new,
                        vpc,
                        |target| matches!(target, RouteTarget::InternetGateway(to) if to == id),
                    );
                }
            },
        );
        differing(&old.nat_gateways, &new.nat_gateways, |id, versions| {
            self.nat_gateways.insert(id.clone());
            for gateway in versions {
                self.routes_to(
                    new,
                    &gateway.vpc,
                    |target| matches!(target, RouteTarget::NatGateway(to) if to == id),
                );
            }
        });
    }

    /// Whoever a route table is associated with has another table now.
    fn associated(&mut self, table: &RouteTable, new: &State) {
        for association in &table.associations {
            match &association.with {
                AssociatedWith::Subnet(subnet) => {
                    self.subnets.insert(subnet.clone());
                }
                AssociatedWith::InternetGateway(gateway) => {
                    self.internet_gateways.insert(gateway.clone());
                }
                AssociatedWith::Main => {
                    let of_vpc = new
                        .subnets
                        .iter()
                        .filter(|(_, subnet)| subnet.vpc == table.vpc);
                    self.subnets.extend(of_vpc.map(|(id, _)| id.clone()));
                }
            }
        }
    }

    /// Route tables of a VPC with such a target.
    fn routes_to(&mut self, new: &State, vpc: &VpcId, is_target: impl Fn(&RouteTarget) -> bool) {
        let having = new.route_tables.iter().filter(|(_, table)| {
            table.vpc == *vpc && table.routes.iter().any(|route| is_target(&route.target))
        });
        self.route_tables.extend(having.map(|(id, _)| id.clone()));
    }

    fn note_hosts(&mut self, old: &State, new: &State) {
        differing(
            &old.network_interfaces,
            &new.network_interfaces,
            |id, versions| {
                self.network_interfaces.insert(id.clone());
                for interface in versions {
                    self.interface_users(id, interface, new);
                }
            },
        );
        differing(&old.instances, &new.instances, |id, versions| {
            self.instances.insert(id.clone());
            for instance in versions {
                self.routes_to(
                    new,
                    &instance.vpc,
                    |target| matches!(target, RouteTarget::NetworkInterface(to) if instance.interfaces.contains(to)),
                );
            }
        });
        differing(&old.elastic_ips, &new.elastic_ips, |_, versions| {
            for association in versions
                .iter()
                .filter_map(|address| address.association.as_ref())
            {
                self.network_interfaces
                    .insert(association.network_interface.clone());
            }
        });
    }

    fn interface_users(
        &mut self,
        id: &NetworkInterfaceId,
        interface: &NetworkInterface,
        new: &State,
    ) {
        self.security_groups_members(interface);
        if let Some(instance) = interface
            .attachment
            .as_ref()
            .and_then(|attachment| attachment.instance.as_ref())
        {
            self.instances.insert(instance.clone());
        }
        self.routes_to(
            new,
            &interface.vpc,
            |target| matches!(target, RouteTarget::NetworkInterface(to) if to == id),
        );
    }

    /// A group's filter is compiled with its address set, so that a set exists as long as its
    /// group.
    fn security_groups_members(&mut self, interface: &NetworkInterface) {
        self.security_groups
            .extend(interface.groups.iter().cloned());
    }

    fn note_filters(&mut self, old: &State, new: &State) {
        differing(&old.security_groups, &new.security_groups, |id, _| {
            self.security_groups.insert(id.clone());
        });
        differing(&old.network_acls, &new.network_acls, |id, versions| {
            self.network_acls.insert(id.clone());
            for acl in versions {
                self.subnets.extend(
                    acl.associations
                        .iter()
                        .map(|association| association.subnet.clone()),
                );
            }
        });
        differing(&old.prefix_lists, &new.prefix_lists, |id, _| {
            self.prefix_lists.insert(id.clone());
            let having = new.route_tables.iter().filter(|(_, table)| {
                table.routes.iter().any(
                    |route| matches!(&route.destination, Destination::PrefixList(of) if of == id),
                )
            });
            self.route_tables.extend(having.map(|(id, _)| id.clone()));
        });
    }
}

/// The translations that an interface asks of its VPC's internet gateway: private, public.
pub(super) fn translations(
    state: &State,
    interface: &NetworkInterface,
) -> Vec<(std::net::Ipv4Addr, std::net::Ipv4Addr)> {
    let public = |address: &PublicAddress| match address {
        PublicAddress::Automatic(ip) => Some(*ip),
        PublicAddress::Elastic(allocation) => state
            .elastic_ips
            .get(allocation)
            .map(|elastic| elastic.public_ip),
    };
    interface
        .addresses
        .iter()
        .filter_map(|address| Some((address.ip, address.public.as_ref().and_then(public)?)))
        .collect()
}

/// An interface before and after, where it existed.
pub(super) fn versions<'a>(
    old: &'a State,
    new: &'a State,
    id: &NetworkInterfaceId,
) -> (
    Option<&'a Arc<NetworkInterface>>,
    Option<&'a Arc<NetworkInterface>>,
) {
    (
        old.network_interfaces.get(id),
        new.network_interfaces.get(id),
    )
}
