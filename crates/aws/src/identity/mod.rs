//! Who calls: from keys, session tokens and other issuers' tokens to principals.
//!
//! A session's credentials are nowhere stored: its token says what it is and carries a code over it, and its
//! key's id and secret are derived from the same text, all with a secret of the lab's ([`Seal`]).
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html>

mod keyring;
mod presigned;
mod principal;
mod session;
mod web_identity;

pub use keyring::{Keyring, Verified};
pub use presigned::{PresignedError, caller_of_presigned};
pub use principal::{Caller, Principal};
pub use session::{Credentials, Seal, Session, SessionError};
pub use web_identity::{Issuers, Jwk, NoIssuers, WebToken, WebTokenError};

/// Who asks, and what services that make credentials make them with.
#[derive(Clone, Copy)]
pub struct Party<'a> {
    /// The caller; nobody where the request is not signed.
    pub caller: Option<&'a Caller>,
    /// What credentials are sealed with.
    pub seal: &'a Seal,
    /// Whose keys other issuers' tokens are checked with.
    pub issuers: &'a dyn Issuers,
}
