//! Scenarios drawn from a seed: shaped like what people build, with what goes wrong for them.

use crate::random::Random;
use crate::scenario::{Attempt, PORTS, Place, Protocol, Role, RouteTo, RulePeer, Scenario, Step};
use aws::model::security_group::Traffic;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// A scenario with this many flows.
pub fn scenario(seed: u64, flows: usize) -> Scenario {
    let mut generator = Generator {
        random: Random::new(seed),
        steps: Vec::new(),
        vpcs: Vec::new(),
        counts: Counts::default(),
    };
    for number in 0..generator.random.between(1, 3) {
        generator.vpc(number);
    }
    let flows = (0..flows).map(|_| generator.attempt()).collect();
    Scenario {
        seed,
        steps: generator.steps,
        flows,
    }
}

#[derive(Default)]
struct Counts {
    subnets: usize,
    groups: usize,
    acls: usize,
    instances: usize,
    nat_gateways: usize,
    route_tables: usize,
}

/// What a VPC has, by the numbers of its steps.
struct VpcPlan {
    number: usize,
    subnets: Vec<(usize, Ipv4Net)>,
    groups: Vec<usize>,
    instances: Vec<usize>,
    boxes: Vec<usize>,
    nat_gateways: Vec<usize>,
    public: Vec<usize>,
}

struct Generator {
    random: Random,
    steps: Vec<Step>,
    vpcs: Vec<VpcPlan>,
    counts: Counts,
}

fn net(a: u8, b: u8, c: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length)
}

fn everywhere() -> Ipv4Net {
    net(0, 0, 0, 0)
}

fn take(count: &mut usize) -> usize {
    *count += 1;
    *count - 1
}

impl Generator {
    fn vpc(&mut self, number: usize) {
        // The same range in several VPCs on purpose; a public one too (the chapter's figure 6-4).
        let base = self
            .random
            .pick(&[[10, 0], [10, 0], [10, 0], [172, 16], [11, 0]]);
        let mut cidrs = vec![net(base[0], base[1], 0, 16)];
        if self.random.percent(30) {
            cidrs.push(net(10, 99, 0, 16));
        }
        let gateway = self.random.percent(85);
        self.steps.push(Step::Vpc {
            number,
            cidrs: cidrs.clone(),
            gateway,
        });
        let mut plan = VpcPlan {
            number,
            subnets: Vec::new(),
            groups: Vec::new(),
            instances: Vec::new(),
            boxes: Vec::new(),
            nat_gateways: Vec::new(),
            public: Vec::new(),
        };
        self.subnets(&mut plan, &cidrs);
        self.groups(&mut plan);
        self.acls(&plan);
        self.instances(&mut plan);
        self.nat_gateways(&mut plan);
        self.routes(&plan);
        self.vpcs.push(plan);
    }

    fn subnets(&mut self, plan: &mut VpcPlan, cidrs: &[Ipv4Net]) {
        for index in 0..self.random.between(2, 4) {
            let within = self.random.pick(cidrs).network().octets();
            let cidr = net(within[0], within[1], index as u8 + 1, 24);
            let number = take(&mut self.counts.subnets);
            self.steps.push(Step::Subnet {
                number,
                vpc: plan.number,
                cidr,
            });
            plan.subnets.push((number, cidr));
        }
    }

    fn traffic(&mut self) -> Traffic {
        let port = self.random.pick(&PORTS);
        match self.random.below(10) {
            0..=2 => Traffic::All,
            3..=5 => Traffic::Ports {
                protocol: self.random.pick(&[6, 17]),
                from: port,
                to: port,
            },
            6 => Traffic::Ports {
                protocol: self.random.pick(&[6, 17]),
                from: 0,
                to: 65535,
            },
            7 => Traffic::Ports {
                protocol: self.random.pick(&[6, 17]),
                from: 1024,
                to: 65535,
            },
            8 => Traffic::Icmp {
                protocol: 1,
                kind: None,
                code: None,
            },
            _ => Traffic::Icmp {
                protocol: 1,
                kind: Some(self.random.pick(&[0, 8])),
                code: None,
            },
        }
    }

