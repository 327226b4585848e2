//! RunInstances.

use super::instance::reservation;
use super::network_interface::{address, count, group_ids, one_of_prefixes, prefixes};
use super::tag::for_type;
use super::{Call, Outcome, instance_profile_association, launch_template_data};
use crate::model::instance::{
    self, CpuCredits, Instance, InstanceState, Launch, LaunchInterface, MetadataOptions,
};
use crate::model::launch_template::LaunchTemplate;
use crate::model::volume::{RootVolume, VolumeSpec};
use crate::model::{
    Refusal, ReservationId, SecurityGroupId, launch_template, security_group, subnet, tag, vpc,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wire::ec2;
use wire::ec2::{
    HttpTokensState, InstanceMetadataEndpointState, InstanceMetadataTagsState, RunInstancesRequest,
};

/// The largest user data, before base64.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>
const LARGEST_USER_DATA: usize = 16 * 1024;

pub(super) fn run(
    call: &mut Call<'_>,
    mut request: RunInstancesRequest,
) -> Outcome<ec2::Reservation> {
    let token = call.token("RunInstances", &request, request.client_token.as_deref())?;
    if let Some(made) = &token.made {
        return repeated(call, made);
    }
    let mut marks = Vec::new();
    if let Some(named) = request.launch_template.take() {
        let (id, name) = (
            named.launch_template_id.as_deref(),
            named.launch_template_name.as_deref(),
        );
        let template = launch_template::find(&call.state, call.context, id, name)?;
        let version = template.version(named.version.as_deref())?;
        launch_template_data::fill(&mut request, &version.data);
        marks = self::marks(template, version.number);
    }
    let started = start(call, &request, marks)?;
    let first = started.first().and_then(|id| call.state.instances.get(id));
    let Some(reserved) = first.map(|instance| instance.reservation.clone()) else {
        return Err(Refusal::new("InternalError", "nothing was started").into());
    };
    call.keep(token, reserved.as_str());
    let started = started.iter().filter_map(|id| call.state.instances.get(id));
    let started = started.map(AsRef::as_ref).collect();
    Ok(reservation(&call.state, &reserved, started))
}

/// The reservation that the same request made before.
fn repeated(call: &Call<'_>, id: &str) -> Outcome<ec2::Reservation> {
    let id = ReservationId::from(id);
    let all = call.state.instances.values().map(AsRef::as_ref);
    let made: Vec<&Instance> = all.filter(|of| of.reservation == id).collect();
    if made
        .iter()
        .all(|instance| instance.state == InstanceState::Terminated)
    {
        return Err(Refusal::new(
            "IdempotentInstanceTerminated",
            "The instances that were launched with this client token have been terminated.",
        )
        .into());
    }
    Ok(reservation(&call.state, &id, made))
}

/// The tags that tell of an instance's launch template.
pub(super) fn marks(template: &LaunchTemplate, version: i64) -> Vec<(String, String)> {
    let mark = |name: &str, value: String| (format!("aws:ec2launchtemplate:{name}"), value);
    vec![
        mark("id", template.id.to_string()),
        mark("version", version.to_string()),
    ]
}

/// Starts what a request says, its template filled in, with AWS's own tags.
pub(super) fn start(
    call: &mut Call<'_>,
    request: &RunInstancesRequest,
    marks: Vec<(String, String)>,
) -> Outcome<Vec<crate::model::InstanceId>> {
    const TAGGABLE: [&str; 3] = ["instance", "volume", "network-interface"];
    for specification in &request.tag_specifications {
        let kind = specification
            .resource_type
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        if !TAGGABLE.contains(&kind.as_str()) {
            let message =
                format!("'{kind}' is not a valid taggable resource type for this operation.");
            return Err(Refusal::invalid_value(message).into());
        }
    }
    let launch = read(call, request)?;
    let started = instance::run(&mut call.state, call.context, &launch)?;
    for id in &started {
        tag_all(call, id, &request.tag_specifications)?;
        if !marks.is_empty() {
            let (state, context) = (&mut call.state, call.context);
            tag::mark(state, context, id.as_str(), "instance", marks.clone());
        }
    }
    Ok(started)
}

fn tag_all(
    call: &mut Call<'_>,
    id: &crate::model::InstanceId,
    wanted: &[ec2::TagSpecification],
) -> Result<(), Refusal> {
    let Some(instance) = call.state.instances.get(id).cloned() else {
        return Ok(());
    };
    let mut apply = |id: &str, kind: &str| {
        tag::apply(
            &mut call.state,
            call.context,
            id,
            kind,
            for_type(wanted, kind)?,
        )
    };
    apply(id.as_str(), "instance")?;
    if let Some(volume) = &instance.root_volume {
        apply(volume.as_str(), "volume")?;
    }
    instance
        .interfaces
        .iter()
        .try_for_each(|interface| apply(interface.as_str(), "network-interface"))
}

/// Options that every client sends and that a lab has only the default of.
fn check_defaults(request: &RunInstancesRequest) -> Result<(), Refusal> {
    let refuse = |what: &str| {
        Err(Refusal::unsupported(format!(
            "{what} is not implemented by Skylab"
        )))
    };
    let hibernation = request.hibernation_options.as_ref();
    if hibernation.is_some_and(|options| options.configured == Some(true)) {
        return refuse("Hibernation");
    }
    let enclave = request.enclave_options.as_ref();
    if enclave.is_some_and(|options| options.enabled == Some(true)) {
        return refuse("AWS Nitro Enclaves");
    }
    let recovery = request
        .maintenance_options
        .as_ref()
        .and_then(|options| options.auto_recovery);
    if recovery.is_some_and(|recovery| recovery != ec2::InstanceAutoRecoveryState::Default) {
        return refuse("Switching automatic recovery off");
    }
    let capacity = request.capacity_reservation_specification.as_ref();
    if capacity.is_some_and(|capacity| capacity.capacity_reservation_target.is_some()) {
        return refuse("A capacity reservation as target");
    }
    Ok(())
}

fn read(call: &Call<'_>, request: &RunInstancesRequest) -> Result<Launch, Refusal> {
    check_defaults(request)?;
    let placement = request.placement.as_ref();
    if placement.is_some_and(|placement| {
        placement
            .tenancy
            .is_some_and(|tenancy| tenancy != ec2::Tenancy::Default)
    }) {
        return Err(Refusal::unsupported(
            "Tenancies other than default are not implemented by Skylab",
        ));
    }
    let image = request
        .image_id
        .clone()
        .ok_or_else(|| Refusal::missing("ImageId"))?;
    let monitoring = request
        .monitoring
        .as_ref()
        .is_some_and(|monitoring| monitoring.enabled);
    Ok(Launch {
        image,
        // EC2's own default.
        instance_type: request
            .instance_type
            .clone()
            .unwrap_or_else(|| "m1.small".to_owned()),
        least: request.min_count,
        most: request.max_count,
        key_name: request.key_name.clone(),
        user_data: user_data(request.user_data.as_deref())?,
        // Terraform sends an empty one where none is chosen.
        zone: placement
            .and_then(|placement| placement.availability_zone.clone())
            .filter(|zone| !zone.is_empty()),
        interfaces: interfaces(call, request)?,
        metadata: metadata(request.metadata_options.as_ref())?,
        disable_api_termination: request.disable_api_termination.unwrap_or(false),
        disable_api_stop: request.disable_api_stop.unwrap_or(false),
        shutdown_behavior: request
            .instance_initiated_shutdown_behavior
            .map_or("stop", |behavior| behavior.as_str())
            .to_owned(),
        monitoring,
        iam_instance_profile: request
            .iam_instance_profile
            .as_ref()
            .filter(|profile| profile.arn.is_some() || profile.name.is_some())
            .map(|of| instance_profile_association::arn(&call.state, of))
            .transpose()?,
        client_token: request.client_token.clone(),
        ebs_optimized: request.ebs_optimized.unwrap_or(false),
        credits: request
            .credit_specification
            .as_ref()
            .map(|credits| CpuCredits::named(&credits.cpu_credits))
            .transpose()?,
        root: root(&request.block_device_mappings)?,
    })
}

/// Decodes user data.
pub(super) fn user_data(encoded: Option<&str>) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(encoded) = encoded else {
        return Ok(None);
    };
    let compact: String = encoded
        .chars()
        .filter(|letter| !letter.is_ascii_whitespace())
        .collect();
    let malformed = |why: &str| Refusal::new("InvalidUserData.Malformed", why);
    let data = STANDARD
        .decode(compact)
        .map_err(|_| malformed("Invalid BASE64 encoding of user data."))?;
    if data.len() > LARGEST_USER_DATA {
        return Err(Refusal::invalid_value(
            "User data is limited to 16384 bytes",
        ));
    }
    Ok((!data.is_empty()).then_some(data))
}

