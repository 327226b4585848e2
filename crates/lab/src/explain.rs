//! `skylab explain`: a flow from one place to another, told and judged.

mod cluster;

use crate::cloud::Snapshot;
use crate::internet;
use crate::place::{NoSuchPlace, Place, PlaceName, ingress};
use aws::model::State;
use aws::model::network_interface::PublicAddress;
use fabric::walk::Walker;
use fabric::{
    Direction, DropReason, Fabric, Flow, HopAction, HostId, NetworkId, Trace, Transport, Verdict,
};
use kernel::observe::{Listening, Stack};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The source port of a flow that is only thought of: one of those that systems give callers.
const SOURCE_PORT: u16 = 49152;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiry {
    /// Where the flow starts.
    pub from: String,
    /// Where it should arrive.
    pub to: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The destination port; without one a service's first, else 80 for TCP and 53 for UDP.
    pub port: Option<u16>,
    /// The cluster that pods and services are looked for in; needed where several run.
    #[serde(default)]
    pub cluster: Option<String>,
}

/// What is looked at in the machines themselves, where the model can't know.
pub struct Eyes<'a> {
    /// What an instance's root made of its stack.
    pub stack: &'a dyn Fn(&HostId) -> Option<Stack>,
    /// Whether somebody in a pod takes what comes to an address and port.
    pub listens: &'a dyn Fn(&HostId, Listening, Ipv4Addr, u16) -> Option<bool>,
}

/// The protocols that can be asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// ICMP echo.
    Icmp,
}

/// The answer, in the contract's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// `delivered`, `dropped` or `unknown`.
    pub verdict: Judgement,
    /// The flow as it starts.
    pub flow: ToldFlow,
    /// Its way.
    pub hops: Vec<ToldHop>,
    /// What to change.
    pub remedies: Vec<String>,
    /// Why it was dropped or is unknown, in a sentence.
    pub reason: Option<String>,
}

/// The verdict's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// It arrived and the answer came back.
    Delivered,
    /// It didn't.
    Dropped,
    /// The model can't tell.
    Unknown,
}

/// A flow in the contract's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldFlow {
    /// The place it starts at, as it was named.
    pub from: String,
    /// The place it goes to, as it was named.
    pub to: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The source address.
    pub source: Ipv4Addr,
    /// The source port, where the protocol has one.
    pub source_port: Option<u16>,
    /// The destination address.
    pub destination: Ipv4Addr,
    /// The destination port, where the protocol has one.
    pub port: Option<u16>,
}

/// A hop in the contract's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldHop {
    /// `out` or `back`.
    pub direction: Way,
    /// The place.
    pub at: Option<String>,
    /// The resource that decided.
    pub resource: Option<String>,
    /// Its rule.
    pub rule: Option<String>,
    /// What it did.
    pub action: Action,
    /// In words.
    pub detail: Option<String>,
}

/// Out or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// From the caller to the called.
    Out,
    /// The answer.
    Back,
}

