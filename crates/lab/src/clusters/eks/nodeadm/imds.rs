//! What a node asks of its instance's metadata.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html>

use crate::caller::{CallError, Caller};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde::Deserialize;

const ADDRESS: &str = "http://169.254.169.254/latest/";

/// Why metadata can't be had.
#[derive(Debug, thiserror::Error)]
pub(in crate::clusters::eks) enum MetadataError {
    /// The service isn't reached.
    #[error("EC2 IMDS: {0}")]
    Call(#[from] CallError),
    /// It has no such thing.
    #[error("EC2 IMDS: {path}: HTTP status {status}")]
    Status {
        /// What was asked for.
        path: String,
        /// What it said.
        status: StatusCode,
    },
    /// What it has can't be read.
    #[error("EC2 IMDS: {0}")]
    Malformed(String),
}

/// The credentials of an instance's role.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::clusters::eks) struct Credentials {
    /// The key's id.
    pub(in crate::clusters::eks) access_key_id: String,
    /// Its secret.
    pub(in crate::clusters::eks) secret_access_key: String,
    /// The session's token.
    pub(in crate::clusters::eks) token: String,
}

/// An instance's metadata, by a session of version 2.
pub(super) struct Metadata<'a> {
    caller: &'a Caller,
    session: String,
}

impl<'a> Metadata<'a> {
    /// Begins a session.
    ///
    /// # Errors
    /// The service isn't reached, or gives none.
    pub(super) async fn begin(caller: &'a Caller) -> Result<Self, MetadataError> {
        let request = Request::builder()
            .method(Method::PUT)
            .uri(format!("{ADDRESS}api/token"))
            .header("x-aws-ec2-metadata-token-ttl-seconds", "21600");
        let mut this = Self {
            caller,
            session: String::new(),
        };
        this.session = this.ask(request, "api/token").await?;
        Ok(this)
    }

    /// What is at a path below `/latest/`.
    ///
    /// # Errors
    /// The service isn't reached, or has no such thing.
    pub(super) async fn get(&self, path: &str) -> Result<String, MetadataError> {
        let request = Request::builder()
            .uri(format!("{ADDRESS}{path}"))
            .header("x-aws-ec2-metadata-token", &self.session);
        self.ask(request, path).await
    }

    /// The instance's role's credentials.
    ///
    /// # Errors
    /// It has no role.
    pub(super) async fn credentials(&self) -> Result<Credentials, MetadataError> {
        let place = "meta-data/iam/security-credentials/";
        let roles = self.get(place).await?;
        let role = roles.lines().next().unwrap_or_default();
        let text = self.get(&format!("{place}{role}")).await?;
        serde_json::from_str(&text).map_err(|error| MetadataError::Malformed(error.to_string()))
    }

    async fn ask(
        &self,
        request: http::request::Builder,
        path: &str,
    ) -> Result<String, MetadataError> {
        let request = request.body(Bytes::new());
        let request = request.map_err(|error| MetadataError::Malformed(error.to_string()))?;
        let answer = self.caller.send(request).await?;
        if !answer.status().is_success() {
            return Err(MetadataError::Status {
                path: path.to_owned(),
                status: answer.status(),
            });
        }
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }
}
