//! Networks: guards, layers, routes and boundaries.

use super::filter::{Decision, decide};
use super::index::{Owner, Translation};
use super::journey::{End, Journey, Stop};
use super::state::{Leg, Side};
use crate::{
    DropCause, DropReason, FilterId, Flow, Gateway, HopAction, Layer, NetworkId, Port, Route,
    RouteTable, RouteTableId, Segment, Target,
};

/// Where a packet leaves a network.
#[derive(Clone, Copy)]
pub(super) enum Exit<'a> {
    Port(&'a Port),
    Gateway(&'a Gateway),
    Public(Translation<'a>),
}

impl<'a> Journey<'_, 'a> {
    /// A packet enters its network by a port.
    pub(super) fn leave(&mut self, port: &'a Port, packet: Flow) -> Result<End<'a>, Stop> {
        self.guard(port, packet, Leg::Out)?;
        let network = self.walker.fabric.networks.get(&port.network);
        if network.is_some_and(|network| network.services.contains(&packet.destination)) {
            let detail = format!("the network's own service at {}", packet.destination);
            self.hop(
                &port.network,
                Some(port.network.as_str()),
                None,
                HopAction::Deliver,
                detail,
            );
            return Ok(End::Service { port, packet });
        }
        self.steer(port, packet);
        self.layers(port, packet, Leg::Out)?;
        let segment = self.segment(port);
        let table = segment.map(|segment| &segment.route_table);
        let exit = self.way_on(&port.network, table, packet)?;
        self.pass(&port.network, segment, exit, packet)
    }

    /// A network's service answers a port.
    pub(super) fn service_answers(
        &mut self,
        port: &'a Port,
        packet: Flow,
    ) -> Result<End<'a>, Stop> {
        self.hop(
            &port.id,
            Some(port.network.as_str()),
            None,
            HopAction::Route,
            "the service's answer",
        );
        self.reach(port, packet)
    }

    /// A packet enters a network by a gateway, whose own table routes it if it has one.
    pub(super) fn enter(
        &mut self,
        network: &'a NetworkId,
        table: Option<&'a RouteTableId>,
        packet: Flow,
    ) -> Result<End<'a>, Stop> {
        let exit = self.way_on(network, table, packet)?;
        self.pass(network, None, exit, packet)
    }

    /// Where a packet leaves the network: by the balancer's node that passed on what it answers, or
    /// as a route table says.
    fn way_on(
        &mut self,
        network: &'a NetworkId,
        table: Option<&'a RouteTableId>,
        packet: Flow,
    ) -> Result<Exit<'a>, Stop> {
        if let Some(port) = self.steered(network, packet) {
            let node = port
                .host
                .as_ref()
                .map_or(port.id.as_str(), |(host, _)| host.as_str());
            let detail = format!("back to {node}, which passed on what it answers");
            let at = Some(network.as_str());
            self.hop(network, at, None, HopAction::Route, detail);
            return Ok(Exit::Port(port));
        }
        match table {
            Some(table) => self.route(network, table, packet),
            None => self.local(network, packet),
        }
    }

    fn segment(&self, port: &Port) -> Option<&'a Segment> {
        self.walker
            .fabric
            .segments
            .get(&port.segment)
            .map(AsRef::as_ref)
    }

    fn guard(&mut self, port: &Port, packet: Flow, leg: Leg) -> Result<(), Stop> {
        let (address, word) = match leg {
            Leg::Out => (packet.source, "source"),
            Leg::In => (packet.destination, "destination"),
        };
        // A balancer's node sends under its clients' addresses, and gets what answers that.
        let passed_on = match leg {
            Leg::Out => self.walker.index.passes_on(port),
            Leg::In => self
                .steered(&port.network, packet)
                .is_some_and(|node| node.id == port.id),
        };
        if !port.guard || port.owns(address) || passed_on {
            return Ok(());
        }
        let detail =
            format!("the {word} {address} is not its own, and its source/destination check is on");
        self.hop(
            &port.id,
            Some(port.id.as_str()),
            None,
            HopAction::Deny,
            detail,
        );
        Err(DropReason::Guard {
            port: port.id.clone(),
            address,
            ingress: leg == Leg::In,
        }
        .into())
    }

    /// A port's layers, unless the port knows the flow.
    fn layers(&mut self, port: &Port, packet: Flow, leg: Leg) -> Result<(), Stop> {
        if port.layers.is_empty() {
            return Ok(());
        }
        let side = Side::Port(port.id.clone());
        if self.state.is_tracked(&side, packet, leg) {
            let filter = first_filter(&port.layers[0]);
            self.hop(
                &port.id,
                filter.map(FilterId::as_str),
                None,
                HopAction::Allow,
                "an answer to a tracked connection",
            );
            return Ok(());
        }
        let in_order: Vec<&Layer> = match leg {
            Leg::Out => port.layers.iter().collect(),
            Leg::In => port.layers.iter().rev().collect(),
        };
        for layer in in_order {
            self.layer(port, layer, packet, leg)?;
        }
        self.state.track(side, packet, leg);
        Ok(())
    }

    fn layer(&mut self, port: &Port, layer: &Layer, packet: Flow, leg: Leg) -> Result<(), Stop> {
        let ingress = leg == Leg::In;
        let filters = match layer {
            Layer::AnyOf(filters) => filters.as_slice(),
            Layer::First(filter) => std::slice::from_ref(filter),
        };
        let mut denied = None;
        for id in filters {
            let Some(filter) = self.walker.fabric.filters.get(id) else {
                continue;
            };
            match decide(&self.walker.fabric.address_sets, filter, ingress, &packet) {
                Decision::Allow(rule) => {
                    let side = if ingress { "inbound" } else { "outbound" };
                    self.hop(
                        &port.id,
                        Some(id.as_str()),
                        Some(&rule),
                        HopAction::Allow,
                        format!("{side} {packet}"),
                    );
                    return Ok(());
                }
                Decision::Deny(Some(rule)) => denied = denied.or(Some((id.clone(), rule))),
                Decision::Deny(None) => {}
            }
        }
        let side = if ingress { "inbound" } else { "outbound" };
        let detail = match &denied {
            Some(_) => format!("{side} {packet} is denied"),
            None => format!("no {side} rule allows {packet}"),
        };
        let resource = denied
            .as_ref()
            .map(|(id, _)| id)
            .or_else(|| filters.first());
        let rule = denied.as_ref().map(|(_, rule)| rule);
        self.hop(
            &port.id,
            resource.map(FilterId::as_str),
            rule,
            HopAction::Deny,
            detail,
        );
        Err(DropReason::PortFilter {
            port: port.id.clone(),
            layer: layer.clone(),
            rule: denied,
            ingress,
            packet,
        }
        .into())
    }

    /// Asks a route table where a packet leaves the network.
    fn route(
        &mut self,
        network: &'a NetworkId,
        id: &'a RouteTableId,
        packet: Flow,
    ) -> Result<Exit<'a>, Stop> {
        let table = self.walker.fabric.route_tables.get(id);
        let Some(route) = table.and_then(|table| RouteTable::lookup(table, packet.destination))
        else {
            let detail = format!("no route to {}", packet.destination);
            self.hop(id, Some(id.as_str()), None, HopAction::Deny, detail);
            return Err(DropReason::NoRoute {
                table: id.clone(),
                destination: packet.destination,
            }
            .into());
        };
        let told = |to: &str| format!("{} → {to}", route.prefix);
        let told_port = |port: &Port| match &port.host {
            Some((host, _)) => format!("{} → {host} ({})", route.prefix, port.id),
            None => told(port.id.as_str()),
        };
        match &route.target {
            Target::Local => {
                self.hop(
                    id,
                    Some(id.as_str()),
                    Some(&route.id),
                    HopAction::Route,
                    told("local"),
                );
                self.local(network, packet)
            }
            Target::Drop(cause) => Err(self.drop_by_route(id, route, cause, packet)),
            Target::Port(target) => match self.walker.fabric.ports.get(target) {
                Some(port) if port.network == *network => {
                    self.hop(
                        id,
                        Some(id.as_str()),
                        Some(&route.id),
                        HopAction::Route,
                        told_port(port),
                    );
                    Ok(Exit::Port(port))
                }
                _ => Err(self.drop_by_route(
                    id,
                    route,
                    &DropCause::TargetGone(target.to_string()),
                    packet,
                )),
            },
            Target::Gateway(target) => match self.walker.fabric.gateways.get(target) {
                Some(gateway) => {
                    self.hop(
                        id,
                        Some(id.as_str()),
                        Some(&route.id),
                        HopAction::Route,
                        told(target.as_str()),
                    );
                    Ok(Exit::Gateway(gateway))
                }
                None => Err(self.drop_by_route(
                    id,
                    route,
                    &DropCause::TargetGone(target.to_string()),
                    packet,
                )),
            },
        }
    }

    fn drop_by_route(
        &mut self,
        table: &RouteTableId,
        route: &Route,
        cause: &DropCause,
        packet: Flow,
    ) -> Stop {
        let detail = match cause {
            DropCause::TargetGone(target) => {
                format!("{} → {target}: blackhole, the target is gone", route.prefix)
            }
            DropCause::ByRule => format!("{} → none", route.prefix),
        };
        self.hop(
            table,
            Some(table.as_str()),
            Some(&route.id),
            HopAction::Deny,
            detail,
        );
        let (table, route, cause) = (table.clone(), route.id.clone(), cause.clone());
        DropReason::RouteDrops {
            table,
            route,
            cause,
            destination: packet.destination,
        }
        .into()
    }

    /// Whoever has the destination in a network.
    fn local(&mut self, network: &'a NetworkId, packet: Flow) -> Result<Exit<'a>, Stop> {
        match self.walker.index.owner(network, packet.destination) {
            Some(Owner::Port(port)) => Ok(Exit::Port(port)),
            Some(Owner::Gateway(translation)) => Ok(Exit::Public(translation)),
            None => {
                let detail = format!("nothing has {}", packet.destination);
                self.hop(
                    network,
                    Some(network.as_str()),
                    None,
                    HopAction::Deny,
                    detail,
                );
                Err(DropReason::NoSuchAddress {
                    network: network.clone(),
                    destination: packet.destination,
                }
                .into())
            }
        }
    }

    /// Boundaries, then the port's layers and guard, or the gateway.
    fn pass(
        &mut self,
        network: &'a NetworkId,
        from: Option<&'a Segment>,
        exit: Exit<'a>,
        packet: Flow,
    ) -> Result<End<'a>, Stop> {
        let to = match exit {
            Exit::Port(port) => self.segment(port),
            Exit::Gateway(_) | Exit::Public(_) => None,
        };
        if from.map(|segment| &segment.id) != to.map(|segment| &segment.id) {
            self.boundary(from, packet, false)?;
            self.boundary(to, packet, true)?;
        }
        match exit {
            Exit::Port(port) => {
                self.layers(port, packet, Leg::In)?;
                self.guard(port, packet, Leg::In)?;
                self.reach(port, packet)
            }
            Exit::Gateway(gateway) => self.gateway(network, gateway, packet),
            Exit::Public(translation) => self.inward(translation.id, translation.gateway, packet),
        }
    }

    fn boundary(
        &mut self,
        segment: Option<&Segment>,
        packet: Flow,
        ingress: bool,
    ) -> Result<(), Stop> {
        let Some(segment) = segment else {
            return Ok(());
        };
        let Some(id) = &segment.boundary else {
            return Ok(());
        };
        let Some(filter) = self.walker.fabric.filters.get(id) else {
            return Err(Stop::Unknown(format!(
                "{} has the filter {id}, which does not exist",
                segment.id
            )));
        };
        let side = if ingress { "inbound" } else { "outbound" };
        match decide(&self.walker.fabric.address_sets, filter, ingress, &packet) {
            Decision::Allow(rule) => {
                self.hop(
                    &segment.id,
                    Some(id.as_str()),
                    Some(&rule),
                    HopAction::Allow,
                    format!("{side} {packet}"),
                );
                Ok(())
            }
            Decision::Deny(rule) => {
                let detail = format!("{side} {packet} is denied");
                self.hop(
                    &segment.id,
                    Some(id.as_str()),
                    rule.as_ref(),
                    HopAction::Deny,
                    detail,
                );
                let (segment, filter) = (segment.id.clone(), id.clone());
                Err(DropReason::BoundaryFilter {
                    segment,
                    filter,
                    rule,
                    ingress,
                    packet,
                }
                .into())
            }
        }
    }
}

fn first_filter(layer: &Layer) -> Option<&FilterId> {
    match layer {
        Layer::AnyOf(filters) => filters.first(),
        Layer::First(filter) => Some(filter),
    }
}
