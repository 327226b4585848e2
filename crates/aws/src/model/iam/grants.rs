//! What users and roles are allowed: managed policies attached to them and policies of their own.

use super::*;

/// The most managed policies of a user or role, unless the account asks for more.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MOST_ATTACHED: usize = 10;
/// The most letters of all own policies of a role together.
const MOST_OF_ROLE: usize = 10_240;
/// The most letters of all own policies of a user together.
const MOST_OF_USER: usize = 2048;

/// The policies of a user or role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grants {
    /// Managed policies, by ARN.
    pub attached: BTreeSet<String>,
    /// Policies of its own: documents by name.
    pub inline: BTreeMap<String, String>,
}

/// A user or role, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder<'a> {
    /// A role.
    Role(&'a str),
    /// A user.
    User(&'a str),
}

impl Holder<'_> {
    fn word(self) -> &'static str {
        match self {
            Self::Role(_) => "role",
            Self::User(_) => "user",
        }
    }

    /// Its policies.
    ///
    /// # Errors
    /// `NoSuchEntity`.
    pub fn grants(self, state: &State) -> Result<&Grants, Refusal> {
        match self {
            Self::Role(name) => Ok(&role::find(state, name)?.grants),
            Self::User(name) => Ok(&user::find(state, name)?.grants),
        }
    }

    fn change(
        self,
        state: &mut State,
        change: impl FnOnce(&mut Grants) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        match self {
            Self::Role(name) => {
                let mut role = role::find(state, name)?.clone();
                role.check_own()?;
                change(&mut role.grants)?;
                state.iam_roles.insert(key(name), Arc::new(role));
            }
            Self::User(name) => {
                let mut user = user::find(state, name)?.clone();
                change(&mut user.grants)?;
                state.iam_users.insert(key(name), Arc::new(user));
            }
        }
        Ok(())
    }
}

/// Attaches a managed policy.
///
/// # Errors
/// `NoSuchEntity`, `PolicyNotAttachable`, `LimitExceeded`, `UnmodifiableEntity`.
pub fn attach(
    state: &mut State,
    context: &Context,
    holder: Holder<'_>,
    arn: &str,
) -> Result<(), Refusal> {
    let policy = policy::lookup(state, arn)?
        .ok_or_else(|| missing(format!("Policy {arn} does not exist or is not attachable.")))?;
    if policy.of_service() {
        return Err(Refusal::new(
            "PolicyNotAttachable",
            "Cannot attach a Service Role Policy to a Customer Role.",
        ));
    }
    let quotas = context.quotas;
    holder.change(state, |grants| {
        grants.attached.insert(arn.to_owned());
        if quotas && grants.attached.len() > MOST_ATTACHED {
            let quota = match holder {
                Holder::Role(_) => "PoliciesPerRole",
                Holder::User(_) => "PoliciesPerUser",
            };
            return Err(exceeded(quota, MOST_ATTACHED));
        }
        Ok(())
    })
}

/// Detaches a managed policy.
///
/// # Errors
/// `NoSuchEntity`, `UnmodifiableEntity`.
pub fn detach(state: &mut State, holder: Holder<'_>, arn: &str) -> Result<(), Refusal> {
    holder.change(state, |grants| match grants.attached.remove(arn) {
        true => Ok(()),
        false => Err(missing(format!("Policy {arn} was not found."))),
    })
}

/// Gives a user or role a policy of its own, or a new document to one that it has.
///
/// # Errors
/// `NoSuchEntity`, `MalformedPolicyDocument`, `LimitExceeded`, `ValidationError`, `UnmodifiableEntity`.
pub fn put(
    state: &mut State,
    holder: Holder<'_>,
    name: &str,
    document: String,
) -> Result<(), Refusal> {
    super::name::check(name, "policyName", 128)?;
    check_document(&document, language::Kind::Identity)?;
    holder.change(state, |grants| {
        grants.inline.insert(name.to_owned(), document);
        let all: usize = grants.inline.values().map(|of| length(of)).sum();
        let (most, whose) = match holder {
            Holder::Role(name) => (MOST_OF_ROLE, format!("role {name}")),
            Holder::User(name) => (MOST_OF_USER, format!("user {name}")),
        };
        if all > most {
            return Err(Refusal::new(
                "LimitExceeded",
                format!("Maximum policy size of {most} bytes exceeded for {whose}"),
            ));
        }
        Ok(())
    })
}

/// A policy of a user's or role's own: its document.
///
/// # Errors
/// `NoSuchEntity`.
pub fn inline<'s>(state: &'s State, holder: Holder<'_>, name: &str) -> Result<&'s str, Refusal> {
    let found = holder.grants(state)?.inline.get(name);
    found
        .map(String::as_str)
        .ok_or_else(|| not_own(holder, name))
}

/// Takes a policy of its own from a user or role.
///
/// # Errors
/// `NoSuchEntity`, `UnmodifiableEntity`.
pub fn delete(state: &mut State, holder: Holder<'_>, name: &str) -> Result<(), Refusal> {
    holder.change(state, |grants| {
        let gone = grants.inline.remove(name);
        gone.map(|_| ()).ok_or_else(|| not_own(holder, name))
    })
}

fn not_own(holder: Holder<'_>, name: &str) -> Refusal {
    let word = holder.word();
    missing(format!(
        "The {word} policy with name {name} cannot be found."
    ))
}

impl Grants {
    /// Refuses to let go what still has policies.
    pub(super) fn check_gone(&self) -> Result<(), Refusal> {
        if !self.attached.is_empty() {
            return Err(held(
                "Cannot delete entity, must detach all policies first.",
            ));
        }
        if !self.inline.is_empty() {
            return Err(held("Cannot delete entity, must delete policies first."));
        }
        Ok(())
    }

    /// All documents that hold for it, those of policies that are gone left out.
    pub fn documents<'s>(&'s self, state: &'s State) -> Vec<&'s str> {
        let attached = self
            .attached
            .iter()
            .filter_map(|arn| policy::lookup(state, arn).ok().flatten())
            .filter_map(Policy::document);
        attached
            .chain(self.inline.values().map(String::as_str))
            .collect()
    }
}
