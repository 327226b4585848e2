//! What a program changes of the routing of its own network namespace: a network plugin's agent on a
//! node, which sets up links that a cloud attached, routes to pods, and rules that choose tables.
//!
//! All of it is idempotent: making what is there and removing what isn't are fine.

use crate::namespace::NetNs;
use crate::netlink::message::{Message, attributes};
use crate::netlink::route::address;
use crate::netlink::route::link;
use crate::netlink::route::route::{Action, KernelRoute};
use crate::netlink::socket::{Family, NetlinkError, Socket};
use fabric::Mac;
use ipnet::Ipv4Net;
use nix::errno::Errno;
use std::net::Ipv4Addr;

/// Linux's main table.
pub const MAIN: u32 = 254;

const RULE_DESTINATION: u16 = 1;
const RULE_SOURCE: u16 = 2;
const RULE_PRIORITY: u16 = 6;
const RULE_MARK: u16 = 10;
const RULE_TABLE: u16 = 15;
const RULE_MARK_MASK: u16 = 16;
const ACTION_TO_TABLE: u8 = 1;

/// A link of the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLink {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its link-layer address; zeros where it has none of six bytes.
    pub mac: Mac,
    /// The largest packet, in bytes.
    pub mtu: u32,
}

/// A rule: which packets ask which table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnRule {
    /// Lower ones are asked first.
    pub priority: u32,
    /// The table.
    pub table: u32,
    /// Only packets from here.
    pub from: Option<Ipv4Net>,
    /// Only packets to here.
    pub to: Option<Ipv4Net>,
    /// Only packets with this mark under this mask.
    pub mark: Option<(u32, u32)>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRoute {
    /// Its table.
    pub table: u32,
    /// Destinations.
    pub prefix: Ipv4Net,
    /// The link's index.
    pub link: u32,
    /// The next hop, which another route of the table says is on the link; none for what is on it itself.
    pub via: Option<Ipv4Addr>,
}

/// A namespace's routing.
#[derive(Debug)]
pub struct Routing {
    socket: Socket,
}

fn dump(kind: u16, header: &[u8]) -> Message {
    Message::new(kind, libc::NLM_F_DUMP, header)
}

fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(value.get(..4)?.try_into().ok()?))
}

fn ip(value: &[u8]) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = value.get(..4)?.try_into().ok()?;
    Some(octets.into())
}

fn fine_if(errnos: &[Errno], outcome: Result<(), NetlinkError>) -> Result<(), NetlinkError> {
    match outcome {
        Err(NetlinkError::Refused { errno, .. }) if errnos.contains(&errno) => Ok(()),
        other => other,
    }
}

impl Routing {
    /// Of the network namespace that the calling thread is in; from then on any thread may use it.
    ///
    /// # Errors
    /// rtnetlink can't be opened.
    pub fn here() -> Result<Self, NetlinkError> {
        let socket = Socket::open_here(Family::Route)?;
        Ok(Self { socket })
    }

    /// Of this network namespace.
    ///
    /// # Errors
    /// It can't be entered, or rtnetlink can't be opened there.
    pub fn inside(namespace: &NetNs) -> Result<Self, NetlinkError> {
        let socket = Socket::open(namespace, Family::Route)?;
        Ok(Self { socket })
    }

    /// The links.
    ///
    /// # Errors
    /// The kernel doesn't say.
    pub fn links(&mut self) -> Result<Vec<OwnLink>, NetlinkError> {
        let mut links = Vec::new();
        self.socket
            .dump(dump(libc::RTM_GETLINK, &[0; 16]), |kind, payload| {
                if kind == libc::RTM_NEWLINK {
                    links.extend(read_link(payload));
                }
            })?;
        Ok(links)
    }

    /// Sets a link up, with this MTU.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn set_up(&mut self, index: u32, mtu: u16) -> Result<(), NetlinkError> {
        self.socket
            .request_all(vec![link::set_mtu(index, mtu), link::up(index)])
    }

    /// Removes the link of a name.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn remove_link(&mut self, name: &str) -> Result<(), NetlinkError> {
        let removed = self.socket.request_all(vec![link::delete_named(name)]);
        fine_if(&[Errno::ENODEV], removed)
    }

    /// Makes an address the only one of a link; no route comes with it.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn set_address(
        &mut self,
        index: u32,
        own: Ipv4Addr,
        prefix_len: u8,
    ) -> Result<(), NetlinkError> {
        let mut others = Vec::new();
        // struct ifaddrmsg.
        let question = dump(
            libc::RTM_GETADDR,
            &[libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, 0],
        );
        self.socket.dump(question, |kind, payload| {
            if kind == libc::RTM_NEWADDR {
                others.extend(read_address(payload).filter(|(link, found, length)| {
                    *link == index && (*found, *length) != (own, prefix_len)
                }));
            }
        })?;
        let mut requests: Vec<_> = others
            .into_iter()
            .map(|(link, found, length)| address::delete(link, found, length))
            .collect();
        requests.push(address::add(index, own, prefix_len));
        let done = self.socket.request_all(requests);
        fine_if(&[Errno::EADDRNOTAVAIL], done)
    }

    /// Makes a route, or puts it in the place of the one with the same prefix in its table.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn put_route(&mut self, route: &OwnRoute) -> Result<(), NetlinkError> {
        self.socket.request_all(vec![encode_route(route).put()])
    }

    /// Removes a route.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn remove_route(&mut self, route: &OwnRoute) -> Result<(), NetlinkError> {
        let removed = self.socket.request_all(vec![encode_route(route).delete()]);
        fine_if(&[Errno::ESRCH, Errno::ENODEV], removed)
    }

    /// The rules that ask a table for packets of IPv4.
    ///
    /// # Errors
    /// The kernel doesn't say.
    pub fn rules(&mut self) -> Result<Vec<OwnRule>, NetlinkError> {
        let mut header = [0; 12];
        header[0] = libc::AF_INET as u8;
        let mut rules = Vec::new();
        self.socket
            .dump(dump(libc::RTM_GETRULE, &header), |kind, payload| {
                if kind == libc::RTM_NEWRULE {
                    rules.extend(read_rule(payload));
                }
            })?;
        Ok(rules)
    }

    /// Makes a rule.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn add_rule(&mut self, rule: &OwnRule) -> Result<(), NetlinkError> {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        let message = encode_rule(rule, libc::RTM_NEWRULE, flags);
        fine_if(&[Errno::EEXIST], self.socket.request_all(vec![message]))
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn remove_rule(&mut self, rule: &OwnRule) -> Result<(), NetlinkError> {
        let message = encode_rule(rule, libc::RTM_DELRULE, 0);
        fine_if(&[Errno::ENOENT], self.socket.request_all(vec![message]))
    }
}

