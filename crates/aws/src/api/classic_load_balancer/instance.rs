//! Classic balancers' instances on the wire.

use super::super::{Call, Outcome};
use crate::model::InstanceId;
use crate::model::classic_load_balancer::instance::{self, Status};
use crate::model::classic_load_balancer::{
    self as classic, ClassicLoadBalancer, HealthCheck as Check, HealthCheckWords, invalid,
};
use wire::elb::{
    ConfigureHealthCheckInput, ConfigureHealthCheckOutput, DeregisterEndPointsInput,
    DeregisterEndPointsOutput, DescribeEndPointStateInput, DescribeEndPointStateOutput,
    HealthCheck, Instance, InstanceState, RegisterEndPointsInput, RegisterEndPointsOutput,
};

fn ids(instances: Vec<Instance>) -> Vec<String> {
    let ids = instances.into_iter();
    ids.map(|of| of.instance_id.unwrap_or_default()).collect()
}

/// The instances that are registered and not leaving.
pub(super) fn view_all(balancer: &ClassicLoadBalancer) -> Vec<Instance> {
    let stay = balancer
        .instances
        .iter()
        .filter(|(_, of)| of.leaves.is_none());
    stay.map(|(id, _)| Instance {
        instance_id: Some(id.to_string()),
    })
    .collect()
}

/// How instances are checked.
pub(super) fn view_check(check: &Check) -> HealthCheck {
    let number = |value: u32| i32::try_from(value).ok();
    HealthCheck {
        healthy_threshold: number(check.healthy),
        interval: number(check.interval),
        target: Some(check.ping.target()),
        timeout: number(check.timeout),
        unhealthy_threshold: number(check.unhealthy),
    }
}

pub(super) fn configure_health_check(
    call: &mut Call<'_>,
    request: ConfigureHealthCheckInput,
) -> Outcome<ConfigureHealthCheckOutput> {
    let asked = request.health_check;
    let missing =
        || invalid("All of Target, Interval, Timeout and the thresholds must be specified");
    let words = HealthCheckWords {
        target: asked.target.ok_or_else(missing)?,
        interval: asked.interval.ok_or_else(missing)?,
        timeout: asked.timeout.ok_or_else(missing)?,
        unhealthy: asked.unhealthy_threshold.ok_or_else(missing)?,
        healthy: asked.healthy_threshold.ok_or_else(missing)?,
    };
    let name = &request.load_balancer_name;
    classic::configure(&mut call.state, call.context, name, &words)?;
    let balancer = classic::find(&call.state, call.context, name)?;
    Ok(ConfigureHealthCheckOutput {
        health_check: Some(view_check(&balancer.health_check)),
    })
}

pub(super) fn register(
    call: &mut Call<'_>,
    request: RegisterEndPointsInput,
) -> Outcome<RegisterEndPointsOutput> {
    let (name, ids) = (&request.load_balancer_name, ids(request.instances));
    instance::register(&mut call.state, call.context, name, &ids)?;
    let balancer = classic::find(&call.state, call.context, name)?;
    Ok(RegisterEndPointsOutput {
        instances: view_all(balancer),
    })
}

pub(super) fn deregister(
    call: &mut Call<'_>,
    request: DeregisterEndPointsInput,
) -> Outcome<DeregisterEndPointsOutput> {
    let (name, ids) = (&request.load_balancer_name, ids(request.instances));
    instance::deregister(&mut call.state, call.context, name, &ids)?;
    let balancer = classic::find(&call.state, call.context, name)?;
    Ok(DeregisterEndPointsOutput {
        instances: view_all(balancer),
    })
}

pub(super) fn describe_health(
    call: &mut Call<'_>,
    request: DescribeEndPointStateInput,
) -> Outcome<DescribeEndPointStateOutput> {
    let state = &call.state;
    let balancer = classic::find(state, call.context, &request.load_balancer_name)?;
    let asked: Vec<InstanceId> = match request.instances.as_slice() {
        [] => balancer.instances.keys().cloned().collect(),
        _ => ids(request.instances)
            .iter()
            .map(|id| match balancer.instances.contains_key(id.as_str()) {
                true => Ok(InstanceId::from(id.as_str())),
                false => instance::check(state, call.context, id),
            })
            .collect::<Result<_, _>>()?,
    };
    let view = |id: &InstanceId| view_state(id, instance::status(state, balancer, id));
    Ok(DescribeEndPointStateOutput {
        instance_states: asked.iter().map(view).collect(),
    })
}

fn view_state(id: &InstanceId, status: Status) -> InstanceState {
    let word = match status.in_service {
        true => "InService",
        false => "OutOfService",
    };
    InstanceState {
        description: Some(status.description.to_owned()),
        instance_id: Some(id.to_string()),
        reason_code: Some(status.reason.to_owned()),
        state: Some(word.to_owned()),
    }
}
