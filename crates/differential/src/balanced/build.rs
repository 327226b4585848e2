//! Balancers as steps put them over an account's fabric.

use super::scenario::{Kind, Scenario, Step};
use crate::build::{Built, build};
use crate::compare::private;
use crate::scenario::{Place, Scenario as Account, Step as AccountStep};
use fabric::balancer::{
    Balancer, Forwarding, Listener, Member, Node, Pool, Service, SourceSeen, Stream, Transport,
};
use fabric::{
    BalancerId, Fabric, FilterId, GatewayId, GatewayKind, Host, HostId, HostRoute, Layer, Mac,
    NumberRange, PoolId, Port, PortId, SegmentId,
};
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A scenario's account, and the balancers that its steps have made so far.
pub(super) struct Balanced {
    seed: u64,
    pub(super) account: Built,
    /// The account's fabric with them.
    pub(super) fabric: Fabric,
    /// The subnet's number of each instance.
    subnet_of: BTreeMap<usize, usize>,
}

impl Balanced {
    /// The account alone.
    pub(super) fn new(scenario: &Scenario) -> Self {
        let steps = scenario.steps.iter().filter_map(|step| match step {
            Step::Account(step) => Some(step.clone()),
            _ => None,
        });
        let account = Account {
            seed: scenario.seed,
            steps: steps.collect(),
            flows: Vec::new(),
        };
        let subnets = account.steps.iter().filter_map(|step| match step {
            AccountStep::Instance { number, subnet, .. } => Some((*number, *subnet)),
            _ => None,
        });
        let subnet_of = subnets.collect();
        let account = build(&account);
        Self {
            seed: scenario.seed,
            fabric: account.fabric.clone(),
            account,
            subnet_of,
        }
    }

    pub(super) fn node(&self, balancer: usize, node: usize) -> HostId {
        format!("lb-{:x}-{balancer}-{node}", self.seed).into()
    }

    fn id(&self, balancer: usize) -> BalancerId {
        format!("lb-{:x}-{balancer}", self.seed).into()
    }

    fn balancer(&mut self, number: usize) -> Option<&mut Balancer> {
        let id = self.id(number);
        self.fabric.balancers.get_mut(&id).map(Arc::make_mut)
    }

    fn pool(&mut self, balancer: usize, number: usize) -> Option<&mut Pool> {
        let pools = &mut self.balancer(balancer)?.pools;
        pools.get_mut(&pool_id(number)).map(Arc::make_mut)
    }

    /// A node's address, if it is there.
    pub(super) fn address(&self, balancer: usize, node: usize) -> Option<Ipv4Addr> {
        let id = PortId::from(self.node(balancer, node).as_str());
        self.fabric.ports.get(&id)?.addresses.first().copied()
    }

    /// The public address of a node that has one.
    pub(super) fn public(&self, balancer: usize, node: usize) -> Option<Ipv4Addr> {
        let private = self.address(balancer, node)?;
        let wanted = public_address(balancer, node);
        let mut gateways = self.fabric.gateways.values();
        gateways
            .any(|gateway| {
                let GatewayKind::Internet(internet) = &gateway.kind;
                internet.translations.get(&private) == Some(&wanted)
            })
            .then_some(wanted)
    }

    /// Carries a step out; one whose referent is missing is no step.
    pub(super) fn step(&mut self, step: &Step) -> Option<()> {
        match step {
            Step::Account(_) | Step::Then => Some(()),
            Step::Balancer { number, vpc } => {
                self.account.numbers.vpcs.get(vpc)?;
                let balancer = Balancer {
                    id: self.id(*number),
                    nodes: std::iter::empty::<(HostId, Node)>().collect(),
                    listeners: Vec::new(),
                    pools: std::iter::empty::<(PoolId, Arc<Pool>)>().collect(),
                };
                let id = balancer.id.clone();
                self.fabric.balancers.insert(id, Arc::new(balancer));
                Some(())
            }
            Step::Node {
                balancer,
                number,
                subnet,
                groups,
                guard,
                public,
            } => {
                self.balancer(*balancer)?;
                let port = self.port(*balancer, *number, *subnet, groups, *guard)?;
                if *public {
                    self.publish(&port, public_address(*balancer, *number));
                }
                let zone = zone(*subnet);
                let host = self.node(*balancer, *number);
                self.balancer(*balancer)?.nodes.insert(host, Node { zone });
                Some(())
            }
            Step::Pool {
                balancer,
                number,
                cross_zone,
                source,
                stays,
            } => self.share(*balancer, *number, *cross_zone, *source, *stays),
            Step::Listener {
                balancer,
                port,
                kind,
                pool,
            } => self.listen(*balancer, *port, *kind, *pool),
            Step::Member {
                balancer,
                pool,
                instance,
                address,
                port,
                zonal,
                state,
            } => {
                let (_, address) = private(&self.account, Place::Instance(*instance, *address))?;
                let zone = zonal.then(|| self.subnet_of.get(instance).map(|one| zone(*one)));
                let member = Member {
                    zone: zone.flatten(),
                    state: *state,
                    ..Member::healthy(instance.to_string(), address, *port)
                };
                let members = &mut self.pool(*balancer, *pool)?.members;
                members.retain(|other| other.address != address);
                members.push(member);
                Some(())
            }
            Step::Gone {
                balancer,
                pool,
                instance,
            } => {
                let name = instance.to_string();
                let members = &mut self.pool(*balancer, *pool)?.members;
                members.retain(|other| other.name != name);
                Some(())
            }
        }
    }

