//! Operations on the rules of security groups.

use super::describe::{Kind, one, select, wanted};
use super::security_group::named;
use super::security_group_permission::{
    FlatPermission, Permission, permissions, v4_range, v6_range, wire_permission,
};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::security_group::{
    self as groups, ModifiedRule, NewRule, Peer, RuleReference, SecurityGroup, SecurityGroupRule,
    Traffic,
};
use crate::model::{Refusal, SecurityGroupId, State, tag};
use ipnet::IpNet;
use wire::ec2::{
    AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupEgressResult,
    AuthorizeSecurityGroupIngressRequest, AuthorizeSecurityGroupIngressResult,
    DescribeSecurityGroupRulesRequest, DescribeSecurityGroupRulesResult, IpPermission,
    ModifySecurityGroupRulesRequest, ModifySecurityGroupRulesResult, ReferencedSecurityGroup,
    RevokeSecurityGroupEgressRequest, RevokeSecurityGroupEgressResult,
    RevokeSecurityGroupIngressRequest, RevokeSecurityGroupIngressResult, RevokedSecurityGroupRule,
    SecurityGroupRuleDescription, SecurityGroupRuleRequest, TagSpecification,
    UpdateSecurityGroupRuleDescriptionsEgressRequest,
    UpdateSecurityGroupRuleDescriptionsEgressResult,
    UpdateSecurityGroupRuleDescriptionsIngressRequest,
    UpdateSecurityGroupRuleDescriptionsIngressResult,
};

pub(super) fn authorize_ingress(
    call: &mut Call<'_>,
    request: AuthorizeSecurityGroupIngressRequest,
) -> Outcome<AuthorizeSecurityGroupIngressResult> {
    let group = named(
        call,
        request.group_id.as_deref(),
        request.group_name.as_deref(),
    )?;
    let flat = FlatPermission {
        protocol: request.ip_protocol,
        from: request.from_port,
        to: request.to_port,
        cidr: request.cidr_ip,
        group_name: request.source_security_group_name,
        group_owner: request.source_security_group_owner_id,
    };
    let (id, rules) = (
        group.id.clone(),
        permissions(call, group, request.ip_permissions, flat)?,
    );
    let security_group_rules = authorize(call, &id, false, rules, request.tag_specifications)?;
    Ok(AuthorizeSecurityGroupIngressResult {
        return_: Some(true),
        security_group_rules,
    })
}

pub(super) fn authorize_egress(
    call: &mut Call<'_>,
    request: AuthorizeSecurityGroupEgressRequest,
) -> Outcome<AuthorizeSecurityGroupEgressResult> {
    let group = named(call, Some(&request.group_id), None)?;
    let flat = FlatPermission {
        protocol: request.ip_protocol,
        from: request.from_port,
        to: request.to_port,
        cidr: request.cidr_ip,
        group_name: request.source_security_group_name,
        group_owner: request.source_security_group_owner_id,
    };
    let (id, rules) = (
        group.id.clone(),
        permissions(call, group, request.ip_permissions, flat)?,
    );
    let security_group_rules = authorize(call, &id, true, rules, request.tag_specifications)?;
    Ok(AuthorizeSecurityGroupEgressResult {
        return_: Some(true),
        security_group_rules,
    })
}

fn authorize(
    call: &mut Call<'_>,
    id: &SecurityGroupId,
    egress: bool,
    rules: Vec<Permission>,
    tags: Vec<TagSpecification>,
) -> Outcome<Vec<wire::ec2::SecurityGroupRule>> {
    let tags = specified(tags, "security-group-rule")?;
    let new = |(traffic, peer, description)| NewRule {
        egress,
        traffic,
        peer,
        description,
    };
    let made = groups::authorize(
        &mut call.state,
        call.context,
        id,
        rules.into_iter().map(new).collect(),
    )?;
    for rule in &made {
        tag::apply(
            &mut call.state,
            call.context,
            rule.as_str(),
            "security-group-rule",
            tags.clone(),
        )?;
    }
    let group = groups::find(&call.state, call.context, id.as_str())?;
    let rules = group.rules.iter().filter(|rule| made.contains(&rule.id));
    Ok(rules
        .map(|rule| wire_rule(&call.state, group, rule))
        .collect())
}

