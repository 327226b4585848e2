//! Users.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_users.html>

use super::*;

/// The most users of an account.
const MOST: usize = 5000;

/// A user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: Path,
    /// Its unique id, `AIDA…`.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// What it is allowed.
    pub grants: Grants,
    /// Its tags.
    pub tags: Tags,
}

/// The user of a name.
///
/// # Errors
/// `NoSuchEntity`.
pub fn find<'s>(state: &'s State, name: &str) -> Result<&'s User, Refusal> {
    let found = state.iam_users.get(&key(name)).map(Arc::as_ref);
    found.ok_or_else(|| missing(format!("The user with name {name} cannot be found.")))
}

fn check_free(state: &State, name: &str) -> Result<(), Refusal> {
    name::check(name, "userName", 64)?;
    if state.iam_users.contains_key(&key(name)) {
        return Err(taken(format!("User with name {name} already exists.")));
    }
    Ok(())
}

/// Makes a user.
///
/// # Errors
/// `EntityAlreadyExists`, `ValidationError`, `LimitExceeded`.
pub fn create(
    state: &mut State,
    context: &Context,
    name: String,
    path: Path,
    tags: Tags,
) -> Result<User, Refusal> {
    check_free(state, &name)?;
    if state.iam_users.len() >= MOST {
        return Err(exceeded("UsersPerAccount", MOST));
    }
    let user = User {
        id: unique_id(state, "AIDA"),
        arn: arn(&state.settings.account, "user", path.as_str(), &name),
        name,
        path,
        created: context.now,
        grants: Grants::default(),
        tags,
    };
    state
        .iam_users
        .insert(key(&user.name), Arc::new(user.clone()));
    Ok(user)
}

/// Gives a user another name or path; keys and policies stay with it.
///
/// # Errors
/// `NoSuchEntity`, `EntityAlreadyExists`, `ValidationError`.
pub fn update(
    state: &mut State,
    name: &str,
    new_name: Option<String>,
    new_path: Option<Path>,
) -> Result<(), Refusal> {
    let mut user = find(state, name)?.clone();
    let other = new_name.filter(|new| *new != user.name);
    if let Some(new) = &other {
        // Another spelling of its own name is free.
        if key(new) != key(name) {
            check_free(state, new)?;
        }
        user.name.clone_from(new);
    }
    user.path = new_path.unwrap_or(user.path);
    user.arn = arn(
        &state.settings.account,
        "user",
        user.path.as_str(),
        &user.name,
    );
    state.iam_users.remove(&key(name));
    for mut key in access_key::of(state, name) {
        key.user.clone_from(&user.name);
        state.iam_access_keys.insert(key.id.clone(), Arc::new(key));
    }
    state.iam_users.insert(key(&user.name), Arc::new(user));
    Ok(())
}

/// Deletes a user.
///
/// # Errors
/// `NoSuchEntity`, `DeleteConflict` while it has keys or policies.
pub fn delete(state: &mut State, name: &str) -> Result<(), Refusal> {
    let user = find(state, name)?;
    user.grants.check_gone()?;
    if !access_key::of(state, name).is_empty() {
        return Err(held("Cannot delete entity, must delete access keys first."));
    }
    state.iam_users.remove(&key(name));
    Ok(())
}
