//! Subnet → segment.

use crate::model::route_table::AssociatedWith;
use crate::model::{RouteTableId, State, SubnetId, VpcId};
use fabric::Segment;

pub(super) fn segment(state: &State, id: &SubnetId) -> Option<Segment> {
    let subnet = state.subnets.get(id)?;
    let guards = |acl: &crate::model::network_acl::NetworkAcl| {
        acl.associations
            .iter()
            .any(|association| association.subnet == *id)
    };
    let acl = state
        .network_acls
        .iter()
        .find(|(_, acl)| guards(acl))
        .map(|(id, _)| id.as_str().into());
    Some(Segment {
        id: id.as_str().into(),
        network: subnet.vpc.as_str().into(),
        prefixes: vec![subnet.cidr],
        zone: Some(subnet.zone.clone()),
        route_table: route_table_of(state, id, &subnet.vpc)?.as_str().into(),
        boundary: acl,
    })
}

/// The one route table of a subnet: its own, else the VPC's main one.
pub fn route_table_of<'a>(
    state: &'a State,
    subnet: &SubnetId,
    vpc: &VpcId,
) -> Option<&'a RouteTableId> {
    let associated = |with: &AssociatedWith| {
        state
            .route_tables
            .iter()
            .find(|(_, table)| {
                table.vpc == *vpc
                    && table
                        .associations
                        .iter()
                        .any(|association| association.with == *with)
            })
            .map(|(id, _)| id)
    };
    associated(&AssociatedWith::Subnet(subnet.clone()))
        .or_else(|| associated(&AssociatedWith::Main))
}
