//! Network policies, asked by the node on which a pod is.

use super::filter::{Decision, decide};
use super::journey::{Journey, Stop};
use super::state::{Leg, Side};
use crate::{DropReason, FilterId, Flow, HopAction, Host, Isolation, NodeDrop, Policies};
use std::net::Ipv4Addr;

impl<'a> Journey<'_, 'a> {
    /// A node forwards a packet: the policies of the pods at both ends, where these are its own.
    pub(super) fn policies(&mut self, host: &'a Host, packet: Flow) -> Result<(), Stop> {
        let Some(indexed) = self.walker.index.node(&host.id) else {
            return Ok(());
        };
        // A pod can't be isolated from itself.
        if packet.source == packet.destination {
            return Ok(());
        }
        let policies = &indexed.node.policies;
        self.side(host, policies, packet.source, packet, Leg::Out)?;
        self.side(host, policies, packet.destination, packet, Leg::In)
    }

    fn side(
        &mut self,
        host: &'a Host,
        policies: &'a Policies,
        address: Ipv4Addr,
        packet: Flow,
        leg: Leg,
    ) -> Result<(), Stop> {
        let Some(isolation) = policies.pods.get(&address) else {
            return Ok(());
        };
        let side = Side::Pod(host.id.clone(), address);
        let selecting = isolation.policies(leg == Leg::In);
        if self.state.is_tracked(&side, packet, leg) {
            if let Some(filters) = selecting {
                let first = filters.first().map(FilterId::as_str);
                let detail = format!("an answer to a connection of {}", isolation.pod);
                self.hop(&host.id, first, None, HopAction::Allow, detail);
            }
            return Ok(());
        }
        if let Some(filters) = selecting {
            self.any_policy(host, policies, isolation, filters, packet, leg)?;
        }
        self.state.track(side, packet, leg);
        Ok(())
    }

    fn any_policy(
        &mut self,
        host: &'a Host,
        policies: &'a Policies,
        isolation: &'a Isolation,
        filters: &'a [FilterId],
        packet: Flow,
        leg: Leg,
    ) -> Result<(), Stop> {
        let ingress = leg == Leg::In;
        let side = if ingress { "ingress to" } else { "egress from" };
        let pod = &isolation.pod;
        for id in filters {
            let Some(filter) = policies.filters.get(id) else {
                continue;
            };
            if let Decision::Allow(rule) = decide(&policies.address_sets, filter, ingress, &packet)
            {
                let detail = format!("{side} {pod}: {packet}");
                let resource = Some(id.as_str());
                self.hop(&host.id, resource, Some(&rule), HopAction::Allow, detail);
                return Ok(());
            }
        }
        let detail = format!("no policy allows {side} {pod}: {packet}");
        let resource = filters.first().map(FilterId::as_str);
        self.hop(&host.id, resource, None, HopAction::Deny, detail);
        Err(DropReason::Node {
            host: host.id.clone(),
            why: NodeDrop::Policy {
                pod: pod.clone(),
                policies: filters.to_vec(),
                ingress,
                packet,
            },
        }
        .into())
    }
}
