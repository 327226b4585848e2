//! How a network interface is shown, and what it answers to filters.

use super::describe::one;
use super::security_group::wire_groups;
use super::tag::wire_tags;
use crate::model::network_interface::{
    InterfaceKind, NetworkInterface, PrivateAddress, PublicAddress,
};
use crate::model::{State, elastic_ip, hostname, region};
use wire::Timestamp;
use wire::ec2;

/// What AWS calls the service that made an interface; none for a user's.
fn requester(kind: InterfaceKind) -> Option<&'static str> {
    match kind {
        InterfaceKind::Interface => None,
        InterfaceKind::NatGateway => Some("amazon-aws"),
        InterfaceKind::ControlPlane => Some("amazon-eks"),
        InterfaceKind::Fargate => Some("amazon-eks-fargate"),
        _ => Some("amazon-elb"),
    }
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html>
pub(super) const FILTERS: &[&str] = &[
    "addresses.association.owner-id",
    "addresses.association.public-ip",
    "addresses.primary",
    "addresses.private-ip-address",
    "association.allocation-id",
    "association.association-id",
    "association.ip-owner-id",
    "association.public-dns-name",
    "association.public-ip",
    "attachment.attach-time",
    "attachment.attachment-id",
    "attachment.delete-on-termination",
    "attachment.device-index",
    "attachment.instance-id",
    "attachment.instance-owner-id",
    "attachment.status",
    "availability-zone",
    "availability-zone-id",
    "description",
    "group-id",
    "group-name",
    "interface-type",
    "mac-address",
    "network-interface-id",
    "owner-id",
    "private-dns-name",
    "private-ip-address",
    "requester-id",
    "requester-managed",
    "source-dest-check",
    "status",
    "subnet-id",
    "vpc-id",
];

/// A MAC address as AWS writes it.
pub(super) fn mac(octets: [u8; 6]) -> String {
    octets.map(|octet| format!("{octet:02x}")).join(":")
}

/// Whether public names are given in an interface's VPC.
fn names_public(state: &State, interface: &NetworkInterface) -> bool {
    let vpc = state.vpcs.get(&interface.vpc);
    vpc.is_some_and(|vpc| vpc.dns_support && vpc.dns_hostnames)
}

fn association(
    state: &State,
    interface: &NetworkInterface,
    address: &PrivateAddress,
) -> Option<ec2::NetworkInterfaceAssociation> {
    let ip = elastic_ip::public_of(state, address)?;
    let elastic = match address.public.as_ref()? {
        PublicAddress::Automatic(_) => None,
        PublicAddress::Elastic(id) => state.elastic_ips.get(id),
    };
    let name = match names_public(state, interface) {
        true => hostname::public(&interface.region, ip),
        false => String::new(),
    };
    let account = || state.settings.account.clone();
    let owner = match interface.kind.is_balancer() {
        true => "amazon-elb",
        false => "amazon",
    };
    let link = elastic.and_then(|elastic| elastic.association.as_ref());
    Some(ec2::NetworkInterfaceAssociation {
        allocation_id: elastic.map(|elastic| elastic.id.to_string()),
        association_id: link.map(|link| link.id.to_string()),
        ip_owner_id: Some(elastic.map_or_else(|| owner.to_owned(), |_| account())),
        public_dns_name: Some(name),
        public_ip: Some(ip.to_string()),
        ..Default::default()
    })
}

pub(super) fn wire_attachment(
    state: &State,
    interface: &NetworkInterface,
) -> Option<ec2::NetworkInterfaceAttachment> {
    let attachment = interface.attachment.as_ref()?;
    let instance = attachment.instance.as_ref();
    let service = requester(interface.kind).unwrap_or_default();
    let owner = instance.map_or(service, |_| &state.settings.account);
    Some(ec2::NetworkInterfaceAttachment {
        attach_time: Some(Timestamp(attachment.since)),
        attachment_id: Some(attachment.id.to_string()),
        delete_on_termination: Some(attachment.delete_on_termination),
        device_index: Some(i32::from(attachment.device_index)),
        instance_id: instance.map(ToString::to_string),
        instance_owner_id: Some(owner.to_owned()),
        network_card_index: instance.map(|_| 0),
        status: Some(ec2::AttachmentStatus::Attached),
        ..Default::default()
    })
}

fn wire_addresses(
    state: &State,
    interface: &NetworkInterface,
) -> Vec<ec2::NetworkInterfacePrivateIpAddress> {
    let addresses = interface.addresses.iter().enumerate();
    let shown = addresses.map(|(index, address)| ec2::NetworkInterfacePrivateIpAddress {
        association: association(state, interface, address),
        primary: Some(index == 0),
        private_dns_name: Some(hostname::private(&interface.region, address.ip)),
        private_ip_address: Some(address.ip.to_string()),
    });
    shown.collect()
}

