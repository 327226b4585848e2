//! Attributes of instances.

use super::instance_view::wire_metadata;
use super::security_group::wire_groups;
use super::{Call, Outcome};
use crate::model::instance::{self, CpuCredits, InstanceState, check_hop_limit};
use crate::model::{InstanceId, Refusal, instance_type, network_interface, security_group};
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

pub(super) fn modify(
    call: &mut Call<'_>,
    request: ec2::ModifyInstanceAttributeRequest,
) -> Outcome<Nothing> {
    let instance = instance::find(&call.state, call.context, &request.instance_id)?;
    let (id, stopped) = (
        instance.id.clone(),
        instance.state == InstanceState::Stopped,
    );
    let primary = instance.interfaces.first().cloned();
    if request.attribute.is_some() || request.value.is_some() {
        return Err(Refusal::unsupported("The parameters Attribute and Value are not implemented by Skylab; give the attribute by its own name").into());
    }
    let flag =
        |attribute: Option<AttributeBooleanValue>| attribute.and_then(|attribute| attribute.value);
    let (protect, keep, optimized) = (
        flag(request.disable_api_termination),
        flag(request.disable_api_stop),
        flag(request.ebs_optimized),
    );
    if let (Some(check), Some(primary)) = (flag(request.source_dest_check), &primary) {
        network_interface::set_source_dest_check(&mut call.state, primary, check)?;
    }
    if let (false, Some(primary)) = (request.groups.is_empty(), &primary) {
        let find = |group: &String| {
            Ok(security_group::find(&call.state, call.context, group)?
                .id
                .clone())
        };
        let groups = request
            .groups
            .iter()
            .map(find)
            .collect::<Result<Vec<_>, Refusal>>()?;
        network_interface::set_groups(&mut call.state, call.context, primary, &groups)?;
    }
    if let Some(kind) = request.instance_type.and_then(|kind| kind.value) {
        change_type(call, &id, stopped, kind)?;
    }
    if let Some(data) = request.user_data {
        if !stopped {
            return Err(not_stopped(&id, "userData").into());
        }
        let data = data.value.unwrap_or_default().0;
        instance::edit(&mut call.state, &id, |instance| {
            instance.user_data = Some(data).filter(|data| !data.is_empty());
        });
    }
    let behavior = request
        .instance_initiated_shutdown_behavior
        .and_then(|behavior| behavior.value);
    if let Some(behavior) = &behavior
        && !["stop", "terminate"].contains(&behavior.as_str())
    {
        return Err(Refusal::invalid_value(format!("Invalid value '{behavior}' for instanceInitiatedShutdownBehavior. Valid values: stop, terminate")).into());
    }
    instance::edit(&mut call.state, &id, |instance| {
        instance.disable_api_termination = protect.unwrap_or(instance.disable_api_termination);
        instance.disable_api_stop = keep.unwrap_or(instance.disable_api_stop);
        instance.ebs_optimized = optimized.unwrap_or(instance.ebs_optimized);
        if let Some(behavior) = behavior {
            instance.shutdown_behavior = behavior;
        }
    });
    Ok(Nothing {})
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
        return Err(Refusal::invalid_value(format!(
            "Invalid value '{kind}' for InstanceType."
        )));
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
