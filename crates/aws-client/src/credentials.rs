//! Who a program is to AWS: by its environment, by its service account's token, or by its instance.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>

use crate::http::{Http, HttpError};
use crate::imds::{ADDRESS, Imds};
use crate::instance;
use crate::web_identity::WebIdentity;
use std::sync::Arc;
use wire::error::ApiError;

/// Keys are asked for again so long before they end, in seconds.
pub(crate) const EARLY: i64 = 300;

/// A key, and the token of its session where it is of one.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The key's id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// The session's token; empty for keys that last.
    pub token: String,
    /// When they end, in seconds since 1970.
    pub ends: i64,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The instance has none.
    #[error(transparent)]
    Instance(#[from] instance::CredentialsError),
    /// The service account's token can't be read.
    #[error("failed to retrieve jwt from provided path {path}: {why}")]
    Token {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// STS can't be reached.
    #[error("operation error STS: AssumeRoleWithWebIdentity, {0}")]
    Unreachable(HttpError),
    /// STS refuses.
    #[error("operation error STS: AssumeRoleWithWebIdentity, api error {}: {}", .0.code, .0.message)]
    Refused(ApiError),
}

/// Where keys come from.
#[derive(Debug)]
pub enum Provider {
    /// They stand in the environment.
    Fixed(Credentials),
    /// STS gives them for a token.
    WebIdentity(WebIdentity),
    /// The instance's role has them.
    Instance(instance::Keys),
}

impl Provider {
    /// As the environment says; the instance's role where it says nothing.
    ///
    /// # Errors
    /// The metadata service's address isn't one.
    pub fn of(
        http: &Http,
        region: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, HttpError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let (Some(id), Some(secret)) =
            (given("AWS_ACCESS_KEY_ID"), given("AWS_SECRET_ACCESS_KEY"))
        {
            return Ok(Self::Fixed(Credentials {
                access_key_id: id,
                secret_access_key: secret,
                token: given("AWS_SESSION_TOKEN").unwrap_or_default(),
                ends: i64::MAX,
            }));
        }
        let (role, file) = (given("AWS_ROLE_ARN"), given("AWS_WEB_IDENTITY_TOKEN_FILE"));
        if let (Some(role), Some(file)) = (role, file) {
            let session = given("AWS_ROLE_SESSION_NAME");
            let of = WebIdentity::new(http.clone(), region, role, file, session);
            return Ok(Self::WebIdentity(of));
        }
        let address = given("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let imds = Imds::new(http.clone(), address.as_deref().unwrap_or(ADDRESS))?;
        Ok(Self::Instance(instance::Keys::new(Arc::new(imds))))
    }

    /// Keys that are good at a moment.
    ///
    /// # Errors
    /// There are none.
    pub async fn current(&self, now: i64) -> Result<Credentials, CredentialsError> {
        match self {
            Self::Fixed(credentials) => Ok(credentials.clone()),
            Self::WebIdentity(of) => of.current(now).await,
            Self::Instance(keys) => Ok(keys.current(now).await?),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn provider(variables: &[(&str, &str)]) -> Provider {
        let find = |name: &str| {
            let found = variables.iter().find(|(of, _)| *of == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let http = Http::new(find).unwrap();
        Provider::of(&http, "us-west-2", find).unwrap()
    }

    /// AWS-IAM: keys in the environment come first, then the account's token, then the instance.
    #[test]
    fn the_environment_says_where_keys_come_from() {
        let token = [
            ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ];
        assert!(matches!(provider(&[]), Provider::Instance(_)));
        assert!(matches!(provider(&token), Provider::WebIdentity(_)));
        let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        let both = [&token[..], &keys].concat();
        assert!(matches!(provider(&both), Provider::Fixed(_)));
    }
}
