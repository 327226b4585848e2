//! A request as AWS's protocols see it, and who made it.

use super::api::Keys;
use crate::cloud::unix_time;
use aws::identity::Verified;
use aws::model::State;
use http::request::Parts;
use wire::call::Unsigned;
use wire::error::ApiError;
use wire::query::{Node, pairs};
use wire::sigv4::Signable;

/// An HTTP request as far as AWS's protocols look at it.
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    headers: Vec<(String, String)>,
    parameters: Vec<(String, String)>,
}

impl From<Unsigned> for Call {
    /// A request that is made in this process.
    fn from(request: Unsigned) -> Self {
        let mut parameters = pairs(&request.query);
        parameters.extend(pairs(&request.body));
        Self {
            method: request.method.to_owned(),
            path: request.path,
            query: request.query,
            headers: request.headers,
            parameters,
        }
    }
}

impl Call {
    pub(super) fn read(head: &Parts, body: &[u8]) -> Self {
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let mut parameters = pairs(&query);
        parameters.extend(pairs(&String::from_utf8_lossy(body)));
        Self {
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            query,
            headers,
            parameters,
        }
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The operation's name: a parameter, or the end of a header in the JSON protocol.
    pub(super) fn action(&self) -> Option<&str> {
        let target = self
            .headers
            .iter()
            .find(|(name, _)| name == "x-amz-target")
            .and_then(|(_, target)| target.rsplit_once('.'));
        target
            .map(|(_, action)| action)
            .or_else(|| self.parameter("Action"))
    }

    fn signable<'c>(&'c self, body: &'c [u8]) -> Signable<'c> {
        Signable {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body,
        }
    }

    /// Checks the signature, and tells who made it.
    pub(super) fn verify(
        &self,
        keys: &Keys,
        state: &State,
        body: &[u8],
    ) -> Result<Verified, ApiError> {
        let request = self.signable(body);
        keys.keyring(state).verify(&request, unix_time())
    }

    /// The service that the signature names, good or not: errors are written as that service does.
    pub(super) fn claimed(&self, body: &[u8]) -> Option<String> {
        let claim = wire::sigv4::claim(&self.signable(body)).ok()?;
        Some(claim.service)
    }

    /// Whether the request is one that STS takes from callers who have no keys yet, and has no signature.
    pub(super) fn needs_no_signature(&self) -> bool {
        let signed = self.headers.iter().any(|(name, _)| name == "authorization")
            || self.parameter("X-Amz-Signature").is_some();
        !signed && self.action().is_some_and(aws::api::sts::unsigned)
    }

    /// The region of the endpoint that the request was sent to, where its name has one.
    pub(super) fn region_of_host(&self) -> Option<String> {
        let (_, host) = self.headers.iter().find(|(name, _)| name == "host")?;
        let region = host.split('.').nth(1)?;
        (region != "amazonaws").then(|| region.to_owned())
    }

    /// The operation's parameters as a tree; those of the protocol itself left out.
    pub(super) fn own_parameters(&self) -> Node {
        let own = self.parameters.iter().filter(|(name, _)| {
            !(name == "Action" || name == "Version" || name.starts_with("X-Amz-"))
        });
        Node::tree(own.cloned())
    }
}
