//! VPC operations.

use super::describe::{Kind, one, select, wanted};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::vpc::{self, CidrAssociation, Vpc};
use crate::model::{Refusal, State, tag};
use wire::ec2;
use wire::ec2::{
    AttributeBooleanValue, VpcAttributeName, VpcCidrBlockAssociation, VpcCidrBlockState,
    VpcCidrBlockStateCode,
};
use wire::shape::Nothing;

const FILTERS: &[&str] = &[
    "cidr",
    "cidr-block",
    "cidrBlock",
    "cidr-block-association.cidr-block",
    "cidr-block-association.association-id",
    "cidr-block-association.state",
    "dhcp-options-id",
    "dhcpOptionsId",
    "is-default",
    "isDefault",
    "owner-id",
    "state",
    "vpc-id",
    "ipv6-cidr-block-association.ipv6-cidr-block",
    "ipv6-cidr-block-association.association-id",
];

fn association(of: &CidrAssociation, code: VpcCidrBlockStateCode) -> VpcCidrBlockAssociation {
    VpcCidrBlockAssociation {
        association_id: Some(of.id.to_string()),
        cidr_block: Some(of.cidr.to_string()),
        cidr_block_state: Some(VpcCidrBlockState {
            state: Some(code),
            status_message: None,
        }),
    }
}

fn wire_vpc(state: &State, vpc: &Vpc) -> ec2::Vpc {
    ec2::Vpc {
        cidr_block: vpc
            .cidrs
            .first()
            .map(|association| association.cidr.to_string()),
        cidr_block_association_set: vpc
            .cidrs
            .iter()
            .map(|of| association(of, VpcCidrBlockStateCode::Associated))
            .collect(),
        dhcp_options_id: Some(
            vpc.dhcp_options
                .as_ref()
                .map_or("default".to_owned(), ToString::to_string),
        ),
        instance_tenancy: vpc.tenancy.parse().ok(),
        is_default: Some(vpc.is_default),
        owner_id: Some(state.settings.account.clone()),
        state: Some(ec2::VpcState::Available),
        tags: wire_tags(state, vpc.id.as_str()),
        vpc_id: Some(vpc.id.to_string()),
        ..ec2::Vpc::default()
    }
}

