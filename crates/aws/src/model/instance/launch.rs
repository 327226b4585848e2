//! Starting instances.

use super::*;
use crate::model::network_interface::NewInterface;
use crate::model::volume::{RootVolume, Volume};
use std::net::Ipv4Addr;

/// A launch, read and ready.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The image.
    pub image: String,
    /// The type's name.
    pub instance_type: String,
    /// How many at least.
    pub least: i32,
    /// How many at most.
    pub most: i32,
    /// The key pair's name.
    pub key_name: Option<String>,
    /// User data, decoded.
    pub user_data: Option<Vec<u8>>,
    /// The zone asked for.
    pub zone: Option<String>,
    /// The interfaces, by device index; the first is the primary one.
    pub interfaces: Vec<LaunchInterface>,
    /// The metadata service's options.
    pub metadata: MetadataOptions,
    /// Whether API termination is refused.
    pub disable_api_termination: bool,
    /// Whether API stop is refused.
    pub disable_api_stop: bool,
    /// `stop` or `terminate`.
    pub shutdown_behavior: String,
    /// Detailed monitoring.
    pub monitoring: bool,
    /// The instance profile's ARN.
    pub iam_instance_profile: Option<String>,
    /// The idempotency token.
    pub client_token: Option<String>,
    /// EBS-optimized.
    pub ebs_optimized: bool,
    /// CPU credits, unless the type's own.
    pub credits: Option<CpuCredits>,
    /// The root volume.
    pub root: RootVolume,
}

/// An interface of a launch.
#[derive(Clone, Debug)]
pub struct LaunchInterface {
    /// The device index.
    pub device_index: u16,
    /// An interface that exists already.
    pub existing: Option<String>,
    /// Otherwise one to make; without a subnet it is the default one's.
    pub subnet: Option<String>,
    /// Its groups.
    pub groups: Vec<SecurityGroupId>,
    /// Its primary address.
    pub primary: Option<Ipv4Addr>,
    /// Its secondary addresses.
    pub secondary: Vec<Ipv4Addr>,
    /// That many secondary addresses of AWS's choice.
    pub secondary_count: u32,
    /// Its delegated prefixes.
    pub prefixes: Vec<ipnet::Ipv4Net>,
    /// That many prefixes of AWS's choice.
    pub prefix_count: u32,
    /// Its description.
    pub description: String,
    /// Whether it gets a public address; the subnet says if this doesn't.
    pub public: Option<bool>,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
}

