//! Classic balancers on the wire.

use super::super::load_balancer::page;
use super::super::{Call, Outcome};
use super::{instance, listener, policy, tag};
use crate::model::State;
use crate::model::classic_load_balancer::{self as classic, ClassicLoadBalancer, NewClassic};
use crate::model::load_balancer::{Kind, Scheme, name};
use std::sync::Arc;
use wire::Timestamp;
use wire::elb::{
    AddAvailabilityZonesInput, AddAvailabilityZonesOutput, ApplySecurityGroupsToLoadBalancerInput,
    ApplySecurityGroupsToLoadBalancerOutput, AttachLoadBalancerToSubnetsInput,
    AttachLoadBalancerToSubnetsOutput, BackendServerDescription, CreateAccessPointInput,
    CreateAccessPointOutput, DeleteAccessPointInput, DeleteAccessPointOutput,
    DescribeAccessPointsInput, DescribeAccessPointsOutput, DescribeAccountLimitsInput,
    DescribeAccountLimitsOutput, DetachLoadBalancerFromSubnetsInput,
    DetachLoadBalancerFromSubnetsOutput, Limit, LoadBalancerDescription,
    RemoveAvailabilityZonesInput, RemoveAvailabilityZonesOutput, SourceSecurityGroup,
};

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateAccessPointInput,
) -> Outcome<CreateAccessPointOutput> {
    let new = NewClassic {
        name: request.load_balancer_name.clone(),
        listeners: listener::read(request.listeners)?,
        zones: request.availability_zones,
        subnets: request.subnets,
        security_groups: request.security_groups,
        scheme: request.scheme,
        tags: tag::read(request.tags)?,
    };
    classic::create(&mut call.state, call.context, new)?;
    let made = classic::find(&call.state, call.context, &request.load_balancer_name)?;
    Ok(CreateAccessPointOutput {
        dns_name: Some(made.dns_name.clone()),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteAccessPointInput,
) -> Outcome<DeleteAccessPointOutput> {
    classic::delete(&mut call.state, call.context, &request.load_balancer_name)?;
    Ok(DeleteAccessPointOutput {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeAccessPointsInput,
) -> Outcome<DescribeAccessPointsOutput> {
    let state = &call.state;
    let chosen: Vec<&ClassicLoadBalancer> = match request.load_balancer_names.as_slice() {
        [] => {
            let all = state.classic_load_balancers.values().map(Arc::as_ref);
            all.filter(|of| of.region == call.context.region).collect()
        }
        names => names
            .iter()
            .map(|name| classic::find(state, call.context, name))
            .collect::<Result<_, _>>()?,
    };
    let (chosen, next_marker) = page(chosen, request.page_size, request.marker.as_deref())?;
    Ok(DescribeAccessPointsOutput {
        load_balancer_descriptions: chosen.into_iter().map(|of| view(state, of)).collect(),
        next_marker,
    })
}

fn subnets(balancer: &ClassicLoadBalancer) -> Vec<String> {
    let nodes = balancer.nodes.iter();
    nodes.map(|node| node.subnet.to_string()).collect()
}

fn zones(balancer: &ClassicLoadBalancer) -> Vec<String> {
    let nodes = balancer.nodes.iter();
    nodes.map(|node| node.zone.clone()).collect()
}

fn groups(balancer: &ClassicLoadBalancer) -> Vec<String> {
    let groups = balancer.security_groups.iter();
    groups.map(ToString::to_string).collect()
}

fn view(state: &State, balancer: &ClassicLoadBalancer) -> LoadBalancerDescription {
    let public = balancer.scheme == Scheme::InternetFacing;
    let zone = name::hosted_zone(&balancer.region, Kind::Application);
    let backend = |(port, names): (&u16, &Vec<String>)| BackendServerDescription {
        instance_port: Some(i32::from(*port)),
        policy_names: names.clone(),
    };
    let first = balancer.security_groups.first();
    let source = first.and_then(|id| state.security_groups.get(id));
    LoadBalancerDescription {
        availability_zones: zones(balancer),
        backend_server_descriptions: balancer.backend_policies.iter().map(backend).collect(),
        canonical_hosted_zone_name: public.then(|| balancer.dns_name.clone()),
        canonical_hosted_zone_name_id: zone.map(str::to_owned),
        created_time: Some(Timestamp(balancer.created)),
        dns_name: Some(balancer.dns_name.clone()),
        health_check: Some(instance::view_check(&balancer.health_check)),
        instances: instance::view_all(balancer),
        listener_descriptions: balancer.listeners.values().map(listener::view).collect(),
        load_balancer_name: Some(balancer.name.clone()),
        policies: Some(policy::view_all(balancer)),
        scheme: Some(
            if public {
                "internet-facing"
            } else {
                "internal"
            }
            .to_owned(),
        ),
        security_groups: groups(balancer),
        source_security_group: source.map(|group| SourceSecurityGroup {
            group_name: Some(group.name.clone()),
            owner_alias: Some(state.settings.account.clone()),
        }),
        subnets: subnets(balancer),
        vpc_id: Some(balancer.vpc.to_string()),
    }
}

pub(super) fn attach_subnets(
    call: &mut Call<'_>,
    request: AttachLoadBalancerToSubnetsInput,
) -> Outcome<AttachLoadBalancerToSubnetsOutput> {
    let (name, wanted) = (&request.load_balancer_name, &request.subnets);
    classic::attach_subnets(&mut call.state, call.context, name, wanted, &[])?;
    let balancer = classic::find(&call.state, call.context, name)?;
    Ok(AttachLoadBalancerToSubnetsOutput {
        subnets: subnets(balancer),
    })
}

pub(super) fn detach_subnets(
    call: &mut Call<'_>,
    request: DetachLoadBalancerFromSubnetsInput,
) -> Outcome<DetachLoadBalancerFromSubnetsOutput> {
    let (name, gone) = (&request.load_balancer_name, &request.subnets);
    classic::detach_subnets(&mut call.state, call.context, name, gone, &[])?;
    let balancer = classic::find(&call.state, call.context, name)?;
    Ok(DetachLoadBalancerFromSubnetsOutput {
        subnets: subnets(balancer),
    })
}

pub(super) fn enable_zones(
    call: &mut Call<'_>,
    request: AddAvailabilityZonesInput,
) -> Outcome<AddAvailabilityZonesOutput> {
    let (name, wanted) = (&request.load_balancer_name, &request.availability_zones);
    classic::attach_subnets(&mut call.state, call.context, name, &[], wanted)?;
    let balancer = classic::find(&call.state, call.context, name)?;
    Ok(AddAvailabilityZonesOutput {
        availability_zones: zones(balancer),
    })
}

pub(super) fn disable_zones(
    call: &mut Call<'_>,
    request: RemoveAvailabilityZonesInput,
) -> Outcome<RemoveAvailabilityZonesOutput> {
    let (name, gone) = (&request.load_balancer_name, &request.availability_zones);
    classic::detach_subnets(&mut call.state, call.context, name, &[], gone)?;
    let balancer = classic::find(&call.state, call.context, name)?;
    Ok(RemoveAvailabilityZonesOutput {
        availability_zones: zones(balancer),
    })
}

pub(super) fn apply_groups(
    call: &mut Call<'_>,
    request: ApplySecurityGroupsToLoadBalancerInput,
) -> Outcome<ApplySecurityGroupsToLoadBalancerOutput> {
    let (name, wanted) = (&request.load_balancer_name, &request.security_groups);
    classic::set_groups(&mut call.state, call.context, name, wanted)?;
    let balancer = classic::find(&call.state, call.context, name)?;
    Ok(ApplySecurityGroupsToLoadBalancerOutput {
        security_groups: groups(balancer),
    })
}

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-limits.html>
const LIMITS: [(&str, &str); 3] = [
    ("classic-listeners", "100"),
    ("classic-load-balancers", "20"),
    ("classic-registered-instances", "1000"),
];

pub(super) fn describe_account_limits(
    _: &mut Call<'_>,
    request: DescribeAccountLimitsInput,
) -> Outcome<DescribeAccountLimitsOutput> {
    let limit = |(name, max): &(&str, &str)| Limit {
        max: Some((*max).to_owned()),
        name: Some((*name).to_owned()),
    };
    let all = LIMITS.iter().map(limit).collect();
    let (limits, next_marker) = page(all, request.page_size, request.marker.as_deref())?;
    Ok(DescribeAccountLimitsOutput {
        limits,
        next_marker,
    })
}
