//! Authorizing, revoking and changing rules.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>

use super::*;
use std::fmt::Write;

/// A rule to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRule {
    /// Whether it is for what leaves.
    pub egress: bool,
    /// Protocols and ports.
    pub traffic: Traffic,
    /// The other end.
    pub peer: Peer,
    /// The user's words.
    pub description: Option<String>,
}

/// What a revocation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// The rules that went.
    pub rules: Vec<SecurityGroupRule>,
    /// What was asked to go and was not there.
    pub unknown: Vec<(Traffic, Peer)>,
}

impl SecurityGroupRule {
    fn allows(&self, egress: bool, traffic: &Traffic, peer: &Peer) -> bool {
        self.egress == egress && self.traffic == *traffic && self.peer == *peer
    }
}

/// A rule in the words of AWS's errors: `peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW`.
pub fn describe_rule(traffic: &Traffic, peer: &Peer) -> String {
    let mut text = match peer {
        Peer::Cidr(cidr) => format!("peer: {cidr}"),
        Peer::Group(id) => format!("peer: {id}"),
        Peer::PrefixList(id) => format!("peer: {id}"),
    };
    // Writing to a string does not fail.
    let _ = match *traffic {
        Traffic::All => write!(text, ", ALL"),
        Traffic::Ports { from, to, .. } => {
            let name = traffic.protocol_name().to_uppercase();
            write!(text, ", {name}, from port: {from}, to port: {to}")
        }
        Traffic::Icmp { kind, code, .. } => {
            let shown = |number: Option<u8>| number.map_or("ALL".to_owned(), |n| n.to_string());
            let name = traffic.protocol_name().to_uppercase();
            write!(
                text,
                ", {name}, type: {}, code: {}",
                shown(kind),
                shown(code)
            )
        }
        Traffic::Protocol(number) => write!(text, ", {number}"),
    };
    text.push_str(", ALLOW");
    text
}

fn duplicate(traffic: &Traffic, peer: &Peer) -> Refusal {
    Refusal::new(
        "InvalidPermission.Duplicate",
        format!(
            "the specified rule \"{}\" already exists",
            describe_rule(traffic, peer)
        ),
    )
}

/// Refuses a rule's description that AWS would.
///
/// # Errors
/// `InvalidParameterValue`.
pub fn check_description(description: &str) -> Result<(), Refusal> {
    if lifecycle::is_allowed_text(description) {
        return Ok(());
    }
    Err(Refusal::invalid_value(
        "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
    ))
}

/// Refuses a peer that doesn't exist or that the group can't name.
fn check_peer(
    state: &State,
    context: &Context,
    of: &SecurityGroup,
    peer: &Peer,
) -> Result<(), Refusal> {
    match peer {
        Peer::Cidr(_) => Ok(()),
        Peer::PrefixList(id) => prefix_list::find(state, context, id.as_str()).map(drop),
        Peer::Group(id) => {
            let named = find(state, context, id.as_str())?;
            if named.vpc == of.vpc {
                return Ok(());
            }
            Err(Refusal::new(
                "InvalidGroup.NotFound",
                "You have specified two resources that belong to different networks.",
            ))
        }
    }
}

/// Adds rules: all or none.
///
/// # Errors
/// `InvalidPermission.Duplicate`, `InvalidParameterValue` for the same rule twice in one request,
/// `InvalidGroup.NotFound` and `InvalidPrefixListID.NotFound` for peers,
/// `RulesPerSecurityGroupLimitExceeded`.
pub fn authorize(
    state: &mut State,
    context: &Context,
    id: &SecurityGroupId,
    rules: Vec<NewRule>,
) -> Result<Vec<SecurityGroupRuleId>, Refusal> {
    let mut group = find(state, context, id.as_str())?.clone();
    let before = group.rules.len();
    for rule in rules {
        check_peer(state, context, &group, &rule.peer)?;
        if let Some(description) = &rule.description {
            check_description(description)?;
        }
        let same =
            |present: &SecurityGroupRule| present.allows(rule.egress, &rule.traffic, &rule.peer);
        match group.rules.iter().position(same) {
            Some(present) if present < before => return Err(duplicate(&rule.traffic, &rule.peer)),
            Some(_) => {
                return Err(Refusal::invalid_value(
                    "The same permission must not appear multiple times",
                ));
            }
            None => {}
        }
        group.rules.push(SecurityGroupRule {
            id: SecurityGroupRuleId::fresh(&state.digits()),
            egress: rule.egress,
            traffic: rule.traffic,
            peer: rule.peer,
            description: rule.description,
        });
    }
    rule_count::check(state, context, &group)?;
    let made = group.rules[before..]
        .iter()
        .map(|rule| rule.id.clone())
        .collect();
    *edit(state, id)? = group;
    Ok(made)
}

