//! Launch templates' parameters: off the wire, onto it, and into a launch.

use super::network_interface::address;
use crate::model::Refusal;
use crate::model::launch_template::{InterfaceData, LaunchData, MetadataData, VolumeData};
use wire::ec2;

fn tags(of: Vec<ec2::Tag>) -> Vec<(String, String)> {
    of.into_iter()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}

fn wire_tags(of: &[(String, String)]) -> Vec<ec2::Tag> {
    of.iter()
        .map(|(key, value)| ec2::Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        })
        .collect()
}

fn words(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// Reads a request's parameters.
pub(super) fn read(data: ec2::RequestLaunchTemplateData) -> Result<LaunchData, Refusal> {
    let placement = data.placement.as_ref();
    if placement
        .and_then(|placement| placement.tenancy)
        .is_some_and(|tenancy| tenancy != ec2::Tenancy::Default)
    {
        return Err(Refusal::unsupported(
            "Tenancies other than default are not implemented by Skylab",
        ));
    }
    let (profile_arn, profile_name) = data
        .iam_instance_profile
        .map_or((None, None), |profile| (profile.arn, profile.name));
    let tagged = data.tag_specifications.into_iter();
    Ok(LaunchData {
        image: data.image_id,
        instance_type: data.instance_type,
        key_name: data.key_name,
        user_data: data.user_data,
        group_ids: data.security_group_ids,
        group_names: data.security_groups,
        interfaces: data
            .network_interfaces
            .into_iter()
            .map(interface)
            .collect::<Result<_, _>>()?,
        volumes: data.block_device_mappings.into_iter().map(volume).collect(),
        monitoring: data.monitoring.and_then(|monitoring| monitoring.enabled),
        zone: placement.and_then(|placement| placement.availability_zone.clone()),
        ebs_optimized: data.ebs_optimized,
        disable_api_termination: data.disable_api_termination,
        disable_api_stop: data.disable_api_stop,
        shutdown_behavior: words(data.instance_initiated_shutdown_behavior),
        profile_arn,
        profile_name,
        tags: tagged
            .filter_map(|of| Some((of.resource_type?, tags(of.tags))))
            .collect(),
        metadata: data.metadata_options.map(|options| MetadataData {
            endpoint: words(options.http_endpoint),
            tokens: words(options.http_tokens),
            hop_limit: options.http_put_response_hop_limit,
            tags: words(options.instance_metadata_tags),
        }),
        credits: data.credit_specification.map(|credits| credits.cpu_credits),
    })
}

fn interface(
    of: ec2::LaunchTemplateInstanceNetworkInterfaceSpecificationRequest,
) -> Result<InterfaceData, Refusal> {
    let mut primary = of.private_ip_address.as_deref().map(address).transpose()?;
    let mut secondary = Vec::new();
    for given in of.private_ip_addresses {
        let Some(text) = &given.private_ip_address else {
            continue;
        };
        match given.primary {
            Some(true) => primary = Some(address(text)?),
            _ => secondary.push(address(text)?),
        }
    }
    Ok(InterfaceData {
        device_index: of.device_index,
        network_card: of.network_card_index,
        existing: of.network_interface_id,
        subnet: of.subnet_id,
        groups: of.groups,
        primary,
        secondary,
        secondary_count: of.secondary_private_ip_address_count,
        prefixes: of
            .ipv4_prefixes
            .into_iter()
            .filter_map(|prefix| prefix.ipv4_prefix)
            .collect(),
        prefix_count: of.ipv4_prefix_count,
        description: of.description,
        public: of.associate_public_ip_address,
        delete_on_termination: of.delete_on_termination,
    })
}

fn volume(of: ec2::LaunchTemplateBlockDeviceMappingRequest) -> VolumeData {
    let ebs = of.ebs.as_ref();
    VolumeData {
        device: of.device_name,
        size: ebs.and_then(|ebs| ebs.volume_size),
        kind: words(ebs.and_then(|ebs| ebs.volume_type)),
        iops: ebs.and_then(|ebs| ebs.iops),
        throughput: ebs.and_then(|ebs| ebs.throughput),
        delete_on_termination: ebs.and_then(|ebs| ebs.delete_on_termination),
    }
}

/// Shows a version's parameters.
pub(super) fn wire_data(data: &LaunchData) -> ec2::ResponseLaunchTemplateData {
    let profile = data.profile_arn.is_some() || data.profile_name.is_some();
    let tagged = data.tags.iter();
    ec2::ResponseLaunchTemplateData {
        block_device_mappings: data.volumes.iter().map(wire_volume).collect(),
        credit_specification: data
            .credits
            .clone()
            .map(|credits| ec2::CreditSpecification {
                cpu_credits: Some(credits),
            }),
        disable_api_stop: data.disable_api_stop,
        disable_api_termination: data.disable_api_termination,
        ebs_optimized: data.ebs_optimized,
        iam_instance_profile: profile.then(|| ec2::LaunchTemplateIamInstanceProfileSpecification {
            arn: data.profile_arn.clone(),
            name: data.profile_name.clone(),
        }),
        image_id: data.image.clone(),
        instance_initiated_shutdown_behavior: parsed(data.shutdown_behavior.as_ref()),
        instance_type: data.instance_type.clone(),
        key_name: data.key_name.clone(),
        metadata_options: data.metadata.as_ref().map(|options| {
            ec2::LaunchTemplateInstanceMetadataOptions {
                http_endpoint: parsed(options.endpoint.as_ref()),
                http_put_response_hop_limit: options.hop_limit,
                http_tokens: parsed(options.tokens.as_ref()),
                instance_metadata_tags: parsed(options.tags.as_ref()),
                ..Default::default()
            }
        }),
        monitoring: data
            .monitoring
            .map(|enabled| ec2::LaunchTemplatesMonitoring {
                enabled: Some(enabled),
            }),
        network_interfaces: data.interfaces.iter().map(wire_interface).collect(),
        placement: data.zone.clone().map(|zone| ec2::LaunchTemplatePlacement {
            availability_zone: Some(zone),
            ..Default::default()
        }),
        security_group_ids: data.group_ids.clone(),
        security_groups: data.group_names.clone(),
        tag_specifications: tagged
            .map(|(kind, tags)| ec2::LaunchTemplateTagSpecification {
                resource_type: Some(kind.clone()),
                tags: wire_tags(tags),
            })
            .collect(),
        user_data: data.user_data.clone(),
        ..Default::default()
    }
}

fn parsed<T: std::str::FromStr>(text: Option<&String>) -> Option<T> {
    text.and_then(|text| text.parse().ok())
}

fn wire_volume(of: &VolumeData) -> ec2::LaunchTemplateBlockDeviceMapping {
    ec2::LaunchTemplateBlockDeviceMapping {
        device_name: of.device.clone(),
        ebs: Some(ec2::LaunchTemplateEbsBlockDevice {
            delete_on_termination: of.delete_on_termination,
            iops: of.iops,
            throughput: of.throughput,
            volume_size: of.size,
            volume_type: parsed(of.kind.as_ref()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// An interface's addresses, the primary first.
fn addresses(of: &InterfaceData) -> Vec<ec2::PrivateIpAddressSpecification> {
    let one = |primary: bool| {
        move |ip: &std::net::Ipv4Addr| ec2::PrivateIpAddressSpecification {
            primary: Some(primary),
            private_ip_address: Some(ip.to_string()),
        }
    };
    let primary = of
        .primary
        .iter()
        .filter(|_| !of.secondary.is_empty())
        .map(one(true));
    primary.chain(of.secondary.iter().map(one(false))).collect()
}

fn wire_interface(of: &InterfaceData) -> ec2::LaunchTemplateInstanceNetworkInterfaceSpecification {
    let prefixes = of.prefixes.iter().cloned();
    ec2::LaunchTemplateInstanceNetworkInterfaceSpecification {
        associate_public_ip_address: of.public,
        delete_on_termination: of.delete_on_termination,
        description: of.description.clone(),
        device_index: of.device_index,
        groups: of.groups.clone(),
        ipv4_prefix_count: of.prefix_count,
        ipv4_prefixes: prefixes
            .map(|prefix| ec2::Ipv4PrefixSpecificationResponse {
                ipv4_prefix: Some(prefix),
            })
            .collect(),
        network_card_index: of.network_card,
        network_interface_id: of.existing.clone(),
        private_ip_address: words(of.primary),
        private_ip_addresses: addresses(of),
        secondary_private_ip_address_count: of.secondary_count,
        subnet_id: of.subnet.clone(),
        ..Default::default()
    }
}

/// Fills a launch with what its template says and it doesn't.
pub(super) fn fill(request: &mut ec2::RunInstancesRequest, data: &LaunchData) {
    let or = |own: &mut Option<String>, below: &Option<String>| {
        if own.is_none() {
            own.clone_from(below);
        }
    };
    or(&mut request.image_id, &data.image);
    or(&mut request.instance_type, &data.instance_type);
    or(&mut request.key_name, &data.key_name);
    or(&mut request.user_data, &data.user_data);
    let named = !request.security_group_ids.is_empty() || !request.security_groups.is_empty();
    if request.network_interfaces.is_empty() && request.subnet_id.is_none() {
        request.network_interfaces = data.interfaces.iter().map(launch_interface).collect();
    }
    if !named && request.network_interfaces.is_empty() {
        request.security_group_ids.clone_from(&data.group_ids);
        request.security_groups.clone_from(&data.group_names);
    }
    if request.block_device_mappings.is_empty() {
        request.block_device_mappings = data.volumes.iter().map(launch_volume).collect();
    }
    fill_options(request, data);
    for (kind, below) in &data.tags {
        let own = request.tag_specifications.iter_mut();
        let mut own = own.filter(|of| {
            of.resource_type
                .as_ref()
                .is_some_and(|own| own.as_str() == kind)
        });
        match own.next() {
            Some(own) => {
                let has = |key: &str| own.tags.iter().any(|tag| tag.key.as_deref() == Some(key));
                let more: Vec<_> = below.iter().filter(|(key, _)| !has(key)).cloned().collect();
                own.tags.extend(wire_tags(&more));
            }
            None => request.tag_specifications.push(ec2::TagSpecification {
                resource_type: kind.parse().ok(),
                tags: wire_tags(below),
            }),
        }
    }
}

fn fill_options(request: &mut ec2::RunInstancesRequest, data: &LaunchData) {
    request.ebs_optimized = request.ebs_optimized.or(data.ebs_optimized);
    request.disable_api_stop = request.disable_api_stop.or(data.disable_api_stop);
    request.disable_api_termination = request
        .disable_api_termination
        .or(data.disable_api_termination);
    if request.monitoring.is_none() {
        request.monitoring = data
            .monitoring
            .map(|enabled| ec2::RunInstancesMonitoringEnabled { enabled });
    }
    if request.placement.is_none() {
        request.placement = data.zone.clone().map(|zone| ec2::Placement {
            availability_zone: Some(zone),
            ..Default::default()
        });
    }
    if request.instance_initiated_shutdown_behavior.is_none() {
        request.instance_initiated_shutdown_behavior = parsed(data.shutdown_behavior.as_ref());
    }
    let profile = data.profile_arn.is_some() || data.profile_name.is_some();
    if request.iam_instance_profile.is_none() && profile {
        request.iam_instance_profile = Some(ec2::IamInstanceProfileSpecification {
            arn: data.profile_arn.clone(),
            name: data.profile_name.clone(),
        });
    }
    if request.credit_specification.is_none() {
        request.credit_specification =
            data.credits
                .clone()
                .map(|credits| ec2::CreditSpecificationRequest {
                    cpu_credits: credits,
                });
    }
    if request.metadata_options.is_none() {
        request.metadata_options =
            data.metadata
                .as_ref()
                .map(|options| ec2::InstanceMetadataOptionsRequest {
                    http_endpoint: parsed(options.endpoint.as_ref()),
                    http_put_response_hop_limit: options.hop_limit,
                    http_tokens: parsed(options.tokens.as_ref()),
                    instance_metadata_tags: parsed(options.tags.as_ref()),
                });
    }
}

fn launch_interface(of: &InterfaceData) -> ec2::InstanceNetworkInterfaceSpecification {
    let prefixes = of.prefixes.iter().cloned();
    ec2::InstanceNetworkInterfaceSpecification {
        associate_public_ip_address: of.public,
        delete_on_termination: of.delete_on_termination,
        description: of.description.clone(),
        device_index: of.device_index.or(Some(0)),
        groups: of.groups.clone(),
        ipv4_prefix_count: of.prefix_count,
        ipv4_prefixes: prefixes
            .map(|prefix| ec2::Ipv4PrefixSpecificationRequest {
                ipv4_prefix: Some(prefix),
            })
            .collect(),
        network_interface_id: of.existing.clone(),
        private_ip_address: words(of.primary),
        private_ip_addresses: addresses(of),
        secondary_private_ip_address_count: of.secondary_count,
        subnet_id: of.subnet.clone(),
        interface_type: None,
        network_card_index: None,
    }
}

fn launch_volume(of: &VolumeData) -> ec2::BlockDeviceMapping {
    ec2::BlockDeviceMapping {
        device_name: of.device.clone(),
        ebs: Some(ec2::EbsBlockDevice {
            delete_on_termination: of.delete_on_termination,
            iops: of.iops,
            throughput: of.throughput,
            volume_size: of.size,
            volume_type: parsed(of.kind.as_ref()),
            ..Default::default()
        }),
        ..Default::default()
    }
}
