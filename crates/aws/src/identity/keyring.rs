//! Which keys are good, and whose they are.

use super::{Caller, Principal, Seal, SessionError};
use crate::model::State;
use crate::model::iam::user;
use wire::error::ApiError;
use wire::query::pairs;
use wire::sigv4::{self, Claim, Signable};

/// The keys of a lab.
#[derive(Clone, Copy, Debug)]
pub struct Keyring<'a> {
    /// The account.
    pub state: &'a State,
    /// What sessions are sealed with.
    pub seal: &'a Seal,
    /// The id and the secret of the root user's key.
    pub root: (&'a str, &'a str),
    /// Whether a key that nobody has is as good as the root user's.
    pub any: bool,
}

/// A request whose signature is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it claims.
    pub claim: Claim,
    /// Who made it.
    pub caller: Caller,
}

const TOKEN_HEADER: &str = "x-amz-security-token";
const TOKEN_PARAMETER: &str = "X-Amz-Security-Token";

/// The session token that a request carries.
fn token(request: &Signable<'_>) -> Option<String> {
    let header = request
        .headers
        .iter()
        .find(|(name, _)| name == TOKEN_HEADER);
    header.map(|(_, value)| value.clone()).or_else(|| {
        let parameters = pairs(request.query);
        let found = parameters
            .into_iter()
            .find(|(name, _)| name == TOKEN_PARAMETER);
        found.map(|(_, value)| value)
    })
}

/// AWS's words for credentials that it doesn't take; EC2 has its own.
fn refused(service: &str, code: &str, message: &str) -> ApiError {
    if service == "ec2" {
        let words = "AWS was not able to validate the provided access credentials";
        return ApiError::new("AuthFailure", words);
    }
    ApiError::new(code, message)
}

fn unknown(service: &str) -> ApiError {
    let words = "The security token included in the request is invalid.";
    refused(service, "InvalidClientTokenId", words)
}

fn expired(service: &str) -> ApiError {
    let mut error = match service {
        "ec2" => ApiError::new("RequestExpired", "Request has expired."),
        _ => ApiError::new(
            "ExpiredToken",
            "The security token included in the request is expired",
        ),
    };
    if service != "ec2" {
        error.status = 403;
    }
    error
}

impl Keyring<'_> {
    /// Checks a request's signature and tells who made it.
    ///
    /// # Errors
    /// AWS's own: no signature, a malformed one, an unknown or inactive key, a session that has ended, a wrong
    /// signature, an old date.
    pub fn verify(&self, request: &Signable<'_>, now: i64) -> Result<Verified, ApiError> {
        let claim = sigv4::claim(request)?;
        let found = self.owner(&claim, token(request), now);
        let (principal, secret) = match found {
            Ok(owner) => owner,
            Err(_) if self.any => {
                return Ok(Verified {
                    claim,
                    caller: Caller::root(self.state),
                });
            }
            Err(error) => return Err(error),
        };
        let caller = Caller::of(self.state, principal).ok_or_else(|| unknown(&claim.service))?;
        let claim = sigv4::verify(request, |_| Some(secret.clone()), self.any, now)?;
        Ok(Verified { claim, caller })
    }

    /// Whose a key is, and its secret.
    fn owner(
        &self,
        claim: &Claim,
        token: Option<String>,
        now: i64,
    ) -> Result<(Principal, String), ApiError> {
        let (id, service) = (&claim.access_key, &claim.service);
        let (root, secret) = self.root;
        if id == root {
            return Ok((Principal::Root, secret.to_owned()));
        }
        if let Some(token) = token {
            let opened = self.seal.open(id, &token, now);
            let (session, secret) = opened.map_err(|error| match error {
                SessionError::Foreign => unknown(service),
                SessionError::Expired => expired(service),
            })?;
            return Ok((session.principal, secret));
        }
        let key = self.state.iam_access_keys.get(id);
        let key = key
            .filter(|key| key.active)
            .ok_or_else(|| unknown(service))?;
        let user = user::find(self.state, &key.user).map_err(|_| unknown(service))?;
        let principal = Principal::User {
            name: user.name.clone(),
            id: user.id.clone(),
        };
        Ok((principal, key.secret.clone()))
    }
}
