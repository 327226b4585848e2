//! A listener of a node, as elements: one a transport.

use super::{Idle, LISTENERS, place_of};
use crate::netlink::nftables::Data;
use crate::netlink::nftables::set::Keys;
use crate::plan::dispatch::*;
use crate::plan::number::Numbered;
use crate::plan::unit::View;
use fabric::balancer::{Service, Transport};
use fabric::{BalancerId, HostId, ListenerId, Protocol};

pub(in crate::plan) fn plan_listener(
    view: &mut View<'_>,
    balancer: &BalancerId,
    host: &HostId,
    id: &ListenerId,
) -> Option<()> {
    let listener = view.listener(balancer, host, id)?;
    let Service::Forward(forwarding) = &listener.service else {
        return None;
    };
    // Nothing here passes packets on under the node's own address.
    (!forwarding.keeps_destination).then_some(())?;
    let place = &place_of(view, host)?;
    let pool = view.need_members(balancer, host, &forwarding.pool);
    let pool = view.number(Numbered::Members(pool));
    for transport in &listener.transports {
        let protocol = match transport {
            Transport::Tcp => Protocol::TCP,
            Transport::Udp => Protocol::UDP,
        };
        let end = |port: u16| {
            let [high, low] = port.to_be_bytes();
            vec![protocol.0, 0, 0, 0, high, low, 0, 0]
        };
        let keys = Keys::Range(end(listener.ports.low), end(listener.ports.high));
        let idle = Idle {
            transport: *transport,
            seconds: forwarding.idle_timeout,
        };
        view.need_idle(place, idle);
        let idle = view.number(Numbered::Idle(idle));
        let value = [number_key(pool), number_key(idle)].concat();
        view.want_element(place, &name(LISTENERS), keys, Data::Value(value));
    }
    Some(())
}
