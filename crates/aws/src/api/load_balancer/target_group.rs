//! Target groups on the wire.

use super::super::{Call, Outcome};
use super::balancer::pairs;
use super::listener::protocol;
use super::page;
use crate::model::load_balancer::target_group::{self, NewTargetGroup};
use crate::model::load_balancer::{
    self, HealthCheckChanges, HealthPort, Matcher as Good, TargetGroup, TargetType, invalid, rule,
    tags,
};
use crate::model::{Refusal, State};
use wire::elbv2::{
    CreateTargetGroupInput, CreateTargetGroupOutput, DeleteTargetGroupInput,
    DeleteTargetGroupOutput, DescribeTargetGroupAttributesInput,
    DescribeTargetGroupAttributesOutput, DescribeTargetGroupsInput, DescribeTargetGroupsOutput,
    Matcher, ModifyTargetGroupAttributesInput, ModifyTargetGroupAttributesOutput,
    ModifyTargetGroupInput, ModifyTargetGroupOutput, TargetGroup as View, TargetGroupAttribute,
    TargetGroupIpAddressTypeEnum,
};

/// What two requests say of a health check, under the same names.
macro_rules! health_check {
    ($request:ident) => {
        HealthCheckChanges {
            enabled: $request.health_check_enabled,
            protocol: protocol($request.health_check_protocol)?,
            port: $request.health_check_port,
            path: $request.health_check_path,
            interval: $request.health_check_interval_seconds,
            timeout: $request.health_check_timeout_seconds,
            healthy: $request.healthy_threshold_count,
            unhealthy: $request.unhealthy_threshold_count,
            http_codes: $request
                .matcher
                .as_ref()
                .and_then(|of| of.http_code.clone()),
            grpc_codes: $request
                .matcher
                .as_ref()
                .and_then(|of| of.grpc_code.clone()),
        }
    };
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateTargetGroupInput,
) -> Outcome<CreateTargetGroupOutput> {
    if request.ip_address_type == Some(TargetGroupIpAddressTypeEnum::Ipv6) {
        return Err(Refusal::unsupported(
            "The IP address type 'ipv6' is not implemented by Skylab",
        )
        .into());
    }
    let new = NewTargetGroup {
        name: request.name,
        target_type: request.target_type.map(|of| of.as_str().to_owned()),
        protocol: protocol(request.protocol)?,
        // Terraform sends an empty one where there is none.
        protocol_version: request.protocol_version.filter(|of| !of.is_empty()),
        port: request.port,
        vpc: request.vpc_id,
        health_check: health_check!(request),
        tags: tags::read(pairs(request.tags))?,
    };
    let arn = target_group::create(&mut call.state, call.context, new)?;
    let made = target_group::find(&call.state, call.context, &arn)?;
    Ok(CreateTargetGroupOutput {
        target_groups: vec![view(&call.state, made)],
    })
}

