//! How an instance is shown, and what it answers to filters.

use super::describe::one;
use super::instance_profile_association;
use super::network_interface_view::mac;
use super::security_group::wire_groups;
use super::tag::wire_tags;
use crate::model::instance::{Instance, InstanceState};
use crate::model::network_interface::{NetworkInterface, PrivateAddress};
use crate::model::volume::Volume;
use crate::model::{State, elastic_ip, hostname, image, region};
use wire::Timestamp;
use wire::ec2;

pub(super) const FILTERS: &[&str] = &[
    "architecture",
    "availability-zone",
    "client-token",
    "dns-name",
    "group-id",
    "group-name",
    "iam-instance-profile.arn",
    "image-id",
    "instance.group-id",
    "instance.group-name",
    "instance-id",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "ip-address",
    "key-name",
    "launch-index",
    "network-interface.network-interface-id",
    "network-interface.subnet-id",
    "network-interface.vpc-id",
    "network-interface.addresses.private-ip-address",
    "network-interface.mac-address",
    "owner-id",
    "placement.availability-zone",
    "private-dns-name",
    "private-ip-address",
    "reservation-id",
    "root-device-type",
    "source-dest-check",
    "subnet-id",
    "tenancy",
    "vpc-id",
    "network-interface.group-id",
    "network-interface.attachment.device-index",
    "network-interface.addresses.primary",
    "network-interface.addresses.association.public-ip",
    "metadata-options.http-tokens",
];

pub(super) fn wire_state(state: InstanceState) -> ec2::InstanceState {
    ec2::InstanceState {
        code: Some(state.code()),
        name: state.name().parse().ok(),
    }
}

pub(super) fn interfaces<'a>(state: &'a State, instance: &Instance) -> Vec<&'a NetworkInterface> {
    instance
        .interfaces
        .iter()
        .filter_map(|id| state.network_interfaces.get(id))
        .map(AsRef::as_ref)
        .collect()
}

fn names_public(state: &State, instance: &Instance) -> bool {
    state
        .vpcs
        .get(&instance.vpc)
        .is_some_and(|vpc| vpc.dns_support && vpc.dns_hostnames)
}

fn association(
    state: &State,
    instance: &Instance,
    address: &PrivateAddress,
) -> Option<ec2::InstanceNetworkInterfaceAssociation> {
    let ip = elastic_ip::public_of(state, address)?;
    let automatic = matches!(
        address.public,
        Some(crate::model::network_interface::PublicAddress::Automatic(_))
    );
    Some(ec2::InstanceNetworkInterfaceAssociation {
        ip_owner_id: Some(if automatic {
            "amazon".to_owned()
        } else {
            state.settings.account.clone()
        }),
        public_dns_name: Some(if names_public(state, instance) {
            hostname::public(&instance.region, ip)
        } else {
            String::new()
        }),
        public_ip: Some(ip.to_string()),
        ..Default::default()
    })
}

fn wire_interface(
    state: &State,
    instance: &Instance,
    interface: &NetworkInterface,
) -> ec2::InstanceNetworkInterface {
    let private = |(index, address): (usize, &PrivateAddress)| ec2::InstancePrivateIpAddress {
        association: association(state, instance, address),
        primary: Some(index == 0),
        private_dns_name: Some(hostname::private(&instance.region, address.ip)),
        private_ip_address: Some(address.ip.to_string()),
    };
    let attachment =
        interface
            .attachment
            .as_ref()
            .map(|attachment| ec2::InstanceNetworkInterfaceAttachment {
                attach_time: Some(Timestamp(attachment.since)),
                attachment_id: Some(attachment.id.to_string()),
                delete_on_termination: Some(attachment.delete_on_termination),
                device_index: Some(i32::from(attachment.device_index)),
                network_card_index: Some(0),
                status: Some(ec2::AttachmentStatus::Attached),
                ..Default::default()
            });
    let primary = interface.primary();
    ec2::InstanceNetworkInterface {
        association: primary.and_then(|address| association(state, instance, address)),
        attachment,
        description: Some(interface.description.clone()),
        groups: wire_groups(state, &interface.groups),
        interface_type: Some("interface".to_owned()),
        ipv4_prefixes: interface
            .prefixes
            .iter()
            .map(|prefix| ec2::InstanceIpv4Prefix {
                ipv4_prefix: Some(prefix.to_string()),
            })
            .collect(),
        mac_address: Some(mac(interface.mac)),
        network_interface_id: Some(interface.id.to_string()),
        owner_id: Some(state.settings.account.clone()),
        private_dns_name: primary.map(|address| hostname::private(&instance.region, address.ip)),
        private_ip_address: primary.map(|address| address.ip.to_string()),
        private_ip_addresses: interface
            .addresses
            .iter()
            .enumerate()
            .map(private)
            .collect(),
        source_dest_check: Some(interface.source_dest_check),
        status: Some(ec2::NetworkInterfaceStatus::InUse),
        subnet_id: Some(interface.subnet.to_string()),
        vpc_id: Some(interface.vpc.to_string()),
        ..Default::default()
    }
}

