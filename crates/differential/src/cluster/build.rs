//! A scenario's cluster: nodes by the engine, pods and programs inside them, and the fabric that `walk`
//! looks at.

use super::objects;
use super::scenario::*;
use fabric::{
    Fabric, Host, HostId, HostRoute, Mac, Network, Node, Port, PortId, Route, RouteOrigin,
    RouteTable, Segment, SourceNat, Target,
};
use ipnet::Ipv4Net;
use kernel::engine::{ApplyError, Engine};
use kernel::factory::GuestFactory;
use kernel::namespace::NetNs;
use kernel::node::{NodeError, PolicyAgent, Proxy, SourceTranslator};
use kernel::testing::pod_link;
use service_proxy::policies;
use service_proxy::services::{self, Options};
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// What stops a cluster from being built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The engine refused its nodes.
    #[error("the nodes can't be made: {0}")]
    Apply(#[from] ApplyError),
    /// A program in a node failed.
    #[error("in node {0}: {1}")]
    Node(usize, #[source] NodeError),
    /// A pod can't be made.
    #[error("pod {0}: {1}")]
    Pod(usize, String),
    /// Something else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A node's programs.
struct Programs {
    proxy: Proxy,
    agent: PolicyAgent,
    translator: SourceTranslator,
    services: services::Compiler,
    translates: bool,
}

/// A cluster that is there.
pub struct Cluster {
    seed: u64,
    /// Nodes and the place outside, without what is in the nodes.
    base: Fabric,
    /// With it.
    fabric: Fabric,
    nodes: BTreeMap<usize, Programs>,
    policies: policies::Compiler,
    pods: BTreeMap<usize, Pod>,
    services: BTreeMap<usize, Service>,
    enforced: BTreeMap<usize, Policy>,
    namespaces: BTreeMap<HostId, Arc<NetNs>>,
    links: u32,
}

fn net(a: u8, b: u8, c: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length)
}

impl Cluster {
    /// Makes the nodes that some steps name.
    ///
    /// # Errors
    /// The engine or the nodes refuse something.
    pub fn new(engine: &mut Engine, seed: u64, steps: &[Step]) -> Result<Self, BuildError> {
        let numbers: BTreeMap<usize, (bool, bool)> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Node {
                    number,
                    knows_pods,
                    translates,
                } => Some((*number, (*knows_pods, *translates))),
                _ => None,
            })
            .collect();
        let base = base(seed, numbers.keys().copied());
        engine.apply(&base)?;
        let mut cluster = Self {
            seed,
            fabric: base.clone(),
            base,
            nodes: BTreeMap::new(),
            policies: policies::Compiler::new(),
            pods: BTreeMap::new(),
            services: BTreeMap::new(),
            enforced: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            links: 0,
        };
        for id in cluster.base.hosts.keys() {
            if let Some(namespace) = engine.host(id) {
                cluster.namespaces.insert(id.clone(), namespace);
            }
        }
        for number in 0..NAMESPACES.len() {
            cluster.policies.namespace(&objects::namespace(number));
        }
        for (number, (knows_pods, translates)) in numbers {
            let namespace = cluster.namespaces.get(&cluster.node_id(number)).cloned();
            let Some(namespace) = namespace else {
                continue;
            };
            unlimited(&namespace)?;
            let failed = |error| BuildError::Node(number, error);
            let options = Options {
                node: objects::node_name(number),
                zone: None,
                addresses: vec![node_address(number)],
                pods: knows_pods.then(|| vec![net(10, 244, 0, 16)]),
                ranges: vec![net(10, 96, 0, 16)],
                masquerade_all: false,
            };
            let programs = Programs {
                proxy: Proxy::inside(&namespace).map_err(failed)?,
                agent: PolicyAgent::inside(&namespace).map_err(failed)?,
                translator: SourceTranslator::inside(&namespace).map_err(failed)?,
                services: services::Compiler::new(options),
                translates,
            };
            cluster.nodes.insert(number, programs);
        }
        Ok(cluster)
    }

    /// What `walk` looks at.
    pub fn fabric(&self) -> &Fabric {
        &self.fabric
    }

    /// The pod of a number, if its node is there.
    pub fn pod(&self, number: usize) -> Option<&Pod> {
        let pod = self.pods.get(&number)?;
        self.nodes.contains_key(&pod.node).then_some(pod)
    }

    /// Whether a node is there.
    pub fn has_node(&self, number: usize) -> bool {
        self.nodes.contains_key(&number)
    }

    /// All places, with their namespaces.
    pub fn places(&self) -> &BTreeMap<HostId, Arc<NetNs>> {
        &self.namespaces
    }

    /// A node's host.
    pub fn node_id(&self, number: usize) -> HostId {
        format!("s{}-node-{number}", self.seed).into()
    }

    /// A pod's host; its node where it has no network of its own.
    pub fn pod_id(&self, pod: &Pod) -> HostId {
        if pod.host_network {
            self.node_id(pod.node)
        } else {
            format!("s{}-pod-{}", self.seed, pod.number).into()
        }
    }

    /// The place outside.
    pub fn outside_id(&self) -> HostId {
        format!("s{}-outside", self.seed).into()
    }

    /// Carries steps out, in objects, in the kernel and for `walk`.
    ///
    /// # Errors
    /// The kernel refuses something.
    pub fn carry_out(&mut self, factory: &GuestFactory, steps: &[Step]) -> Result<(), BuildError> {
        for step in steps {
            match step {
                Step::Node { .. } | Step::Then => {}
                Step::Pod(pod) => self.set_pod(factory, pod)?,
                Step::NoPod(number) => self.remove_pod(*number),
                Step::Service(service) => self.set_service(service),
                Step::NoService(number) => self.remove_service(*number),
                Step::Policy(policy) => {
                    self.remove_policy(policy.number);
                    self.policies.policy(&objects::policy(policy));
                    self.enforced.insert(policy.number, policy.clone());
                }
                Step::NoPolicy(number) => self.remove_policy(*number),
            }
        }
        self.slices();
        self.apply()
    }

    fn set_pod(&mut self, factory: &GuestFactory, pod: &Pod) -> Result<(), BuildError> {
        if let Some(old) = self.pods.get(&pod.number)
            && old.namespace != pod.namespace
        {
            let namespace = NAMESPACES[old.namespace];
            self.policies
                .pod_gone(namespace, &objects::pod_name(pod.number));
        }
        self.policies.pod(&objects::pod(pod));
        self.pods.insert(pod.number, pod.clone());
        let id = self.pod_id(pod);
        let node = self.namespaces.get(&self.node_id(pod.node)).cloned();
        let (false, Some(node)) = (self.namespaces.contains_key(&id), node) else {
            return Ok(());
        };
        let failed = |error: String| BuildError::Pod(pod.number, error);
        let made = factory
            .network_namespace()
            .map_err(|error| failed(error.to_string()))?;
        let namespace = Arc::new(made);
        pod_link(&node, &namespace, self.links, pod_address(pod))
            .map_err(|error| failed(error.to_string()))?;
        self.links += 1;
        self.namespaces.insert(id, namespace);
        Ok(())
    }

    fn remove_pod(&mut self, number: usize) {
        let Some(pod) = self.pods.remove(&number) else {
            return;
        };
        let namespace = NAMESPACES[pod.namespace];
        self.policies
            .pod_gone(namespace, &objects::pod_name(number));
        if !pod.host_network {
            self.namespaces.remove(&self.pod_id(&pod));
        }
    }

    fn set_service(&mut self, service: &Service) {
        let old = self.services.get(&service.number);
        if old.is_some_and(|old| old.namespace != service.namespace) {
            self.remove_service(service.number);
        }
        self.services.insert(service.number, service.clone());
        for programs in self.nodes.values_mut() {
            programs.services.service(&objects::service(service));
        }
    }

    fn remove_service(&mut self, number: usize) {
        let Some(service) = self.services.remove(&number) else {
            return;
        };
        let (namespace, name) = (NAMESPACES[service.namespace], objects::service_name(number));
        for programs in self.nodes.values_mut() {
            programs.services.service_gone(namespace, &name);
            programs
                .services
                .slice_gone(namespace, &format!("{name}-slice"));
        }
    }

    fn remove_policy(&mut self, number: usize) {
        if let Some(policy) = self.enforced.remove(&number) {
            let namespace = NAMESPACES[policy.namespace];
            self.policies
                .policy_gone(namespace, &objects::policy_name(number));
        }
    }

    /// What the endpoint slice controller would do.
    fn slices(&mut self) {
        let nodes = &self.nodes;
        let there = |pod: &&Pod| nodes.contains_key(&pod.node);
        let slices: Vec<_> = self
            .services
            .values()
            .map(|service| objects::slice(service, self.pods.values().filter(there)))
            .collect();
        for programs in self.nodes.values_mut() {
            for slice in &slices {
                programs.services.slice(slice);
            }
        }
    }

    fn apply(&mut self) -> Result<(), BuildError> {
        self.fabric = self.base.clone();
        for pod in self.pods.values().filter(|pod| !pod.host_network) {
            if self.nodes.contains_key(&pod.node) {
                let (id, node) = (self.pod_id(pod), self.node_id(pod.node));
                self.fabric.attach_pod(&id, &node, pod_address(pod));
            }
        }
        for (number, programs) in &mut self.nodes {
            let id = HostId::from(format!("s{}-node-{number}", self.seed));
            let entry: &mut Arc<Node> = self.fabric.nodes.entry(id).or_default();
            let node = Arc::make_mut(entry);
            node.services = programs.services.services().clone();
            node.policies = self.policies.on(&objects::node_name(*number));
            node.source_nat = programs.translates.then(|| SourceNat {
                sources: vec![net(10, 244, 0, 16)],
                except: vec![net(10, 244, 0, 16), net(10, 96, 0, 16)],
                address: None,
            });
            let failed = |error| BuildError::Node(*number, error);
            programs.proxy.apply(&node.services).map_err(failed)?;
            programs.agent.apply(&node.policies).map_err(failed)?;
            let nat = node.source_nat.as_ref();
            programs.translator.apply(nat).map_err(failed)?;
        }
        Ok(())
    }
}

