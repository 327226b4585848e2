//! Roles.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html>

use super::*;

/// The most roles of an account, unless it asks for more.
const MOST: usize = 1000;
/// The most letters of a trust policy.
const LONGEST_TRUST: usize = 2048;
/// How long sessions may last at most, in seconds, unless the role says otherwise.
pub const SESSION: i32 = 3600;

/// A role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: Path,
    /// Its unique id, `AROA…`.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Who may take it: a policy document.
    pub trust: String,
    /// What it is for.
    pub description: Option<String>,
    /// The longest that a session may last, in seconds.
    pub longest_session: i32,
    /// What it is allowed.
    pub grants: Grants,
    /// Its tags.
    pub tags: Tags,
    /// The service that it belongs to, if it is linked to one.
    pub linked_to: Option<String>,
}

/// What a new role is to be.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: Path,
    /// Its trust policy.
    pub trust: String,
    /// What it is for.
    pub description: Option<String>,
    /// The longest that a session may last, in seconds.
    pub longest_session: i32,
    /// Its tags.
    pub tags: Tags,
}

/// The role of a name.
///
/// # Errors
/// `NoSuchEntity`.
pub fn find<'s>(state: &'s State, name: &str) -> Result<&'s Role, Refusal> {
    let found = state.iam_roles.get(&key(name)).map(Arc::as_ref);
    found.ok_or_else(|| missing(format!("The role with name {name} cannot be found.")))
}

/// The role of an ARN.
pub fn by_arn<'s>(state: &'s State, arn: &str) -> Option<&'s Role> {
    let name = arn.rsplit('/').next()?;
    find(state, name).ok().filter(|role| role.arn == arn)
}

impl Role {
    /// Refuses to change a role that belongs to a service.
    pub(super) fn check_own(&self) -> Result<(), Refusal> {
        match &self.linked_to {
            None => Ok(()),
            Some(_) => Err(Refusal::new(
                "UnmodifiableEntity",
                format!(
                    "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
                    self.name
                ),
            )),
        }
    }
}

fn check_trust(trust: &str) -> Result<(), Refusal> {
    check_document(trust, language::Kind::Trust)?;
    if length(trust) > LONGEST_TRUST {
        return Err(exceeded("ACLSizePerRole", LONGEST_TRUST));
    }
    Ok(())
}

fn check_session(seconds: i32) -> Result<(), Refusal> {
    let bound = match seconds {
        ..SESSION => "greater than or equal to 3600",
        43_201.. => "less than or equal to 43200",
        _ => return Ok(()),
    };
    Err(invalid(format!(
        "1 validation error detected: Value '{seconds}' at 'maxSessionDuration' failed to satisfy constraint: Member must have value {bound}"
    )))
}

/// Makes a role.
///
/// # Errors
/// `EntityAlreadyExists`, `MalformedPolicyDocument`, `ValidationError`, `LimitExceeded`.
pub fn create(state: &mut State, context: &Context, new: NewRole) -> Result<Role, Refusal> {
    name::check(&new.name, "roleName", 64)?;
    check_trust(&new.trust)?;
    check_session(new.longest_session)?;
    if state.iam_roles.contains_key(&key(&new.name)) {
        return Err(taken(format!(
            "Role with name {} already exists.",
            new.name
        )));
    }
    if context.quotas && state.iam_roles.len() >= MOST {
        return Err(exceeded("RolesPerAccount", MOST));
    }
    Ok(insert(state, context, new, None))
}

/// Puts a new role into the state.
pub(super) fn insert(
    state: &mut State,
    context: &Context,
    new: NewRole,
    linked_to: Option<String>,
) -> Role {
    let role = Role {
        id: unique_id(state, "AROA"),
        arn: arn(
            &state.settings.account,
            "role",
            new.path.as_str(),
            &new.name,
        ),
        name: new.name,
        path: new.path,
        created: context.now,
        trust: new.trust,
        description: new.description,
        longest_session: new.longest_session,
        grants: Grants::default(),
        tags: new.tags,
        linked_to,
    };
    state
        .iam_roles
        .insert(key(&role.name), Arc::new(role.clone()));
    role
}

/// Changes a role's description or longest session.
///
/// # Errors
/// `NoSuchEntity`, `ValidationError`, `UnmodifiableEntity`.
pub fn update(
    state: &mut State,
    name: &str,
    description: Option<String>,
    longest_session: Option<i32>,
) -> Result<(), Refusal> {
    longest_session.map_or(Ok(()), check_session)?;
    let mut role = find(state, name)?.clone();
    if longest_session.is_some() {
        role.check_own()?;
    }
    role.description = description.or(role.description);
    role.longest_session = longest_session.unwrap_or(role.longest_session);
    state.iam_roles.insert(key(name), Arc::new(role));
    Ok(())
}

/// Gives a role another trust policy.
///
/// # Errors
/// `NoSuchEntity`, `MalformedPolicyDocument`, `LimitExceeded`, `UnmodifiableEntity`.
pub fn set_trust(state: &mut State, name: &str, trust: String) -> Result<(), Refusal> {
    let mut role = find(state, name)?.clone();
    role.check_own()?;
    check_trust(&trust)?;
    role.trust = trust;
    state.iam_roles.insert(key(name), Arc::new(role));
    Ok(())
}

/// Deletes a role.
///
/// # Errors
/// `NoSuchEntity`, `DeleteConflict` while it has policies or an instance profile, `UnmodifiableEntity`.
pub fn delete(state: &mut State, name: &str) -> Result<(), Refusal> {
    let role = find(state, name)?;
    role.check_own()?;
    role.grants.check_gone()?;
    if instance_profile::of_role(state, name).next().is_some() {
        return Err(held(
            "Cannot delete entity, must remove roles from instance profile first.",
        ));
    }
    state.iam_roles.remove(&key(name));
    Ok(())
}
