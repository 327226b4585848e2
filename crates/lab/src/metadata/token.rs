//! Session tokens of the metadata service, version 2.

use crate::entropy;
use aws::model::InstanceId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

/// Sessions that are kept; beyond them the one that ends first makes way.
const KEPT: usize = 10_000;

/// Sessions and whose they are.
#[derive(Default)]
pub(super) struct Tokens {
    sessions: Mutex<HashMap<String, Session>>,
}

struct Session {
    instance: InstanceId,
    until: i64,
}

impl Tokens {
    /// Begins a session that lasts until a moment, and gives its token.
    pub(super) fn begin(&self, instance: &InstanceId, until: i64) -> io::Result<String> {
        let token = URL_SAFE.encode(entropy::bytes::<40>()?);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= KEPT
            && let Some(first) = sessions
                .iter()
                .min_by_key(|(_, session)| session.until)
                .map(|(token, _)| token.clone())
        {
            sessions.remove(&first);
        }
        let instance = instance.clone();
        sessions.insert(token.clone(), Session { instance, until });
        Ok(token)
    }

    /// Whether a token is of a session of this instance that still lasts.
    pub(super) fn holds(&self, token: &str, instance: &InstanceId, now: i64) -> bool {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        match sessions.get(token) {
            Some(session) if session.until <= now => {
                sessions.remove(token);
                false
            }
            Some(session) => session.instance == *instance,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_session_is_one_instances_and_ends() {
        let (tokens, own, other) = (Tokens::default(), "i-1".into(), "i-2".into());
        let token = tokens.begin(&own, 100).unwrap();
        assert!(tokens.holds(&token, &own, 99));
        assert!(!tokens.holds(&token, &other, 99));
        assert!(!tokens.holds("guess", &own, 99));
        assert!(!tokens.holds(&token, &own, 100));
    }
}
