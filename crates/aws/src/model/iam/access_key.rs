//! Users' access keys.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html>

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The most keys of a user.
const MOST: usize = 2;

/// An access key.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessKey {
    /// Its id, `AKIA…`.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The user's name.
    pub user: String,
    /// Whether requests may be signed with it.
    pub active: bool,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessKey({} of {})", self.id, self.user)
    }
}

/// A user's keys, the oldest first.
pub fn of(state: &State, user: &str) -> Vec<AccessKey> {
    let own = |of: &&Arc<AccessKey>| key(&of.user) == key(user);
    let mut keys: Vec<AccessKey> = state
        .iam_access_keys
        .values()
        .filter(own)
        .map(|of| of.as_ref().clone())
        .collect();
    keys.sort_by_key(|of| of.created);
    keys
}

/// Makes a key for a user.
///
/// # Errors
/// `NoSuchEntity`, `LimitExceeded`.
pub fn create(state: &mut State, context: &Context, user: &str) -> Result<AccessKey, Refusal> {
    let user = user::find(state, user)?.name.clone();
    if of(state, &user).len() >= MOST {
        return Err(exceeded("AccessKeysPerUser", MOST));
    }
    let id = format!("AKIA{}", letters(&state.bytes(), 16));
    let mut hash = Sha256::new();
    hash.update(context.entropy);
    hash.update(&id);
    let made = AccessKey {
        // Thirty bytes are forty letters in base64, as AWS's secrets have.
        secret: STANDARD.encode(&hash.finalize()[..30]),
        id: id.clone(),
        user,
        active: true,
        created: context.now,
    };
    state.iam_access_keys.insert(id, Arc::new(made.clone()));
    Ok(made)
}

fn find(state: &State, user: &str, id: &str) -> Result<AccessKey, Refusal> {
    user::find(state, user)?;
    let found = state.iam_access_keys.get(id).map(|of| of.as_ref().clone());
    found
        .filter(|of| key(&of.user) == key(user))
        .ok_or_else(|| missing(format!("The Access Key with id {id} cannot be found.")))
}

/// Lets a key sign requests, or no longer.
///
/// # Errors
/// `NoSuchEntity`.
pub fn set_active(state: &mut State, user: &str, id: &str, active: bool) -> Result<(), Refusal> {
    let mut found = find(state, user, id)?;
    found.active = active;
    state.iam_access_keys.insert(id.to_owned(), Arc::new(found));
    Ok(())
}

/// Deletes a key.
///
/// # Errors
/// `NoSuchEntity`.
pub fn delete(state: &mut State, user: &str, id: &str) -> Result<(), Refusal> {
    find(state, user, id)?;
    state.iam_access_keys.remove(id);
    Ok(())
}
