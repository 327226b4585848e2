//! Security group operations; those on rules are in [`super::security_group_rule`].

use super::describe::{Kind, Wanted, one, select};
use super::security_group_permission::wire_permissions;
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::security_group::{self as groups, Peer, SecurityGroup, SecurityGroupRule};
use crate::model::{Refusal, SecurityGroupId, State, tag};
use ipnet::IpNet;
use wire::ec2::{
    CreateSecurityGroupRequest, CreateSecurityGroupResult, DeleteSecurityGroupRequest,
    DeleteSecurityGroupResult, DescribeSecurityGroupReferencesRequest,
    DescribeSecurityGroupReferencesResult, DescribeSecurityGroupsRequest,
    DescribeSecurityGroupsResult, GroupIdentifier,
};

/// The group that a request names by its id or, in the default VPC, by its name.
pub(super) fn named<'s>(
    call: &'s Call<'_>,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<&'s SecurityGroup, Refusal> {
    match (id, name) {
        (Some(_), Some(_)) => Err(Refusal::invalid_combination(
            "The parameter GroupName cannot be used with the parameter GroupId",
        )),
        (Some(id), None) => groups::find(&call.state, call.context, id),
        (None, Some(name)) => groups::find_by_name(&call.state, call.context, name),
        (None, None) => Err(Refusal::missing("groupName or groupId")),
    }
}

/// Groups as other resources show theirs.
pub(super) fn wire_groups(state: &State, ids: &[SecurityGroupId]) -> Vec<GroupIdentifier> {
    let identifier = |id: &SecurityGroupId| GroupIdentifier {
        group_id: Some(id.to_string()),
        group_name: state
            .security_groups
            .get(id)
            .map(|group| group.name.clone()),
    };
    ids.iter().map(identifier).collect()
}

