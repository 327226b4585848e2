//! Steps that make networks, filters and routes.

use super::Builder;
use crate::scenario::{RouteTo, RulePeer};
use aws::model::internet_gateway::InternetGateway;
use aws::model::network_acl::{NetworkAcl, NetworkAclAssociation, NetworkAclEntry};
use aws::model::route_table::{
    AssociatedWith, Destination, Route, RouteOrigin, RouteTable, RouteTableAssociation, RouteTarget,
};
use aws::model::security_group::{Peer, SecurityGroup, SecurityGroupRule, Traffic};
use aws::model::subnet::Subnet;
use aws::model::vpc::{CidrAssociation, Vpc};
use aws::model::{
    CidrAssociationId, InternetGatewayId, NetworkAclAssociationId, NetworkAclId,
    RouteTableAssociationId, RouteTableId, SecurityGroupId, SecurityGroupRuleId, SubnetId, VpcId,
};
use ipnet::{IpNet, Ipv4Net};
use std::sync::Arc;

const REGION: &str = "us-west-2";

impl Builder {
    pub(super) fn vpc(&mut self, number: usize, cidrs: &[Ipv4Net], gateway: bool) -> Option<()> {
        let id = VpcId::fresh(&self.state.digits());
        let cidrs: Vec<_> = cidrs
            .iter()
            .map(|cidr| CidrAssociation {
                id: CidrAssociationId::fresh(&self.state.digits()),
                cidr: *cidr,
            })
            .collect();
        self.new_route_table(&id, &cidrs, Some(AssociatedWith::Main));
        let acl = self.new_acl(&id, true);
        for egress in [false, true] {
            self.put_entry(
                &acl,
                100,
                egress,
                true,
                "0.0.0.0/0".parse().ok()?,
                Traffic::All,
            )?;
        }
        let vpc = Vpc {
            id: id.clone(),
            region: REGION.to_owned(),
            cidrs,
            dhcp_options: None,
            tenancy: "default".to_owned(),
            is_default: false,
            dns_support: true,
            dns_hostnames: true,
            network_address_usage_metrics: false,
        };
        self.state.vpcs.insert(id.clone(), Arc::new(vpc));
        let gateway = gateway.then(|| {
            let igw = InternetGatewayId::fresh(&self.state.digits());
            let gateway = InternetGateway {
                id: igw.clone(),
                region: REGION.to_owned(),
                vpc: Some(id.clone()),
            };
            self.state
                .internet_gateways
                .insert(igw.clone(), Arc::new(gateway));
            igw
        });
        self.numbers.vpcs.insert(number, (id, gateway));
        Some(())
    }

    pub(super) fn vpc_of(&self, number: usize) -> Option<VpcId> {
        self.numbers.vpcs.get(&number).map(|(id, _)| id.clone())
    }

    pub(super) fn subnet(&mut self, number: usize, vpc: usize, cidr: Ipv4Net) -> Option<()> {
        let vpc = self.vpc_of(vpc)?;
        let id = SubnetId::fresh(&self.state.digits());
        let subnet = Subnet {
            id: id.clone(),
            region: REGION.to_owned(),
            vpc: vpc.clone(),
            cidr,
            zone: format!("{REGION}a"),
            map_public_ip_on_launch: false,
            default_for_az: false,
            hostname_type: "ip-name".to_owned(),
            resource_name_a_record: false,
        };
        self.state.subnets.insert(id.clone(), Arc::new(subnet));
        let default = self
            .state
            .network_acls
            .iter()
            .find(|(_, acl)| acl.vpc == vpc && acl.is_default);
        let default = default.map(|(id, _)| id.clone())?;
        self.associate_acl(&default, &id);
        self.numbers.subnets.insert(number, id);
        Some(())
    }

