//! Attributes of instances.

use super::instance_view::wire_metadata;
use super::launch::user_data;
use super::security_group::wire_groups;
use super::{Call, Outcome};
use crate::model::instance::{self, CpuCredits, InstanceState, check_hop_limit};
use crate::model::{
    InstanceId, NetworkInterfaceId, Refusal, State, instance_type, network_interface,
    security_group,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wire::ec2;
use wire::ec2::{AttributeBooleanValue, AttributeValue, InstanceAttributeName as Name};
use wire::shape::Nothing;

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeInstanceAttributeRequest,
) -> Outcome<ec2::InstanceAttribute> {
    let instance = instance::find(&call.state, call.context, &request.instance_id)?;
    let primary = instance
        .interfaces
        .first()
        .and_then(|id| call.state.network_interfaces.get(id));
    let flag = |value: bool| Some(AttributeBooleanValue { value: Some(value) });
    let text = |value: &str| {
        Some(AttributeValue {
            value: Some(value.to_owned()),
        })
    };
    let mut result = ec2::InstanceAttribute {
        instance_id: Some(instance.id.to_string()),
        ..Default::default()
    };
    match request.attribute {
        Name::InstanceType => result.instance_type = text(&instance.instance_type),
        Name::UserData => {
            let encoded = instance
                .user_data
                .as_ref()
                .map(|data| STANDARD.encode(data));
            result.user_data = Some(AttributeValue { value: encoded });
        }
        Name::DisableApiTermination => {
            result.disable_api_termination = flag(instance.disable_api_termination);
        }
        Name::DisableApiStop => result.disable_api_stop = flag(instance.disable_api_stop),
        Name::InstanceInitiatedShutdownBehavior => {
            result.instance_initiated_shutdown_behavior = text(&instance.shutdown_behavior);
        }
        Name::RootDeviceName => result.root_device_name = text("/dev/xvda"),
        Name::SourceDestCheck => {
            result.source_dest_check =
                primary.and_then(|interface| flag(interface.source_dest_check));
        }
        Name::GroupSet => {
            result.groups = primary
                .map(|interface| wire_groups(&call.state, &interface.groups))
                .unwrap_or_default();
        }
        Name::EbsOptimized => result.ebs_optimized = flag(instance.ebs_optimized),
        Name::EnaSupport => result.ena_support = flag(true),
        other => {
            return Err(Refusal::unsupported(format!(
                "The attribute {other} is not implemented by Skylab"
            ))
            .into());
        }
    }
    Ok(result)
}

/// An instance's attribute to change, with its new value.
enum Change {
    SourceDestCheck(bool),
    Groups(Vec<String>),
    InstanceType(String),
    UserData(Vec<u8>),
    DisableApiTermination(bool),
    DisableApiStop(bool),
    EbsOptimized(bool),
    ShutdownBehavior(String),
}

/// The one attribute that a request changes, by its own name or by the parameters Attribute and Value.
fn change(request: ec2::ModifyInstanceAttributeRequest) -> Result<Change, Refusal> {
    let flag = |of: Option<AttributeBooleanValue>| of.and_then(|of| of.value);
    let text = |of: Option<AttributeValue>| of.and_then(|of| of.value);
    let mut changes = Vec::new();
    changes.extend(flag(request.source_dest_check).map(Change::SourceDestCheck));
    changes.extend((!request.groups.is_empty()).then_some(Change::Groups(request.groups)));
    changes.extend(text(request.instance_type).map(Change::InstanceType));
    let data = request
        .user_data
        .map(|data| data.value.unwrap_or_default().0);
    changes.extend(data.map(Change::UserData));
    changes.extend(flag(request.disable_api_termination).map(Change::DisableApiTermination));
    changes.extend(flag(request.disable_api_stop).map(Change::DisableApiStop));
    changes.extend(flag(request.ebs_optimized).map(Change::EbsOptimized));
    changes
        .extend(text(request.instance_initiated_shutdown_behavior).map(Change::ShutdownBehavior));
    if let Some(name) = request.attribute {
        let value = request.value.ok_or_else(|| Refusal::missing("value"))?;
        changes.push(named(name, value)?);
    }
    let mut changes = changes.into_iter();
    match (changes.next(), changes.next()) {
        (Some(change), None) => Ok(change),
        (None, _) => Err(Refusal::invalid_combination("No attributes specified.")),
        _ => Err(Refusal::invalid_combination(
            "Fields for multiple attribute types specified",
        )),
    }
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html>
fn named(name: Name, value: String) -> Result<Change, Refusal> {
    let flag = || match value.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(Refusal::invalid_value(format!(
            "Invalid value '{other}' for {name}. Valid values: true, false"
        ))),
    };
    Ok(match name {
        Name::SourceDestCheck => Change::SourceDestCheck(flag()?),
        Name::DisableApiTermination => Change::DisableApiTermination(flag()?),
        Name::DisableApiStop => Change::DisableApiStop(flag()?),
        Name::EbsOptimized => Change::EbsOptimized(flag()?),
        Name::InstanceType => Change::InstanceType(value),
        Name::InstanceInitiatedShutdownBehavior => Change::ShutdownBehavior(value),
        Name::UserData => Change::UserData(user_data(Some(&value))?.unwrap_or_default()),
        other => {
            return Err(Refusal::unsupported(format!(
                "The attribute {other} is not implemented by Skylab"
            )));
        }
    })
}

