//! Images and instance types.

use super::describe::{Kind, one, select, wanted};
use super::{Call, Outcome};
use crate::model::image::{self, Image};
use crate::model::instance_type::{self, InstanceType};
use crate::model::{ImageId, Refusal, region};
use wire::ec2;
use wire::error::ApiError;
use wire::filters::Filters;
use wire::pagination::page;

fn unknown(id: &str) -> Refusal {
    if ImageId::well_formed(id) {
        Refusal::new(
            "InvalidAMIID.NotFound",
            format!("The image id '[{id}]' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidAMIID.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"ami-...\")"),
        )
    }
}

fn wire_image(image: &Image) -> ec2::Image {
    let root = ec2::BlockDeviceMapping {
        device_name: Some("/dev/xvda".to_owned()),
        ebs: Some(ec2::EbsBlockDevice {
            delete_on_termination: Some(true),
            volume_size: Some(8),
            volume_type: Some(ec2::VolumeType::Gp3),
            encrypted: Some(false),
            ..Default::default()
        }),
        ..Default::default()
    };
    ec2::Image {
        architecture: image.architecture.parse().ok(),
        block_device_mappings: vec![root],
        creation_date: Some(image.created.clone()),
        description: Some(image.description.clone()),
        ena_support: Some(true),
        hypervisor: Some(ec2::HypervisorType::Xen),
        image_id: Some(image.id.to_string()),
        image_location: Some(format!("amazon/{}", image.name)),
        image_owner_alias: Some("amazon".to_owned()),
        image_type: Some(ec2::ImageTypeValues::Machine),
        name: Some(image.name.clone()),
        owner_id: Some(image.owner.clone()),
        platform_details: Some("Linux/UNIX".to_owned()),
        public: Some(true),
        root_device_name: Some("/dev/xvda".to_owned()),
        root_device_type: Some(ec2::DeviceType::Ebs),
        sriov_net_support: Some("simple".to_owned()),
        state: Some(ec2::ImageState::Available),
        virtualization_type: Some(ec2::VirtualizationType::Hvm),
        ..Default::default()
    }
}

const FILTERS: &[&str] = &[
    "architecture",
    "creation-date",
    "description",
    "hypervisor",
    "image-id",
    "image-type",
    "is-public",
    "name",
    "owner-alias",
    "owner-id",
    "platform-details",
    "root-device-name",
    "root-device-type",
    "state",
    "virtualization-type",
    "ena-support",
    "block-device-mapping.volume-type",
];

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeImagesRequest,
) -> Outcome<ec2::DescribeImagesResult> {
    let owners = &request.owners;
    let theirs = |image: &&Image| {
        owners.is_empty() || owners.iter().any(|of| of == "amazon" || *of == image.owner)
    };
    if !image::all().iter().any(|image| theirs(&image)) {
        return Ok(ec2::DescribeImagesResult::default());
    }
    let wanted = wanted!(request, image_ids);
    let kind = Kind {
        filters: FILTERS,
        id: &|image: &Image| image.id.to_string(),
        field: &|image, name| match name {
            "architecture" => one(&image.architecture),
            "creation-date" => one(&image.created),
            "description" => one(&image.description),
            "hypervisor" => one("xen"),
            "image-id" => one(&image.id),
            "image-type" => one("machine"),
            "is-public" | "ena-support" => one(true),
            "name" => one(&image.name),
            "owner-alias" => one("amazon"),
            "owner-id" => one(&image.owner),
            "platform-details" => one("Linux/UNIX"),
            "root-device-name" => one("/dev/xvda"),
            "root-device-type" => one("ebs"),
            "state" => one("available"),
            "virtualization-type" => one("hvm"),
            _ => one("gp3"),
        },
        not_found: &unknown,
    };
    let (images, next_token) = select(call, image::all().iter().filter(theirs), wanted, &kind)?;
    Ok(ec2::DescribeImagesResult {
        images: images.into_iter().map(wire_image).collect(),
        next_token,
    })
}

