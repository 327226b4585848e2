//! Units: the parts of a fabric that are planned one by one.
//!
//! Planning a unit is a pure function of what it reads in the fabric, and what it reads is written
//! down. When an entity changes, the units that read it are planned again, and only they.

use super::balancer::{self, Balancing, Draw, Idle};
use super::member::Kept;
use super::node::{self, Pick};
use super::number::{MembersOf, Numbered, Numbers, Pool};
use super::object::{Key, Object, Place, Thing};
use super::{filter, gateway, host, network, port, route_table, segment};
use crate::netlink::nftables::set::Keys;
use crate::netlink::nftables::{Base, Data, Name, Rule, SetShape};
use crate::netlink::route::route::Action;
use fabric::balancer::{Balancer, Listener, Pool as MemberPool};
use fabric::{
    AddressSet, AddressSetId, BalancerId, Fabric, Filter, FilterId, Gateway, GatewayId, Host,
    HostId, Isolation, ListenerId, Network, NetworkId, Node, PoolId, Port, PortId, RouteTable,
    RouteTableId, Segment, SegmentId, Service, ServiceId, Services, SourceNat,
};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

/// An entity of the fabric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Entity {
    /// A node of a balancer that passes packets on: its zone, not its listeners. It comes first: that
    /// its namespace forwards goes before what its host says.
    BalancerNode(BalancerId, HostId),
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
    /// What holds for all services of a node.
    Services(HostId),
    /// A service of a node.
    Service(HostId, ServiceId),
    /// A pod of a node.
    Pod(HostId, Ipv4Addr),
    /// A node's source translation.
    SourceNat(HostId),
    /// Whether a host passes packets on as a balancer's node.
    Balancing(HostId),
    /// A listener, at a node.
    Listener(BalancerId, HostId, ListenerId),
    /// A pool, at a node.
    Members(BalancerId, HostId, PoolId),
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
    /// A way of picking a backend, in a node where a service picks so.
    PickIn(Place, Pick),
    /// A way of drawing a member, in a balancer's node that draws so.
    DrawIn(Place, Draw),
    /// After how long flows are forgotten, in a balancer's node with such flows.
    IdleIn(Place, Idle),
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
    /// What it remembers for members of sets that come and go.
    pub(super) kept: Option<Kept>,
}

