//! Route tables, their routes and associations.

use super::*;
use serde::{Deserialize, Serialize};

use ipnet::Ipv4Net;

/// A route table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    /// Its id.
    pub id: RouteTableId,
    /// The region.
    pub region: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its routes, in the order they were made; the local ones (one a VPC CIDR) first.
    pub routes: Vec<Route>,
    /// Whom it routes for.
    pub associations: Vec<RouteTableAssociation>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where to.
    pub destination: Destination,
    /// By what.
    pub target: RouteTarget,
    /// Who made it.
    pub origin: RouteOrigin,
}

/// A route's destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// A range.
    Cidr(Ipv4Net),
    /// Every range of a prefix list.
    PrefixList(PrefixListId),
}

/// A route's target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteTarget {
    /// Inside the VPC.
    Local,
    /// An internet gateway.
    InternetGateway(InternetGatewayId),
    /// A NAT gateway.
    NatGateway(NatGatewayId),
    /// A network interface, given as such or by its instance.
    NetworkInterface(NetworkInterfaceId),
}

/// Who made a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouteOrigin {
    /// Made with the table: a local route.
    CreateRouteTable,
    /// The user's.
    CreateRoute,
    /// Propagated by a virtual private gateway.
    EnableVgwRoutePropagation,
}

/// An association of a route table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTableAssociation {
    /// Its id.
    pub id: RouteTableAssociationId,
    /// Whom the table routes for.
    pub with: AssociatedWith,
}

/// Whom a table routes for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssociatedWith {
    /// Every subnet of the VPC that has no association of its own.
    Main,
    /// A subnet.
    Subnet(SubnetId),
    /// An internet gateway: what comes in by it (an edge association).
    InternetGateway(InternetGatewayId),
}