fn wire_type(kind: &InstanceType) -> ec2::InstanceTypeInfo {
    let burstable = kind.name.starts_with('t');
    let threads = if kind.vcpus > 1 && kind.architecture == "x86_64" {
        2
    } else {
        1
    };
    ec2::InstanceTypeInfo {
        bare_metal: Some(false),
        burstable_performance_supported: Some(burstable),
        current_generation: Some(
            !["t2.", "m4.", "c4.", "r4."]
                .iter()
                .any(|family| kind.name.starts_with(family)),
        ),
        free_tier_eligible: Some(matches!(kind.name.as_str(), "t2.micro" | "t3.micro")),
        hypervisor: "nitro".parse().ok(),
        instance_storage_supported: Some(false),
        instance_type: Some(kind.name.clone()),
        memory_info: Some(ec2::MemoryInfo {
            size_in_mi_b: i64::try_from(kind.memory_mib).ok(),
        }),
        network_info: Some(ec2::NetworkInfo {
            default_network_card_index: Some(0),
            ena_support: "required".parse().ok(),
            efa_supported: Some(false),
            ipv4_addresses_per_interface: Some(kind.addresses_per_interface as i32),
            ipv6_addresses_per_interface: Some(kind.addresses_per_interface as i32),
            ipv6_supported: Some(true),
            maximum_network_cards: Some(1),
            maximum_network_interfaces: Some(kind.interfaces as i32),
            network_cards: vec![ec2::NetworkCardInfo {
                maximum_network_interfaces: Some(kind.interfaces as i32),
                network_card_index: Some(0),
                network_performance: Some(kind.network_performance.clone()),
                ..Default::default()
            }],
            network_performance: Some(kind.network_performance.clone()),
            ..Default::default()
        }),
        processor_info: Some(ec2::ProcessorInfo {
            supported_architectures: kind.architecture.parse().into_iter().collect(),
            ..Default::default()
        }),
        supported_root_device_types: "ebs".parse().into_iter().collect(),
        supported_virtualization_types: "hvm".parse().into_iter().collect(),
        v_cpu_info: Some(ec2::VCpuInfo {
            default_cores: Some((kind.vcpus as i32 / threads).max(1)),
            default_threads_per_core: Some(threads),
            default_v_cpus: Some(kind.vcpus as i32),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub(super) fn describe_types(
    _: &mut Call<'_>,
    request: ec2::DescribeInstanceTypesRequest,
) -> Outcome<ec2::DescribeInstanceTypesResult> {
    const NAMES: [&str; 9] = [
        "instance-type",
        "current-generation",
        "burstable-performance-supported",
        "memory-info.size-in-mib",
        "network-info.maximum-network-interfaces",
        "network-info.ipv4-addresses-per-interface",
        "processor-info.supported-architecture",
        "vcpu-info.default-vcpus",
        "bare-metal",
    ];
    let unknown: Vec<_> = request
        .instance_types
        .iter()
        .filter(|name| instance_type::find(name).is_none())
        .collect();
    if !unknown.is_empty() {
        let message = format!(
            "The following supplied instance types do not exist: [{}]",
            unknown
                .iter()
                .map(|name| name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        );
        return Err(ApiError::new("InvalidInstanceType", message));
    }
    let filters = Filters::new(request.filters)?;
    filters.check_names(|name| NAMES.contains(&name))?;
    let asked = |kind: &InstanceType| {
        request.instance_types.is_empty() || request.instance_types.contains(&kind.name)
    };
    let mut chosen = Vec::new();
    for kind in instance_type::all().values().filter(|kind| asked(kind)) {
        let shown = wire_type(kind);
        let passes = filters.pass(|name| {
            Some(match name {
                "instance-type" => one(&kind.name),
                "current-generation" => one(shown.current_generation.unwrap_or(true)),
                "burstable-performance-supported" => {
                    one(shown.burstable_performance_supported.unwrap_or(false))
                }
                "memory-info.size-in-mib" => one(kind.memory_mib),
                "network-info.maximum-network-interfaces" => one(kind.interfaces),
                "network-info.ipv4-addresses-per-interface" => one(kind.addresses_per_interface),
                "processor-info.supported-architecture" => one(&kind.architecture),
                "vcpu-info.default-vcpus" => one(kind.vcpus),
                _ => one(false),
            })
        })?;
        if passes {
            chosen.push(shown);
        }
    }
    let (instance_types, next_token) = page(
        chosen,
        request.max_results,
        request.next_token.as_deref(),
        5..=100,
    )?;
    Ok(ec2::DescribeInstanceTypesResult {
        instance_types,
        next_token,
    })
}

pub(super) fn describe_type_offerings(
    call: &mut Call<'_>,
    request: ec2::DescribeInstanceTypeOfferingsRequest,
) -> Outcome<ec2::DescribeInstanceTypeOfferingsResult> {
    let by = request.location_type.unwrap_or(ec2::LocationType::Region);
    let zones: Vec<_> = region::find(&call.context.region)
        .into_iter()
        .flat_map(|region| region.zones())
        .collect();
    let locations: Vec<String> = match by {
        ec2::LocationType::Region => vec![call.context.region.clone()],
        ec2::LocationType::AvailabilityZone => zones.into_iter().map(|zone| zone.name).collect(),
        ec2::LocationType::AvailabilityZoneId => zones.into_iter().map(|zone| zone.id).collect(),
        ec2::LocationType::Outpost => Vec::new(),
    };
    let filters = Filters::new(request.filters)?;
    filters.check_names(|name| ["instance-type", "location"].contains(&name))?;
    let mut offerings = Vec::new();
    for kind in instance_type::all().values() {
        for location in &locations {
            if filters.pass(|name| {
                Some(if name == "location" {
                    one(location)
                } else {
                    one(&kind.name)
                })
            })? {
                offerings.push(ec2::InstanceTypeOffering {
                    instance_type: Some(kind.name.clone()),
                    location: Some(location.clone()),
                    location_type: Some(by),
                });
            }
        }
    }
    let (instance_type_offerings, next_token) = page(
        offerings,
        request.max_results,
        request.next_token.as_deref(),
        5..=1000,
    )?;
    Ok(ec2::DescribeInstanceTypeOfferingsResult {
        instance_type_offerings,
        next_token,
    })
}
