//! Units: the parts of a fabric that are planned one by one.
//!
//! Planning a unit is a pure function of what it reads in the fabric, and what it reads is written
//! down. When an entity changes, the units that read it are planned again, and only they.

use super::number::{Numbered, Numbers};
use super::object::{Key, Object, Place, Thing};
use super::{filter, gateway, host, network, port, route_table, segment};
use crate::netlink::nftables::set::Keys;
use crate::netlink::nftables::{Base, Data, Name, Rule, SetShape};
use crate::netlink::route::route::Action;
use fabric::{
    AddressSet, AddressSetId, Fabric, Filter, FilterId, Gateway, GatewayId, Host, HostId, Network,
    NetworkId, Port, PortId, RouteTable, RouteTableId, Segment, SegmentId,
};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;

/// An entity of the fabric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Entity {
    Network(NetworkId),
    Segment(SegmentId),
    Host(HostId),
    Port(PortId),
    RouteTable(RouteTableId),
    Gateway(GatewayId),
    Filter(FilterId),
    /// What ports have to know of a filter.
    Openness(FilterId),
    AddressSet(AddressSetId),
}

/// Which of a filter's two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Way {
    /// What arrives.
    Ingress,
    /// What leaves.
    Egress,
}

impl Way {
    /// A word for names of chains and sets.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ingress => "in",
            Self::Egress => "out",
        }
    }
}

/// A part that is planned by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Unit {
    /// An entity.
    Of(Entity),
    /// One list of a filter, in a place where something uses it.
    FilterIn(Place, FilterId, Way),
}

/// What a unit came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planned {
    /// The things it wants.
    pub(crate) objects: Vec<(Key, Object)>,
    /// What it read.
    pub(crate) read: BTreeSet<Entity>,
    /// The units it needs.
    pub(crate) needs: BTreeSet<Unit>,
}

/// A unit's view of the fabric, which writes down what it reads.
pub(crate) struct View<'a> {
    fabric: &'a Fabric,
    numbers: &'a mut Numbers,
    planned: Planned,
}

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident: $id:ident => $value:ident in $map:ident as $entity:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(&mut self, id: &$id) -> Option<&'a $value> {
            self.planned.read.insert(Entity::$entity(id.clone()));
            self.fabric.$map.get(id).map(AsRef::as_ref)
        }
    )*};
}

impl<'a> View<'a> {
    readers! {
        /// A network.
        network: NetworkId => Network in networks as Network;
        /// A segment.
        segment: SegmentId => Segment in segments as Segment;
        /// A host.
        host: HostId => Host in hosts as Host;
        /// A port.
        port: PortId => Port in ports as Port;
        /// A route table.
        route_table: RouteTableId => RouteTable in route_tables as RouteTable;
        /// A gateway.
        gateway: GatewayId => Gateway in gateways as Gateway;
        /// A filter.
        filter: FilterId => Filter in filters as Filter;
        /// An address set.
        address_set: AddressSetId => AddressSet in address_sets as AddressSet;
    }

    /// What a port has to know of a filter: most changes of a filter leave its ports as they are.
    pub(super) fn openness(&mut self, id: &FilterId) -> Option<filter::Openness> {
        self.planned.read.insert(Entity::Openness(id.clone()));
        let filter = self.fabric.filters.get(id)?;
        Some(filter::Openness::of(filter))
    }

    /// A thing's number.
    pub(crate) fn number(&mut self, thing: Numbered) -> u32 {
        self.numbers.of(thing)
    }

    /// A list of a filter in a place: the unit is needed from now on.
    pub(crate) fn need_filter(&mut self, place: &Place, filter: &FilterId, way: Way) {
        self.planned
            .needs
            .insert(Unit::FilterIn(place.clone(), filter.clone(), way));
    }

    /// Wants a thing.
    pub(crate) fn want(&mut self, place: &Place, thing: Thing, object: Object) {
        let key = Key {
            place: place.clone(),
            thing,
        };
        self.planned.objects.push((key, object));
    }

    /// Wants a namespace setting.
    pub(crate) fn want_setting(&mut self, place: &Place, file: &'static str, value: &str) {
        self.want(
            place,
            Thing::Setting(file),
            Object::Setting(value.to_owned()),
        );
    }

    /// Wants a route.
    pub(crate) fn want_route(
        &mut self,
        place: &Place,
        table: u32,
        prefix: Ipv4Net,
        metric: u32,
        action: Action,
    ) {
        self.want(
            place,
            Thing::Route(table, prefix.trunc(), metric),
            Object::Route(action),
        );
    }

    /// Wants a set or map.
    pub(crate) fn want_set(&mut self, place: &Place, name: &Name, shape: SetShape) {
        self.want(place, Thing::Set(name.clone()), Object::Set(shape));
    }

    /// Wants an element of a set.
    pub(crate) fn want_element(&mut self, place: &Place, set: &Name, keys: Keys, data: Data) {
        self.want(
            place,
            Thing::Element(set.clone(), keys),
            Object::Element(data),
        );
    }

    /// Wants a chain.
    pub(crate) fn want_chain(
        &mut self,
        place: &Place,
        name: &Name,
        base: Option<Base>,
        rules: Vec<Rule>,
    ) {
        let chain = super::object::Chain { base, rules };
        self.want(place, Thing::Chain(name.clone()), Object::Chain(chain));
    }
}

impl Unit {
    /// Whether it should be there at all, when nothing needs it.
    pub(crate) fn stands_alone(&self, fabric: &Fabric) -> bool {
        match self {
            Self::Of(Entity::Network(id)) => fabric.networks.contains_key(id),
            Self::Of(Entity::Segment(id)) => fabric.segments.contains_key(id),
            Self::Of(Entity::Host(id)) => fabric.hosts.contains_key(id),
            Self::Of(Entity::Port(id)) => fabric.ports.contains_key(id),
            Self::Of(Entity::RouteTable(id)) => fabric.route_tables.contains_key(id),
            Self::Of(Entity::Gateway(id)) => fabric.gateways.contains_key(id),
            // Filters and address sets have no being of their own: those who use them need units.
            Self::Of(Entity::Filter(_) | Entity::Openness(_) | Entity::AddressSet(_))
            | Self::FilterIn(..) => false,
        }
    }

    /// Plans it.
    pub(crate) fn plan(&self, fabric: &Fabric, numbers: &mut Numbers) -> Planned {
        let mut view = View {
            fabric,
            numbers,
            planned: Planned::default(),
        };
        // None only says that something referred to isn't there: then it wants what it wanted so far.
        let _ = match self {
            Self::Of(Entity::Network(id)) => network::plan(&mut view, id),
            Self::Of(Entity::Segment(id)) => segment::plan(&mut view, id),
            Self::Of(Entity::Host(id)) => host::plan(&mut view, id),
            Self::Of(Entity::Port(id)) => port::plan(&mut view, id),
            Self::Of(Entity::RouteTable(id)) => route_table::plan(&mut view, id),
            Self::Of(Entity::Gateway(id)) => gateway::plan(&mut view, id),
            Self::Of(Entity::Filter(_) | Entity::Openness(_) | Entity::AddressSet(_)) => None,
            Self::FilterIn(place, id, way) => filter::plan(&mut view, place, id, *way),
        };
        view.planned
    }
}
