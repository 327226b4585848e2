//! Who made a presigned `GetCallerIdentity`: how Kubernetes clusters know IAM's principals.
//!
//! A client signs the call and doesn't make it; whoever gets it learns who signed it. The rules are those of
//! <https://github.com/kubernetes-sigs/aws-iam-authenticator#how-does-it-work>.

use super::{Caller, Keyring};
use wire::Timestamp;
use wire::error::ApiError;
use wire::query::pairs;
use wire::sigv4::Signable;

/// How long such a call is good after it was signed, in seconds, whatever it says itself.
const LIFE: i64 = 15 * 60;
/// No such address is longer.
const LONGEST: usize = 4096;

/// The parameters that the call may have, in small letters.
const PARAMETERS: [&str; 9] = [
    "action",
    "version",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// Why a presigned call tells nobody's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresignedError {
    /// It is no presigned `GetCallerIdentity` of STS.
    #[error("input token was not properly formatted: {0}")]
    Form(&'static str),
    /// STS would not answer it.
    #[error("sts getCallerIdentity failed: {0}")]
    Refused(ApiError),
}

/// The caller of a presigned `GetCallerIdentity`. `headers` are what the client signed besides the host, names in
/// small letters, such as `x-k8s-aws-id` with the cluster's name; each must be signed.
///
/// # Errors
/// The address is none of such a call, or its signature isn't good.
pub fn caller_of_presigned(
    keyring: &Keyring<'_>,
    url: &str,
    headers: &[(String, String)],
    now: i64,
) -> Result<Caller, PresignedError> {
    let form = |why| Err(PresignedError::Form(why));
    if url.len() > LONGEST {
        return form("it is too long");
    }
    // Tools on the machine that the lab runs on sign for its loopback listener.
    let outside = url.strip_prefix("http://");
    let outside = outside.filter(|rest| rest.starts_with("127.0.0.1:"));
    let Some(rest) = url.strip_prefix("https://").or(outside) else {
        return form("unexpected scheme in pre-signed URL");
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    if outside.is_none() && !of_sts(host) {
        return form("unexpected hostname in pre-signed URL");
    }
    if !path.is_empty() {
        return form("unexpected path in pre-signed URL");
    }
    let parameters = pairs(query);
    let value = |name: &str| {
        let named = parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    };
    if parameters
        .iter()
        .any(|(name, _)| !PARAMETERS.contains(&name.to_lowercase().as_str()))
    {
        return form("non-whitelisted query parameter");
    }
    if value("action") != Some("GetCallerIdentity") {
        return form("unexpected action parameter in pre-signed URL");
    }
    let signed = value("x-amz-signedheaders")
        .unwrap_or_default()
        .to_lowercase();
    let mut names = signed.split(';');
    if !names.clone().any(|name| name == "host") {
        return form("client did not sign the host header in the pre-signed URL");
    }
    if !headers.iter().all(|(name, _)| names.any(|of| of == name)) {
        return form("client did not sign the x-k8s-aws-id header in the pre-signed URL");
    }
    let expires = value("x-amz-expires").and_then(|text| text.parse::<i64>().ok());
    if !expires.is_some_and(|expires| (0..=LIFE).contains(&expires)) {
        return form("invalid X-Amz-Expires parameter in pre-signed URL");
    }
    let signed_at = value("x-amz-date").and_then(moment);
    if signed_at.is_none_or(|at| now - at > LIFE) {
        return form("X-Amz-Date parameter is expired");
    }
    let mut all = vec![("host".to_owned(), host.to_owned())];
    all.extend_from_slice(headers);
    let request = Signable {
        method: "GET",
        path: "/",
        query,
        headers: &all,
        body: b"",
    };
    keyring
        .verify(&request, now)
        .map(|verified| verified.caller)
        .map_err(PresignedError::Refused)
}

/// `20261123T181200Z`, in seconds since 1970.
fn moment(text: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| text.get(range);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(9..11)?, part(11..13)?, part(13..15)?);
    let iso = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    Timestamp::parse(&iso).map(|moment| moment.0)
}

/// Whether a host is one of STS's endpoints.
fn of_sts(host: &str) -> bool {
    let Some(name) = host.strip_suffix(".amazonaws.com") else {
        return false;
    };
    match name.strip_prefix("sts") {
        Some("") => true,
        Some(region) => region.strip_prefix('.').is_some_and(|region| {
            !region.is_empty()
                && region
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }),
        None => false,
    }
}
