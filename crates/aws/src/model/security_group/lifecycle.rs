//! Making and deleting groups.

use super::*;
use crate::model::quota::{self, Quota};

/// The longest name or description.
const LONGEST: usize = 255;
/// What a name or description may have besides letters, digits and spaces.
const PUNCTUATION: &str = "._-:/()#,@[]+=&;{}!$*";

/// Whether a name or description consists of what AWS allows in one.
pub(super) fn is_allowed_text(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == ' ' || PUNCTUATION.contains(c);
    text.len() <= LONGEST && text.chars().all(allowed)
}

fn invalid_text(what: &str, plural: &str, text: &str, parameter: &str) -> Refusal {
    if !text.is_ascii() {
        return Refusal::invalid_value(format!(
            "Value ({text}) for parameter {parameter} is invalid. Character sets beyond ASCII are not supported."
        ));
    }
    Refusal::invalid_value(format!(
        "Invalid {what}. Valid {plural} are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*"
    ))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::missing("GroupName"));
    }
    if name == DEFAULT_NAME {
        return Err(Refusal::invalid_value(format!(
            "Cannot use reserved security group name: {name}"
        )));
    }
    if name.to_ascii_lowercase().starts_with("sg-") {
        return Err(Refusal::invalid_value(format!(
            "Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*."
        )));
    }
    if !is_allowed_text(name) {
        return Err(invalid_text(
            "security group name",
            "names",
            name,
            "GroupName",
        ));
    }
    Ok(())
}

fn check_description(description: &str) -> Result<(), Refusal> {
    if description.is_empty() {
        return Err(Refusal::missing("GroupDescription"));
    }
    if !is_allowed_text(description) {
        return Err(invalid_text(
            "security group description",
            "descriptions",
            description,
            "GroupDescription",
        ));
    }
    Ok(())
}

/// Makes a group that lets nothing in and everything out.
///
/// # Errors
/// `InvalidParameterValue` for a reserved or malformed name or description,
/// `InvalidGroup.Duplicate`, `InvalidVpcID.NotFound`, `SecurityGroupLimitExceeded`.
pub fn create(
    state: &mut State,
    context: &Context,
    vpc: &VpcId,
    name: &str,
    description: &str,
) -> Result<SecurityGroupId, Refusal> {
    let name = name.trim_end();
    check_name(name)?;
    check_description(description)?;
    vpc::find(state, context, vpc.as_str())?;
    if named(state, vpc, name).is_some() {
        return Err(Refusal::new(
            "InvalidGroup.Duplicate",
            format!("The security group '{name}' already exists for VPC '{vpc}'"),
        ));
    }
    let groups = context.here(&state.security_groups);
    quota::check(context, Quota::SecurityGroups, groups.count(), 1)?;
    Ok(insert(state, context, vpc, name, description))
}

/// Makes a new VPC's default group: its members reach one another, and everything out.
pub fn create_default(state: &mut State, context: &Context, vpc: &VpcId) -> SecurityGroupId {
    let id = insert(
        state,
        context,
        vpc,
        DEFAULT_NAME,
        "default VPC security group",
    );
    let among_members = SecurityGroupRule {
        id: SecurityGroupRuleId::fresh(&state.digits()),
        egress: false,
        traffic: Traffic::All,
        peer: Peer::Group(id.clone()),
        description: None,
    };
    if let Ok(group) = edit(state, &id) {
        group.rules.insert(0, among_members);
    }
    id
}

fn insert(
    state: &mut State,
    context: &Context,
    vpc: &VpcId,
    name: &str,
    description: &str,
) -> SecurityGroupId {
    let id = SecurityGroupId::fresh(&state.digits());
    let everything_out = SecurityGroupRule {
        id: SecurityGroupRuleId::fresh(&state.digits()),
        egress: true,
        traffic: Traffic::All,
        peer: Peer::Cidr(IpNet::V4(ipnet::Ipv4Net::default())),
        description: None,
    };
    let group = SecurityGroup {
        id: id.clone(),
        region: context.region.clone(),
        vpc: vpc.clone(),
        name: name.to_owned(),
        description: description.to_owned(),
        rules: vec![everything_out],
    };
    state.security_groups.insert(id.clone(), Arc::new(group));
    id
}

/// Deletes a group; its tags and its rules' tags go.
///
/// # Errors
/// `CannotDelete` for a default group, `DependencyViolation` while interfaces are in it or another
/// group's rules name it.
pub fn delete(state: &mut State, id: &SecurityGroupId) -> Result<(), Refusal> {
    let group = state
        .security_groups
        .get(id)
        .ok_or_else(|| unknown(id.as_str()))?;
    if group.name == DEFAULT_NAME {
        return Err(Refusal::new(
            "CannotDelete",
            format!(
                "the specified group: \"{id}\" name: \"{DEFAULT_NAME}\" cannot be deleted by a user"
            ),
        ));
    }
    let in_use = members(state, id).next().is_some();
    if in_use || referring(state, id).any(|other| other.id != *id) {
        return Err(Refusal::new(
            "DependencyViolation",
            format!("resource {id} has a dependent object"),
        ));
    }
    forget(state, id);
    Ok(())
}

/// Removes a group without asking: its VPC is going.
pub fn forget(state: &mut State, id: &SecurityGroupId) {
    let Some(group) = state.security_groups.remove(id) else {
        return;
    };
    for rule in &group.rules {
        tag::remove_all(state, rule.id.as_str());
    }
    tag::remove_all(state, id.as_str());
}