/// What to revoke: rules by id, or by what they allow.
struct Revocation {
    ids: Vec<String>,
    permissions: Vec<IpPermission>,
    flat: FlatPermission,
}

pub(super) fn revoke_ingress(
    call: &mut Call<'_>,
    request: RevokeSecurityGroupIngressRequest,
) -> Outcome<RevokeSecurityGroupIngressResult> {
    let id = named(
        call,
        request.group_id.as_deref(),
        request.group_name.as_deref(),
    )?
    .id
    .clone();
    let what = Revocation {
        ids: request.security_group_rule_ids,
        permissions: request.ip_permissions,
        flat: FlatPermission {
            protocol: request.ip_protocol,
            from: request.from_port,
            to: request.to_port,
            cidr: request.cidr_ip,
            group_name: request.source_security_group_name,
            group_owner: request.source_security_group_owner_id,
        },
    };
    let (revoked_security_group_rules, unknown_ip_permissions) = revoke(call, &id, false, what)?;
    Ok(RevokeSecurityGroupIngressResult {
        return_: Some(true),
        revoked_security_group_rules,
        unknown_ip_permissions,
    })
}

pub(super) fn revoke_egress(
    call: &mut Call<'_>,
    request: RevokeSecurityGroupEgressRequest,
) -> Outcome<RevokeSecurityGroupEgressResult> {
    let id = named(call, Some(&request.group_id), None)?.id.clone();
    let what = Revocation {
        ids: request.security_group_rule_ids,
        permissions: request.ip_permissions,
        flat: FlatPermission {
            protocol: request.ip_protocol,
            from: request.from_port,
            to: request.to_port,
            cidr: request.cidr_ip,
            group_name: request.source_security_group_name,
            group_owner: request.source_security_group_owner_id,
        },
    };
    let (revoked_security_group_rules, unknown_ip_permissions) = revoke(call, &id, true, what)?;
    Ok(RevokeSecurityGroupEgressResult {
        return_: Some(true),
        revoked_security_group_rules,
        unknown_ip_permissions,
    })
}

fn revoke(
    call: &mut Call<'_>,
    id: &SecurityGroupId,
    egress: bool,
    what: Revocation,
) -> Outcome<(Vec<RevokedSecurityGroupRule>, Vec<IpPermission>)> {
    let revoked = if what.ids.is_empty() {
        let group = groups::find(&call.state, call.context, id.as_str())?;
        let wanted = permissions(call, group, what.permissions, what.flat)?;
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|(traffic, peer, _)| (traffic, peer))
            .collect();
        groups::revoke(&mut call.state, id, egress, &wanted)?
    } else if what.permissions.is_empty() {
        let rules = groups::revoke_by_id(&mut call.state, id, egress, &what.ids)?;
        groups::Revoked {
            rules,
            unknown: Vec::new(),
        }
    } else {
        let message =
            "The parameter securityGroupRuleIds cannot be used with the parameter ipPermissions";
        return Err(Refusal::invalid_combination(message).into());
    };
    let rules = revoked
        .rules
        .iter()
        .map(|rule| wire_revoked(id, rule))
        .collect();
    let unknown = revoked.unknown.iter();
    let unknown = unknown
        .map(|(traffic, peer)| wire_permission(&call.state, traffic, peer))
        .collect();
    Ok((rules, unknown))
}

