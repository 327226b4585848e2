//! Classic balancers' attributes on the wire.

use super::super::{Call, Outcome};
use crate::model::classic_load_balancer::attribute::{self, DESYNC, Words};
use crate::model::classic_load_balancer::{self as classic, ClassicLoadBalancer};
use wire::elb::{
    AccessLog, AdditionalAttribute, ConnectionDraining, ConnectionSettings, CrossZoneLoadBalancing,
    DescribeLoadBalancerAttributesInput, DescribeLoadBalancerAttributesOutput,
    LoadBalancerAttributes, ModifyLoadBalancerAttributesInput, ModifyLoadBalancerAttributesOutput,
};

fn view(balancer: &ClassicLoadBalancer) -> LoadBalancerAttributes {
    let attributes = &balancer.attributes;
    let number = |value: u32| i32::try_from(value).ok();
    LoadBalancerAttributes {
        access_log: Some(AccessLog {
            enabled: Some(false),
            ..Default::default()
        }),
        additional_attributes: vec![AdditionalAttribute {
            key: Some(DESYNC.to_owned()),
            value: Some(attributes.desync.clone()),
        }],
        connection_draining: Some(ConnectionDraining {
            enabled: Some(attributes.draining.is_some()),
            timeout: number(attributes.draining.unwrap_or(300)),
        }),
        connection_settings: Some(ConnectionSettings {
            idle_timeout: number(attributes.idle_timeout),
        }),
        cross_zone_load_balancing: Some(CrossZoneLoadBalancing {
            enabled: Some(attributes.cross_zone),
        }),
    }
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeLoadBalancerAttributesInput,
) -> Outcome<DescribeLoadBalancerAttributesOutput> {
    let balancer = classic::find(&call.state, call.context, &request.load_balancer_name)?;
    Ok(DescribeLoadBalancerAttributesOutput {
        load_balancer_attributes: Some(view(balancer)),
    })
}

pub(super) fn modify(
    call: &mut Call<'_>,
    request: ModifyLoadBalancerAttributesInput,
) -> Outcome<ModifyLoadBalancerAttributesOutput> {
    let asked = request.load_balancer_attributes;
    let words = Words {
        cross_zone: asked.cross_zone_load_balancing.and_then(|of| of.enabled),
        draining: asked
            .connection_draining
            .map(|of| (of.enabled.unwrap_or(false), of.timeout)),
        idle_timeout: asked.connection_settings.and_then(|of| of.idle_timeout),
        access_log: asked
            .access_log
            .map(|of| (of.enabled.unwrap_or(false), of.s3_bucket_name)),
        more: asked
            .additional_attributes
            .into_iter()
            .map(|of| (of.key.unwrap_or_default(), of.value.unwrap_or_default()))
            .collect(),
    };
    let name = request.load_balancer_name;
    attribute::modify(&mut call.state, call.context, &name, &words)?;
    let balancer = classic::find(&call.state, call.context, &name)?;
    Ok(ModifyLoadBalancerAttributesOutput {
        load_balancer_attributes: Some(view(balancer)),
        load_balancer_name: Some(name),
    })
}