fn no_ipv6(asked: Option<bool>) -> Result<(), Refusal> {
    match asked {
        Some(true) => Err(Refusal::unsupported(
            "IPv6 CIDR blocks are not implemented by Skylab",
        )),
        _ => Ok(()),
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: ec2::CreateVpcRequest,
) -> Outcome<ec2::CreateVpcResult> {
    let tags = specified(request.tag_specifications, "vpc")?;
    no_ipv6(request.amazon_provided_ipv6_cidr_block)?;
    let cidr = request
        .cidr_block
        .ok_or_else(|| Refusal::missing("cidrBlock"))?;
    let cidr = vpc::sized_cidr(&cidr, "InvalidVpc.Range")?;
    let tenancy = request
        .instance_tenancy
        .map_or("default", |tenancy| tenancy.as_str());
    let id = vpc::create(&mut call.state, call.context, cidr, tenancy)?;
    tag::apply(&mut call.state, call.context, id.as_str(), "vpc", tags)?;
    let vpc = vpc::find(&call.state, call.context, id.as_str())?;
    let made = ec2::Vpc {
        state: Some(ec2::VpcState::Pending),
        ..wire_vpc(&call.state, vpc)
    };
    Ok(ec2::CreateVpcResult { vpc: Some(made) })
}

pub(super) fn create_default(
    call: &mut Call<'_>,
    _: ec2::CreateDefaultVpcRequest,
) -> Outcome<ec2::CreateDefaultVpcResult> {
    let id = vpc::create_default(&mut call.state, call.context)?;
    let vpc = vpc::find(&call.state, call.context, id.as_str())?;
    Ok(ec2::CreateDefaultVpcResult {
        vpc: Some(wire_vpc(&call.state, vpc)),
    })
}

pub(super) fn delete(call: &mut Call<'_>, request: ec2::DeleteVpcRequest) -> Outcome<Nothing> {
    let id = vpc::find(&call.state, call.context, &request.vpc_id)?
        .id
        .clone();
    vpc::delete(&mut call.state, &id)?;
    Ok(Nothing {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeVpcsRequest,
) -> Outcome<ec2::DescribeVpcsResult> {
    let wanted = wanted!(request, vpc_ids);
    let account = call.state.settings.account.clone();
    let kind = Kind {
        filters: FILTERS,
        id: &|vpc: &Vpc| vpc.id.to_string(),
        field: &|vpc, name| field(vpc, &account, name),
        not_found: &vpc::unknown,
    };
    let here = call
        .state
        .vpcs
        .values()
        .map(AsRef::as_ref)
        .filter(|vpc: &&Vpc| vpc.region == call.context.region);
    let (vpcs, next_token) = select(call, here, wanted, &kind)?;
    Ok(ec2::DescribeVpcsResult {
        next_token,
        vpcs: vpcs
            .into_iter()
            .map(|vpc| wire_vpc(&call.state, vpc))
            .collect(),
    })
}

fn field(vpc: &Vpc, account: &str, name: &str) -> Vec<String> {
    match name {
        "cidr" | "cidr-block" | "cidrBlock" => vpc
            .cidrs
            .first()
            .map(|association| association.cidr.to_string())
            .into_iter()
            .collect(),
        "cidr-block-association.cidr-block" => vpc
            .cidrs
            .iter()
            .map(|association| association.cidr.to_string())
            .collect(),
        "cidr-block-association.association-id" => vpc
            .cidrs
            .iter()
            .map(|association| association.id.to_string())
            .collect(),
        "cidr-block-association.state" => one("associated"),
        "dhcp-options-id" | "dhcpOptionsId" => {
            vpc.dhcp_options.iter().map(ToString::to_string).collect()
        }
        "is-default" | "isDefault" => one(vpc.is_default),
        "owner-id" => one(account),
        "state" => one("available"),
        "vpc-id" => one(&vpc.id),
        _ => Vec::new(),
    }
}

pub(super) fn modify_attribute(
    call: &mut Call<'_>,
    request: ec2::ModifyVpcAttributeRequest,
) -> Outcome<Nothing> {
    let id = vpc::find(&call.state, call.context, &request.vpc_id)?
        .id
        .clone();
    let value =
        |attribute: Option<AttributeBooleanValue>| attribute.and_then(|attribute| attribute.value);
    let (support, hostnames) = (
        value(request.enable_dns_support),
        value(request.enable_dns_hostnames),
    );
    let metrics = value(request.enable_network_address_usage_metrics);
    match [support, hostnames, metrics].iter().flatten().count() {
        0 => return Err(Refusal::missing("enableDnsSupport").into()),
        1 => {}
        _ => {
            return Err(Refusal::invalid_combination(
                "Only one attribute can be modified at a time",
            )
            .into());
        }
    }
    vpc::set_dns(&mut call.state, &id, support, hostnames);
    vpc::edit(&mut call.state, &id, |vpc| {
        vpc.network_address_usage_metrics = metrics.unwrap_or(vpc.network_address_usage_metrics);
    });
    Ok(Nothing {})
}

pub(super) fn describe_attribute(
    call: &mut Call<'_>,
    request: ec2::DescribeVpcAttributeRequest,
) -> Outcome<ec2::DescribeVpcAttributeResult> {
    let vpc = vpc::find(&call.state, call.context, &request.vpc_id)?;
    let value = |value| Some(AttributeBooleanValue { value: Some(value) });
    let mut result = ec2::DescribeVpcAttributeResult {
        vpc_id: Some(vpc.id.to_string()),
        ..Default::default()
    };
    match request.attribute {
        VpcAttributeName::EnableDnsSupport => result.enable_dns_support = value(vpc.dns_support),
        VpcAttributeName::EnableDnsHostnames => {
            result.enable_dns_hostnames = value(vpc.dns_hostnames);
        }
        VpcAttributeName::EnableNetworkAddressUsageMetrics => {
            result.enable_network_address_usage_metrics = value(vpc.network_address_usage_metrics);
        }
    }
    Ok(result)
}

pub(super) fn associate_cidr(
    call: &mut Call<'_>,
    request: ec2::AssociateVpcCidrBlockRequest,
) -> Outcome<ec2::AssociateVpcCidrBlockResult> {
    no_ipv6(request.amazon_provided_ipv6_cidr_block)?;
    let id = vpc::find(&call.state, call.context, &request.vpc_id)?
        .id
        .clone();
    let cidr = request
        .cidr_block
        .ok_or_else(|| Refusal::missing("cidrBlock"))?;
    let cidr = vpc::sized_cidr(&cidr, "InvalidVpc.Range")?;
    let made = vpc::associate_cidr(&mut call.state, call.context, &id, cidr)?;
    Ok(ec2::AssociateVpcCidrBlockResult {
        cidr_block_association: Some(association(&made, VpcCidrBlockStateCode::Associating)),
        vpc_id: Some(id.to_string()),
        ..Default::default()
    })
}

pub(super) fn disassociate_cidr(
    call: &mut Call<'_>,
    request: ec2::DisassociateVpcCidrBlockRequest,
) -> Outcome<ec2::DisassociateVpcCidrBlockResult> {
    let (id, gone) =
        vpc::disassociate_cidr(&mut call.state, call.context, &request.association_id)?;
    Ok(ec2::DisassociateVpcCidrBlockResult {
        cidr_block_association: Some(association(&gone, VpcCidrBlockStateCode::Disassociating)),
        vpc_id: Some(id.to_string()),
        ..Default::default()
    })
}
