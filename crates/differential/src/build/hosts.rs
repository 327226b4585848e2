//! Steps that make instances, interfaces, public addresses and NAT gateways.

use super::Builder;
use crate::scenario::Role;
use aws::model::elastic_ip::{EipAssociation, ElasticIp};
use aws::model::instance::{Instance, InstanceState, MetadataOptions};
use aws::model::nat_gateway::{NatGateway, NatGatewayState};
use aws::model::network_interface::{
    Attachment, InterfaceKind, NetworkInterface, PrivateAddress, PublicAddress,
};
use aws::model::{
    AllocationId, AssociationId, AttachmentId, InstanceId, NatGatewayId, NetworkInterfaceId,
    ReservationId, SecurityGroupId, SubnetId,
};
use std::net::Ipv4Addr;
use std::sync::Arc;

const REGION: &str = "us-west-2";

impl Builder {
    /// The next free address of a subnet; the first four are AWS's.
    fn address(&mut self, subnet: &SubnetId) -> Option<Ipv4Addr> {
        let cidr = self.state.subnets.get(subnet)?.cidr;
        let taken = self.taken.entry(subnet.clone()).or_default();
        let free = cidr
            .hosts()
            .skip(3)
            .find(|address| !taken.contains(address))?;
        taken.insert(free);
        Some(free)
    }

    fn groups_in(&self, numbers: &[usize], subnet: &SubnetId) -> Option<Vec<SecurityGroupId>> {
        let vpc = &self.state.subnets.get(subnet)?.vpc;
        let of_vpc = |id: &&SecurityGroupId| {
            self.state
                .security_groups
                .get(*id)
                .is_some_and(|group| group.vpc == *vpc)
        };
        let groups: Vec<_> = numbers
            .iter()
            .filter_map(|number| self.numbers.groups.get(number))
            .filter(of_vpc)
            .cloned()
            .collect();
        (!groups.is_empty()).then_some(groups)
    }