pub(super) fn zone(state: &State, instance: &Instance) -> String {
    state
        .subnets
        .get(&instance.subnet)
        .map(|subnet| subnet.zone.clone())
        .unwrap_or_default()
}

/// An instance's volumes, its root device first.
fn wire_volumes(state: &State, instance: &Instance) -> Vec<ec2::InstanceBlockDeviceMapping> {
    let volumes = instance.volumes().filter_map(|id| state.volumes.get(id));
    let mapping = |volume: &std::sync::Arc<Volume>| ec2::InstanceBlockDeviceMapping {
        device_name: Some(volume.device.clone()),
        ebs: Some(ec2::EbsInstanceBlockDevice {
            attach_time: Some(Timestamp(volume.attached)),
            delete_on_termination: Some(volume.delete_on_termination),
            status: Some(ec2::AttachmentStatus::Attached),
            volume_id: Some(volume.id.to_string()),
            ..Default::default()
        }),
    };
    volumes.map(mapping).collect()
}

pub(super) fn wire_metadata(instance: &Instance) -> ec2::InstanceMetadataOptionsResponse {
    let options = &instance.metadata;
    let on = |on: bool| if on { "enabled" } else { "disabled" };
    ec2::InstanceMetadataOptionsResponse {
        http_endpoint: on(options.enabled).parse().ok(),
        http_protocol_ipv6: "disabled".parse().ok(),
        http_put_response_hop_limit: Some(i32::from(options.hop_limit)),
        http_tokens: if options.tokens_required {
            "required"
        } else {
            "optional"
        }
        .parse()
        .ok(),
        instance_metadata_tags: on(options.instance_tags).parse().ok(),
        state: "applied".parse().ok(),
    }
}

pub(super) fn wire_instance(state: &State, instance: &Instance) -> ec2::Instance {
    let interfaces = interfaces(state, instance);
    let primary = interfaces.first();
    let address = primary.and_then(|interface| interface.primary());
    let public = address.and_then(|address| elastic_ip::public_of(state, address));
    let gone = instance.state == InstanceState::Terminated;
    let named = |ip| {
        if names_public(state, instance) {
            hostname::public(&instance.region, ip)
        } else {
            String::new()
        }
    };
    let reason = instance.state_reason.as_deref().map(|reason| {
        let code = reason.split(':').next().unwrap_or_default().to_owned();
        ec2::StateReason {
            code: Some(code),
            message: Some(reason.to_owned()),
        }
    });
    let image = image::find(instance.image.as_str());
    let vcpus = crate::model::instance_type::find(&instance.instance_type)
        .map_or(1, |kind| kind.vcpus as i32);
    ec2::Instance {
        ami_launch_index: Some(instance.launch_index as i32),
        architecture: image.and_then(|image| image.architecture.parse().ok()),
        block_device_mappings: wire_volumes(state, instance),
        client_token: Some(instance.client_token.clone().unwrap_or_default()),
        cpu_options: Some(ec2::CpuOptions {
            core_count: Some((vcpus / 2).max(1)),
            threads_per_core: Some(if vcpus > 1 { 2 } else { 1 }),
            ..Default::default()
        }),
        ebs_optimized: Some(instance.ebs_optimized),
        ena_support: Some(true),
        enclave_options: Some(ec2::EnclaveOptions {
            enabled: Some(false),
        }),
        hypervisor: Some(ec2::HypervisorType::Xen),
        iam_instance_profile: instance
            .iam_instance_profile
            .as_deref()
            .map(|arn| instance_profile_association::shown(state, arn)),
        image_id: Some(instance.image.to_string()),
        instance_id: Some(instance.id.to_string()),
        instance_type: Some(instance.instance_type.clone()),
        key_name: instance.key_name.clone(),
        launch_time: Some(Timestamp(instance.launched)),
        maintenance_options: Some(ec2::InstanceMaintenanceOptions {
            auto_recovery: "default".parse().ok(),
            ..Default::default()
        }),
        metadata_options: Some(wire_metadata(instance)),
        monitoring: Some(ec2::Monitoring {
            state: if instance.monitoring {
                "enabled"
            } else {
                "disabled"
            }
            .parse()
            .ok(),
        }),
        network_interfaces: interfaces
            .iter()
            .map(|interface| wire_interface(state, instance, interface))
            .collect(),
        placement: Some(ec2::Placement {
            availability_zone: Some(zone(state, instance)),
            availability_zone_id: Some(region::zone_id(&zone(state, instance))),
            group_name: Some(String::new()),
            tenancy: Some(ec2::Tenancy::Default),
            ..Default::default()
        }),
        platform_details: Some("Linux/UNIX".to_owned()),
        private_dns_name: Some(
            address
                .map(|address| hostname::private(&instance.region, address.ip))
                .unwrap_or_default(),
        ),
        private_ip_address: address.map(|address| address.ip.to_string()),
        public_dns_name: Some(public.map(named).unwrap_or_default()),
        public_ip_address: public.map(|ip| ip.to_string()),
        root_device_name: Some("/dev/xvda".to_owned()),
        root_device_type: Some(ec2::DeviceType::Ebs),
        security_groups: primary
            .map(|interface| wire_groups(state, &interface.groups))
            .unwrap_or_default(),
        source_dest_check: primary.map(|interface| interface.source_dest_check),
        state: Some(wire_state(instance.state)),
        state_reason: reason,
        state_transition_reason: Some(
            instance
                .state_reason
                .as_ref()
                .map_or("", |_| "User initiated")
                .to_owned(),
        ),
        subnet_id: Some(instance.subnet.to_string()).filter(|_| !gone),
        tags: wire_tags(state, instance.id.as_str()),
        virtualization_type: Some(ec2::VirtualizationType::Hvm),
        vpc_id: Some(instance.vpc.to_string()).filter(|_| !gone),
        ..Default::default()
    }
}