pub(super) fn modify(
    call: &mut Call<'_>,
    request: ModifySecurityGroupRulesRequest,
) -> Outcome<ModifySecurityGroupRulesResult> {
    let id = named(call, Some(&request.group_id), None)?.id.clone();
    if request.security_group_rules.is_empty() {
        return Err(Refusal::missing("SecurityGroupRule").into());
    }
    let mut changes = Vec::new();
    for update in request.security_group_rules {
        let rule = update
            .security_group_rule
            .ok_or_else(|| Refusal::missing("SecurityGroupRule"))?;
        changes.push(modified(update.security_group_rule_id, rule)?);
    }
    groups::modify(&mut call.state, call.context, &id, changes)?;
    Ok(ModifySecurityGroupRulesResult {
        return_: Some(true),
    })
}

fn modified(id: String, rule: SecurityGroupRuleRequest) -> Result<ModifiedRule, Refusal> {
    let protocol = rule
        .ip_protocol
        .ok_or_else(|| Refusal::missing("IpProtocol"))?;
    let peers = [
        rule.cidr_ipv4.as_deref().map(v4_range),
        rule.cidr_ipv6.as_deref().map(v6_range),
        rule.prefix_list_id
            .map(|id| Ok(Peer::PrefixList(id.into()))),
        rule.referenced_group_id
            .map(|id| Ok(Peer::Group(id.into()))),
    ];
    let mut peers = peers.into_iter().flatten();
    let (Some(peer), None) = (peers.next(), peers.next()) else {
        return Err(Refusal::invalid_combination(
            "You must specify exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId",
        ));
    };
    Ok(ModifiedRule {
        id,
        traffic: Traffic::of_rule(&protocol, rule.from_port, rule.to_port)?,
        peer: peer?,
        description: rule.description,
    })
}

pub(super) fn describe_ingress_anew(
    call: &mut Call<'_>,
    request: UpdateSecurityGroupRuleDescriptionsIngressRequest,
) -> Outcome<UpdateSecurityGroupRuleDescriptionsIngressResult> {
    let id = named(
        call,
        request.group_id.as_deref(),
        request.group_name.as_deref(),
    )?
    .id
    .clone();
    set_descriptions(
        call,
        &id,
        false,
        request.ip_permissions,
        request.security_group_rule_descriptions,
    )?;
    Ok(UpdateSecurityGroupRuleDescriptionsIngressResult {
        return_: Some(true),
    })
}

pub(super) fn describe_egress_anew(
    call: &mut Call<'_>,
    request: UpdateSecurityGroupRuleDescriptionsEgressRequest,
) -> Outcome<UpdateSecurityGroupRuleDescriptionsEgressResult> {
    let id = named(
        call,
        request.group_id.as_deref(),
        request.group_name.as_deref(),
    )?
    .id
    .clone();
    set_descriptions(
        call,
        &id,
        true,
        request.ip_permissions,
        request.security_group_rule_descriptions,
    )?;
    Ok(UpdateSecurityGroupRuleDescriptionsEgressResult {
        return_: Some(true),
    })
}

/// Rules are named by id or by what they allow, not both; a description left out goes.
fn set_descriptions(
    call: &mut Call<'_>,
    id: &SecurityGroupId,
    egress: bool,
    given: Vec<IpPermission>,
    by_id: Vec<SecurityGroupRuleDescription>,
) -> Outcome<()> {
    if !given.is_empty() && !by_id.is_empty() {
        let message = "The parameter ipPermissions cannot be used with the parameter securityGroupRuleDescriptions";
        return Err(Refusal::invalid_combination(message).into());
    }
    let mut changes = Vec::new();
    if by_id.is_empty() {
        let group = groups::find(&call.state, call.context, id.as_str())?;
        for (traffic, peer, description) in
            permissions(call, group, given, FlatPermission::default())?
        {
            changes.push((RuleReference::Allows(traffic, peer), description));
        }
    }
    for change in by_id {
        let rule = change
            .security_group_rule_id
            .ok_or_else(|| Refusal::missing("SecurityGroupRuleId"))?;
        changes.push((RuleReference::Id(rule), change.description));
    }
    for (rule, description) in changes {
        groups::set_description(&mut call.state, id, egress, &rule, description)?;
    }
    Ok(())
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeSecurityGroupRulesRequest,
) -> Outcome<DescribeSecurityGroupRulesResult> {
    let wanted = wanted!(request, security_group_rule_ids);
    let state = &call.state;
    let here = call.context.here(&state.security_groups);
    let rules: Vec<(&SecurityGroup, &SecurityGroupRule)> = here
        .flat_map(|group| group.rules.iter().map(move |rule| (group, rule)))
        .collect();
    let kind = Kind {
        filters: &["group-id", "security-group-rule-id"],
        id: &|(_, rule): &(&SecurityGroup, &SecurityGroupRule)| rule.id.to_string(),
        field: &|(group, rule), name| match name {
            "group-id" => one(&group.id),
            _ => one(&rule.id),
        },
        not_found: &groups::unknown_rule,
    };
    let (chosen, next_token) = select(call, rules.iter(), wanted, &kind)?;
    let security_group_rules = chosen
        .into_iter()
        .map(|(group, rule)| wire_rule(state, group, rule))
        .collect();
    Ok(DescribeSecurityGroupRulesResult {
        next_token,
        security_group_rules,
    })
}