/// What a hop did; the contract's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the words are the contract's
pub enum Action {
    Allow,
    Deny,
    Route,
    Translate,
    Balance,
    Deliver,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// A place isn't there.
    #[error(transparent)]
    Place(#[from] NoSuchPlace),
    /// The destination has no address to go to.
    #[error("{0} has no address")]
    NoAddress(String),
}

/// Follows a flow between two places.
///
/// # Errors
/// A place isn't there, or can't start or take anything.
pub fn explain(
    snapshot: &Snapshot,
    inquiry: &Inquiry,
    from: &PlaceName,
    to: &PlaceName,
    eyes: &Eyes<'_>,
) -> Result<Explanation, ExplainError> {
    let source = from.find(snapshot)?;
    let target = to.find(snapshot)?;
    let origin = source.origin()?;
    let destination = destination(snapshot, &source, to, &target)
        .ok_or_else(|| ExplainError::NoAddress(to.to_string()))?;
    let flow = Flow {
        // walk puts the sending port's address here.
        source: source.named_source().unwrap_or(Ipv4Addr::UNSPECIFIED),
        destination,
        transport: transport(inquiry, inquiry.port.or(target.called_at)),
    };
    let asked = match to {
        PlaceName::Ingress(namespace, name) => ingress::asked(&snapshot.state, namespace, name),
        _ => None,
    };
    let walk = |fabric: &Fabric| match &asked {
        Some(asked) => asked.with(source.address.unwrap_or(internet::CLIENT), |request| {
            Walker::new(fabric).walk_with(&origin, flow, Some(request))
        }),
        None => fabric::walk(fabric, &origin, flow),
    };
    let (trace, fabric) = walked(snapshot, &walk, eyes.stack);
    let mut remedies = aws::explain::remedies(&snapshot.state, &fabric, &trace);
    remedies.extend(cluster::remedies(&trace));
    remedies.dedup();
    let mut told = tell(&snapshot.state, inquiry, &trace, remedies);
    if let Some(deaf) = cluster::deaf(&fabric, &origin, &trace, eyes) {
        told.verdict = if deaf.others {
            Judgement::Unknown
        } else {
            Judgement::Dropped
        };
        told.hops.retain(|hop| hop.direction == Way::Out);
        told.hops.push(deaf.hop());
        told.remedies = vec![deaf.remedy()];
        told.reason = Some(deaf.reason());
    }
    Ok(told)
}

/// Walks a flow. What the way's instances would have to forward is up to their users, who are root in
/// them: each such instance is looked at, and the flow walked again as its stack is now.
fn walked(
    snapshot: &Snapshot,
    walk: &dyn Fn(&Fabric) -> Trace,
    observe: &dyn Fn(&HostId) -> Option<Stack>,
) -> (Trace, Fabric) {
    let mut fabric = snapshot.fabric.clone();
    let mut seen: BTreeSet<HostId> = BTreeSet::new();
    loop {
        let trace = walk(&fabric);
        let fresh: Vec<HostId> = forwarders(snapshot, &fabric, &trace)
            .filter(|host| !seen.contains(host))
            .collect();
        if fresh.is_empty() {
            return (trace, fabric);
        }
        for id in fresh {
            if let Some(stack) = observe(&id)
                && let Some(host) = fabric.hosts.get_mut(&id)
            {
                let host = Arc::make_mut(host);
                host.forwarding = stack.forwarding;
                host.opaque = stack
                    .own_filters
                    .then(|| "its own packet filter decides".to_owned());
            }
            seen.insert(id);
        }
    }
}

/// The instances on a way that may get packets which are not their own.
fn forwarders<'a>(
    snapshot: &'a Snapshot,
    fabric: &'a Fabric,
    trace: &'a Trace,
) -> impl Iterator<Item = HostId> + 'a {
    let hops = connections(trace).flat_map(|one| &one.hops);
    let on_the_way = hops.map(|hop| HostId::from(hop.at.as_str()));
    on_the_way.filter(|id| {
        let own = |port: &Arc<fabric::Port>| port.host.as_ref().is_some_and(|(host, _)| host == id);
        snapshot.state.instances.contains_key(id.as_str())
            && fabric.ports.values().any(|port| !port.guard && own(port))
    })
}

fn transport(inquiry: &Inquiry, port: Option<u16>) -> Transport {
    match inquiry.protocol {
        Protocol::Tcp => Transport::Tcp {
            source_port: SOURCE_PORT,
            destination_port: port.unwrap_or(80),
        },
        Protocol::Udp => Transport::Udp {
            source_port: SOURCE_PORT,
            destination_port: port.unwrap_or(53),
        },
        Protocol::Icmp => Transport::Echo {
            id: 1,
            reply: false,
        },
    }
}

impl Place {
    /// The source address, where the place's name fixes one that is not its port's first.
    fn named_source(&self) -> Option<Ipv4Addr> {
        self.address
    }
}

/// The address that a place is called by from another: its private one within its network, else
/// its public one, as the resolvers answer.
fn destination(
    snapshot: &Snapshot,
    source: &Place,
    name: &PlaceName,
    target: &Place,
) -> Option<Ipv4Addr> {
    if let (PlaceName::Anywhere(address) | PlaceName::Internet(Some(address)), _) = (name, target) {
        return Some(*address);
    }
    if let (None, None) = (&target.host, &target.port) {
        return target.address;
    }
    let fabric = &snapshot.fabric;
    let own = |place: &Place| -> Vec<NetworkId> {
        fabric
            .ports
            .values()
            .filter(|port| match (&place.port, &place.host) {
                (Some(id), _) => port.id == *id,
                (None, Some(host)) => port.host.as_ref().is_some_and(|(own, _)| own == host),
                (None, None) => false,
            })
            .map(|port| port.network.clone())
            .collect()
    };
    let from = own(source);
    let mut ports: Vec<_> = fabric
        .ports
        .values()
        .filter(|port| match (&target.port, &target.host) {
            (Some(id), _) => port.id == *id,
            (None, Some(host)) => port.host.as_ref().is_some_and(|(own, _)| own == host),
            (None, None) => false,
        })
        .collect();
    ports.sort_by_key(|port| port.host.as_ref().map(|(_, index)| *index));
    let near = ports.iter().find(|port| from.contains(&port.network));
    if let Some(port) = near {
        return target.address.or_else(|| port.addresses.first().copied());
    }
    let private = |port: &&std::sync::Arc<fabric::Port>| {
        target.address.or_else(|| port.addresses.first().copied())
    };
    let public = ports.iter().find_map(|port| {
        let address = private(port)?;
        public_of(snapshot, port.id.as_str(), address)
    });
    public.or_else(|| ports.first().and_then(private))
}