    fn interface(&mut self, subnet: &SubnetId, count: usize) -> Option<NetworkInterface> {
        let vpc = self.state.subnets.get(subnet)?.vpc.clone();
        let addresses: Option<Vec<_>> = (0..count)
            .map(|_| {
                self.address(subnet)
                    .map(|ip| PrivateAddress { ip, public: None })
            })
            .collect();
        let bytes = self.state.bytes();
        Some(NetworkInterface {
            id: NetworkInterfaceId::fresh(&self.state.digits()),
            region: REGION.to_owned(),
            vpc,
            subnet: subnet.clone(),
            mac: [2, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4]],
            description: String::new(),
            addresses: addresses?,
            prefixes: Vec::new(),
            groups: Vec::new(),
            source_dest_check: true,
            public_on_start: false,
            attachment: None,
            kind: InterfaceKind::Interface,
        })
    }

    fn attach(
        &mut self,
        interface: &mut NetworkInterface,
        instance: Option<InstanceId>,
        device_index: u16,
    ) {
        let id = AttachmentId::fresh(&self.state.digits());
        interface.attachment = Some(Attachment {
            id,
            instance,
            device_index,
            delete_on_termination: true,
            since: 0,
        });
    }

    pub(super) fn instance(
        &mut self,
        number: usize,
        subnet: usize,
        groups: &[usize],
        role: Role,
        checked: bool,
        secondary: usize,
    ) -> Option<()> {
        let subnet = self.numbers.subnets.get(&subnet)?.clone();
        let groups = self.groups_in(groups, &subnet)?;
        let id = InstanceId::fresh(&self.state.digits());
        let mut interface = self.interface(&subnet, 1 + secondary)?;
        interface.groups = groups;
        interface.source_dest_check = checked;
        self.attach(&mut interface, Some(id.clone()), 0);
        let instance = Instance {
            id: id.clone(),
            region: REGION.to_owned(),
            reservation: ReservationId::fresh(&self.state.digits()),
            launch_index: 0,
            image: Self::nat_image(role).into(),
            instance_type: "m5.large".to_owned(),
            subnet: subnet.clone(),
            vpc: interface.vpc.clone(),
            interfaces: vec![interface.id.clone()],
            root_volume: None,
            data_volumes: Vec::new(),
            key_name: None,
            user_data: None,
            state: InstanceState::Running,
            until: 0,
            launched: 0,
            boots: 1,
            disks: 1,
            state_reason: None,
            metadata: MetadataOptions {
                enabled: true,
                tokens_required: false,
                hop_limit: 1,
                instance_tags: false,
            },
            disable_api_termination: false,
            disable_api_stop: false,
            shutdown_behavior: "stop".to_owned(),
            monitoring: false,
            iam_instance_profile: None,
            profile_association: None,
            ebs_optimized: false,
            credits: None,
            client_token: None,
        };
        self.numbers
            .instances
            .insert(number, (id.clone(), vec![interface.id.clone()]));
        self.state
            .network_interfaces
            .insert(interface.id.clone(), Arc::new(interface));
        self.state.instances.insert(id.clone(), Arc::new(instance));
        if role == Role::Forwarder {
            self.forwarders.push(id);
        }
        Some(())
    }

    pub(super) fn second_interface(
        &mut self,
        instance: usize,
        subnet: usize,
        groups: &[usize],
    ) -> Option<()> {
        let subnet = self.numbers.subnets.get(&subnet)?.clone();
        let (id, _) = self.numbers.instances.get(&instance)?.clone();
        if self.state.instances.get(&id)?.vpc != self.state.subnets.get(&subnet)?.vpc {
            return None;
        }
        let groups = self.groups_in(groups, &subnet)?;
        let mut interface = self.interface(&subnet, 1)?;
        interface.groups = groups;
        let index = self.state.instances.get(&id)?.interfaces.len() as u16;
        self.attach(&mut interface, Some(id.clone()), index);
        let instance_record = Arc::make_mut(self.state.instances.get_mut(&id)?);
        instance_record.interfaces.push(interface.id.clone());
        self.numbers
            .instances
            .get_mut(&instance)?
            .1
            .push(interface.id.clone());
        self.state
            .network_interfaces
            .insert(interface.id.clone(), Arc::new(interface));
        Some(())
    }

    /// A new Elastic IP on an interface's address.
    fn elastic(&mut self, interface: &NetworkInterfaceId, index: usize) -> Option<AllocationId> {
        let private_ip = self
            .state
            .network_interfaces
            .get(interface)?
            .addresses
            .get(index)?
            .ip;
        self.public += 1;
        let public_ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 51, 100, 0)) + self.public);
        let id = AllocationId::fresh(&self.state.digits());
        let association = EipAssociation {
            id: AssociationId::fresh(&self.state.digits()),
            network_interface: interface.clone(),
            private_ip,
        };
        let address = ElasticIp {
            id: id.clone(),
            region: REGION.to_owned(),
            public_ip,
            association: Some(association),
        };
        self.state.elastic_ips.insert(id.clone(), Arc::new(address));
        let interface = Arc::make_mut(self.state.network_interfaces.get_mut(interface)?);
        interface.addresses[index].public = Some(PublicAddress::Elastic(id.clone()));
        Some(id)
    }

    pub(super) fn public(&mut self, instance: usize, address: usize) -> Option<()> {
        let interface = self.numbers.instances.get(&instance)?.1.first()?.clone();
        let known = self.state.network_interfaces.get(&interface)?;
        let gateway = self
            .numbers
            .vpcs
            .values()
            .any(|(vpc, gateway)| *vpc == known.vpc && gateway.is_some());
        let free = known.addresses.get(address)?.public.is_none();
        (gateway && free)
            .then(|| self.elastic(&interface, address))?
            .map(drop)
    }

    pub(super) fn stopped(&mut self, instance: usize) -> Option<()> {
        let id = self.numbers.instances.get(&instance)?.0.clone();
        Arc::make_mut(self.state.instances.get_mut(&id)?).state = InstanceState::Stopped;
        Some(())
    }

    pub(super) fn nat_gateway(
        &mut self,
        number: usize,
        subnet: usize,
        deleted: bool,
    ) -> Option<()> {
        let subnet = self.numbers.subnets.get(&subnet)?.clone();
        let mut interface = self.interface(&subnet, 1)?;
        interface.kind = InterfaceKind::NatGateway;
        interface.source_dest_check = false;
        self.attach(&mut interface, None, 0);
        let id = NatGatewayId::fresh(&self.state.digits());
        let (vpc, private_ip, eni) = (
            interface.vpc.clone(),
            interface.addresses.first()?.ip,
            interface.id.clone(),
        );
        let mut gateway = NatGateway {
            id: id.clone(),
            region: REGION.to_owned(),
            vpc,
            subnet,
            network_interface: eni.clone(),
            private_ip,
            allocation: None,
            public_ip: None,
            association: None,
            state: if deleted {
                NatGatewayState::Deleted
            } else {
                NatGatewayState::Available
            },
            created: 0,
            until: 0,
            deleted: deleted.then_some(0),
        };
        if !deleted {
            self.state
                .network_interfaces
                .insert(eni.clone(), Arc::new(interface));
            gateway.allocation = self.elastic(&eni, 0);
        }
        self.state
            .nat_gateways
            .insert(id.clone(), Arc::new(gateway));
        self.numbers.nat_gateways.insert(number, id);
        Some(())
    }
}
