//! Targets and their health on the wire.

use super::super::{Call, Outcome};
use crate::model::load_balancer::health::{self, Status};
use crate::model::load_balancer::target::{self, Named};
use crate::model::load_balancer::{HealthPort, Target, TargetGroup, TargetKey, target_group};
use wire::elbv2::{
    DeregisterTargetsInput, DeregisterTargetsOutput, DescribeTargetHealthInput,
    DescribeTargetHealthOutput, RegisterTargetsInput, RegisterTargetsOutput, TargetDescription,
    TargetHealth, TargetHealthDescription,
};

fn named(targets: Vec<TargetDescription>) -> Vec<Named> {
    let named = |of: TargetDescription| Named {
        id: of.id.unwrap_or_default(),
        port: of.port,
        zone: of.availability_zone,
    };
    targets.into_iter().map(named).collect()
}

pub(super) fn register(
    call: &mut Call<'_>,
    request: RegisterTargetsInput,
) -> Outcome<RegisterTargetsOutput> {
    let (arn, targets) = (&request.target_group_arn, named(request.targets));
    target::register(&mut call.state, call.context, arn, &targets)?;
    Ok(RegisterTargetsOutput {})
}

pub(super) fn deregister(
    call: &mut Call<'_>,
    request: DeregisterTargetsInput,
) -> Outcome<DeregisterTargetsOutput> {
    let (arn, targets) = (&request.target_group_arn, named(request.targets));
    target::deregister(&mut call.state, call.context, arn, &targets)?;
    Ok(DeregisterTargetsOutput {})
}

pub(super) fn describe_health(
    call: &mut Call<'_>,
    request: DescribeTargetHealthInput,
) -> Outcome<DescribeTargetHealthOutput> {
    let state = &call.state;
    let group = target_group::find(state, call.context, &request.target_group_arn)?;
    let shown = |target: &Target| {
        let status = health::of(state, group, target);
        let zone = target.zone.clone();
        view(group, &target.key, zone, status)
    };
    let target_health_descriptions = match request.targets.as_slice() {
        [] => target::of(state, &group.arn).map(shown).collect(),
        _ => named(request.targets)
            .iter()
            .map(|asked| {
                let key = target::key(group, asked)?;
                Ok(match state.targets.get(&key) {
                    Some(target) => shown(target),
                    None => view(group, &key, asked.zone.clone(), Status::not_registered()),
                })
            })
            .collect::<Outcome<_>>()?,
    };
    Ok(DescribeTargetHealthOutput {
        target_health_descriptions,
    })
}

fn view(
    group: &TargetGroup,
    key: &TargetKey,
    zone: Option<String>,
    status: Status,
) -> TargetHealthDescription {
    let port = group.port.map(|_| key.port);
    let health_check_port = match group.health_check.port {
        HealthPort::Number(number) => Some(number),
        HealthPort::Traffic => port,
    };
    TargetHealthDescription {
        health_check_port: health_check_port.map(|port| port.to_string()),
        target: Some(TargetDescription {
            availability_zone: zone,
            id: Some(key.id.clone()),
            port: port.map(i32::from),
            ..Default::default()
        }),
        target_health: Some(TargetHealth {
            description: status.reason.map(|reason| reason.description()),
            reason: status.reason.and_then(|reason| reason.code().parse().ok()),
            state: status.state.parse().ok(),
        }),
        ..Default::default()
    }
}