    fn cidr(&mut self, plan: &VpcPlan) -> Ipv4Net {
        match self.random.below(6) {
            0 | 1 => everywhere(),
            2 => net(203, 0, 113, 24),
            3 => Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 10), 32),
            4 => self.random.pick(&plan.subnets).1,
            // Half a subnet: the range ends between two hosts.
            _ => Ipv4Net::new_assert(self.random.pick(&plan.subnets).1.network(), 29),
        }
    }

    fn groups(&mut self, plan: &mut VpcPlan) {
        for _ in 0..self.random.between(2, 4) {
            let number = take(&mut self.counts.groups);
            self.steps.push(Step::Group {
                number,
                vpc: plan.number,
            });
            plan.groups.push(number);
        }
        for group in plan.groups.clone() {
            for _ in 0..self.random.between(1, 4) {
                self.group_rule(plan, group, false);
            }
            if self.random.percent(75) {
                let peer = RulePeer::Cidr(everywhere());
                self.steps.push(Step::GroupRule {
                    group,
                    egress: true,
                    traffic: Traffic::All,
                    peer,
                });
            }
            for _ in 0..self.random.between(0, 2) {
                self.group_rule(plan, group, true);
            }
        }
    }

    fn group_rule(&mut self, plan: &VpcPlan, group: usize, egress: bool) {
        let traffic = self.traffic();
        let peer = if self.random.percent(35) {
            RulePeer::Group(self.random.pick(&plan.groups))
        } else {
            RulePeer::Cidr(self.cidr(plan))
        };
        self.steps.push(Step::GroupRule {
            group,
            egress,
            traffic,
            peer,
        });
    }

    fn acls(&mut self, plan: &VpcPlan) {
        for _ in 0..self.random.between(0, 2) {
            let acl = take(&mut self.counts.acls);
            self.steps.push(Step::Acl {
                number: acl,
                vpc: plan.number,
            });
            for egress in [false, true] {
                for _ in 0..self.random.between(0, 3) {
                    let entry = self.random.between(1, 99) as u16;
                    let (allow, cidr, traffic) =
                        (self.random.percent(55), self.cidr(plan), self.traffic());
                    self.steps.push(Step::AclEntry {
                        acl,
                        entry,
                        egress,
                        allow,
                        cidr,
                        traffic,
                    });
                }
                if self.random.percent(75) {
                    let traffic = Traffic::All;
                    self.steps.push(Step::AclEntry {
                        acl,
                        entry: 100,
                        egress,
                        allow: true,
                        cidr: everywhere(),
                        traffic,
                    });
                }
            }
            let (subnet, _) = self.random.pick(&plan.subnets);
            self.steps.push(Step::AclOf { subnet, acl });
        }
    }

    fn some_groups(&mut self, plan: &VpcPlan) -> Vec<usize> {
        (0..self.random.between(1, 2))
            .map(|_| self.random.pick(&plan.groups))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    fn instances(&mut self, plan: &mut VpcPlan) {
        for index in 0..self.random.between(3, 6) {
            let number = take(&mut self.counts.instances);
            let role = match self.random.below(10) {
                0 | 1 => Role::Forwarder,
                2 => Role::Nat,
                _ => Role::Plain,
            };
            let (subnet, _) = plan.subnets[index % plan.subnets.len()];
            let groups = self.some_groups(plan);
            let checked = if role == Role::Plain {
                !self.random.percent(8)
            } else {
                self.random.percent(15)
            };
            let secondary = if self.random.percent(25) { 1 } else { 0 };
            self.steps.push(Step::Instance {
                number,
                subnet,
                groups,
                role,
                checked,
                secondary,
            });
            plan.instances.push(number);
            if role != Role::Plain {
                plan.boxes.push(number);
            }
            if role == Role::Plain && self.random.percent(15) {
                let (subnet, _) = self.random.pick(&plan.subnets);
                let groups = self.some_groups(plan);
                self.steps.push(Step::SecondInterface {
                    instance: number,
                    subnet,
                    groups,
                });
            }
            if self.random.percent(45) {
                let address = self.random.below(1 + secondary);
                self.steps.push(Step::Public {
                    instance: number,
                    address,
                });
                plan.public.push(number);
            }
            if self.random.percent(6) {
                self.steps.push(Step::Stopped { instance: number });
            }
        }
    }

    fn nat_gateways(&mut self, plan: &mut VpcPlan) {
        for _ in 0..self.random.between(0, 2) {
            let number = take(&mut self.counts.nat_gateways);
            let (subnet, _) = self.random.pick(&plan.subnets);
            let deleted = self.random.percent(20);
            self.steps.push(Step::NatGateway {
                number,
                subnet,
                deleted,
            });
            plan.nat_gateways.push(number);
        }
    }

    fn routes(&mut self, plan: &VpcPlan) {
        for (subnet, _) in plan.subnets.clone() {
            if self.random.percent(10) {
                continue;
            }
            let table = take(&mut self.counts.route_tables);
            self.steps.push(Step::RouteTable {
                number: table,
                vpc: plan.number,
            });
            let to = match self.random.below(10) {
                0..=5 => Some(RouteTo::InternetGateway),
                6 | 7 if !plan.nat_gateways.is_empty() => {
                    Some(RouteTo::NatGateway(self.random.pick(&plan.nat_gateways)))
                }
                8 if !plan.boxes.is_empty() => {
                    Some(RouteTo::Instance(self.random.pick(&plan.boxes)))
                }
                _ => None,
            };
            if let Some(to) = to {
                self.steps.push(Step::Route {
                    table,
                    destination: everywhere(),
                    to,
                });
            }
            if self.random.percent(20) && !plan.boxes.is_empty() {
                let (_, destination) = self.random.pick(&plan.subnets);
                let to = RouteTo::Instance(self.random.pick(&plan.boxes));
                self.steps.push(Step::Route {
                    table,
                    destination,
                    to,
                });
            }
            self.steps.push(Step::TableOf { subnet, table });
        }
        if self.random.percent(20) && !plan.boxes.is_empty() {
            let table = take(&mut self.counts.route_tables);
            self.steps.push(Step::RouteTable {
                number: table,
                vpc: plan.number,
            });
            let (_, destination) = self.random.pick(&plan.subnets);
            let to = RouteTo::Instance(self.random.pick(&plan.boxes));
            self.steps.push(Step::Route {
                table,
                destination,
                to,
            });
            self.steps.push(Step::EdgeTable {
                vpc: plan.number,
                table,
            });
        }
    }

    fn attempt(&mut self) -> Attempt {
        let vpc = self.random.below(self.vpcs.len());
        let (instances, public) = (
            self.vpcs[vpc].instances.clone(),
            self.vpcs[vpc].public.clone(),
        );
        let instance =
            |random: &mut Random| Place::Instance(random.pick(&instances), random.below(3));
        let (from, to) = match self.random.below(20) {
            0..=7 => (instance(&mut self.random), instance(&mut self.random)),
            8..=12 => (
                instance(&mut self.random),
                Place::Internet(self.random.below(2)),
            ),
            13..=15 if !public.is_empty() => (
                Place::Internet(self.random.below(2)),
                Place::PublicOf(self.random.pick(&public)),
            ),
            16 | 17 if !public.is_empty() => (
                instance(&mut self.random),
                Place::PublicOf(self.random.pick(&public)),
            ),
            18 => (Place::Internet(0), instance(&mut self.random)),
            _ => {
                let (_, subnet) = self.random.pick(&self.vpcs[vpc].subnets);
                let nobody = Ipv4Addr::from(u32::from(subnet.network()) + 200);
                (instance(&mut self.random), Place::Address(nobody))
            }
        };
        let protocol = self.random.pick(&[
            Protocol::Tcp,
            Protocol::Tcp,
            Protocol::Udp,
            Protocol::Udp,
            Protocol::Echo,
        ]);
        Attempt {
            from,
            to,
            protocol,
            port: self.random.pick(&PORTS),
        }
    }
}
