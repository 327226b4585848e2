//! Pools: members that share what a balancer gives them.

use super::Conduct;
use crate::filter::NumberRange;
use crate::id::PoolId;
use std::net::Ipv4Addr;

/// Members among which a balancer spreads flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its id.
    pub id: PoolId,
    /// What its members are spoken to in.
    pub speech: Speech,
    /// Its members, no address and port twice.
    pub members: Vec<Member>,
    /// Whether a node gives flows to members of other zones too.
    pub cross_zone: bool,
    /// Whose address members see.
    pub source: SourceSeen,
    /// For how many seconds a client of forwarded flows stays with its member, if it does.
    pub affinity: Option<u32>,
    /// How members are checked; without it all count as healthy.
    pub health_check: Option<HealthCheck>,
    /// How nodes that end connections treat members.
    pub conduct: Conduct,
}

/// One member of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is, by the cloud's id: an instance, an address.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// The port where it is checked.
    pub check_port: u16,
    /// The zone it counts to; `None` counts to every zone.
    pub zone: Option<String>,
    /// How it stands.
    pub state: MemberState,
    /// Why, by the cloud's code, where there is a reason.
    pub reason: Option<String>,
}

/// How a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberState {
    /// It was added and not yet found healthy.
    Initial,
    /// Checks succeed, or there are none.
    Healthy,
    /// Checks fail.
    Unhealthy,
    /// It was taken out: it keeps the flows it has and gets no new ones.
    Draining,
    /// It can get no flows (it is stopped, or its zone is not the balancer's).
    Unused,
}

/// What a member is spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Speech {
    /// TCP, or any packets of flows that are passed on.
    Plain,
    /// TLS, whatever it carries.
    Tls,
    /// HTTP/1.1.
    Http1,
    /// HTTP/1.1 over TLS.
    Https1,
    /// HTTP/2, without TLS and with prior knowledge.
    Http2,
    /// HTTP/2 over TLS.
    Https2,
}

/// Whose address a member sees as its packets' source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceSeen {
    /// The client's.
    Client,
    /// The node's.
    Node,
}

/// How members are checked. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is tried.
    pub probe: Probe,
    /// Between the beginnings of two checks.
    pub interval: u32,
    /// For how long one check waits.
    pub timeout: u32,
    /// After how many successes in a row an unhealthy member is healthy.
    pub healthy_after: u32,
    /// After how many failures in a row a healthy member is unhealthy.
    pub unhealthy_after: u32,
}

/// What a health check tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A connection.
    Tcp,
    /// A TLS handshake, the certificate unchecked.
    Tls,
    /// An HTTP request.
    Http {
        /// What the member is spoken to in: one of the HTTP kinds.
        speech: Speech,
        /// The path, with the query if there is one.
        path: String,
        /// The answers that count as success: status codes.
        statuses: Vec<NumberRange>,
    },
    /// A gRPC call.
    Grpc {
        /// Whether over TLS.
        tls: bool,
        /// The method, as a path.
        path: String,
        /// The answers that count as success: gRPC's status codes.
        statuses: Vec<NumberRange>,
    },
}

/// The members that a node gives flows to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection<'a> {
    /// The healthy ones.
    Healthy(Vec<&'a Member>),
    /// All that there are, because none is healthy: it fails open.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>
    FailedOpen(Vec<&'a Member>),
    /// None.
    None,
}

impl Member {
    /// A healthy member that counts to every zone.
    pub fn healthy(name: impl Into<String>, address: Ipv4Addr, port: u16) -> Self {
        Self {
            name: name.into(),
            address,
            port,
            check_port: port,
            zone: None,
            state: MemberState::Healthy,
            reason: None,
        }
    }

    /// Whether a node in a zone may give it flows at all.
    fn in_reach(&self, cross_zone: bool, zone: Option<&str>) -> bool {
        self.out_of_reach(cross_zone, zone).is_none()
    }
}

impl Pool {
    /// A pool whose members see clients' addresses, whatever their zone; they are not checked.
    pub fn of(id: PoolId, members: Vec<Member>) -> Self {
        Self {
            id,
            speech: Speech::Plain,
            members,
            cross_zone: true,
            source: SourceSeen::Client,
            affinity: None,
            health_check: None,
            conduct: Conduct::default(),
        }
    }

    /// The members that a node in a zone gives new flows to.
    pub fn selection(&self, zone: Option<&str>) -> Selection<'_> {
        let in_reach = |member: &&Member| member.in_reach(self.cross_zone, zone);
        let members: Vec<&Member> = self.members.iter().filter(in_reach).collect();
        let healthy: Vec<&Member> = members
            .iter()
            .copied()
            .filter(|member| member.state == MemberState::Healthy)
            .collect();
        if !healthy.is_empty() {
            Selection::Healthy(healthy)
        } else if members.is_empty() {
            Selection::None
        } else {
            Selection::FailedOpen(members)
        }
    }
}

impl<'a> Selection<'a> {
    /// The members, whyever they are chosen.
    pub fn members(&self) -> &[&'a Member] {
        match self {
            Self::Healthy(members) | Self::FailedOpen(members) => members,
            Self::None => &[],
        }
    }
}
