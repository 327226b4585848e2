//! Clusters drawn from a seed.

use super::scenario::*;
use crate::random::Random;
use crate::scenario::Protocol;

/// A scenario with this many flows.
pub fn scenario(seed: u64, flows: usize) -> Scenario {
    let mut generator = Generator {
        random: Random::new(seed),
        nodes: 0,
        pods: Vec::new(),
        services: Vec::new(),
    };
    let mut steps = generator.first();
    for _ in 0..generator.random.between(0, 2) {
        steps.push(Step::Then);
        for _ in 0..generator.random.between(1, 5) {
            let change = generator.change();
            steps.push(change);
        }
    }
    let flows = (0..flows).map(|_| generator.attempt()).collect();
    Scenario { seed, steps, flows }
}

struct Generator {
    random: Random,
    nodes: usize,
    /// Numbers, and whether in the node's network.
    pods: Vec<(usize, bool)>,
    services: Vec<(usize, bool)>,
}

impl Generator {
    fn first(&mut self) -> Vec<Step> {
        self.nodes = self.random.between(1, 3);
        let mut steps: Vec<Step> = (0..self.nodes)
            .map(|number| Step::Node {
                number,
                knows_pods: self.random.percent(85),
                translates: self.random.percent(30),
            })
            .collect();
        for number in 0..self.random.between(3, 9) {
            let pod = self.pod(number);
            self.pods.push((number, pod.host_network));
            steps.push(Step::Pod(pod));
        }
        for number in 0..self.random.between(1, MOST_SERVICES) {
            let service = self.service(number);
            self.services.push((number, service.udp));
            steps.push(Step::Service(service));
        }
        for number in 0..self.random.between(0, 4) {
            steps.push(Step::Policy(self.policy(number)));
        }
        steps
    }

    fn change(&mut self) -> Step {
        match self.random.below(10) {
            0 | 1 => {
                let (number, host_network) = self.random.pick(&self.pods);
                let mut pod = self.pod(number);
                // A pod's network stays.
                pod.host_network = host_network;
                Step::Pod(pod)
            }
            2 => Step::NoPod(self.random.pick(&self.pods).0),
            3..=5 => {
                let (number, udp) = self.random.pick(&self.services);
                let mut service = self.service(number);
                service.udp = udp;
                Step::Service(service)
            }
            6 => Step::NoService(self.random.pick(&self.services).0),
            7 | 8 => {
                let number = self.random.below(4);
                Step::Policy(self.policy(number))
            }
            _ => Step::NoPolicy(self.random.below(4)),
        }
    }

    fn pod(&mut self, number: usize) -> Pod {
        Pod {
            number,
            // The same node whenever it is drawn: pods don't move.
            node: number % self.nodes,
            namespace: self.random.pick(&[0, 0, 1]),
            app: self.random.pick(&[0, 0, 1, 2]),
            condition: self.random.pick(&[
                Condition::Ready,
                Condition::Ready,
                Condition::Ready,
                Condition::Starting,
                Condition::Terminating,
            ]),
            http: self.random.pick(&[8080, 8080, 8081]),
            host_network: self.random.percent(12),
        }
    }

    fn service(&mut self, number: usize) -> Service {
        Service {
            number,
            namespace: self.random.pick(&[0, 0, 1]),
            app: self.random.pick(&[0, 0, 1, 2]),
            udp: self.random.percent(40),
            target: self.random.pick(&[8080, 8080, 8081]),
            kind: self.random.pick(&[
                Kind::ClusterIp,
                Kind::NodePort,
                Kind::LoadBalancer,
                Kind::LoadBalancer,
            ]),
            external_address: self.random.percent(30),
            external_local: self.random.percent(40),
            internal_local: self.random.percent(15),
            affinity: self.random.percent(25),
            sources: self.random.percent(40).then(|| self.block()),
        }
    }

    fn block(&mut self) -> Block {
        let node = self.random.below(self.nodes);
        self.random.pick(&[
            Block::Everything,
            Block::Nodes,
            Block::AllPods,
            Block::PodsOf(node),
            Block::PodsBut(node),
            Block::Outside,
        ])
    }

    fn policy(&mut self, number: usize) -> Policy {
        let (ingress, egress) =
            self.random
                .pick(&[(true, false), (true, false), (false, true), (true, true)]);
        Policy {
            number,
            namespace: self.random.pick(&[0, 0, 1]),
            app: self
                .random
                .percent(65)
                .then(|| self.random.pick(&[0, 0, 1, 2])),
            ingress: ingress.then(|| self.rules()),
            egress: egress.then(|| self.rules()),
        }
    }

    fn rules(&mut self) -> Vec<Rule> {
        (0..self.random.below(4))
            .map(|_| Rule {
                peers: (0..self.random.below(3)).map(|_| self.peer()).collect(),
                ports: (0..self.random.below(3)).map(|_| self.port()).collect(),
            })
            .collect()
    }

    fn peer(&mut self) -> Peer {
        let (app, namespace) = (self.random.pick(&[0, 1, 2]), self.random.below(2));
        match self.random.below(5) {
            0 => Peer::Pods(None),
            1 => Peer::Pods(Some(app)),
            2 => Peer::Namespace(namespace),
            3 => Peer::Both(namespace, app),
            _ => Peer::Block(self.block()),
        }
    }

    fn port(&mut self) -> Port {
        let udp = self.random.percent(35);
        match self.random.below(6) {
            0..=2 => Port::Number {
                udp,
                port: self.random.pick(&PORTS),
            },
            3 => Port::Range {
                udp,
                low: 8000,
                high: self.random.pick(&[8080, 9000]),
            },
            4 => Port::Whole { udp },
            _ => Port::Http,
        }
    }

    fn attempt(&mut self) -> Attempt {
        let (pod, _) = self.random.pick(&self.pods);
        let node = self.random.below(self.nodes);
        let from = match self.random.below(10) {
            0..=5 => From::Pod(pod),
            6 | 7 => From::Node(node),
            _ => From::Outside,
        };
        let (service, udp) = self.random.pick(&self.services);
        let (other, _) = self.random.pick(&self.pods);
        let node = self.random.below(self.nodes);
        let port = self.random.pick(&PORTS);
        let to = match self.random.below(20) {
            0..=5 => To::Cluster { service, port: 80 },
            6..=8 => To::NodePort { service, node },
            9 | 10 => To::Balancer(service),
            11 => To::External(service),
            12..=15 => To::Pod {
                number: other,
                port,
            },
            16 => To::Node { number: node, port },
            17 => To::Outside,
            18 => To::Cluster { service, port },
            _ => To::Unallocated,
        };
        let of_service = if udp { Protocol::Udp } else { Protocol::Tcp };
        let any = self
            .random
            .pick(&[Protocol::Tcp, Protocol::Udp, Protocol::Echo]);
        let protocol = match to {
            To::Cluster { .. } | To::NodePort { .. } | To::Balancer(_) | To::External(_)
                if self.random.percent(90) =>
            {
                of_service
            }
            _ => any,
        };
        Attempt { from, to, protocol }
    }
}