pub(super) fn field(state: &State, instance: &Instance, name: &str) -> Vec<String> {
    let interfaces = interfaces(state, instance);
    if let Some(name) = name.strip_prefix("network-interface.") {
        return interfaces
            .iter()
            .flat_map(|interface| interface_field(state, instance, interface, name))
            .collect();
    }
    let text = |text: Option<String>| text.into_iter().collect::<Vec<_>>();
    let shown = || wire_instance(state, instance);
    match name {
        "architecture" => text(
            shown()
                .architecture
                .map(|architecture| architecture.to_string()),
        ),
        "availability-zone" | "placement.availability-zone" => one(zone(state, instance)),
        "client-token" => text(instance.client_token.clone()),
        "dns-name" => text(shown().public_dns_name),
        "group-id" | "instance.group-id" => shown()
            .security_groups
            .into_iter()
            .filter_map(|group| group.group_id)
            .collect(),
        "group-name" | "instance.group-name" => shown()
            .security_groups
            .into_iter()
            .filter_map(|group| group.group_name)
            .collect(),
        "iam-instance-profile.arn" => text(instance.iam_instance_profile.clone()),
        "image-id" => one(&instance.image),
        "instance-id" => one(&instance.id),
        "instance-state-code" => one(instance.state.code()),
        "instance-state-name" => one(instance.state.name()),
        "instance-type" => one(&instance.instance_type),
        "ip-address" => text(shown().public_ip_address),
        "key-name" => text(instance.key_name.clone()),
        "launch-index" => one(instance.launch_index),
        "owner-id" => one(&state.settings.account),
        "private-dns-name" => text(shown().private_dns_name),
        "private-ip-address" => text(shown().private_ip_address),
        "reservation-id" => one(&instance.reservation),
        "root-device-type" => one("ebs"),
        "source-dest-check" => text(shown().source_dest_check.map(|check| check.to_string())),
        "subnet-id" => one(&instance.subnet),
        "tenancy" => one("default"),
        "vpc-id" => one(&instance.vpc),
        "metadata-options.http-tokens" => one(if instance.metadata.tokens_required {
            "required"
        } else {
            "optional"
        }),
        _ => Vec::new(),
    }
}

fn interface_field(
    state: &State,
    instance: &Instance,
    interface: &NetworkInterface,
    name: &str,
) -> Vec<String> {
    let shown = wire_interface(state, instance, interface);
    match name {
        "network-interface-id" => one(&interface.id),
        "subnet-id" => one(&interface.subnet),
        "vpc-id" => one(&interface.vpc),
        "mac-address" => shown.mac_address.into_iter().collect(),
        "group-id" => interface.groups.iter().map(ToString::to_string).collect(),
        "attachment.device-index" => interface
            .attachment
            .iter()
            .map(|attachment| attachment.device_index.to_string())
            .collect(),
        "addresses.private-ip-address" => interface
            .addresses
            .iter()
            .map(|address| address.ip.to_string())
            .collect(),
        "addresses.primary" => vec!["true".to_owned(), "false".to_owned()]
            .into_iter()
            .take(interface.addresses.len())
            .collect(),
        "addresses.association.public-ip" => interface
            .addresses
            .iter()
            .filter_map(|address| elastic_ip::public_of(state, address))
            .map(|ip| ip.to_string())
            .collect(),
        _ => Vec::new(),
    }
}