/// Lets a node send as many refusals as it likes: Linux sends a caller one a second, and all flows are
/// tried at once.
fn unlimited(namespace: &NetNs) -> io::Result<()> {
    namespace.run(|| std::fs::write("/proc/sys/net/ipv4/icmp_ratemask", "0"))?
}

/// A network with nodes and a place outside the cluster. What is for cluster addresses, and for those of
/// load balancers, it sends to the first node.
fn base(seed: u64, nodes: impl Iterator<Item = usize>) -> Fabric {
    let id = |name: &str| format!("s{seed}-{name}");
    let mut fabric = Fabric::default();
    let network = Network {
        id: id("net").into(),
        mtu: 9001,
        services: Vec::new(),
    };
    fabric
        .networks
        .insert(network.id.clone(), Arc::new(network));
    let first = PortId::from(id("node-0-0"));
    let mut routes = vec![
        (net(10, 0, 0, 16), Target::Local),
        (net(10, 244, 0, 16), Target::Local),
    ];
    for prefix in [net(10, 96, 0, 16), net(198, 51, 100, 24)] {
        routes.push((prefix, Target::Port(first.clone())));
    }
    let table = RouteTable {
        id: id("routes").into(),
        network: id("net").into(),
        routes: routes
            .into_iter()
            .map(|(prefix, target)| Route {
                id: prefix.to_string().into(),
                prefix,
                target,
                origin: RouteOrigin::User,
                preference: 0,
            })
            .collect(),
    };
    let segment = Segment {
        id: id("subnet").into(),
        network: id("net").into(),
        prefixes: vec![net(10, 0, 1, 24)],
        zone: None,
        route_table: table.id.clone(),
        boundary: None,
    };
    fabric
        .route_tables
        .insert(table.id.clone(), Arc::new(table));
    fabric
        .segments
        .insert(segment.id.clone(), Arc::new(segment));
    for number in nodes {
        let pods = net(10, 244, number as u8 + 1, 24);
        let name = format!("node-{number}");
        host(&mut fabric, seed, &name, node_address(number), Some(pods));
    }
    host(&mut fabric, seed, "outside", OUTSIDE, None);
    if let Some(port) = fabric.ports.get_mut(&first) {
        Arc::make_mut(port).guard = false;
    }
    fabric
}

fn host(fabric: &mut Fabric, seed: u64, name: &str, address: Ipv4Addr, pods: Option<Ipv4Net>) {
    let id = HostId::from(format!("s{seed}-{name}"));
    let port_id = PortId::from(format!("{id}-0"));
    let [_, _, _, last] = address.octets();
    let port = Port {
        id: port_id.clone(),
        network: format!("s{seed}-net").into(),
        segment: format!("s{seed}-subnet").into(),
        host: Some((id.clone(), 0)),
        mac: Mac([2, 0, 0, 0, 0, last]),
        addresses: vec![address],
        prefixes: pods.into_iter().collect(),
        guard: true,
        layers: Vec::new(),
        always_tracked: false,
    };
    let host = Host {
        id: id.clone(),
        running: true,
        forwarding: pods.is_some(),
        routes: vec![HostRoute {
            from: None,
            prefix: Ipv4Net::default(),
            port: port_id.clone(),
            metric: 0,
        }],
        source_translation: None,
        answers: Vec::new(),
        opaque: None,
    };
    fabric.hosts.insert(id, Arc::new(host));
    fabric.ports.insert(port_id, Arc::new(port));
}