/// From and to as rules show them: -1 where a protocol has neither.
fn numbers(traffic: &Traffic) -> (i32, i32) {
    traffic.from_and_to().unwrap_or((-1, -1))
}

fn v4(peer: &Peer) -> Option<String> {
    match peer {
        Peer::Cidr(cidr @ IpNet::V4(_)) => Some(cidr.to_string()),
        _ => None,
    }
}

fn v6(peer: &Peer) -> Option<String> {
    match peer {
        Peer::Cidr(cidr @ IpNet::V6(_)) => Some(cidr.to_string()),
        _ => None,
    }
}

fn list(peer: &Peer) -> Option<String> {
    match peer {
        Peer::PrefixList(id) => Some(id.to_string()),
        _ => None,
    }
}

fn group(peer: &Peer) -> Option<String> {
    match peer {
        Peer::Group(id) => Some(id.to_string()),
        _ => None,
    }
}

fn wire_rule(
    state: &State,
    of: &SecurityGroup,
    rule: &SecurityGroupRule,
) -> wire::ec2::SecurityGroupRule {
    let account = &state.settings.account;
    let (from, to) = numbers(&rule.traffic);
    wire::ec2::SecurityGroupRule {
        cidr_ipv4: v4(&rule.peer),
        cidr_ipv6: v6(&rule.peer),
        description: rule.description.clone(),
        from_port: Some(from),
        group_id: Some(of.id.to_string()),
        group_owner_id: Some(account.clone()),
        ip_protocol: Some(rule.traffic.protocol_name()),
        is_egress: Some(rule.egress),
        prefix_list_id: list(&rule.peer),
        referenced_group_info: group(&rule.peer).map(|id| ReferencedSecurityGroup {
            group_id: Some(id),
            user_id: Some(account.clone()),
            ..ReferencedSecurityGroup::default()
        }),
        security_group_rule_arn: Some(format!(
            "arn:aws:ec2:{}:{account}:security-group-rule/{}",
            of.region, rule.id
        )),
        security_group_rule_id: Some(rule.id.to_string()),
        tags: wire_tags(state, rule.id.as_str()),
        to_port: Some(to),
    }
}

fn wire_revoked(of: &SecurityGroupId, rule: &SecurityGroupRule) -> RevokedSecurityGroupRule {
    let (from, to) = numbers(&rule.traffic);
    RevokedSecurityGroupRule {
        cidr_ipv4: v4(&rule.peer),
        cidr_ipv6: v6(&rule.peer),
        description: rule.description.clone(),
        from_port: Some(from),
        group_id: Some(of.to_string()),
        ip_protocol: Some(rule.traffic.protocol_name()),
        is_egress: Some(rule.egress),
        prefix_list_id: list(&rule.peer),
        referenced_group_id: group(&rule.peer),
        security_group_rule_id: Some(rule.id.to_string()),
        to_port: Some(to),
    }
}