fn metadata(
    options: Option<&ec2::InstanceMetadataOptionsRequest>,
) -> Result<MetadataOptions, Refusal> {
    let limit = options
        .and_then(|options| options.http_put_response_hop_limit)
        .unwrap_or(2);
    Ok(MetadataOptions {
        enabled: options
            .is_none_or(|o| o.http_endpoint != Some(InstanceMetadataEndpointState::Disabled)),
        tokens_required: options.is_some_and(|o| o.http_tokens == Some(HttpTokensState::Required)),
        hop_limit: instance::check_hop_limit(limit)?,
        instance_tags: options
            .is_some_and(|o| o.instance_metadata_tags == Some(InstanceMetadataTagsState::Enabled)),
    })
}

/// The root volume: one device may be named, the image's own.
fn root(mappings: &[ec2::BlockDeviceMapping]) -> Result<RootVolume, Refusal> {
    let mut root = RootVolume::default();
    for mapping in mappings {
        if !matches!(
            mapping.device_name.as_deref(),
            None | Some("/dev/xvda" | "/dev/sda1")
        ) {
            return Err(Refusal::unsupported(
                "Volumes beside the root device are not implemented by Skylab",
            ));
        }
        let Some(ebs) = &mapping.ebs else { continue };
        let spec = root.spec;
        root = RootVolume {
            spec: VolumeSpec {
                size: ebs.volume_size.unwrap_or(spec.size),
                kind: ebs.volume_type.map_or(spec.kind, |kind| kind.to_string()),
                iops: ebs.iops.or(spec.iops),
                throughput: ebs.throughput.or(spec.throughput),
                encrypted: ebs.encrypted.unwrap_or(spec.encrypted),
            },
            delete_on_termination: ebs
                .delete_on_termination
                .unwrap_or(root.delete_on_termination),
        };
    }
    root.spec.check()?;
    Ok(root)
}

