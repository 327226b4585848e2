//! Internet gateway operations.

use super::describe::{Kind, one, select, wanted};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::internet_gateway::{self, InternetGateway};
use crate::model::{State, tag, vpc};
use wire::ec2;
use wire::shape::Nothing;

const FILTERS: &[&str] = &[
    "attachment.state",
    "attachment.vpc-id",
    "internet-gateway-id",
    "owner-id",
];

fn wire_gateway(state: &State, gateway: &InternetGateway) -> ec2::InternetGateway {
    let attachment = |vpc: &crate::model::VpcId| ec2::InternetGatewayAttachment {
        state: Some(ec2::AttachmentStatus::Available),
        vpc_id: Some(vpc.to_string()),
    };
    ec2::InternetGateway {
        attachments: gateway.vpc.iter().map(attachment).collect(),
        internet_gateway_id: Some(gateway.id.to_string()),
        owner_id: Some(state.settings.account.clone()),
        tags: wire_tags(state, gateway.id.as_str()),
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: ec2::CreateInternetGatewayRequest,
) -> Outcome<ec2::CreateInternetGatewayResult> {
    let tags = specified(request.tag_specifications, "internet-gateway")?;
    let id = internet_gateway::create(&mut call.state, call.context)?;
    tag::apply(
        &mut call.state,
        call.context,
        id.as_str(),
        "internet-gateway",
        tags,
    )?;
    let gateway = internet_gateway::find(&call.state, call.context, id.as_str())?;
    Ok(ec2::CreateInternetGatewayResult {
        internet_gateway: Some(wire_gateway(&call.state, gateway)),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: ec2::DeleteInternetGatewayRequest,
) -> Outcome<Nothing> {
    let id = internet_gateway::find(&call.state, call.context, &request.internet_gateway_id)?
        .id
        .clone();
    internet_gateway::delete(&mut call.state, call.context, &id)?;
    Ok(Nothing {})
}

pub(super) fn attach(
    call: &mut Call<'_>,
    request: ec2::AttachInternetGatewayRequest,
) -> Outcome<Nothing> {
    let id = internet_gateway::find(&call.state, call.context, &request.internet_gateway_id)?
        .id
        .clone();
    let vpc = vpc::find(&call.state, call.context, &request.vpc_id)?
        .id
        .clone();
    internet_gateway::attach(&mut call.state, call.context, &id, &vpc)?;
    Ok(Nothing {})
}

pub(super) fn detach(
    call: &mut Call<'_>,
    request: ec2::DetachInternetGatewayRequest,
) -> Outcome<Nothing> {
    let id = internet_gateway::find(&call.state, call.context, &request.internet_gateway_id)?
        .id
        .clone();
    let vpc = vpc::find(&call.state, call.context, &request.vpc_id)?
        .id
        .clone();
    internet_gateway::detach(&mut call.state, call.context, &id, &vpc)?;
    Ok(Nothing {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeInternetGatewaysRequest,
) -> Outcome<ec2::DescribeInternetGatewaysResult> {
    let wanted = wanted!(request, internet_gateway_ids);
    let state = &call.state;
    let kind = Kind {
        filters: FILTERS,
        id: &|gateway: &InternetGateway| gateway.id.to_string(),
        field: &|gateway, name| match name {
            "attachment.state" => gateway.vpc.iter().map(|_| "available".to_owned()).collect(),
            "attachment.vpc-id" => gateway.vpc.iter().map(ToString::to_string).collect(),
            "internet-gateway-id" => one(&gateway.id),
            _ => one(&state.settings.account),
        },
        not_found: &internet_gateway::unknown,
    };
    let here = call.context.here(&state.internet_gateways);
    let (gateways, next_token) = select(call, here, wanted, &kind)?;
    let internet_gateways = gateways
        .into_iter()
        .map(|gateway| wire_gateway(state, gateway))
        .collect();
    Ok(ec2::DescribeInternetGatewaysResult {
        internet_gateways,
        next_token,
    })
}
