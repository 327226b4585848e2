//! Scenarios: building steps and flows, in terms that survive the loss of any of them.
//!
//! Steps name what they refer to by number. A step whose referent is missing does nothing, so any
//! subset of a scenario is a scenario, and shrinking is leaving things out.

use aws::model::security_group::Traffic;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// The ports that every host listens on.
pub const PORTS: [u16; 4] = [22, 80, 443, 5432];

/// The places on the internet that call and are called.
pub const INTERNET: [Ipv4Addr; 2] = [
    Ipv4Addr::new(203, 0, 113, 10),
    Ipv4Addr::new(203, 0, 113, 77),
];

/// A network and what is sent through it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Where it was drawn from. Ids follow from it, so that two scenarios in one engine share no
    /// network whose connection tracking remembers the other's flows.
    pub seed: u64,
    /// How it is built.
    pub steps: Vec<Step>,
    /// What is sent.
    pub flows: Vec<Attempt>,
}

/// What an instance does with others' packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    Plain,
    /// It forwards them as they are (a middle box).
    Forwarder,
    /// It forwards them under its own address (a NAT instance).
    Nat,
}

/// The other end of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulePeer {
    /// A range.
    Cidr(Ipv4Net),
    /// The members of the group with this number.
    Group(usize),
}

/// A route's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteTo {
    /// The VPC's internet gateway.
    InternetGateway,
    /// A NAT gateway, by number.
    NatGateway(usize),
    /// An instance's first interface, by the instance's number.
    Instance(usize),
}

/// One building step. Each kind of thing is numbered by the order of its steps' `number`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Step {
    Vpc {
        number: usize,
        cidrs: Vec<Ipv4Net>,
        gateway: bool,
    },
    Subnet {
        number: usize,
        vpc: usize,
        cidr: Ipv4Net,
    },
    Group {
        number: usize,
        vpc: usize,
    },
    GroupRule {
        group: usize,
        egress: bool,
        traffic: Traffic,
        peer: RulePeer,
    },
    Acl {
        number: usize,
        vpc: usize,
    },
    AclEntry {
        acl: usize,
        entry: u16,
        egress: bool,
        allow: bool,
        cidr: Ipv4Net,
        traffic: Traffic,
    },
    AclOf {
        subnet: usize,
        acl: usize,
    },
    Instance {
        number: usize,
        subnet: usize,
        groups: Vec<usize>,
        role: Role,
        checked: bool,
        secondary: usize,
    },
    SecondInterface {
        instance: usize,
        subnet: usize,
        groups: Vec<usize>,
    },
    Public {
        instance: usize,
        address: usize,
    },
    Stopped {
        instance: usize,
    },
    NatGateway {
        number: usize,
        subnet: usize,
        deleted: bool,
    },
    RouteTable {
        number: usize,
        vpc: usize,
    },
    Route {
        table: usize,
        destination: Ipv4Net,
        to: RouteTo,
    },
    TableOf {
        subnet: usize,
        table: usize,
    },
    EdgeTable {
        vpc: usize,
        table: usize,
    },
}

/// Where a flow begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An instance's private address, by number; the address by index over all its interfaces.
    Instance(usize, usize),
    /// The public address of an instance.
    PublicOf(usize),
    /// A place on the internet, by index.
    Internet(usize),
    /// An address, whoever has it.
    Address(Ipv4Addr),
}

/// A flow's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// An ICMP echo.
    Echo,
}

/// A flow to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who calls: an instance or a place on the internet.
    pub from: Place,
    /// Who is called.
    pub to: Place,
    /// By what.
    pub protocol: Protocol,
    /// The called port, one of [`PORTS`].
    pub port: u16,
}
