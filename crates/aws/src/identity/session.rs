//! Sessions' credentials: made and read back without being stored.

use super::Principal;
use crate::model::iam::letters;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The length of a code over a token.
const CODE: usize = 32;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whose it is.
    pub principal: Principal,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// What makes it differ from others of the same principal that end at the same time.
    pub nonce: String,
}

/// What a session's requests are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The key's id, `ASIA…`.
    pub access_key_id: String,
    /// Its secret.
    pub secret: String,
    /// What requests carry besides.
    pub token: String,
    /// When they end, in seconds since 1970.
    pub expires: i64,
}

/// Why a token is no session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// It was not made here, or belongs to another key.
    #[error("the security token is not one of this account's")]
    Foreign,
    /// Its time is over.
    #[error("the security token has expired")]
    Expired,
}

/// The lab's secret, with which credentials are made and read.
#[derive(Clone)]
pub struct Seal {
    key: Vec<u8>,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

fn code(key: &[u8], purpose: &str, text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

impl Seal {
    /// A seal from a secret; the same secret gives the same seal.
    pub fn new(secret: &[u8]) -> Self {
        Self {
            key: code(secret, "sessions", b""),
        }
    }

    /// A session's credentials: always the same for the same session.
    pub fn issue(&self, session: &Session) -> Credentials {
        // A session is made of texts and numbers: serde_json can't fail on it.
        let text = serde_json::to_vec(session).unwrap_or_default();
        let (access_key_id, secret) = self.key(&text);
        let code = code(&self.key, "token", &text);
        Credentials {
            access_key_id,
            secret,
            token: STANDARD.encode([code, text].concat()),
            expires: session.expires,
        }
    }

    /// The id and secret of the key that belongs to a token's text.
    fn key(&self, text: &[u8]) -> (String, String) {
        let id = letters(&code(&self.key, "id", text), 16);
        // Thirty bytes are forty letters in base64, as AWS's secrets have.
        let secret = STANDARD.encode(&code(&self.key, "secret", text)[..30]);
        (format!("ASIA{id}"), secret)
    }

    /// The session of a key and a token, and the key's secret.
    ///
    /// # Errors
    /// They are not of one session of this lab, or its time is over.
    pub fn open(
        &self,
        access_key_id: &str,
        token: &str,
        now: i64,
    ) -> Result<(Session, String), SessionError> {
        let bytes = STANDARD.decode(token).map_err(|_| SessionError::Foreign)?;
        let (sealed, text) = bytes.split_at_checked(CODE).ok_or(SessionError::Foreign)?;
        let own = code(&self.key, "token", text);
        let (id, secret) = self.key(text);
        let differs = own.iter().zip(sealed).fold(0, |all, (a, b)| all | (a ^ b)) != 0;
        if differs || id != access_key_id {
            return Err(SessionError::Foreign);
        }
        let session: Session = serde_json::from_slice(text).map_err(|_| SessionError::Foreign)?;
        if session.expires <= now {
            return Err(SessionError::Expired);
        }
        Ok((session, secret))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn session() -> Session {
        Session {
            principal: Principal::Role {
                name: "node".to_owned(),
                id: "AROA1".to_owned(),
                session: "i-1".to_owned(),
            },
            expires: 100,
            nonce: "n".to_owned(),
        }
    }

    /// AWS-IAM: a session's credentials are read back by the lab that made them, until they end.
    #[test]
    fn credentials_are_read_back_until_they_end() {
        let seal = Seal::new(b"secret");
        let made = seal.issue(&session());
        assert!(made.access_key_id.starts_with("ASIA") && made.access_key_id.len() == 20);
        assert_eq!(made.secret.len(), 40);
        let (read, secret) = seal.open(&made.access_key_id, &made.token, 99).unwrap();
        assert_eq!((read, secret), (session(), made.secret.clone()));
        let late = seal.open(&made.access_key_id, &made.token, 100);
        assert_eq!(late.unwrap_err(), SessionError::Expired);
    }

    /// AWS-IAM: nobody else can make or change them.
    #[test]
    fn others_tokens_are_foreign() {
        let seal = Seal::new(b"secret");
        let made = seal.issue(&session());
        let foreign = |id: &str, token: &str| {
            assert_eq!(seal.open(id, token, 0).unwrap_err(), SessionError::Foreign);
        };
        let other = Seal::new(b"another").issue(&session());
        foreign(&other.access_key_id, &other.token);
        foreign(&other.access_key_id, &made.token);
        let mut bytes = STANDARD.decode(&made.token).unwrap();
        let last = bytes.len() - 3;
        bytes[last] ^= 1;
        foreign(&made.access_key_id, &STANDARD.encode(bytes));
        foreign(&made.access_key_id, "");
        foreign(&made.access_key_id, "no token");
    }
}