    /// A node's host and its port, on an address that no instance gets.
    fn port(
        &mut self,
        balancer: usize,
        number: usize,
        subnet: usize,
        groups: &[usize],
        guard: bool,
    ) -> Option<Port> {
        let subnet = self.account.numbers.subnets.get(&subnet)?;
        let segment = SegmentId::from(subnet.as_str());
        let segment = self.fabric.segments.get(&segment)?;
        let range = segment.prefixes.first()?;
        let place = (balancer * 8 + number) as u8;
        let address = Ipv4Addr::from(u32::from(range.network()) + 210 + u32::from(place));
        let host = self.node(balancer, number);
        let mut layers = Vec::new();
        for group in groups {
            let group = self.account.numbers.groups.get(group)?;
            layers.push(Layer::AnyOf(vec![FilterId::from(group.as_str())]));
        }
        let port = Port {
            id: host.as_str().into(),
            network: segment.network.clone(),
            segment: segment.id.clone(),
            host: Some((host.clone(), 0)),
            mac: Mac([2, 0, 0, 1, 0, place]),
            addresses: vec![address],
            prefixes: Vec::new(),
            guard,
            layers,
            always_tracked: true,
        };
        let route = HostRoute {
            from: None,
            prefix: Ipv4Net::default(),
            port: port.id.clone(),
            metric: 0,
        };
        let machine = Host {
            id: host.clone(),
            running: true,
            forwarding: false,
            routes: vec![route],
            source_translation: None,
            answers: Vec::new(),
            opaque: None,
        };
        self.fabric.hosts.insert(host, Arc::new(machine));
        self.fabric
            .ports
            .insert(port.id.clone(), Arc::new(port.clone()));
        Some(port)
    }

    fn publish(&mut self, port: &Port, public: Ipv4Addr) {
        let inside = |id: &GatewayId| {
            self.fabric.gateways.get(id).is_some_and(|gateway| {
                let GatewayKind::Internet(internet) = &gateway.kind;
                internet.inside == port.network
            })
        };
        let ids: Vec<GatewayId> = self.fabric.gateways.keys().cloned().collect();
        let Some(id) = ids.into_iter().find(inside) else {
            return;
        };
        if let Some(gateway) = self.fabric.gateways.get_mut(&id) {
            let GatewayKind::Internet(internet) = &mut Arc::make_mut(gateway).kind;
            let private = port.addresses.iter().map(|address| (*address, public));
            internet.translations.extend(private);
        }
    }

    fn share(
        &mut self,
        balancer: usize,
        number: usize,
        cross_zone: bool,
        source: SourceSeen,
        stays: bool,
    ) -> Option<()> {
        let pools = &mut self.balancer(balancer)?.pools;
        let old = pools.get(&pool_id(number));
        let members = old.map(|pool| pool.members.clone()).unwrap_or_default();
        let pool = Pool {
            cross_zone,
            source,
            affinity: stays.then_some(600),
            ..Pool::of(pool_id(number), members)
        };
        pools.insert(pool.id.clone(), Arc::new(pool));
        Some(())
    }

    fn listen(&mut self, balancer: usize, port: u16, kind: Kind, pool: usize) -> Option<()> {
        let pool = pool_id(pool);
        let forward = |pool| {
            Service::Forward(Forwarding {
                pool,
                keeps_destination: false,
                idle_timeout: 350,
            })
        };
        let (transports, service) = match kind {
            Kind::Tcp => (vec![Transport::Tcp], forward(pool)),
            Kind::Udp => (vec![Transport::Udp], forward(pool)),
            Kind::Both => (vec![Transport::Tcp, Transport::Udp], forward(pool)),
            Kind::Stream => {
                let stream = Stream {
                    tls: None,
                    pool,
                    idle_timeout: 350,
                    access_log: None,
                };
                (vec![Transport::Tcp], Service::Stream(stream))
            }
        };
        let listener = Listener {
            id: format!("listener-{port}").into(),
            transports,
            ports: NumberRange::one(port),
            service,
        };
        let listeners = &mut self.balancer(balancer)?.listeners;
        listeners.push(Arc::new(listener));
        Some(())
    }
}

fn pool_id(number: usize) -> PoolId {
    format!("pool-{number}").into()
}

fn zone(subnet: usize) -> String {
    format!("zone-{}", subnet % 2)
}

fn public_address(balancer: usize, node: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 101, (1 + balancer * 8 + node) as u8)
}
