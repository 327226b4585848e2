//! UDP flows whose backends are gone.
//!
//! Connection tracking remembers where a flow's first packet went, and UDP has no end that would make
//! it forget: a client that goes on sending keeps talking to nobody. So flows to a frontend that
//! changed are cut unless their backend still has a right to them. TCP ends by itself.
//! <https://github.com/kubernetes/kubernetes/blob/master/pkg/proxy/conntrack/cleanup.go>

use super::NodeError;
use crate::netlink::NetlinkError;
use crate::netlink::conntrack::{self, Entry};
use crate::netlink::socket::Socket;
use fabric::delta::changes;
use fabric::{Change, Protocol, Service, ServiceId, Services};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};

/// UDP frontends, and which of them changed since flows were cut last.
#[derive(Debug, Default)]
pub(super) struct Touched {
    changed: BTreeSet<SocketAddrV4>,
    /// Who has each: several may claim one.
    claims: BTreeMap<SocketAddrV4, BTreeSet<ServiceId>>,
}

fn places(service: &Service, node_addresses: &[Ipv4Addr]) -> Vec<SocketAddrV4> {
    if service.protocol != Protocol::UDP {
        return Vec::new();
    }
    let frontends = service.frontends.iter();
    frontends
        .flat_map(|frontend| frontend.places(node_addresses))
        .map(|(address, port)| SocketAddrV4::new(address, port))
        .collect()
}

/// All backends that flows to a service may have.
fn backends(service: &Service) -> BTreeSet<SocketAddrV4> {
    let all = [&service.backends, &service.local, &service.lingering];
    let all = all.into_iter().flatten();
    all.map(|backend| SocketAddrV4::new(backend.address, backend.port))
        .collect()
}

/// Whether a service that had backends keeps them, at the same frontends: then no flow is wrong that was right, and
/// the machine's flows, which may be many, need not be looked at. One that had none may have flows without a backend.
fn only_gains(before: &Service, after: &Service) -> bool {
    let had = backends(before);
    before.protocol == after.protocol
        && before.frontends == after.frontends
        && !had.is_empty()
        && had.is_subset(&backends(after))
}

impl Touched {
    /// Notes what differs.
    pub(super) fn between(&mut self, old: &Services, new: &Services) {
        if old.node_addresses != new.node_addresses {
            // Every node port is elsewhere now.
            for service in old.services.values() {
                self.release(service, &old.node_addresses);
            }
            for service in new.services.values() {
                self.claim(service, &new.node_addresses);
            }
            return;
        }
        for change in changes(&old.services, &new.services) {
            if let Change::Changed(_, before, after) = &change
                && only_gains(before, after)
            {
                continue;
            }
            let (before, after) = match &change {
                Change::Added(_, after) => (None, Some(after)),
                Change::Changed(_, before, after) => (Some(before), Some(after)),
                Change::Removed(_, before) => (Some(before), None),
            };
            if let Some(service) = before {
                self.release(service, &old.node_addresses);
            }
            if let Some(service) = after {
                self.claim(service, &new.node_addresses);
            }
        }
    }

    fn release(&mut self, service: &Service, node_addresses: &[Ipv4Addr]) {
        for place in places(service, node_addresses) {
            if let Some(ids) = self.claims.get_mut(&place) {
                ids.remove(&service.id);
                if ids.is_empty() {
                    self.claims.remove(&place);
                }
            }
            self.changed.insert(place);
        }
    }

    fn claim(&mut self, service: &Service, node_addresses: &[Ipv4Addr]) {
        for place in places(service, node_addresses) {
            let ids = self.claims.entry(place).or_default();
            ids.insert(service.id.clone());
            self.changed.insert(place);
        }
    }

    /// Cuts the flows to what was touched that are no longer right; gives how many.
    pub(super) fn cut(
        &mut self,
        services: &Services,
        socket: &mut Socket,
    ) -> Result<usize, NodeError> {
        if self.changed.is_empty() {
            return Ok(0);
        }
        let flows = conntrack::udp_flows(socket).map_err(NodeError::Flows)?;
        let right = self.right(services);
        let mut count = 0;
        for flow in flows.iter().filter(|flow| is_stale(flow, &right)) {
            match socket.request_all(vec![conntrack::forget(flow)]) {
                Ok(()) => count += 1,
                // It ended by itself.
                Err(NetlinkError::Refused {
                    errno: nix::errno::Errno::ENOENT,
                    ..
                }) => {}
                Err(error) => return Err(NodeError::Flows(error)),
            }
        }
        self.changed.clear();
        Ok(count)
    }

    /// Which backends flows to what was touched may have.
    fn right(&self, services: &Services) -> BTreeMap<SocketAddrV4, BTreeSet<SocketAddrV4>> {
        let of = |place: &SocketAddrV4| {
            let ids = self.claims.get(place).into_iter().flatten();
            ids.filter_map(|id| services.services.get(id))
                .flat_map(|service| backends(service))
                .collect()
        };
        let changed = self.changed.iter();
        changed.map(|place| (*place, of(place))).collect()
    }
}

/// Whether a flow to a touched frontend has a backend that it shouldn't, or none.
fn is_stale(flow: &Entry, right: &BTreeMap<SocketAddrV4, BTreeSet<SocketAddrV4>>) -> bool {
    right
        .get(&flow.original.destination)
        .is_some_and(|backends| !backends.contains(&flow.reply.source))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use fabric::{Backend, Frontend, TrafficPolicy};
    use std::sync::Arc;

    fn services(backends: &[u8], frontend: u8) -> Services {
        let backend = |last: &u8| Backend {
            address: [10, 244, 0, *last].into(),
            port: 53,
            name: String::new(),
        };
        let service = Service {
            id: "default/dns".into(),
            protocol: Protocol::UDP,
            frontends: vec![Frontend::Cluster {
                address: [10, 96, 0, frontend].into(),
                port: 53,
            }],
            backends: backends.iter().map(backend).collect(),
            local: Vec::new(),
            lingering: Vec::new(),
            internal: TrafficPolicy::Cluster,
            external: TrafficPolicy::Cluster,
            affinity: None,
        };
        let mut services = Services::default();
        services
            .services
            .insert(service.id.clone(), Arc::new(service));
        services
    }

    /// K8S-NET: the machine's flows are looked at only where one may be wrong now.
    #[test]
    fn only_losses_are_looked_at() {
        for (was, is, looked_at) in [
            ((&[1, 2][..], 1), (&[1, 2, 3][..], 1), false),
            ((&[1, 2], 1), (&[2, 1], 1), false),
            ((&[1, 2], 1), (&[1, 3], 1), true),
            ((&[1, 2], 1), (&[1], 1), true),
            // Flows from before there was a backend have none.
            ((&[], 1), (&[1], 1), true),
            ((&[1], 1), (&[1], 2), true),
        ] {
            let mut touched = Touched::default();
            touched.between(&Services::default(), &services(was.0, was.1));
            touched.changed.clear();
            touched.between(&services(was.0, was.1), &services(is.0, is.1));
            assert_eq!(!touched.changed.is_empty(), looked_at, "{was:?} {is:?}");
        }
    }
}