fn interfaces(
    call: &Call<'_>,
    request: &RunInstancesRequest,
) -> Result<Vec<LaunchInterface>, Refusal> {
    if request.network_interfaces.is_empty() {
        return Ok(vec![LaunchInterface {
            device_index: 0,
            existing: None,
            subnet: request.subnet_id.clone(),
            groups: groups(call, request)?,
            primary: request
                .private_ip_address
                .as_deref()
                .map(address)
                .transpose()?,
            secondary: Vec::new(),
            secondary_count: 0,
            prefixes: Vec::new(),
            prefix_count: 0,
            description: String::new(),
            public: None,
            delete_on_termination: true,
        }]);
    }
    if request.subnet_id.is_some() {
        return Err(Refusal::invalid_combination(
            "Network interfaces and an instance-level subnet ID may not be specified on the same request",
        ));
    }
    if !request.security_group_ids.is_empty() || !request.security_groups.is_empty() {
        return Err(Refusal::invalid_combination(
            "Network interfaces and an instance-level security groups may not be specified on the same request",
        ));
    }
    if request.private_ip_address.is_some() {
        return Err(Refusal::invalid_combination(
            "Network interfaces and an instance-level private address may not be specified on the same request",
        ));
    }
    let mut interfaces: Vec<_> = request
        .network_interfaces
        .iter()
        .map(|of| interface(call, of))
        .collect::<Result<_, _>>()?;
    interfaces.sort_by_key(|interface| interface.device_index);
    if interfaces
        .first()
        .is_none_or(|first| first.device_index != 0)
    {
        return Err(Refusal::invalid_value(
            "When specifying network interfaces, you must include a device at index 0.",
        ));
    }
    if interfaces
        .windows(2)
        .any(|pair| pair[0].device_index == pair[1].device_index)
    {
        return Err(Refusal::invalid_value(
            "Each network interface requires a unique device index.",
        ));
    }
    if interfaces.len() > 1
        && interfaces
            .iter()
            .any(|interface| interface.public.is_some())
    {
        return Err(Refusal::invalid_combination(
            "The associatePublicIpAddress parameter cannot be specified when launching with multiple network interfaces.",
        ));
    }
    Ok(interfaces)
}