/// A unit's view of the fabric, which writes down what it reads.
pub(crate) struct View<'a> {
    fabric: &'a Fabric,
    balancing: &'a Balancing,
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

    fn node(&self, host: &HostId) -> Option<&'a Node> {
        self.fabric.nodes.get(host).map(AsRef::as_ref)
    }

    /// What holds for all services of a node; only look at the services themselves by
    /// [`Self::service`].
    pub(super) fn services(&mut self, host: &HostId) -> Option<&'a Services> {
        self.planned.read.insert(Entity::Services(host.clone()));
        self.node(host).map(|node| &node.services)
    }

    /// A service of a node.
    pub(super) fn service(&mut self, host: &HostId, id: &ServiceId) -> Option<&'a Service> {
        let entity = Entity::Service(host.clone(), id.clone());
        self.planned.read.insert(entity);
        let service = self.node(host)?.services.services.get(id)?;
        Some(service)
    }

    /// A pod of a node.
    pub(super) fn pod(&mut self, host: &HostId, address: Ipv4Addr) -> Option<&'a Isolation> {
        self.planned.read.insert(Entity::Pod(host.clone(), address));
        let isolation = self.node(host)?.policies.pods.get(&address)?;
        Some(isolation)
    }

    /// A node's source translation.
    pub(super) fn source_nat(&mut self, host: &HostId) -> Option<&'a SourceNat> {
        self.planned.read.insert(Entity::SourceNat(host.clone()));
        self.node(host)?.source_nat.as_ref()
    }

    /// A pool's backends in their seats.
    pub(super) fn seats(
        &mut self,
        pool: &Pool,
        backends: &BTreeSet<SocketAddrV4>,
    ) -> Vec<SocketAddrV4> {
        let pool = Numbered::Pool(pool.clone());
        self.numbers.seats(pool, backends).to_vec()
    }

    /// Whether a host passes packets on as a balancer's node.
    pub(super) fn balancing(&mut self, host: &HostId) -> bool {
        self.planned.read.insert(Entity::Balancing(host.clone()));
        self.balancing.has(host)
    }

    /// A balancer that passes packets on, if a host is its node; only look at its listeners and pools by
    /// [`Self::listener`] and [`Self::members`].
    pub(super) fn balancer_node(&mut self, id: &BalancerId, host: &HostId) -> Option<&'a Balancer> {
        let entity = Entity::BalancerNode(id.clone(), host.clone());
        self.planned.read.insert(entity);
        let balancer = self.fabric.balancers.get(id)?;
        (balancer.nodes.contains_key(host) && balancer.forwards()).then_some(balancer)
    }

    /// A listener, at a node.
    pub(super) fn listener(
        &mut self,
        balancer: &BalancerId,
        host: &HostId,
        id: &ListenerId,
    ) -> Option<&'a Listener> {
        let entity = Entity::Listener(balancer.clone(), host.clone(), id.clone());
        self.planned.read.insert(entity);
        let mut listeners = self.fabric.balancers.get(balancer)?.listeners.iter();
        listeners
            .find(|listener| listener.id == *id)
            .map(AsRef::as_ref)
    }

    /// A pool, at a node.
    pub(super) fn members(&mut self, of: &MembersOf) -> Option<&'a MemberPool> {
        let entity = Entity::Members(of.balancer.clone(), of.host.clone(), of.pool.clone());
        self.planned.read.insert(entity);
        let balancer = self.fabric.balancers.get(&of.balancer)?;
        balancer.pools.get(&of.pool).map(AsRef::as_ref)
    }

    /// A pool's members at a node, in their seats.
    pub(super) fn member_seats(
        &mut self,
        of: &MembersOf,
        members: &BTreeSet<SocketAddrV4>,
    ) -> Vec<SocketAddrV4> {
        let of = Numbered::Members(of.clone());
        self.numbers.seats(of, members).to_vec()
    }

    /// A pool at a node: the unit is needed from now on.
    pub(super) fn need_members(
        &mut self,
        balancer: &BalancerId,
        host: &HostId,
        pool: &PoolId,
    ) -> MembersOf {
        let entity = Entity::Members(balancer.clone(), host.clone(), pool.clone());
        self.planned.needs.insert(Unit::Of(entity));
        MembersOf {
            balancer: balancer.clone(),
            host: host.clone(),
            pool: pool.clone(),
        }
    }

    /// A way of drawing a member: the unit is needed from now on.
    pub(super) fn need_draw(&mut self, place: &Place, draw: Draw) {
        self.planned.needs.insert(Unit::DrawIn(place.clone(), draw));
    }

    /// How long flows are remembered: the unit is needed from now on.
    pub(super) fn need_idle(&mut self, place: &Place, idle: Idle) {
        self.planned.needs.insert(Unit::IdleIn(place.clone(), idle));
    }

    /// A way of picking a backend: the unit is needed from now on.
    pub(super) fn need_pick(&mut self, place: &Place, pick: Pick) {
        self.planned.needs.insert(Unit::PickIn(place.clone(), pick));
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

    /// Remembers what the unit's elements follow from, for members that come and go.
    pub(super) fn keep(&mut self, kept: Kept) {
        self.planned.kept = Some(kept);
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
            Self::Of(Entity::Services(host)) => fabric
                .nodes
                .get(host)
                .is_some_and(|node| node.services != Services::default()),
            Self::Of(Entity::Service(host, id)) => fabric
                .nodes
                .get(host)
                .is_some_and(|node| node.services.services.contains_key(id)),
            Self::Of(Entity::Pod(host, address)) => fabric
                .nodes
                .get(host)
                .is_some_and(|node| node.policies.pods.contains_key(address)),
            Self::Of(Entity::SourceNat(host)) => fabric
                .nodes
                .get(host)
                .is_some_and(|node| node.source_nat.is_some()),
            Self::Of(Entity::BalancerNode(id, host)) => fabric
                .balancers
                .get(id)
                .is_some_and(|of| of.nodes.contains_key(host) && of.forwards()),
            Self::Of(Entity::Listener(id, host, listener)) => {
                fabric.balancers.get(id).is_some_and(|of| {
                    of.nodes.contains_key(host) && of.listeners.iter().any(|one| one.id == *listener)
                })
            }
            // Filters and address sets have no being of their own: those who use them need units.
            Self::Of(Entity::Filter(_) | Entity::Openness(_) | Entity::AddressSet(_))
            // So have pools; and whether a host is a balancer's node is only asked.
            | Self::Of(Entity::Members(..) | Entity::Balancing(_))
            | Self::FilterIn(..)
            | Self::PickIn(..)
            | Self::DrawIn(..)
            | Self::IdleIn(..) => false,
        }
    }

    /// Plans it.
    pub(super) fn plan(
        &self,
        fabric: &Fabric,
        balancing: &Balancing,
        numbers: &mut Numbers,
    ) -> Planned {
        let mut view = View {
            fabric,
            balancing,
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
            Self::Of(
                Entity::Filter(_)
                | Entity::Openness(_)
                | Entity::AddressSet(_)
                | Entity::Balancing(_),
            ) => None,
            Self::Of(Entity::BalancerNode(id, host)) => balancer::plan_node(&mut view, id, host),
            Self::Of(Entity::Listener(id, host, listener)) => {
                balancer::plan_listener(&mut view, id, host, listener)
            }
            Self::Of(Entity::Members(balancer, host, pool)) => {
                let of = MembersOf {
                    balancer: balancer.clone(),
                    host: host.clone(),
                    pool: pool.clone(),
                };
                balancer::plan_members(&mut view, &of)
            }
            Self::Of(Entity::Services(host)) => node::plan_services(&mut view, host),
            Self::Of(Entity::Service(host, id)) => node::plan_service(&mut view, host, id),
            Self::Of(Entity::Pod(host, address)) => node::plan_pod(&mut view, host, *address),
            Self::Of(Entity::SourceNat(host)) => node::plan_source_nat(&mut view, host),
            Self::FilterIn(place, id, way) => filter::plan(&mut view, place, id, *way),
            Self::PickIn(place, pick) => node::plan_pick(&mut view, place, pick),
            Self::DrawIn(place, draw) => balancer::plan_draw(&mut view, place, draw),
            Self::IdleIn(place, idle) => balancer::plan_idle(&mut view, place, *idle),
        };
        view.planned
    }
}