pub(super) fn wire_interface(state: &State, interface: &NetworkInterface) -> ec2::NetworkInterface {
    let kind = match interface.kind {
        InterfaceKind::Interface
        | InterfaceKind::LoadBalancer
        | InterfaceKind::ControlPlane
        | InterfaceKind::Fargate => ec2::NetworkInterfaceType::Interface,
        InterfaceKind::NatGateway => ec2::NetworkInterfaceType::NatGateway,
        InterfaceKind::NetworkLoadBalancer => ec2::NetworkInterfaceType::NetworkLoadBalancer,
        InterfaceKind::GatewayLoadBalancer => ec2::NetworkInterfaceType::GatewayLoadBalancer,
    };
    let status = match interface.attachment {
        Some(_) => ec2::NetworkInterfaceStatus::InUse,
        None => ec2::NetworkInterfaceStatus::Available,
    };
    let zone = state
        .subnets
        .get(&interface.subnet)
        .map(|subnet| subnet.zone.clone());
    let primary = interface.primary();
    let prefixes = interface
        .prefixes
        .iter()
        .map(|prefix| ec2::Ipv4PrefixSpecification {
            ipv4_prefix: Some(prefix.to_string()),
        });
    ec2::NetworkInterface {
        association: primary.and_then(|address| association(state, interface, address)),
        attachment: wire_attachment(state, interface),
        availability_zone_id: zone.as_deref().map(region::zone_id),
        availability_zone: zone,
        description: Some(interface.description.clone()),
        groups: wire_groups(state, &interface.groups),
        interface_type: Some(kind),
        ipv4_prefixes: prefixes.collect(),
        mac_address: Some(mac(interface.mac)),
        network_interface_id: Some(interface.id.to_string()),
        owner_id: Some(state.settings.account.clone()),
        private_dns_name: primary.map(|of| hostname::private(&interface.region, of.ip)),
        private_ip_address: primary.map(|address| address.ip.to_string()),
        private_ip_addresses: wire_addresses(state, interface),
        requester_id: requester(interface.kind).map(str::to_owned),
        requester_managed: Some(interface.kind.is_requester_managed()),
        source_dest_check: Some(interface.source_dest_check),
        status: Some(status),
        subnet_id: Some(interface.subnet.to_string()),
        tag_set: wire_tags(state, interface.id.as_str()),
        vpc_id: Some(interface.vpc.to_string()),
        ..Default::default()
    }
}

/// What an interface has for a filter.
pub(super) fn field(state: &State, interface: &NetworkInterface, name: &str) -> Vec<String> {
    let shown = || wire_interface(state, interface);
    if let Some(name) = name.strip_prefix("attachment.") {
        return wire_attachment(state, interface)
            .map_or_else(Vec::new, |of| of_attachment(of, name));
    }
    if let Some(name) = name.strip_prefix("association.") {
        return shown()
            .association
            .map_or_else(Vec::new, |of| of_association(of, name));
    }
    if let Some(name) = name.strip_prefix("addresses.") {
        let addresses = wire_addresses(state, interface).into_iter();
        return addresses
            .flat_map(|address| of_address(address, name))
            .collect();
    }
    let value = match name {
        "availability-zone" => shown().availability_zone,
        "availability-zone-id" => shown().availability_zone_id,
        "description" => Some(interface.description.clone()),
        "group-id" => return interface.groups.iter().map(ToString::to_string).collect(),
        "group-name" => {
            let groups = wire_groups(state, &interface.groups).into_iter();
            return groups.filter_map(|group| group.group_name).collect();
        }
        "interface-type" => shown().interface_type.map(|kind| kind.to_string()),
        "mac-address" => Some(mac(interface.mac)),
        "network-interface-id" => Some(interface.id.to_string()),
        "owner-id" => Some(state.settings.account.clone()),
        "private-dns-name" => shown().private_dns_name,
        // Any of its addresses, not the primary alone.
        "private-ip-address" => {
            return interface
                .addresses
                .iter()
                .flat_map(|of| one(of.ip))
                .collect();
        }
        "requester-id" => shown().requester_id,
        "requester-managed" => shown().requester_managed.map(|managed| managed.to_string()),
        "source-dest-check" => Some(interface.source_dest_check.to_string()),
        "status" => shown().status.map(|status| status.to_string()),
        "subnet-id" => Some(interface.subnet.to_string()),
        "vpc-id" => Some(interface.vpc.to_string()),
        _ => None,
    };
    value.into_iter().collect()
}

fn of_attachment(of: ec2::NetworkInterfaceAttachment, name: &str) -> Vec<String> {
    let value = match name {
        "attach-time" => of.attach_time.map(|time| time.iso()),
        "attachment-id" => of.attachment_id,
        "delete-on-termination" => of.delete_on_termination.map(|delete| delete.to_string()),
        "device-index" => of.device_index.map(|index| index.to_string()),
        "instance-id" => of.instance_id,
        "instance-owner-id" => of.instance_owner_id,
        "status" => of.status.map(|status| status.to_string()),
        _ => None,
    };
    value.into_iter().collect()
}

fn of_association(of: ec2::NetworkInterfaceAssociation, name: &str) -> Vec<String> {
    let value = match name {
        "allocation-id" => of.allocation_id,
        "association-id" => of.association_id,
        "ip-owner-id" => of.ip_owner_id,
        "public-dns-name" => of.public_dns_name,
        "public-ip" => of.public_ip,
        _ => None,
    };
    value.into_iter().collect()
}

fn of_address(of: ec2::NetworkInterfacePrivateIpAddress, name: &str) -> Vec<String> {
    let value = match name {
        "primary" => of.primary.map(|primary| primary.to_string()),
        "private-ip-address" => of.private_ip_address,
        "association.public-ip" => of.association.and_then(|of| of.public_ip),
        "association.owner-id" => of.association.and_then(|of| of.ip_owner_id),
        _ => None,
    };
    value.into_iter().collect()
}