/// Starts instances.
///
/// # Errors
/// RunInstances' own; nothing is started then.
pub fn run(
    state: &mut State,
    context: &Context,
    launch: &Launch,
) -> Result<Vec<InstanceId>, Refusal> {
    check(state, context, launch)?;
    let reservation = ReservationId::fresh(&state.digits());
    let (least, most) = (launch.least.unsigned_abs(), launch.most.unsigned_abs());
    let mut started = Vec::new();
    for index in 0..most {
        let before = state.clone();
        match start_one(state, context, launch, &reservation, index) {
            Ok(id) => started.push(id),
            // As many as there is room for, if they are enough.
            Err(_) if index >= least => {
                *state = before;
                break;
            }
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(started)
}

fn check(state: &State, context: &Context, launch: &Launch) -> Result<(), Refusal> {
    if launch.least < 1 || launch.most < launch.least {
        return Err(Refusal::invalid_value(
            "The minimum count must be at least 1 and not above the maximum count.",
        ));
    }
    let Some(image) = image::find(&launch.image) else {
        if !ImageId::well_formed(&launch.image) {
            return Err(Refusal::new(
                "InvalidAMIID.Malformed",
                format!("Invalid id: \"{}\" (expecting \"ami-...\")", launch.image),
            ));
        }
        return Err(Refusal::new(
            "InvalidAMIID.NotFound",
            format!("The image id '[{}]' does not exist", launch.image),
        ));
    };
    let Some(kind) = instance_type::find(&launch.instance_type) else {
        return Err(Refusal::invalid_value(format!(
            "Invalid value '{}' for InstanceType.",
            launch.instance_type
        )));
    };
    if image.architecture != kind.architecture {
        let message = format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
            kind.architecture, image.architecture
        );
        return Err(Refusal::invalid_value(message));
    }
    if let Some(zone) = &launch.zone
        && !region::zones(&context.region).contains(zone)
    {
        return Err(Refusal::invalid_value(format!(
            "Invalid availability zone: [{zone}]"
        )));
    }
    if launch.root.spec.size < volume::SMALLEST_ROOT {
        return Err(Refusal::new(
            "InvalidBlockDeviceMapping",
            format!(
                "Volume of size {}GB is smaller than the image's snapshot, expect size >= {}GB",
                launch.root.spec.size,
                volume::SMALLEST_ROOT
            ),
        ));
    }
    if launch.credits.is_some() && CpuCredits::of_type(&kind.name).is_none() {
        return Err(Refusal::invalid_combination(format!(
            "The specified instance type {} does not support CreditSpecification.",
            kind.name
        )));
    }
    if let Some(name) = &launch.key_name {
        key_pair::find_by_name(state, context, name)?;
    }
    if launch.interfaces.len() > kind.interfaces {
        return Err(Refusal::new(
            "AttachmentLimitExceeded",
            format!(
                "Interface count {} exceeds the limit for {}",
                launch.interfaces.len(),
                kind.name
            ),
        ));
    }
    if launch.most > 1
        && launch
            .interfaces
            .iter()
            .any(|interface| interface.existing.is_some() || interface.primary.is_some())
    {
        return Err(Refusal::invalid_combination(
            "Network interfaces and private IP addresses cannot be specified when launching more than one instance",
        ));
    }
    Ok(())
}

fn start_one(
    state: &mut State,
    context: &Context,
    launch: &Launch,
    reservation: &ReservationId,
    index: u32,
) -> Result<InstanceId, Refusal> {
    let id = InstanceId::fresh(&state.digits());
    let mut interfaces = Vec::new();
    for interface in &launch.interfaces {
        interfaces.push((
            make_interface(state, context, launch, interface)?,
            interface,
        ));
    }
    let primary = interfaces
        .first()
        .map(|(id, _)| id.clone())
        .ok_or_else(|| Refusal::missing("SubnetId"))?;
    let primary = network_interface::find(state, context, primary.as_str())?.clone();
    let zone = state
        .subnets
        .get(&primary.subnet)
        .map(|subnet| subnet.zone.clone())
        .unwrap_or_default();
    capacity::check(state, context, &launch.instance_type, &zone)?;
    let volume = root_volume(state, context, launch, &id, &zone);
    let profile_association = launch
        .iam_instance_profile
        .as_ref()
        .map(|_| ProfileAssociation::fresh(state, context.now));
    let instance = Instance {
        id: id.clone(),
        region: context.region.clone(),
        reservation: reservation.clone(),
        launch_index: index,
        image: ImageId::from(launch.image.as_str()),
        instance_type: launch.instance_type.clone(),
        subnet: primary.subnet.clone(),
        vpc: primary.vpc,
        interfaces: Vec::new(),
        root_volume: Some(volume),
        data_volumes: Vec::new(),
        key_name: launch.key_name.clone(),
        user_data: launch.user_data.clone(),
        state: InstanceState::Pending,
        until: context.now + context.pace.waiting(20),
        launched: context.now,
        boots: 1,
        disks: 1,
        state_reason: None,
        metadata: launch.metadata.clone(),
        disable_api_termination: launch.disable_api_termination,
        disable_api_stop: launch.disable_api_stop,
        shutdown_behavior: launch.shutdown_behavior.clone(),
        monitoring: launch.monitoring,
        iam_instance_profile: launch.iam_instance_profile.clone(),
        profile_association,
        client_token: launch.client_token.clone(),
        ebs_optimized: launch.ebs_optimized,
        credits: CpuCredits::of_type(&launch.instance_type)
            .map(|own| launch.credits.unwrap_or(own)),
    };
    state.instances.insert(id.clone(), Arc::new(instance));
    for (interface, asked) in interfaces {
        let goes = asked.delete_on_termination;
        network_interface::attach(state, context, &interface, &id, asked.device_index, goes)?;
        give_public_address(state, &interface, asked)?;
    }
    Ok(id)
}

fn make_interface(
    state: &mut State,
    context: &Context,
    launch: &Launch,
    asked: &LaunchInterface,
) -> Result<NetworkInterfaceId, Refusal> {
    if let Some(existing) = &asked.existing {
        return Ok(network_interface::find(state, context, existing)?
            .id
            .clone());
    }
    let subnet = match &asked.subnet {
        Some(subnet) => {
            let subnet = subnet::find(state, context, subnet)?;
            if launch
                .zone
                .as_ref()
                .is_some_and(|zone| *zone != subnet.zone)
            {
                return Err(Refusal::invalid_combination(format!(
                    "The subnet '{}' is in the Availability Zone {}, not in the one of the parameter placement.",
                    subnet.id, subnet.zone
                )));
            }
            subnet.id.clone()
        }
        None => {
            let default = subnet::default_for(state, &context.region, launch.zone.as_deref());
            let missing = || {
                Refusal::new(
                    "MissingInput",
                    "No subnets found for the default VPC. Please specify a subnet.",
                )
            };
            default
                .map(|subnet| subnet.id.clone())
                .ok_or_else(missing)?
        }
    };
    let new = NewInterface {
        primary: asked.primary,
        secondary: asked.secondary.clone(),
        secondary_count: asked.secondary_count,
        prefixes: asked.prefixes.clone(),
        prefix_count: asked.prefix_count,
        groups: asked.groups.clone(),
        description: asked.description.clone(),
        ..NewInterface::in_subnet(subnet)
    };
    network_interface::create(state, context, new)
}

/// The primary interface gets a public address when the launch or else its subnet says so.
fn give_public_address(
    state: &mut State,
    interface: &NetworkInterfaceId,
    asked: &LaunchInterface,
) -> Result<(), Refusal> {
    let subnet = state
        .network_interfaces
        .get(interface)
        .and_then(|interface| state.subnets.get(&interface.subnet));
    let by_subnet = subnet.is_some_and(|subnet| subnet.map_public_ip_on_launch);
    if asked.device_index == 0 && asked.existing.is_none() && asked.public.unwrap_or(by_subnet) {
        elastic_ip::assign_automatic(state, interface)?;
        network_interface::edit(state, interface)?.public_on_start = true;
    }
    Ok(())
}

fn root_volume(
    state: &mut State,
    context: &Context,
    launch: &Launch,
    instance: &InstanceId,
    zone: &str,
) -> VolumeId {
    let id = VolumeId::fresh(&state.digits());
    let RootVolume {
        spec,
        delete_on_termination,
    } = launch.root.clone();
    let volume = Volume {
        id: id.clone(),
        region: context.region.clone(),
        zone: zone.to_owned(),
        size: spec.size,
        kind: spec.kind,
        iops: spec.iops,
        throughput: spec.throughput,
        encrypted: spec.encrypted,
        created: context.now,
        attached: context.now,
        instance: Some(instance.clone()),
        device: "/dev/xvda".to_owned(),
        delete_on_termination,
    };
    state.volumes.insert(id.clone(), Arc::new(volume));
    id
}
