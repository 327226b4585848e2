//! A scenario as an account's state, and as a fabric beside the internet.

mod hosts;
mod internet;
mod networks;

pub use internet::{INTERNET_NETWORK, internet_host};

use crate::scenario::{Role, Scenario, Step};
use aws::compile::Outside;
use aws::model::{
    InstanceId, InternetGatewayId, NatGatewayId, NetworkAclId, NetworkInterfaceId, RouteTableId,
    SecurityGroupId, Settings, State, SubnetId, VpcId,
};
use fabric::{Fabric, HostId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A built scenario.
#[derive(Clone, Debug)]
pub struct Built {
    /// The account.
    pub state: State,
    /// Its fabric, the internet's with it.
    pub fabric: Fabric,
    /// What the steps' numbers became.
    pub numbers: Numbers,
}

/// What the numbers of steps became.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// VPCs with their internet gateways.
    pub vpcs: BTreeMap<usize, (VpcId, Option<InternetGatewayId>)>,
    /// Subnets.
    pub subnets: BTreeMap<usize, SubnetId>,
    /// Security groups.
    pub groups: BTreeMap<usize, SecurityGroupId>,
    /// Network ACLs.
    pub acls: BTreeMap<usize, NetworkAclId>,
    /// Instances with their interfaces.
    pub instances: BTreeMap<usize, (InstanceId, Vec<NetworkInterfaceId>)>,
    /// NAT gateways.
    pub nat_gateways: BTreeMap<usize, NatGatewayId>,
    /// Route tables.
    pub route_tables: BTreeMap<usize, RouteTableId>,
}

/// An account in the making.
struct Builder {
    state: State,
    numbers: Numbers,
    /// Addresses taken in each subnet.
    taken: BTreeMap<SubnetId, BTreeSet<Ipv4Addr>>,
    /// Public addresses given out.
    public: u32,
    /// Instances that forward.
    forwarders: Vec<InstanceId>,
}

/// Builds a scenario. Steps that can't be are left out, as an API would refuse them.
pub fn build(scenario: &Scenario) -> Built {
    let settings = Settings {
        account: "123456789012".to_owned(),
        seed: scenario.seed,
    };
    let mut builder = Builder {
        state: State::empty(settings),
        numbers: Numbers::default(),
        taken: BTreeMap::new(),
        public: 0,
        forwarders: Vec::new(),
    };
    for step in &scenario.steps {
        // A step whose referent is missing is no step.
        let _ = builder.step(step);
    }
    let mut fabric = aws::compile::fabric(
        &builder.state,
        &Outside {
            internet: INTERNET_NETWORK.into(),
        },
    );
    internet::add(&mut fabric);
    for id in &builder.forwarders {
        if let Some(host) = fabric.hosts.get_mut(&HostId::from(id.as_str())) {
            Arc::make_mut(host).forwarding = true;
        }
    }
    Built {
        state: builder.state,
        fabric,
        numbers: builder.numbers,
    }
}

impl Builder {
    fn step(&mut self, step: &Step) -> Option<()> {
        match step {
            Step::Vpc {
                number,
                cidrs,
                gateway,
            } => self.vpc(*number, cidrs, *gateway),
            Step::Subnet { number, vpc, cidr } => self.subnet(*number, *vpc, *cidr),
            Step::Group { number, vpc } => self.group(*number, *vpc),
            Step::GroupRule {
                group,
                egress,
                traffic,
                peer,
            } => self.group_rule(*group, *egress, *traffic, peer),
            Step::Acl { number, vpc } => self.acl(*number, *vpc),
            Step::AclEntry {
                acl,
                entry,
                egress,
                allow,
                cidr,
                traffic,
            } => self.acl_entry(*acl, *entry, *egress, *allow, *cidr, *traffic),
            Step::AclOf { subnet, acl } => self.acl_of(*subnet, *acl),
            Step::Instance {
                number,
                subnet,
                groups,
                role,
                checked,
                secondary,
            } => self.instance(*number, *subnet, groups, *role, *checked, *secondary),
            Step::SecondInterface {
                instance,
                subnet,
                groups,
            } => self.second_interface(*instance, *subnet, groups),
            Step::Public { instance, address } => self.public(*instance, *address),
            Step::Stopped { instance } => self.stopped(*instance),
            Step::NatGateway {
                number,
                subnet,
                deleted,
            } => self.nat_gateway(*number, *subnet, *deleted),
            Step::RouteTable { number, vpc } => self.route_table(*number, *vpc),
            Step::Route {
                table,
                destination,
                to,
            } => self.route(*table, *destination, *to),
            Step::TableOf { subnet, table } => self.table_of(*subnet, *table),
            Step::EdgeTable { vpc, table } => self.edge_table(*vpc, *table),
        }
    }

    fn nat_image(role: Role) -> &'static str {
        let images = aws::model::image::all();
        let wanted = images
            .iter()
            .find(|image| image.nat_instance == (role == Role::Nat));
        wanted.map_or("ami-0", |image| image.id.as_str())
    }
}
