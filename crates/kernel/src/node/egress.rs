//! How what pods send leaves a node whose pods' addresses belong to several of its links: under which
//! address, and by which link answers go.
//!
//! A pod's packets leave by the link that its address belongs to, by rules of the node's routing. Two
//! kinds have to leave by the primary link instead, and get a mark that a rule before those looks for:
//! what is sent under the primary link's address, and answers to what came in by that link for the node
//! itself (a node port).

use super::{Applied, NodeError, entering};
use crate::namespace::NetNs;
use crate::netlink::nftables::expression::{HASHED_PORT, Header, RANDOM_PORT};
use crate::netlink::nftables::{
    Base, Compare, CtKey, Expression, Hook, MetaKey, NFPROTO_IPV4, Register, Rule, Verdict,
    chain_add, rule_append, table_add, table_delete, table_names, transaction,
};
use crate::netlink::socket::{Family, Socket};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

const R0: Register = Register(0);
/// IFNAMSIZ.
const NAME_BYTES: usize = 16;
/// Where an IP header has the destination.
const DESTINATION: u32 = 16;
/// RTN_LOCAL: an address is the namespace's own.
const OWN: u32 = 2;

/// What leaves, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// The primary link's name.
    pub primary: String,
    /// What the names of pods' links begin with.
    pub pods: String,
    /// The bit of marks that says: by the primary link.
    pub mark: u32,
    /// The translation of sources, if there is one.
    pub translation: Option<Translation>,
    /// Whether answers to what came in by the primary link leave by it.
    pub returns: bool,
    /// Destinations outside the translation that are reached by the primary link all the same.
    pub external: Vec<Ipv4Net>,
}

/// The translation of sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The address written.
    pub address: Ipv4Addr,
    /// Destinations that see sources as they are.
    pub except: Vec<Ipv4Net>,
    /// What leaves by links whose names begin so isn't translated.
    pub except_links: String,
    /// How ports are chosen.
    pub ports: Ports,
}

/// How a translation chooses ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ports {
    /// At random.
    #[default]
    Random,
    /// By a hash.
    Hashed,
    /// The source's own where it is free.
    Kept,
}

/// The hands of what sets it up.
#[derive(Debug)]
pub struct EgressTable {
    socket: Socket,
    table: &'static str,
    applied: Option<Option<Egress>>,
}

impl EgressTable {
    /// A table in the network namespace that the calling thread is in.
    ///
    /// # Errors
    /// nftables can't be opened.
    pub fn here(table: &'static str) -> Result<Self, NodeError> {
        let socket = Socket::open_here(Family::Netfilter).map_err(NodeError::Open)?;
        Ok(Self {
            socket,
            table,
            applied: None,
        })
    }

    /// In this network namespace.
    ///
    /// # Errors
    /// It can't be entered, or nftables can't be opened there.
    pub fn inside(namespace: &NetNs, table: &'static str) -> Result<Self, NodeError> {
        namespace.run(|| Self::here(table)).map_err(entering)?
    }

    /// Makes it so, in one transaction; new flows obey when this returns. The first time it takes the
    /// place of whatever an earlier run left.
    ///
    /// # Errors
    /// The kernel refused; then all is as it was.
    pub fn apply(&mut self, egress: Option<&Egress>) -> Result<Applied, NodeError> {
        if self.applied.as_ref().map(Option::as_ref) == Some(egress) {
            return Ok(Applied::default());
        }
        let there = table_names(&mut self.socket, Some(NFPROTO_IPV4)).map_err(NodeError::Open)?;
        let mut requests = Vec::new();
        if there.iter().any(|table| table == self.table) {
            requests.push(table_delete(self.table));
        }
        if let Some(egress) = egress {
            requests.push(table_add(self.table));
            for (name, base, rules) in chains(egress) {
                requests.push(chain_add(self.table, name, base));
                let rules = rules.iter();
                requests.extend(rules.map(|rule| rule_append(self.table, name, rule)));
            }
        }
        let changes = requests.len();
        if changes > 0 {
            let sent = self.socket.transaction(transaction(requests));
            sent.map_err(|cause| NodeError::Refused {
                what: format!("replace table {}", self.table),
                cause,
            })?;
        }
        self.applied = Some(egress.cloned());
        Ok(Applied {
            changes,
            flows_cut: 0,
        })
    }
}

type ChainOf = (&'static str, Option<Base>, Vec<Rule>);

fn base(hook: Hook, priority: i32, translates: bool) -> Option<Base> {
    Some(Base {
        hook,
        priority,
        translates,
        passes: true,
    })
}

/// Names and order as Amazon's plugin has them where it uses nftables.
fn chains(egress: &Egress) -> Vec<ChainOf> {
    let mut before_routing = Vec::new();
    if egress.returns {
        before_routing.push(mark_flow_from_outside(egress));
    }
    before_routing.push(mark_packet_of_flow(egress));
    let mut chains = vec![(
        "mangle-prerouting",
        base(Hook::Prerouting, -150, false),
        before_routing,
    )];
    let Some(translation) = &egress.translation else {
        return chains;
    };
    // After services became backends (-100), so that what stays inside is told by where it really goes.
    chains.push(("snat-mark", None, marking(egress, translation)));
    chains.push((
        "nat-prerouting",
        base(Hook::Prerouting, -90, true),
        vec![
            [from_pods(egress), vec![jump("snat-mark")]].concat(),
            mark_packet_of_flow(egress),
        ],
    ));
    chains.push((
        "nat-postrouting",
        base(Hook::Postrouting, 100, true),
        translating(translation),
    ));
    chains
}

fn name_is(key: MetaKey, name: &str) -> Vec<Expression> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(NAME_BYTES, 0);
    vec![
        Expression::Meta(key, R0),
        Expression::Compare(R0, Compare::Equal, bytes),
    ]
}

