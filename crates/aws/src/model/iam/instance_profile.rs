//! Instance profiles: how an instance has a role.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html>

use super::*;

/// The most instance profiles of an account.
const MOST: usize = 1000;

/// An instance profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceProfile {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: Path,
    /// Its unique id, `AIPA…`.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Its role's name; a profile has one role at most.
    pub role: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// The profile of a name.
///
/// # Errors
/// `NoSuchEntity`.
pub fn find<'s>(state: &'s State, name: &str) -> Result<&'s InstanceProfile, Refusal> {
    let found = state.iam_instance_profiles.get(&key(name));
    found
        .map(Arc::as_ref)
        .ok_or_else(|| missing(format!("Instance Profile {name} cannot be found.")))
}

/// The profile of an ARN.
pub fn by_arn<'s>(state: &'s State, arn: &str) -> Option<&'s InstanceProfile> {
    let name = arn.rsplit('/').next()?;
    find(state, name).ok().filter(|profile| profile.arn == arn)
}

/// The profiles that have a role.
pub fn of_role<'s>(state: &'s State, role: &str) -> impl Iterator<Item = &'s InstanceProfile> {
    let role = key(role);
    let profiles = state.iam_instance_profiles.values().map(Arc::as_ref);
    profiles.filter(move |of| of.role.as_ref().is_some_and(|own| key(own) == role))
}

/// The role of an instance, if it has a profile with one.
pub fn role_of<'s>(state: &'s State, instance: &instance::Instance) -> Option<&'s Role> {
    let profile = by_arn(state, instance.iam_instance_profile.as_deref()?)?;
    role::find(state, profile.role.as_deref()?).ok()
}

/// Makes a profile.
///
/// # Errors
/// `EntityAlreadyExists`, `ValidationError`, `LimitExceeded`.
pub fn create(
    state: &mut State,
    context: &Context,
    name: String,
    path: Path,
    tags: Tags,
) -> Result<InstanceProfile, Refusal> {
    name::check(&name, "instanceProfileName", 128)?;
    if state.iam_instance_profiles.contains_key(&key(&name)) {
        return Err(taken(format!("Instance Profile {name} already exists.")));
    }
    if context.quotas && state.iam_instance_profiles.len() >= MOST {
        return Err(exceeded("InstanceProfilesPerAccount", MOST));
    }
    let profile = InstanceProfile {
        id: unique_id(state, "AIPA"),
        arn: arn(
            &state.settings.account,
            "instance-profile",
            path.as_str(),
            &name,
        ),
        name,
        path,
        created: context.now,
        role: None,
        tags,
    };
    store(state, profile.clone());
    Ok(profile)
}

fn store(state: &mut State, profile: InstanceProfile) {
    let key = key(&profile.name);
    state.iam_instance_profiles.insert(key, Arc::new(profile));
}

/// Puts a role into a profile.
///
/// # Errors
/// `NoSuchEntity`, `LimitExceeded` if it has one, `UnmodifiableEntity`.
pub fn add_role(state: &mut State, name: &str, role: &str) -> Result<(), Refusal> {
    let mut profile = find(state, name)?.clone();
    let role = role::find(state, role)?;
    role.check_own()?;
    if profile.role.is_some() {
        return Err(exceeded("InstanceSessionsPerInstanceProfile", 1));
    }
    profile.role = Some(role.name.clone());
    store(state, profile);
    Ok(())
}

/// Takes a role out of a profile.
///
/// # Errors
/// `NoSuchEntity`.
pub fn remove_role(state: &mut State, name: &str, role: &str) -> Result<(), Refusal> {
    let mut profile = find(state, name)?.clone();
    match &profile.role {
        Some(own) if key(own) == key(role) => profile.role = None,
        _ => {
            return Err(missing(format!(
                "The role with name {role} cannot be found."
            )));
        }
    }
    store(state, profile);
    Ok(())
}

/// Deletes a profile.
///
/// # Errors
/// `NoSuchEntity`, `DeleteConflict` while it has a role.
pub fn delete(state: &mut State, name: &str) -> Result<(), Refusal> {
    if find(state, name)?.role.is_some() {
        return Err(held(
            "Cannot delete entity, must remove roles from instance profile first.",
        ));
    }
    state.iam_instance_profiles.remove(&key(name));
    Ok(())
}
