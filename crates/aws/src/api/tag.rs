//! Tag operations, and tags in other operations.

use super::describe::one;
use super::{Call, Outcome};
use crate::model::{Refusal, State, tag};
use wire::ec2::{
    CreateTagsRequest, DeleteTagsRequest, DescribeTagsRequest, DescribeTagsResult, Tag,
    TagDescription, TagSpecification,
};
use wire::error::ApiError;
use wire::filters::Filters;
use wire::pagination::page;
use wire::shape::Nothing;

/// The tags that a create request gives its resource.
pub(super) fn specified(
    specifications: Vec<TagSpecification>,
    resource_type: &str,
) -> Result<Vec<(String, String)>, Refusal> {
    let mut tags = Vec::new();
    for specification in specifications {
        let given = specification
            .resource_type
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        if given != resource_type {
            let message =
                format!("'{given}' is not a valid taggable resource type for this operation.");
            return Err(Refusal::invalid_value(message));
        }
        tags.extend(pairs(specification.tags)?);
    }
    Ok(tags)
}

/// The tags for one resource type among several that an operation makes.
pub(super) fn for_type(
    specifications: &[TagSpecification],
    resource_type: &str,
) -> Result<Vec<(String, String)>, Refusal> {
    let of_type = |specification: &&TagSpecification| {
        specification
            .resource_type
            .as_ref()
            .map(ToString::to_string)
            .as_deref()
            == Some(resource_type)
    };
    pairs(
        specifications
            .iter()
            .filter(of_type)
            .flat_map(|specification| specification.tags.clone())
            .collect(),
    )
}

fn pairs(tags: Vec<Tag>) -> Result<Vec<(String, String)>, Refusal> {
    let mut seen = std::collections::BTreeSet::new();
    tags.into_iter()
        .map(|tag| {
            let key = tag.key.ok_or_else(|| Refusal::missing("Tag.Key"))?;
            if !seen.insert(key.clone()) {
                return Err(Refusal::invalid_value(format!(
                    "Duplicate tag key '{key}' specified."
                )));
            }
            Ok((key, tag.value.unwrap_or_default()))
        })
        .collect()
}

/// A resource's tags for a response.
pub(super) fn wire_tags(state: &State, id: &str) -> Vec<Tag> {
    let tags = tag::of(state, id).into_iter().flat_map(|set| &set.tags);
    tags.map(|(key, value)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    })
    .collect()
}

fn check_resources(resources: &[String]) -> Result<(), Refusal> {
    if resources.is_empty() {
        return Err(Refusal::missing("ResourceId"));
    }
    Ok(())
}

pub(super) fn create(call: &mut Call<'_>, request: CreateTagsRequest) -> Outcome<Nothing> {
    let tags = pairs(request.tags)?;
    check_resources(&request.resources)?;
    if tags.is_empty() {
        return Err(Refusal::missing("Tag").into());
    }
    for id in &request.resources {
        let resource_type = type_of(call, id)?;
        tag::apply(
            &mut call.state,
            call.context,
            id,
            resource_type,
            tags.clone(),
        )?;
    }
    Ok(Nothing {})
}

pub(super) fn delete(call: &mut Call<'_>, request: DeleteTagsRequest) -> Outcome<Nothing> {
    let tags: Vec<_> = request
        .tags
        .into_iter()
        .filter_map(|tag| Some((tag.key?, tag.value)))
        .collect();
    check_resources(&request.resources)?;
    for id in &request.resources {
        type_of(call, id)?;
        tag::remove(&mut call.state, id, &tags);
    }
    Ok(Nothing {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeTagsRequest,
) -> Outcome<DescribeTagsResult> {
    const NAMES: [&str; 4] = ["key", "resource-id", "resource-type", "value"];
    let filters = Filters::new(request.filters)?;
    filters.check_names(|name| NAMES.contains(&name) || name.starts_with("tag:"))?;
    let mut found = Vec::new();
    for (id, set) in call
        .state
        .tags
        .iter()
        .filter(|(_, set)| set.region == call.context.region)
    {
        for (key, value) in &set.tags {
            let passes = filters.pass(|name| {
                Some(match name {
                    "key" => one(key),
                    "resource-id" => one(id),
                    "resource-type" => one(&set.resource_type),
                    "value" => one(value),
                    name => {
                        if name.strip_prefix("tag:") == Some(key) {
                            one(value)
                        } else {
                            Vec::new()
                        }
                    }
                })
            })?;
            if passes {
                found.push((
                    id.clone(),
                    key.clone(),
                    value.clone(),
                    set.resource_type.clone(),
                ));
            }
        }
    }
    let (found, next_token) = page(
        found,
        request.max_results,
        request.next_token.as_deref(),
        5..=1000,
    )?;
    let tags = found
        .into_iter()
        .map(|(id, key, value, kind)| TagDescription {
            key: Some(key),
            resource_id: Some(id),
            resource_type: Some(kind),
            value: Some(value),
        });
    Ok(DescribeTagsResult {
        next_token,
        tags: tags.collect(),
    })
}

/// The type of a resource that exists in the region.
fn type_of(call: &Call<'_>, id: &str) -> Outcome<&'static str> {
    let (state, region) = (&call.state, &call.context.region);
    macro_rules! look {
        ($($prefix:literal $table:ident $kind:literal $code:literal;)*) => {$(
            if id.starts_with($prefix) {
                let exists = state.$table.get(id).is_some_and(|resource| resource.region == *region);
                return if exists { Ok($kind) } else {
                    Err(ApiError::new($code, format!("The ID '{id}' does not exist")))
                };
            }
        )*};
    }
    look! {
        "vpc-" vpcs "vpc" "InvalidVpcID.NotFound";
        "subnet-" subnets "subnet" "InvalidSubnetID.NotFound";
        "rtb-" route_tables "route-table" "InvalidRouteTableID.NotFound";
        "igw-" internet_gateways "internet-gateway" "InvalidInternetGatewayID.NotFound";
        "nat-" nat_gateways "natgateway" "NatGatewayNotFound";
        "eni-" network_interfaces "network-interface" "InvalidNetworkInterfaceID.NotFound";
        "eipalloc-" elastic_ips "elastic-ip" "InvalidAllocationID.NotFound";
        "sg-" security_groups "security-group" "InvalidGroup.NotFound";
        "acl-" network_acls "network-acl" "InvalidNetworkAclID.NotFound";
        "pl-" prefix_lists "prefix-list" "InvalidPrefixListID.NotFound";
        "dopt-" dhcp_options "dhcp-options" "InvalidDhcpOptionID.NotFound";
        "i-" instances "instance" "InvalidInstanceID.NotFound";
        "key-" key_pairs "key-pair" "InvalidKeyPair.NotFound";
        "lt-" launch_templates "launch-template" "InvalidLaunchTemplateId.NotFound";
        "vol-" volumes "volume" "InvalidVolume.NotFound";
    }
    let rule = id.starts_with("sgr-")
        && state.security_groups.values().any(|group| {
            group.region == *region && group.rules.iter().any(|rule| rule.id.as_str() == id)
        });
    if rule {
        Ok("security-group-rule")
    } else {
        Err(ApiError::new(
            "InvalidID",
            format!("The ID '{id}' is not valid"),
        ))
    }
}