/// Removes rules by what they allow. Of a default VPC's groups what is not there is reported, not
/// refused, as AWS does.
///
/// # Errors
/// `InvalidPermission.NotFound` in other VPCs; then nothing is removed.
pub fn revoke(
    state: &mut State,
    id: &SecurityGroupId,
    egress: bool,
    wanted: &[(Traffic, Peer)],
) -> Result<Revoked, Refusal> {
    let group = edit(state, id)?;
    let mut revoked = Revoked::default();
    for (traffic, peer) in wanted {
        let present = group
            .rules
            .iter()
            .position(|rule| rule.allows(egress, traffic, peer));
        match present {
            Some(position) => revoked.rules.push(group.rules.remove(position)),
            None => revoked.unknown.push((*traffic, peer.clone())),
        }
    }
    let vpc = group.vpc.clone();
    let lenient = state.vpcs.get(&vpc).is_some_and(|vpc| vpc.is_default);
    if !revoked.unknown.is_empty() && !lenient {
        return Err(Refusal::new(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        ));
    }
    for rule in &revoked.rules {
        tag::remove_all(state, rule.id.as_str());
    }
    Ok(revoked)
}

/// An unknown or malformed rule id.
pub(crate) fn unknown_rule(id: &str) -> Refusal {
    if SecurityGroupRuleId::well_formed(id) {
        Refusal::new(
            "InvalidSecurityGroupRuleId.NotFound",
            format!("The security group rule ID '{id}' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidSecurityGroupRuleId.Malformed",
            format!("The security group rule ID '{id}' is malformed"),
        )
    }
}

/// The rule of that id in the region asked, and its group.
///
/// # Errors
/// `InvalidSecurityGroupRuleId.NotFound`, `InvalidSecurityGroupRuleId.Malformed`.
pub fn find_rule<'s>(
    state: &'s State,
    context: &Context,
    id: &str,
) -> Result<(&'s SecurityGroup, &'s SecurityGroupRule), Refusal> {
    let groups = state.security_groups.values().map(Arc::as_ref);
    groups
        .filter(|group| group.region == context.region)
        .flat_map(|group| group.rules.iter().map(move |rule| (group, rule)))
        .find(|(_, rule)| rule.id.as_str() == id)
        .ok_or_else(|| unknown_rule(id))
}

fn position_of(group: &SecurityGroup, egress: bool, id: &str) -> Result<usize, Refusal> {
    group
        .rules
        .iter()
        .position(|rule| rule.egress == egress && rule.id.as_str() == id)
        .ok_or_else(|| unknown_rule(id))
}

/// Removes rules by their ids.
///
/// # Errors
/// `InvalidSecurityGroupRuleId.NotFound` for one that the group does not have in that direction.
pub fn revoke_by_id(
    state: &mut State,
    id: &SecurityGroupId,
    egress: bool,
    rules: &[String],
) -> Result<Vec<SecurityGroupRule>, Refusal> {
    let group = edit(state, id)?;
    let mut revoked = Vec::new();
    for rule in rules {
        let position = position_of(group, egress, rule)?;
        revoked.push(group.rules.remove(position));
    }
    for rule in &revoked {
        tag::remove_all(state, rule.id.as_str());
    }
    Ok(revoked)
}

/// A rule with what it is to be; its direction stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModifiedRule {
    /// Which.
    pub id: String,
    /// Protocols and ports.
    pub traffic: Traffic,
    /// The other end.
    pub peer: Peer,
    /// The user's words.
    pub description: Option<String>,
}

/// Changes rules, keeping their ids: all or none.
///
/// # Errors
/// `InvalidSecurityGroupRuleId.NotFound`, `InvalidPermission.Duplicate`, and what [`authorize`] says
/// about peers and quotas.
pub fn modify(
    state: &mut State,
    context: &Context,
    id: &SecurityGroupId,
    rules: Vec<ModifiedRule>,
) -> Result<(), Refusal> {
    let mut group = find(state, context, id.as_str())?.clone();
    for change in rules {
        check_peer(state, context, &group, &change.peer)?;
        if let Some(description) = &change.description {
            check_description(description)?;
        }
        let mut rules = group.rules.iter_mut();
        let rule = rules
            .find(|rule| rule.id.as_str() == change.id)
            .ok_or_else(|| unknown_rule(&change.id))?;
        rule.traffic = change.traffic;
        rule.peer = change.peer;
        rule.description = change.description;
    }
    for (position, rule) in group.rules.iter().enumerate() {
        let same = |other: &SecurityGroupRule| other.allows(rule.egress, &rule.traffic, &rule.peer);
        if group.rules[..position].iter().any(same) {
            return Err(duplicate(&rule.traffic, &rule.peer));
        }
    }
    rule_count::check(state, context, &group)?;
    *edit(state, id)? = group;
    Ok(())
}

/// Which rule gets another description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleReference {
    /// By its id.
    Id(String),
    /// By what it allows.
    Allows(Traffic, Peer),
}

/// Changes a rule's description, or removes it.
///
/// # Errors
/// `InvalidPermission.NotFound`, `InvalidSecurityGroupRuleId.NotFound`, `InvalidParameterValue` for the
/// text.
pub fn set_description(
    state: &mut State,
    id: &SecurityGroupId,
    egress: bool,
    which: &RuleReference,
    description: Option<String>,
) -> Result<(), Refusal> {
    if let Some(description) = &description {
        check_description(description)?;
    }
    let group = edit(state, id)?;
    let position = match which {
        RuleReference::Id(id) => position_of(group, egress, id)?,
        RuleReference::Allows(traffic, peer) => group
            .rules
            .iter()
            .position(|rule| rule.allows(egress, traffic, peer))
            .ok_or_else(|| {
                Refusal::new(
                    "InvalidPermission.NotFound",
                    "The specified rule does not exist in this security group.",
                )
            })?,
    };
    group.rules[position].description = description;
    Ok(())
}