fn interface(
    call: &Call<'_>,
    of: &ec2::InstanceNetworkInterfaceSpecification,
) -> Result<LaunchInterface, Refusal> {
    let mut primary = of.private_ip_address.as_deref().map(address).transpose()?;
    let mut secondary = Vec::new();
    for given in &of.private_ip_addresses {
        let Some(ip) = given
            .private_ip_address
            .as_deref()
            .map(address)
            .transpose()?
        else {
            continue;
        };
        if given.primary.unwrap_or(false) {
            primary = Some(ip);
        } else {
            secondary.push(ip);
        }
    }
    one_of_prefixes(&of.ipv4_prefixes, of.ipv4_prefix_count)?;
    let index = of
        .device_index
        .ok_or_else(|| Refusal::missing("NetworkInterface.DeviceIndex"))?;
    Ok(LaunchInterface {
        device_index: u16::try_from(index)
            .map_err(|_| Refusal::invalid_value(format!("Invalid device index {index}")))?,
        existing: of.network_interface_id.clone(),
        subnet: of.subnet_id.clone(),
        groups: group_ids(call, &of.groups)?,
        primary,
        secondary,
        secondary_count: count(of.secondary_private_ip_address_count)?,
        prefixes: prefixes(&of.ipv4_prefixes)?,
        prefix_count: count(of.ipv4_prefix_count)?,
        description: of.description.clone().unwrap_or_default(),
        public: of.associate_public_ip_address,
        // What the launch makes goes with the instance, what was there before stays.
        delete_on_termination: of
            .delete_on_termination
            .unwrap_or(of.network_interface_id.is_none()),
    })
}

/// Instance-level groups, by id or, in the default VPC, by name.
fn groups(call: &Call<'_>, request: &RunInstancesRequest) -> Result<Vec<SecurityGroupId>, Refusal> {
    let (state, context) = (&call.state, call.context);
    let mut groups = Vec::new();
    for id in &request.security_group_ids {
        groups.push(security_group::find(state, context, id)?.id.clone());
    }
    for name in &request.security_groups {
        let nondefault = request
            .subnet_id
            .as_deref()
            .map(|id| subnet::find(state, context, id))
            .transpose()?;
        if nondefault.is_some_and(|subnet| {
            vpc::default_of(state, &context.region).is_none_or(|vpc| vpc.id != subnet.vpc)
        }) {
            return Err(Refusal::invalid_combination(
                "The parameter groupName cannot be used with the parameter subnet",
            ));
        }
        groups.push(
            security_group::find_by_name(state, context, name)?
                .id
                .clone(),
        );
    }
    Ok(groups)
}