    pub(super) fn group(&mut self, number: usize, vpc: usize) -> Option<()> {
        let vpc = self.vpc_of(vpc)?;
        let id = SecurityGroupId::fresh(&self.state.digits());
        let group = SecurityGroup {
            id: id.clone(),
            region: REGION.to_owned(),
            vpc,
            name: format!("group-{number}"),
            description: "generated".to_owned(),
            rules: Vec::new(),
        };
        self.state
            .security_groups
            .insert(id.clone(), Arc::new(group));
        self.numbers.groups.insert(number, id);
        Some(())
    }

    pub(super) fn group_rule(
        &mut self,
        group: usize,
        egress: bool,
        traffic: Traffic,
        peer: &RulePeer,
    ) -> Option<()> {
        let group = self.numbers.groups.get(&group)?.clone();
        let peer = match peer {
            RulePeer::Cidr(cidr) => Peer::Cidr(IpNet::V4(*cidr)),
            RulePeer::Group(of) => Peer::Group(self.numbers.groups.get(of)?.clone()),
        };
        let id = SecurityGroupRuleId::fresh(&self.state.digits());
        let group = self.state.security_groups.get_mut(&group)?;
        Arc::make_mut(group).rules.push(SecurityGroupRule {
            id,
            egress,
            traffic,
            peer,
            description: None,
        });
        Some(())
    }

    fn new_acl(&mut self, vpc: &VpcId, is_default: bool) -> NetworkAclId {
        let id = NetworkAclId::fresh(&self.state.digits());
        let acl = NetworkAcl {
            id: id.clone(),
            region: REGION.to_owned(),
            vpc: vpc.clone(),
            is_default,
            entries: Vec::new(),
            associations: Vec::new(),
        };
        self.state.network_acls.insert(id.clone(), Arc::new(acl));
        id
    }

    pub(super) fn acl(&mut self, number: usize, vpc: usize) -> Option<()> {
        let vpc = self.vpc_of(vpc)?;
        let id = self.new_acl(&vpc, false);
        self.numbers.acls.insert(number, id);
        Some(())
    }

    pub(super) fn acl_entry(
        &mut self,
        acl: usize,
        entry: u16,
        egress: bool,
        allow: bool,
        cidr: Ipv4Net,
        traffic: Traffic,
    ) -> Option<()> {
        let acl = self.numbers.acls.get(&acl)?.clone();
        self.put_entry(&acl, entry, egress, allow, cidr, traffic)
    }

    fn put_entry(
        &mut self,
        acl: &NetworkAclId,
        number: u16,
        egress: bool,
        allow: bool,
        cidr: Ipv4Net,
        traffic: Traffic,
    ) -> Option<()> {
        let acl = Arc::make_mut(self.state.network_acls.get_mut(acl)?);
        if acl
            .entries
            .iter()
            .any(|entry| entry.egress == egress && entry.number == number)
        {
            return None;
        }
        acl.entries.push(NetworkAclEntry {
            number,
            egress,
            allow,
            cidr: IpNet::V4(cidr),
            traffic,
        });
        Some(())
    }

    pub(super) fn acl_of(&mut self, subnet: usize, acl: usize) -> Option<()> {
        let subnet = self.numbers.subnets.get(&subnet)?.clone();
        let acl = self.numbers.acls.get(&acl)?.clone();
        if self.state.network_acls.get(&acl)?.vpc != self.state.subnets.get(&subnet)?.vpc {
            return None;
        }
        self.associate_acl(&acl, &subnet);
        Some(())
    }

    fn associate_acl(&mut self, acl: &NetworkAclId, subnet: &SubnetId) {
        let ids: Vec<_> = self.state.network_acls.keys().cloned().collect();
        for id in ids {
            if let Some(other) = self.state.network_acls.get_mut(&id) {
                Arc::make_mut(other)
                    .associations
                    .retain(|association| association.subnet != *subnet);
            }
        }
        let id = NetworkAclAssociationId::fresh(&self.state.digits());
        if let Some(acl) = self.state.network_acls.get_mut(acl) {
            Arc::make_mut(acl).associations.push(NetworkAclAssociation {
                id,
                subnet: subnet.clone(),
            });
        }
    }

