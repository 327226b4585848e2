//! Balancers drawn from a seed, over a drawn account.

use super::scenario::{Attempt, Kind, Scenario, Step, To};
use crate::generate as account;
use crate::random::Random;
use crate::scenario::{PORTS, Place, Protocol, Role, RulePeer, Step as AccountStep};
use aws::model::security_group::Traffic;
use fabric::balancer::{MemberState, SourceSeen};
use ipnet::Ipv4Net;

/// The ports that listeners take, and hosts without a balancer too.
const LISTENED: [u16; 3] = [22, 80, 443];

/// A scenario with so many flows in each of two phases.
pub fn scenario(seed: u64, flows: usize) -> Scenario {
    let account = account::scenario(seed, 0);
    let mut generator = Generator {
        random: Random::new(seed ^ 0x6261_6c61_6e63_6564),
        subnets: Vec::new(),
        groups: Vec::new(),
        instances: Vec::new(),
        steps: Vec::new(),
        nodes: Vec::new(),
    };
    for step in account.steps {
        generator.account(step);
    }
    for number in 0..generator.random.between(1, 3) {
        generator.balancer(number);
    }
    generator.steps.push(Step::Then);
    for _ in 0..generator.random.between(1, 4) {
        generator.change();
    }
    let flows = (0..flows).map(|_| generator.attempt()).collect();
    Scenario {
        seed,
        steps: generator.steps,
        flows,
    }
}

struct Generator {
    random: Random,
    /// Subnets and groups with their VPC, instances with their subnet's, by number.
    subnets: Vec<(usize, usize)>,
    groups: Vec<(usize, usize)>,
    instances: Vec<(usize, usize)>,
    steps: Vec<Step>,
    /// Balancers and their nodes, by number, and their VPC.
    nodes: Vec<(usize, usize, usize)>,
}

fn of(vpc: usize, all: &[(usize, usize)]) -> Vec<usize> {
    let mut here = Vec::new();
    here.extend(all.iter().filter(|(_, of)| *of == vpc).map(|(one, _)| *one));
    here
}

impl Generator {
    /// A step of the account. Its groups and network ACLs are more open than those of accounts without
    /// balancers, since a flow meets twice as many. No instance translates what it forwards: it would
    /// take the later packets of an answer that comes by another way for a flow of its own, and these
    /// flows carry more than one packet each way.
    fn account(&mut self, step: AccountStep) {
        let mut opened = None;
        let step = match step {
            AccountStep::AclOf { .. } if self.random.percent(60) => return,
            AccountStep::Instance {
                number,
                subnet,
                groups,
                role,
                checked,
                secondary,
            } => {
                let mut subnets = self.subnets.iter();
                if let Some((_, vpc)) = subnets.find(|(one, _)| *one == subnet) {
                    self.instances.push((number, *vpc));
                }
                AccountStep::Instance {
                    number,
                    subnet,
                    groups,
                    role: match role {
                        Role::Nat => Role::Forwarder,
                        role => role,
                    },
                    checked,
                    secondary,
                }
            }
            step => step,
        };
        match &step {
            AccountStep::Subnet { number, vpc, .. } => self.subnets.push((*number, *vpc)),
            AccountStep::Group { number, vpc } => {
                self.groups.push((*number, *vpc));
                opened = self.random.percent(80).then_some(*number);
            }
            _ => {}
        }
        self.steps.push(Step::Account(step));
        for (group, egress) in opened
            .iter()
            .flat_map(|group| [(*group, false), (*group, true)])
        {
            self.steps.push(Step::Account(AccountStep::GroupRule {
                group,
                egress,
                traffic: Traffic::All,
                peer: RulePeer::Cidr(Ipv4Net::default()),
            }));
        }
    }

    fn balancer(&mut self, number: usize) {
        let (_, vpc) = self.random.pick(&self.subnets);
        self.steps.push(Step::Balancer { number, vpc });
        let (subnets, groups) = (of(vpc, &self.subnets), of(vpc, &self.groups));
        for node in 0..self.random.between(1, 2) {
            let groups = if self.random.percent(50) {
                vec![self.random.pick(&groups)]
            } else {
                Vec::new()
            };
            self.steps.push(Step::Node {
                balancer: number,
                number: node,
                subnet: self.random.pick(&subnets),
                groups,
                guard: self.random.percent(70),
                public: self.random.percent(70),
            });
            self.nodes.push((number, node, vpc));
        }
        for pool in 0..2 {
            self.pool(number, pool);
            for _ in 0..self.random.between(1, 4) {
                self.member(number, vpc, pool);
            }
        }
        for port in LISTENED {
            if self.random.percent(10) {
                continue;
            }
            let kinds = [Kind::Tcp, Kind::Udp, Kind::Both, Kind::Both, Kind::Stream];
            self.steps.push(Step::Listener {
                balancer: number,
                port,
                kind: self.random.pick(&kinds),
                pool: self.random.below(2),
            });
        }
    }

    fn pool(&mut self, balancer: usize, number: usize) {
        self.steps.push(Step::Pool {
            balancer,
            number,
            cross_zone: self.random.percent(60),
            source: if self.random.percent(70) {
                SourceSeen::Client
            } else {
                SourceSeen::Node
            },
            stays: self.random.percent(20),
        });
    }

    fn member(&mut self, balancer: usize, vpc: usize, pool: usize) {
        let states = [
            MemberState::Healthy,
            MemberState::Healthy,
            MemberState::Healthy,
            MemberState::Healthy,
            MemberState::Unhealthy,
            MemberState::Unhealthy,
            MemberState::Initial,
            MemberState::Draining,
            MemberState::Unused,
        ];
        let instances = of(vpc, &self.instances);
        self.steps.push(Step::Member {
            balancer,
            pool,
            instance: self.random.pick(&instances),
            address: self.random.below(3),
            port: self.random.pick(&PORTS),
            zonal: self.random.percent(70),
            state: self.random.pick(&states),
        });
    }

    /// Something changes.
    fn change(&mut self) {
        let (balancer, _, vpc) = self.random.pick(&self.nodes);
        let pool = self.random.below(2);
        match self.random.below(4) {
            0 => self.pool(balancer, pool),
            1 | 2 => self.member(balancer, vpc, pool),
            _ => {
                let instances = of(vpc, &self.instances);
                let instance = self.random.pick(&instances);
                self.steps.push(Step::Gone {
                    balancer,
                    pool,
                    instance,
                });
            }
        }
    }

    fn attempt(&mut self) -> Attempt {
        let (balancer, node, vpc) = self.random.pick(&self.nodes);
        let anybody = self.random.percent(10);
        let near = self
            .instances
            .iter()
            .filter(|(_, of)| anybody || *of == vpc);
        let instances: Vec<usize> = near.map(|(one, _)| *one).collect();
        let mut instance = || Place::Instance(self.random.pick(&instances), self.random.below(3));
        let (caller, called) = (instance(), instance());
        let outside = Place::Internet(self.random.below(2));
        let (from, to) = match self.random.below(10) {
            0..=4 => (caller, To::Node(balancer, node)),
            5..=7 => (outside, To::PublicOf(balancer, node)),
            8 => (caller, To::PublicOf(balancer, node)),
            _ => (caller, To::Place(called)),
        };
        let protocols = [
            Protocol::Tcp,
            Protocol::Tcp,
            Protocol::Tcp,
            Protocol::Udp,
            Protocol::Udp,
            Protocol::Echo,
        ];
        Attempt {
            from,
            to,
            protocol: self.random.pick(&protocols),
            port: self.random.pick(&LISTENED),
        }
    }
}
