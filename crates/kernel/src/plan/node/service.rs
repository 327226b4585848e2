//! One service of a node, as elements.

use super::pool::{Seating, Signpost, seat};
use super::services::*;
use crate::netlink::nftables::Data;
use crate::netlink::nftables::set::Keys;
use crate::plan::dispatch::*;
use crate::plan::number::{Numbered, Pool as PoolOf};
use crate::plan::object::Place;
use crate::plan::unit::View;
use fabric::{Frontend, HostId, Pool, Service, ServiceId, Services, TrafficPolicy};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// A service that is being planned.
struct Planning<'v, 'a> {
    view: &'v mut View<'a>,
    place: Place,
    host: &'v HostId,
    service: &'a Service,
    settings: &'a Services,
}

pub(in crate::plan) fn plan_service(
    view: &mut View<'_>,
    host: &HostId,
    id: &ServiceId,
) -> Option<()> {
    let service = view.service(host, id)?;
    let settings = view.services(host)?;
    let mut planning = Planning {
        view,
        place: Place::Node(host.clone()),
        host,
        service,
        settings,
    };
    for frontend in &service.frontends {
        for (address, port) in frontend.places(&settings.node_addresses) {
            let key = key(address, service, port);
            planning.frontend(frontend, address, &key);
        }
    }
    Some(())
}

/// A frontend's key: address, protocol and port, four bytes each.
fn key(address: Ipv4Addr, service: &Service, port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let mut key = address.octets().to_vec();
    key.extend([service.protocol.0, 0, 0, 0, high, low, 0, 0]);
    key
}

impl<'a> Planning<'_, 'a> {
    fn want(&mut self, set: &str, key: &[u8], data: Data) {
        self.view
            .want_element(&self.place, &name(set), one(key.to_vec()), data);
    }

    fn frontend(&mut self, frontend: &'a Frontend, address: Ipv4Addr, key: &[u8]) {
        if frontend.is_internal() {
            self.want(CLUSTER, &address.octets(), Data::Nothing);
        }
        if let Frontend::LoadBalancer { sources, .. } = frontend
            && !sources.is_empty()
        {
            self.guard(key, sources);
        }
        let policy = self.service.policy(frontend);
        let led = match self.service.pool(policy) {
            Pool::Of(_) => self.share(key, false, policy),
            Pool::NoneHere => self.refuse(key, DROPPED),
            Pool::None => self.refuse(key, REJECTED),
        };
        if !self.service.translates(frontend) {
            return;
        }
        let short_cut = policy == TrafficPolicy::Local && !frontend.is_internal();
        let signpost = if short_cut {
            Signpost {
                first: TO_LOCAL,
                led,
                wide: self.share(key, true, TrafficPolicy::Cluster),
            }
        } else {
            Signpost {
                first: led,
                led,
                wide: NOWHERE,
            }
        };
        self.want(FRONTENDS, key, Data::Value(signpost.bytes()));
        if let Some(how) = self.masquerade(frontend, policy) {
            self.want(MASQUERADED, key, Data::Value(number_key(how)));
        }
    }

    /// Notes what becomes of packets that get no backend.
    fn refuse(&mut self, key: &[u8], how: u32) -> u32 {
        self.want(REFUSED, key, Data::Value(number_key(how)));
        NOWHERE
    }

    /// Whose sources become the node's.
    fn masquerade(&self, frontend: &Frontend, policy: TrafficPolicy) -> Option<u32> {
        if frontend.is_internal() {
            let outside = self.settings.pods.is_some().then_some(OUTSIDE);
            return self.settings.masquerade_all.then_some(ALWAYS).or(outside);
        }
        Some(match policy {
            TrafficPolicy::Cluster => ALWAYS,
            TrafficPolicy::Local => FROM_NODE,
        })
    }

    /// The way from a frontend to the pool of a policy, by the short cut or not.
    fn share(&mut self, key: &[u8], wide: bool, policy: TrafficPolicy) -> u32 {
        let local = policy == TrafficPolicy::Local;
        let backends = if local {
            &self.service.local
        } else {
            &self.service.backends
        };
        let pool = PoolOf {
            node: self.host.clone(),
            service: self.service.id.clone(),
            local,
        };
        for backend in backends {
            let own = backend.address.octets();
            self.want(HAIRPINS, &[own, own].concat(), Data::Nothing);
        }
        let seating = Seating {
            pool: &pool,
            backends,
            affinity: self.service.affinity,
            wide,
        };
        seat(self.view, &self.place, key, &seating)
    }

    /// Lets only these sources in.
    fn guard(&mut self, key: &[u8], sources: &[Ipv4Net]) {
        let sources = Ipv4Net::aggregate(&sources.to_vec());
        let number = self.view.number(Numbered::Sources(sources.clone()));
        self.want(GUARDED, key, Data::Value(number_key(number)));
        for range in sources {
            let end = |address: Ipv4Addr| [number_key(number), address.octets().to_vec()].concat();
            let keys = Keys::Range(end(range.network()), end(range.broadcast()));
            self.view
                .want_element(&self.place, &name(SOURCES), keys, Data::Nothing);
        }
    }
}