    fn new_route_table(
        &mut self,
        vpc: &VpcId,
        cidrs: &[CidrAssociation],
        with: Option<AssociatedWith>,
    ) -> RouteTableId {
        let id = RouteTableId::fresh(&self.state.digits());
        let local = |cidr: &CidrAssociation| Route {
            destination: Destination::Cidr(cidr.cidr),
            target: RouteTarget::Local,
            origin: RouteOrigin::CreateRouteTable,
        };
        let associations = with
            .map(|with| RouteTableAssociation {
                id: RouteTableAssociationId::fresh(&self.state.digits()),
                with,
            })
            .into_iter()
            .collect();
        let table = RouteTable {
            id: id.clone(),
            region: REGION.to_owned(),
            vpc: vpc.clone(),
            routes: cidrs.iter().map(local).collect(),
            associations,
        };
        self.state.route_tables.insert(id.clone(), Arc::new(table));
        id
    }

    pub(super) fn route_table(&mut self, number: usize, vpc: usize) -> Option<()> {
        let vpc = self.vpc_of(vpc)?;
        let cidrs = self.state.vpcs.get(&vpc)?.cidrs.clone();
        let id = self.new_route_table(&vpc, &cidrs, None);
        self.numbers.route_tables.insert(number, id);
        Some(())
    }

    pub(super) fn route(&mut self, table: usize, destination: Ipv4Net, to: RouteTo) -> Option<()> {
        let id = self.numbers.route_tables.get(&table)?.clone();
        let vpc = self.state.route_tables.get(&id)?.vpc.clone();
        let target = match to {
            RouteTo::InternetGateway => {
                let gateway = self
                    .numbers
                    .vpcs
                    .values()
                    .find(|(of, _)| *of == vpc)?
                    .1
                    .clone()?;
                RouteTarget::InternetGateway(gateway)
            }
            RouteTo::NatGateway(number) => {
                let gateway = self.numbers.nat_gateways.get(&number)?;
                (self.state.nat_gateways.get(gateway)?.vpc == vpc)
                    .then(|| RouteTarget::NatGateway(gateway.clone()))?
            }
            RouteTo::Instance(number) => {
                let interface = self.numbers.instances.get(&number)?.1.first()?;
                let of_vpc = self.state.network_interfaces.get(interface)?.vpc == vpc;
                of_vpc.then(|| RouteTarget::NetworkInterface(interface.clone()))?
            }
        };
        let destination = Destination::Cidr(destination);
        let table = Arc::make_mut(self.state.route_tables.get_mut(&id)?);
        if table
            .routes
            .iter()
            .any(|route| route.destination == destination)
        {
            return None;
        }
        table.routes.push(Route {
            destination,
            target,
            origin: RouteOrigin::CreateRoute,
        });
        Some(())
    }

    pub(super) fn table_of(&mut self, subnet: usize, table: usize) -> Option<()> {
        let subnet = self.numbers.subnets.get(&subnet)?.clone();
        self.associate(
            table,
            &self.state.subnets.get(&subnet)?.vpc.clone(),
            AssociatedWith::Subnet(subnet),
        )
    }

    pub(super) fn edge_table(&mut self, vpc: usize, table: usize) -> Option<()> {
        let (vpc, gateway) = self.numbers.vpcs.get(&vpc)?.clone();
        self.associate(table, &vpc, AssociatedWith::InternetGateway(gateway?))
    }

    fn associate(&mut self, table: usize, vpc: &VpcId, with: AssociatedWith) -> Option<()> {
        let table = self.numbers.route_tables.get(&table)?.clone();
        let taken = self
            .state
            .route_tables
            .values()
            .flat_map(|table| &table.associations);
        if taken
            .into_iter()
            .any(|association| association.with == with)
        {
            return None;
        }
        let id = RouteTableAssociationId::fresh(&self.state.digits());
        let table = Arc::make_mut(self.state.route_tables.get_mut(&table)?);
        (table.vpc == *vpc).then(|| table.associations.push(RouteTableAssociation { id, with }))
    }
}