pub(super) fn modify(
    call: &mut Call<'_>,
    request: ModifyTargetGroupInput,
) -> Outcome<ModifyTargetGroupOutput> {
    let arn = request.target_group_arn;
    let changes = health_check!(request);
    target_group::modify(&mut call.state, call.context, &arn, &changes)?;
    let changed = target_group::find(&call.state, call.context, &arn)?;
    Ok(ModifyTargetGroupOutput {
        target_groups: vec![view(&call.state, changed)],
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteTargetGroupInput,
) -> Outcome<DeleteTargetGroupOutput> {
    target_group::delete(&mut call.state, call.context, &request.target_group_arn)?;
    Ok(DeleteTargetGroupOutput {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeTargetGroupsInput,
) -> Outcome<DescribeTargetGroupsOutput> {
    let (state, context) = (&call.state, call.context);
    let (arns, names) = (&request.target_group_arns, &request.names);
    let given = [
        !arns.is_empty(),
        !names.is_empty(),
        request.load_balancer_arn.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(invalid(
            "Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time",
        )
        .into());
    }
    let here: Vec<&TargetGroup> = target_group::in_region(state, &context.region).collect();
    let missing = arns.iter().any(|arn| !here.iter().any(|of| of.arn == *arn))
        || names
            .iter()
            .any(|name| !here.iter().any(|of| of.name == *name));
    if missing {
        return Err(
            Refusal::new("TargetGroupNotFound", "One or more target groups not found").into(),
        );
    }
    if let Some(balancer) = &request.load_balancer_arn {
        load_balancer::find(state, context, balancer)?;
    }
    let wanted = |group: &&TargetGroup| match &request.load_balancer_arn {
        Some(balancer) => rule::balancers_of(state, &group.arn).contains(balancer),
        None if arns.is_empty() && names.is_empty() => true,
        None => arns.contains(&group.arn) || names.contains(&group.name),
    };
    let chosen = here.into_iter().filter(wanted).collect();
    let (chosen, next_marker) = page(chosen, request.page_size, request.marker.as_deref())?;
    Ok(DescribeTargetGroupsOutput {
        target_groups: chosen.into_iter().map(|of| view(state, of)).collect(),
        next_marker,
    })
}

fn view(state: &State, group: &TargetGroup) -> View {
    let check = &group.health_check;
    let number = |value: u32| i32::try_from(value).ok();
    let lambda = group.target_type == TargetType::Lambda;
    let protocol = (!lambda).then_some(check.protocol);
    let port = match check.port {
        HealthPort::Traffic => "traffic-port".to_owned(),
        HealthPort::Number(number) => number.to_string(),
    };
    View {
        health_check_enabled: Some(check.enabled),
        health_check_interval_seconds: number(check.interval),
        health_check_path: check.path.clone(),
        health_check_port: (!lambda).then_some(port),
        health_check_protocol: protocol.and_then(|of| of.as_str().parse().ok()),
        health_check_timeout_seconds: number(check.timeout),
        healthy_threshold_count: number(check.healthy),
        ip_address_type: Some(TargetGroupIpAddressTypeEnum::Ipv4),
        load_balancer_arns: rule::balancers_of(state, &group.arn),
        matcher: check.matcher.as_ref().map(|good| match good {
            Good::Http(codes) => Matcher {
                http_code: Some(codes.clone()),
                grpc_code: None,
            },
            Good::Grpc(codes) => Matcher {
                http_code: None,
                grpc_code: Some(codes.clone()),
            },
        }),
        port: group.port.map(i32::from),
        protocol: group.protocol.and_then(|of| of.as_str().parse().ok()),
        protocol_version: group.protocol_version.clone(),
        target_group_arn: Some(group.arn.clone()),
        target_group_name: Some(group.name.clone()),
        target_type: group.target_type.as_str().parse().ok(),
        unhealthy_threshold_count: number(check.unhealthy),
        vpc_id: group.vpc.as_ref().map(ToString::to_string),
        ..Default::default()
    }
}

fn attributes(group: &TargetGroup) -> Vec<TargetGroupAttribute> {
    let view = |(key, value)| TargetGroupAttribute {
        key: Some(key),
        value: Some(value),
    };
    target_group::attributes(group)
        .into_iter()
        .map(view)
        .collect()
}

pub(super) fn describe_attributes(
    call: &mut Call<'_>,
    request: DescribeTargetGroupAttributesInput,
) -> Outcome<DescribeTargetGroupAttributesOutput> {
    let group = target_group::find(&call.state, call.context, &request.target_group_arn)?;
    Ok(DescribeTargetGroupAttributesOutput {
        attributes: attributes(group),
    })
}

pub(super) fn modify_attributes(
    call: &mut Call<'_>,
    request: ModifyTargetGroupAttributesInput,
) -> Outcome<ModifyTargetGroupAttributesOutput> {
    let wanted: Vec<(String, String)> = request
        .attributes
        .into_iter()
        .map(|of| (of.key.unwrap_or_default(), of.value.unwrap_or_default()))
        .collect();
    let arn = &request.target_group_arn;
    target_group::modify_attributes(&mut call.state, call.context, arn, &wanted)?;
    let group = target_group::find(&call.state, call.context, arn)?;
    Ok(ModifyTargetGroupAttributesOutput {
        attributes: attributes(group),
    })
}
