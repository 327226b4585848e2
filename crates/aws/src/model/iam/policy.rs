//! Managed policies: the account's own, and AWS's.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html>

use super::*;

/// The most letters of a managed policy's document.
const LONGEST: usize = 6144;
/// The most versions of a policy.
const MOST_VERSIONS: usize = 5;
/// The most policies of an account, unless it asks for more.
const MOST: usize = 1500;

/// A managed policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: Path,
    /// Its unique id, `ANPA…`.
    pub id: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// When its versions last changed, in seconds since 1970.
    pub updated: i64,
    /// Its versions by number.
    pub versions: BTreeMap<u32, Version>,
    /// The version that holds.
    pub default_version: u32,
    /// How many versions there have been.
    pub versions_made: u32,
    /// Its tags.
    pub tags: Tags,
}

/// A version of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The document.
    pub document: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

impl Policy {
    /// The document that holds.
    pub fn document(&self) -> Option<&str> {
        let version = self.versions.get(&self.default_version)?;
        Some(&version.document)
    }

    /// Whether it is AWS's.
    pub fn of_aws(&self) -> bool {
        self.arn.starts_with("arn:aws:iam::aws:")
    }

    /// Whether it is for roles linked to services only.
    pub fn of_service(&self) -> bool {
        self.of_aws() && self.path.as_str().starts_with("/aws-service-role/")
    }
}

/// The policy of an ARN, if there is one.
///
/// # Errors
/// `ValidationError` for what is no policy's ARN.
pub fn lookup<'s>(state: &'s State, arn: &str) -> Result<Option<&'s Policy>, Refusal> {
    if !arn.starts_with("arn:aws:iam::") || !arn.contains(":policy/") {
        return Err(invalid(format!("ARN {arn} is not valid.")));
    }
    Ok(match state.iam_policies.get(arn) {
        Some(policy) => Some(policy.as_ref()),
        None => catalogue().get(arn),
    })
}

/// The policy of an ARN.
///
/// # Errors
/// `NoSuchEntity`, `ValidationError`.
pub fn find<'s>(state: &'s State, arn: &str) -> Result<&'s Policy, Refusal> {
    lookup(state, arn)?.ok_or_else(|| missing(format!("Policy {arn} was not found.")))
}

/// A version of a policy.
///
/// # Errors
/// `NoSuchEntity`.
pub fn version<'s>(policy: &'s Policy, id: &str) -> Result<(u32, &'s Version), Refusal> {
    let number = id.strip_prefix('v').and_then(|number| number.parse().ok());
    number
        .and_then(|number| Some((number, policy.versions.get(&number)?)))
        .ok_or_else(|| {
            missing(format!(
                "Policy {} version {id} does not exist or is not attachable.",
                policy.arn
            ))
        })
}

/// The names of the users and of the roles that a policy is attached to.
pub fn holders<'s>(state: &'s State, arn: &str) -> (Vec<&'s User>, Vec<&'s Role>) {
    let users = state.iam_users.values().map(Arc::as_ref);
    let roles = state.iam_roles.values().map(Arc::as_ref);
    (
        users
            .filter(|of| of.grants.attached.contains(arn))
            .collect(),
        roles
            .filter(|of| of.grants.attached.contains(arn))
            .collect(),
    )
}

fn own(state: &State, arn: &str) -> Result<Policy, Refusal> {
    let policy = find(state, arn)?;
    if policy.of_aws() {
        return Err(Refusal::new(
            "AccessDenied",
            format!("Policy {arn} is an AWS managed policy and can't be changed."),
        ));
    }
    Ok(policy.clone())
}

fn check(document: &str) -> Result<(), Refusal> {
    check_document(document, language::Kind::Identity)?;
    if length(document) > LONGEST {
        return Err(exceeded("PolicySize", LONGEST));
    }
    Ok(())
}

/// What a new policy is to be.
#[derive(Clone, Debug)]
pub struct NewPolicy {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: Path,
    /// Its document.
    pub document: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// Makes a policy.
///
/// # Errors
/// `EntityAlreadyExists`, `MalformedPolicyDocument`, `ValidationError`, `LimitExceeded`.
pub fn create(state: &mut State, context: &Context, new: NewPolicy) -> Result<Policy, Refusal> {
    name::check(&new.name, "policyName", 128)?;
    check(&new.document)?;
    let mut named = state.iam_policies.values();
    if named.any(|of| key(&of.name) == key(&new.name)) {
        return Err(taken(format!(
            "A policy called {} already exists. Duplicate names are not allowed.",
            new.name
        )));
    }
    if context.quotas && state.iam_policies.len() >= MOST {
        return Err(exceeded("PoliciesPerAccount", MOST));
    }
    let version = Version {
        document: new.document,
        created: context.now,
    };
    let policy = Policy {
        id: unique_id(state, "ANPA"),
        arn: arn(
            &state.settings.account,
            "policy",
            new.path.as_str(),
            &new.name,
        ),
        name: new.name,
        path: new.path,
        description: new.description,
        created: context.now,
        updated: context.now,
        versions: BTreeMap::from([(1, version)]),
        default_version: 1,
        versions_made: 1,
        tags: new.tags,
    };
    store(state, policy.clone());
    Ok(policy)
}

fn store(state: &mut State, policy: Policy) {
    let arn = policy.arn.clone();
    state.iam_policies.insert(arn, Arc::new(policy));
}

/// Adds a version to a policy: its number.
///
/// # Errors
/// `NoSuchEntity`, `MalformedPolicyDocument`, `LimitExceeded`.
pub fn create_version(
    state: &mut State,
    context: &Context,
    arn: &str,
    document: String,
    holds: bool,
) -> Result<u32, Refusal> {
    let mut policy = own(state, arn)?;
    check(&document)?;
    if policy.versions.len() >= MOST_VERSIONS {
        return Err(Refusal::new(
            "LimitExceeded",
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.",
        ));
    }
    policy.versions_made += 1;
    let number = policy.versions_made;
    let version = Version {
        document,
        created: context.now,
    };
    policy.versions.insert(number, version);
    policy.updated = context.now;
    if holds {
        policy.default_version = number;
    }
    store(state, policy);
    Ok(number)
}

/// Makes another version hold.
///
/// # Errors
/// `NoSuchEntity`.
pub fn set_default(
    state: &mut State,
    context: &Context,
    arn: &str,
    id: &str,
) -> Result<(), Refusal> {
    let mut policy = own(state, arn)?;
    policy.default_version = version(&policy, id)?.0;
    policy.updated = context.now;
    store(state, policy);
    Ok(())
}

/// Deletes a version that doesn't hold.
///
/// # Errors
/// `NoSuchEntity`, `DeleteConflict`.
pub fn delete_version(state: &mut State, arn: &str, id: &str) -> Result<(), Refusal> {
    let mut policy = own(state, arn)?;
    let number = version(&policy, id)?.0;
    if number == policy.default_version {
        return Err(held("Cannot delete the default version of a policy."));
    }
    policy.versions.remove(&number);
    store(state, policy);
    Ok(())
}

/// Deletes a policy.
///
/// # Errors
/// `NoSuchEntity`, `DeleteConflict` while it is attached or has more than one version.
pub fn delete(state: &mut State, arn: &str) -> Result<(), Refusal> {
    let policy = own(state, arn)?;
    let (users, roles) = holders(state, arn);
    if !users.is_empty() || !roles.is_empty() {
        return Err(held("Cannot delete a policy attached to entities."));
    }
    if policy.versions.len() > 1 {
        return Err(held(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        ));
    }
    state.iam_policies.remove(arn);
    Ok(())
}