fn encode_route(route: &OwnRoute) -> KernelRoute {
    let link = route.link;
    KernelRoute {
        table: route.table,
        prefix: route.prefix,
        metric: 0,
        action: match route.via {
            Some(via) => Action::Through { link, via },
            None => Action::On { link },
        },
    }
}

fn encode_rule(rule: &OwnRule, kind: u16, flags: i32) -> Message {
    // struct fib_rule_hdr: family, destination and source length, tos, table, two reserved, action,
    // flags.
    let length = |prefix: &Option<Ipv4Net>| prefix.map_or(0, |prefix| prefix.prefix_len());
    let mut header = [0; 12];
    header[0] = libc::AF_INET as u8;
    header[1] = length(&rule.to);
    header[2] = length(&rule.from);
    header[7] = ACTION_TO_TABLE;
    let mut message = Message::new(kind, flags, &header);
    message
        .put_u32(RULE_PRIORITY, rule.priority)
        .put_u32(RULE_TABLE, rule.table);
    for (attribute, prefix) in [(RULE_DESTINATION, rule.to), (RULE_SOURCE, rule.from)] {
        if let Some(prefix) = prefix {
            message.put(attribute, &prefix.network().octets());
        }
    }
    if let Some((mark, mask)) = rule.mark {
        message
            .put_u32(RULE_MARK, mark)
            .put_u32(RULE_MARK_MASK, mask);
    }
    message
}

fn read_link(payload: &[u8]) -> Option<OwnLink> {
    let mut found = OwnLink {
        index: number(payload.get(4..)?)?,
        name: String::new(),
        mac: Mac([0; 6]),
        mtu: 0,
    };
    for (kind, value) in attributes(payload.get(16..)?) {
        match kind {
            libc::IFLA_IFNAME => {
                let name = String::from_utf8_lossy(value);
                found.name = name.trim_end_matches('\0').to_owned();
            }
            libc::IFLA_ADDRESS => found.mac = Mac(value.try_into().unwrap_or_default()),
            libc::IFLA_MTU => found.mtu = number(value)?,
            _ => {}
        }
    }
    Some(found)
}

fn read_address(payload: &[u8]) -> impl Iterator<Item = (u32, Ipv4Addr, u8)> {
    let read = || {
        let (length, index) = (*payload.get(1)?, number(payload.get(4..)?)?);
        let attributes = attributes(payload.get(8..)?);
        let local = attributes.iter().find(|(kind, _)| *kind == libc::IFA_LOCAL);
        Some((index, ip(local?.1)?, length))
    };
    read().into_iter()
}

/// A rule, if it is one that [`OwnRule`] can say.
fn read_rule(payload: &[u8]) -> Option<OwnRule> {
    let header: [u8; 12] = payload.get(..12)?.try_into().ok()?;
    if header[7] != ACTION_TO_TABLE {
        return None;
    }
    let mut found = OwnRule {
        priority: 0,
        table: u32::from(header[4]),
        from: None,
        to: None,
        mark: None,
    };
    let mut mark = 0;
    for (kind, value) in attributes(payload.get(12..)?) {
        match kind {
            RULE_DESTINATION => found.to = Some(Ipv4Net::new(ip(value)?, header[1]).ok()?),
            RULE_SOURCE => found.from = Some(Ipv4Net::new(ip(value)?, header[2]).ok()?),
            RULE_PRIORITY => found.priority = number(value)?,
            RULE_TABLE => found.table = number(value)?,
            RULE_MARK => mark = number(value)?,
            RULE_MARK_MASK => found.mark = Some((0, number(value)?)),
            _ => {}
        }
    }
    found.mark = found.mark.map(|(_, mask)| (mark, mask));
    Some(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-CNI: a rule is read as it was written.
    #[test]
    fn rules_are_read_as_they_are_written() {
        for rule in [
            OwnRule {
                priority: 512,
                table: MAIN,
                from: None,
                to: Some("10.0.1.7/32".parse().unwrap()),
                mark: None,
            },
            OwnRule {
                priority: 1536,
                table: 2,
                from: Some("10.0.1.7/32".parse().unwrap()),
                to: None,
                mark: None,
            },
            OwnRule {
                priority: 1024,
                table: MAIN,
                from: None,
                to: None,
                mark: Some((0x80, 0x80)),
            },
        ] {
            let bytes = encode_rule(&rule, libc::RTM_NEWRULE, 0).finish(1, false);
            // Past the netlink header.
            assert_eq!(read_rule(&bytes[16..]), Some(rule));
        }
    }
}