pub(super) fn modify(
    call: &mut Call<'_>,
    request: ec2::ModifyInstanceAttributeRequest,
) -> Outcome<Nothing> {
    let instance = instance::find(&call.state, call.context, &request.instance_id)?;
    let (id, stopped) = (
        instance.id.clone(),
        instance.state == InstanceState::Stopped,
    );
    let state = &mut call.state;
    match change(request)? {
        Change::SourceDestCheck(check) => {
            let interface = only_interface(state, &id)?;
            network_interface::set_source_dest_check(state, &interface, check)?;
        }
        Change::Groups(groups) => {
            let interface = only_interface(state, &id)?;
            let found = groups.iter().map(|group| {
                let found = security_group::find(state, call.context, group)?;
                Ok(found.id.clone())
            });
            let groups = found.collect::<Result<Vec<_>, Refusal>>()?;
            network_interface::set_groups(state, call.context, &interface, &groups)?;
        }
        Change::InstanceType(kind) => change_type(call, &id, stopped, kind)?,
        Change::UserData(_) if !stopped => return Err(not_stopped(&id, "userData").into()),
        Change::UserData(data) => instance::edit(state, &id, |instance| {
            instance.user_data = Some(data).filter(|data| !data.is_empty());
        }),
        Change::DisableApiTermination(on) => {
            instance::edit(state, &id, |instance| instance.disable_api_termination = on);
        }
        Change::DisableApiStop(on) => {
            instance::edit(state, &id, |instance| instance.disable_api_stop = on);
        }
        Change::EbsOptimized(_) if !stopped => {
            return Err(not_stopped(&id, "ebsOptimized").into());
        }
        Change::EbsOptimized(on) => {
            instance::edit(state, &id, |instance| instance.ebs_optimized = on);
        }
        Change::ShutdownBehavior(behavior) => {
            if !["stop", "terminate"].contains(&behavior.as_str()) {
                return Err(Refusal::invalid_value(format!("Invalid value '{behavior}' for instanceInitiatedShutdownBehavior. Valid values: stop, terminate")).into());
            }
            instance::edit(state, &id, |instance| instance.shutdown_behavior = behavior);
        }
    }
    Ok(Nothing {})
}

/// What concerns an interface can be said of its instance only if it has no other.
fn only_interface(state: &State, id: &InstanceId) -> Result<NetworkInterfaceId, Refusal> {
    match state.instances.get(id).map(|of| of.interfaces.as_slice()) {
        Some([interface]) => Ok(interface.clone()),
        _ => Err(Refusal::new(
            "InvalidInstanceID",
            format!(
                "There are multiple interfaces attached to instance '{id}'. Please specify an interface ID for the operation instead."
            ),
        )),
    }
}

fn not_stopped(id: &InstanceId, what: &str) -> Refusal {
    Refusal::new(
        "IncorrectInstanceState",
        format!("The instance '{id}' must be stopped to modify its '{what}' attribute."),
    )
}

fn change_type(
    call: &mut Call<'_>,
    id: &InstanceId,
    stopped: bool,
    kind: String,
) -> Result<(), Refusal> {
    if instance_type::find(&kind).is_none() {
        return Err(Refusal::new(
            "InvalidInstanceAttributeValue",
            format!("Invalid value '{kind}' for InstanceType."),
        ));
    }
    if !stopped {
        return Err(not_stopped(id, "instanceType"));
    }
    instance::edit(&mut call.state, id, |instance| {
        instance.credits = CpuCredits::of_type(&kind).map(|own| instance.credits.unwrap_or(own));
        instance.instance_type = kind;
    });
    Ok(())
}

pub(super) fn modify_metadata(
    call: &mut Call<'_>,
    request: ec2::ModifyInstanceMetadataOptionsRequest,
) -> Outcome<ec2::ModifyInstanceMetadataOptionsResult> {
    let id = instance::find(&call.state, call.context, &request.instance_id)?
        .id
        .clone();
    let limit = request
        .http_put_response_hop_limit
        .map(check_hop_limit)
        .transpose()?;
    instance::edit(&mut call.state, &id, |instance| {
        let options = &mut instance.metadata;
        options.hop_limit = limit.unwrap_or(options.hop_limit);
        if let Some(tokens) = request.http_tokens {
            options.tokens_required = tokens == ec2::HttpTokensState::Required;
        }
        if let Some(endpoint) = request.http_endpoint {
            options.enabled = endpoint == ec2::InstanceMetadataEndpointState::Enabled;
        }
        if let Some(tags) = request.instance_metadata_tags {
            options.instance_tags = tags == ec2::InstanceMetadataTagsState::Enabled;
        }
    });
    let instance = instance::find(&call.state, call.context, id.as_str())?;
    Ok(ec2::ModifyInstanceMetadataOptionsResult {
        instance_id: Some(id.to_string()),
        instance_metadata_options: Some(wire_metadata(instance)),
    })
}
