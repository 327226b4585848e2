//! A pod's network policies.
//!
//! The stages are those of a network's ports ([`crate::plan::layer`]), only that a pod is known by its
//! address: its policies are enforced on what the node forwards, after services gave packets a backend
//! and before sources are translated. Whatever comes from the node itself, or goes to it, is not
//! forwarded, so policies have no say there.

use crate::netlink::nftables::{Data, DataKind};
use crate::plan::dispatch::*;
use crate::plan::layer::{Stage, plan_layer, remember};
use crate::plan::object::Place;
use crate::plan::unit::{View, Way};
use fabric::{HostId, Layer};
use std::net::Ipv4Addr;

/// Each pod's address twice: a pod can't be isolated from itself.
const SELVES: &str = "selves";

pub(in crate::plan) fn plan_pod(
    view: &mut View<'_>,
    host: &HostId,
    address: Ipv4Addr,
) -> Option<()> {
    let isolation = view.pod(host, address)?;
    let place = &Place::Node(host.clone());
    let pod = address.octets();
    let twice = [pod, pod].concat();
    view.want_set(place, &name(SELVES), shape(8, DataKind::Nothing, false));
    view.want_element(place, &name(SELVES), one(twice), Data::Nothing);
    let to_itself = vec![source(R0), destination(R1), found(SELVES, R0), accept()];
    for way in [Way::Egress, Way::Ingress] {
        let stage = Stage::of_pods(way);
        if let Some(policies) = isolation.policies(way == Way::Ingress) {
            let layer = Layer::AnyOf(policies.to_vec());
            let always = Some(to_itself.clone());
            plan_layer(view, place, &pod, &stage, 0, &layer, always);
        }
        // Those that aren't isolated too: policies that come later leave their flows alone.
        remember(view, place, &pod, &stage, Vec::new());
    }
    Some(())
}
