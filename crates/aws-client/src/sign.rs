//! Signed requests.

use crate::credentials::Credentials;
use wire::call::{self, Call};
use wire::error::ApiError;

/// A request that can be sent to `https://<host>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The host that it is for.
    pub host: String,
    /// The HTTP method.
    pub method: &'static str,
    /// The path, with the query string.
    pub path: String,
    /// Headers but for the host's.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// Where a service is in a region.
/// <https://docs.aws.amazon.com/general/latest/gr/rande.html>
pub fn host(service: call::Service, region: &str) -> String {
    match service {
        // It is one service for the whole world.
        call::Service::Iam => "iam.amazonaws.com".to_owned(),
        other => format!("{}.{region}.amazonaws.com", other.name()),
    }
}

/// A call as a signed request, at a moment in seconds since 1970.
///
/// # Errors
/// `InvalidAction`: the operation is none that can be written.
pub fn signed(
    call: &Call,
    credentials: &Credentials,
    region: &str,
    now: i64,
) -> Result<Signed, ApiError> {
    let mut unsigned = call.request()?;
    if !credentials.token.is_empty() {
        let token = ("x-amz-security-token".to_owned(), credentials.token.clone());
        unsigned.headers.push(token);
    }
    let host = host(call.service, region);
    let signer = call::Caller {
        access_key: &credentials.access_key_id,
        secret: &credentials.secret_access_key,
        region,
        host: &host,
    };
    let mut headers = unsigned.signed(&signer, now);
    headers.retain(|(name, _)| name != "host");
    let path = match unsigned.query.as_str() {
        "" => unsigned.path,
        query => format!("{}?{query}", unsigned.path),
    };
    Ok(Signed {
        host,
        method: unsigned.method,
        path,
        headers,
        body: unsigned.body,
    })
}