fn arn(state: &State, group: &SecurityGroup) -> String {
    format!(
        "arn:aws:ec2:{}:{}:security-group/{}",
        group.region, state.settings.account, group.id
    )
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateSecurityGroupRequest,
) -> Outcome<CreateSecurityGroupResult> {
    let tags = specified(request.tag_specifications, "security-group")?;
    let vpc = match request.vpc_id {
        Some(vpc) => vpc.into(),
        None => groups::default_vpc(&call.state, call.context)?,
    };
    let (name, description) = (&request.group_name, &request.description);
    let id = groups::create(&mut call.state, call.context, &vpc, name, description)?;
    tag::apply(
        &mut call.state,
        call.context,
        id.as_str(),
        "security-group",
        tags,
    )?;
    let group = groups::find(&call.state, call.context, id.as_str())?;
    Ok(CreateSecurityGroupResult {
        group_id: Some(id.to_string()),
        security_group_arn: Some(arn(&call.state, group)),
        tags: wire_tags(&call.state, id.as_str()),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteSecurityGroupRequest,
) -> Outcome<DeleteSecurityGroupResult> {
    let id = named(
        call,
        request.group_id.as_deref(),
        request.group_name.as_deref(),
    )?
    .id
    .clone();
    groups::delete(&mut call.state, &id)?;
    Ok(DeleteSecurityGroupResult {
        group_id: Some(id.to_string()),
        return_: Some(true),
    })
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeSecurityGroupsRequest,
) -> Outcome<DescribeSecurityGroupsResult> {
    let mut ids = request.group_ids;
    for name in &request.group_names {
        ids.push(
            groups::find_by_name(&call.state, call.context, name)?
                .id
                .to_string(),
        );
    }
    let wanted = Wanted {
        ids,
        filters: request.filters,
        max_results: request.max_results,
        next_token: request.next_token,
    };
    let state = &call.state;
    let kind = Kind {
        filters: FILTERS,
        id: &|group: &SecurityGroup| group.id.to_string(),
        field: &|group, name| field(state, group, name),
        not_found: &groups::unknown,
    };
    let here = call.context.here(&state.security_groups);
    let (chosen, next_token) = select(call, here, wanted, &kind)?;
    let security_groups = chosen
        .into_iter()
        .map(|group| wire_group(state, group))
        .collect();
    Ok(DescribeSecurityGroupsResult {
        next_token,
        security_groups,
    })
}

/// Groups of peered VPCs that name these. No VPC of a lab is peered, so there are none.
pub(super) fn describe_references(
    call: &mut Call<'_>,
    request: DescribeSecurityGroupReferencesRequest,
) -> Outcome<DescribeSecurityGroupReferencesResult> {
    if request.group_id.is_empty() {
        return Err(Refusal::missing("GroupId").into());
    }
    for id in &request.group_id {
        groups::find(&call.state, call.context, id)?;
    }
    Ok(DescribeSecurityGroupReferencesResult::default())
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html>
const FILTERS: &[&str] = &[
    "description",
    "egress.ip-permission.cidr",
    "egress.ip-permission.from-port",
    "egress.ip-permission.group-id",
    "egress.ip-permission.group-name",
    "egress.ip-permission.ipv6-cidr",
    "egress.ip-permission.prefix-list-id",
    "egress.ip-permission.protocol",
    "egress.ip-permission.to-port",
    "egress.ip-permission.user-id",
    "group-id",
    "group-name",
    "ip-permission.cidr",
    "ip-permission.from-port",
    "ip-permission.group-id",
    "ip-permission.group-name",
    "ip-permission.ipv6-cidr",
    "ip-permission.prefix-list-id",
    "ip-permission.protocol",
    "ip-permission.to-port",
    "ip-permission.user-id",
    "owner-id",
    "vpc-id",
];

fn field(state: &State, group: &SecurityGroup, name: &str) -> Vec<String> {
    let of_rules = |egress: bool, name: &str| {
        let rules = group.rules.iter().filter(|rule| rule.egress == egress);
        rules
            .filter_map(|rule| rule_field(state, rule, name))
            .collect()
    };
    if let Some(name) = name.strip_prefix("egress.ip-permission.") {
        return of_rules(true, name);
    }
    if let Some(name) = name.strip_prefix("ip-permission.") {
        return of_rules(false, name);
    }
    match name {
        "description" => one(&group.description),
        "group-id" => one(&group.id),
        "group-name" => one(&group.name),
        "owner-id" => one(&state.settings.account),
        "vpc-id" => one(&group.vpc),
        _ => Vec::new(),
    }
}

fn rule_field(state: &State, rule: &SecurityGroupRule, name: &str) -> Option<String> {
    match (name, &rule.peer) {
        ("cidr", Peer::Cidr(cidr @ IpNet::V4(_))) => Some(cidr.to_string()),
        ("ipv6-cidr", Peer::Cidr(cidr @ IpNet::V6(_))) => Some(cidr.to_string()),
        ("group-id", Peer::Group(id)) => Some(id.to_string()),
        ("group-name", Peer::Group(id)) => state
            .security_groups
            .get(id)
            .map(|group| group.name.clone()),
        ("user-id", Peer::Group(_)) => Some(state.settings.account.clone()),
        ("prefix-list-id", Peer::PrefixList(id)) => Some(id.to_string()),
        ("from-port", _) => rule.traffic.from_and_to().map(|(from, _)| from.to_string()),
        ("to-port", _) => rule.traffic.from_and_to().map(|(_, to)| to.to_string()),
        ("protocol", _) => Some(rule.traffic.protocol_name()),
        _ => None,
    }
}

fn wire_group(state: &State, group: &SecurityGroup) -> wire::ec2::SecurityGroup {
    wire::ec2::SecurityGroup {
        description: Some(group.description.clone()),
        group_id: Some(group.id.to_string()),
        group_name: Some(group.name.clone()),
        ip_permissions: wire_permissions(state, &group.rules, false),
        ip_permissions_egress: wire_permissions(state, &group.rules, true),
        owner_id: Some(state.settings.account.clone()),
        security_group_arn: Some(arn(state, group)),
        tags: wire_tags(state, group.id.as_str()),
        vpc_id: Some(group.vpc.to_string()),
    }
}
