//! Which instance profile an instance has.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/attach-iam-role.html>

use super::*;
use crate::model::iam::{InstanceProfile, instance_profile};

/// An instance's profile: since when, and under which id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileAssociation {
    /// Its id, `iip-assoc-…`.
    pub id: String,
    /// Since when, in seconds since 1970.
    pub since: i64,
}

impl ProfileAssociation {
    /// A new one.
    pub(super) fn fresh(state: &mut State, now: i64) -> Self {
        Self {
            id: format!("iip-assoc-{}", state.digits()),
            since: now,
        }
    }
}

/// The profile that a request names, by ARN or by name.
///
/// # Errors
/// `InvalidParameterValue`, `MissingParameter`.
pub fn named<'s>(
    state: &'s State,
    arn: Option<&str>,
    name: Option<&str>,
) -> Result<&'s InstanceProfile, Refusal> {
    let invalid = |what: &str, member: &str, word: &str| {
        Refusal::invalid_value(format!(
            "Value ({what}) for parameter iamInstanceProfile.{member} is invalid. Invalid IAM Instance Profile {word}"
        ))
    };
    match (arn, name) {
        (Some(arn), None) => {
            instance_profile::by_arn(state, arn).ok_or_else(|| invalid(arn, "arn", "ARN"))
        }
        (None, Some(name)) => {
            instance_profile::find(state, name).map_err(|_| invalid(name, "name", "name"))
        }
        (Some(_), Some(_)) => Err(Refusal::invalid_combination(
            "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
        )),
        (None, None) => Err(Refusal::missing("IamInstanceProfile")),
    }
}

/// The instance of an association in the region asked.
///
/// # Errors
/// `NoSuchAssociation`.
fn holder(state: &State, context: &Context, association: &str) -> Result<InstanceId, Refusal> {
    let mut instances = state.instances.values();
    let found = instances.find(|instance| {
        let own = instance.profile_association.as_ref();
        instance.region == context.region && own.is_some_and(|own| own.id == association)
    });
    found.map(|instance| instance.id.clone()).ok_or_else(|| {
        Refusal::new(
            "NoSuchAssociation",
            format!("An invalid association-id of '{association}' was given"),
        )
    })
}

fn set(state: &mut State, context: &Context, id: &InstanceId, arn: String) {
    let association = ProfileAssociation::fresh(state, context.now);
    edit(state, id, |instance| {
        instance.iam_instance_profile = Some(arn);
        instance.profile_association = Some(association);
    });
}

/// Gives an instance a profile.
///
/// # Errors
/// `InvalidInstanceID.NotFound`, `IncorrectState` if it has one or is gone.
pub fn associate(
    state: &mut State,
    context: &Context,
    instance: &str,
    arn: String,
) -> Result<InstanceId, Refusal> {
    let found = find(state, context, instance)?;
    let id = found.id.clone();
    if found.iam_instance_profile.is_some() {
        return Err(Refusal::new(
            "IncorrectState",
            format!("There is an existing association for instance {id}"),
        ));
    }
    if !matches!(
        found.state,
        InstanceState::Running | InstanceState::Stopped | InstanceState::Pending
    ) {
        return Err(Refusal::new(
            "IncorrectInstanceState",
            format!("The instance '{id}' is not in the 'running' or 'stopped' states."),
        ));
    }
    set(state, context, &id, arn);
    Ok(id)
}

/// Gives an association's instance another profile.
///
/// # Errors
/// `NoSuchAssociation`.
pub fn replace(
    state: &mut State,
    context: &Context,
    association: &str,
    arn: String,
) -> Result<InstanceId, Refusal> {
    let id = holder(state, context, association)?;
    set(state, context, &id, arn);
    Ok(id)
}

/// Takes an instance's profile away; gives the instance as it was.
///
/// # Errors
/// `NoSuchAssociation`.
pub fn disassociate(
    state: &mut State,
    context: &Context,
    association: &str,
) -> Result<Instance, Refusal> {
    let id = holder(state, context, association)?;
    let before = find(state, context, id.as_str())?.clone();
    edit(state, &id, |instance| {
        instance.iam_instance_profile = None;
        instance.profile_association = None;
    });
    Ok(before)
}