fn public_of(snapshot: &Snapshot, interface: &str, private: Ipv4Addr) -> Option<Ipv4Addr> {
    let interface = snapshot.state.network_interfaces.get(interface)?;
    let address = interface
        .addresses
        .iter()
        .find(|address| address.ip == private)?;
    match address.public.as_ref()? {
        PublicAddress::Automatic(public) => Some(*public),
        PublicAddress::Elastic(allocation) => {
            let elastic = snapshot.state.elastic_ips.get(allocation)?;
            Some(elastic.public_ip)
        }
    }
}

fn tell(state: &State, inquiry: &Inquiry, trace: &Trace, mut remedies: Vec<String>) -> Explanation {
    let (verdict, reason) = match &trace.verdict {
        Verdict::Delivered => (Judgement::Delivered, None),
        Verdict::Dropped(direction, reason) => {
            if let DropReason::NoSuchAddress {
                network,
                destination,
            } = reason
                && network.as_str() == internet::NETWORK
            {
                remedies = vec![no_public_way(*destination)];
            }
            (Judgement::Dropped, last_words(trace.last(), *direction))
        }
        Verdict::Unknown(why) => (Judgement::Unknown, Some(why.clone())),
    };
    let (source_port, port) = match trace.flow.transport {
        Transport::Tcp {
            source_port,
            destination_port,
        }
        | Transport::Udp {
            source_port,
            destination_port,
        } => (Some(source_port), Some(destination_port)),
        Transport::Echo { .. } | Transport::Other(_) => (None, None),
    };
    Explanation {
        verdict,
        flow: ToldFlow {
            from: inquiry.from.clone(),
            to: inquiry.to.clone(),
            protocol: inquiry.protocol,
            source: trace.flow.source,
            source_port,
            destination: trace.flow.destination,
            port,
        },
        hops: connections(trace)
            .flat_map(|one| &one.hops)
            .map(|of| hop(state, of))
            .collect(),
        remedies,
        reason,
    }
}

/// A connection, and those that balancers' nodes open for it.
fn connections(trace: &Trace) -> impl Iterator<Item = &Trace> {
    std::iter::successors(Some(trace), |one| one.onward.as_deref())
}

fn no_public_way(destination: Ipv4Addr) -> String {
    match internet::check(destination) {
        Err(internet::PlaceError::NotPublic(_)) => format!(
            "{destination} is a private address, which the internet does not route. Give the instance a public one: aws ec2 associate-address --allocation-id <eipalloc> --private-ip-address {destination} --network-interface-id <eni>"
        ),
        Err(internet::PlaceError::CloudPool(..)) => format!(
            "Nothing reachable has {destination} now: see aws ec2 describe-addresses, and whether the VPC's internet gateway is attached."
        ),
        _ => format!(
            "Nobody on the lab's internet has {destination}; `skylab exec internet:{destination} -- true` makes somebody."
        ),
    }
}

/// The words of the hop that stopped the flow.
fn last_words(trace: &Trace, direction: Direction) -> Option<String> {
    let stopping = trace
        .hops
        .iter()
        .rev()
        .find(|hop| hop.direction == direction)?;
    Some(stopping.detail.clone())
}

fn hop(state: &State, hop: &fabric::Hop) -> ToldHop {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    ToldHop {
        direction: match hop.direction {
            Direction::Out => Way::Out,
            Direction::Back => Way::Back,
        },
        at: some(&hop.at),
        resource: hop.resource.clone(),
        rule: hop
            .rule
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| aws::explain::implied_rule(state, hop).map(str::to_owned)),
        action: match hop.action {
            HopAction::Allow => Action::Allow,
            HopAction::Deny => Action::Deny,
            HopAction::Route => Action::Route,
            HopAction::Translate => Action::Translate,
            HopAction::Balance => Action::Balance,
            HopAction::Deliver => Action::Deliver,
        },
        detail: some(&hop.detail),
    }
}