fn name_begins(key: MetaKey, beginning: &str) -> Vec<Expression> {
    vec![
        Expression::Meta(key, R0),
        Expression::Compare(R0, Compare::Equal, beginning.as_bytes().to_vec()),
    ]
}

fn from_pods(egress: &Egress) -> Vec<Expression> {
    name_begins(MetaKey::InputName, &egress.pods)
}

fn jump(chain: &str) -> Expression {
    Expression::Verdict(Verdict::Jump(chain.into()))
}

fn destination_type(compare: Compare) -> [Expression; 2] {
    [
        Expression::DestinationType(R0),
        Expression::Compare(R0, compare, OWN.to_ne_bytes().to_vec()),
    ]
}

/// Loads the mark, sets the bit, and stores it: of the flow, or of the packet.
fn set_bit(load: Expression, store: Expression, bit: u32) -> [Expression; 3] {
    [
        load,
        Expression::Bitwise {
            from: R0,
            to: R0,
            mask: (!bit).to_ne_bytes().to_vec(),
            flip: bit.to_ne_bytes().to_vec(),
        },
        store,
    ]
}

fn set_flow_mark(bit: u32) -> [Expression; 3] {
    let load = Expression::Ct(CtKey::Mark, R0);
    set_bit(load, Expression::SetCtMark(R0), bit)
}

/// What comes in by the primary link for the node itself.
fn mark_flow_from_outside(egress: &Egress) -> Rule {
    let mut rule = name_is(MetaKey::InputName, &egress.primary);
    rule.extend(destination_type(Compare::Equal));
    rule.extend(set_flow_mark(egress.mark));
    rule
}

/// What pods send in flows that have the mark gets it too.
fn mark_packet_of_flow(egress: &Egress) -> Rule {
    let bit = egress.mark;
    let mut rule = from_pods(egress);
    rule.extend([
        Expression::Ct(CtKey::Mark, R0),
        Expression::Bitwise {
            from: R0,
            to: R0,
            mask: bit.to_ne_bytes().to_vec(),
            flip: vec![0; 4],
        },
        Expression::Compare(R0, Compare::NotEqual, vec![0; 4]),
    ]);
    let load = Expression::Meta(MetaKey::Mark, R0);
    rule.extend(set_bit(load, Expression::SetMark(R0), bit));
    rule
}

fn to(prefix: Ipv4Net) -> Vec<Expression> {
    if prefix.prefix_len() == 0 {
        return Vec::new();
    }
    vec![
        Expression::Payload {
            header: Header::Network,
            offset: DESTINATION,
            length: 4,
            to: R0,
        },
        Expression::Bitwise {
            from: R0,
            to: R0,
            mask: prefix.netmask().octets().to_vec(),
            flip: vec![0; 4],
        },
        Expression::Compare(R0, Compare::Equal, prefix.network().octets().to_vec()),
    ]
}

/// The rest of the table's chain doesn't concern what goes here. (The end of a chain that is jumped to
/// and that of the base chain after it both let the packet on to other tables.)
fn leave_alone(prefix: Ipv4Net) -> Rule {
    let mut rule = to(prefix);
    rule.push(Expression::Verdict(Verdict::Accept));
    rule
}

fn marking(egress: &Egress, translation: &Translation) -> Vec<Rule> {
    let external = egress.external.iter().map(|prefix| {
        let mut rule = to(*prefix);
        rule.extend(set_flow_mark(egress.mark));
        rule
    });
    let except = translation.except.iter().copied().map(leave_alone);
    let mut rules: Vec<Rule> = external.chain(except).collect();
    rules.push(set_flow_mark(egress.mark).to_vec());
    rules
}

fn translating(translation: &Translation) -> Vec<Rule> {
    let mut rules: Vec<Rule> = translation
        .except
        .iter()
        .copied()
        .map(leave_alone)
        .collect();
    let mut unwanted_link = name_begins(MetaKey::OutputName, &translation.except_links);
    unwanted_link.push(Expression::Verdict(Verdict::Accept));
    rules.push(unwanted_link);
    let mut rule = destination_type(Compare::NotEqual).to_vec();
    rule.extend([
        Expression::Constant(R0, translation.address.octets().to_vec()),
        Expression::SourceNat {
            address: R0,
            ports: None,
            flags: match translation.ports {
                Ports::Random => RANDOM_PORT,
                Ports::Hashed => HASHED_PORT,
                Ports::Kept => 0,
            },
        },
    ]);
    rules.push(rule);
    rules
}
