//! Who signed an address: what STS would say if the request in it were sent.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use super::Keys;
use http::Uri;
use wire::query::pairs;
use wire::sigv4::{Signable, verify};

/// A principal of IAM, as `GetCallerIdentity` tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallerIdentity {
    /// Its ARN.
    pub(crate) arn: String,
    /// Its account.
    pub(crate) account: String,
    /// Its unique id.
    pub(crate) user_id: String,
}

/// The caller of a signed `GetCallerIdentity` request that would be sent with some headers, if all is well with it.
pub(crate) fn caller(
    keys: &Keys,
    account: &str,
    (address, headers): (&str, &[(String, String)]),
    now: i64,
) -> Option<CallerIdentity> {
    let uri: Uri = address.parse().ok()?;
    let query = uri.query()?;
    let given = pairs(query);
    let is = |name: &str, value: &str| given.iter().any(|(key, of)| key == name && of == value);
    if !is("Action", "GetCallerIdentity") {
        return None;
    }
    // Who signs for a cluster says for which.
    let (_, signed) = given.iter().find(|(key, _)| key == "X-Amz-SignedHeaders")?;
    let all = headers.iter().map(|(name, _)| name.as_str());
    if !all
        .into_iter()
        .all(|name| signed.split(';').any(|of| of == name))
    {
        return None;
    }
    let mut sent = headers.to_vec();
    sent.push(("host".to_owned(), uri.authority()?.to_string()));
    let signable = Signable {
        method: "GET",
        path: uri.path(),
        query,
        headers: &sent,
        body: b"",
    };
    let secret_of = |id: &str| (id == keys.id).then(|| keys.secret.clone());
    verify(&signable, secret_of, keys.any, now).ok()?;
    Some(CallerIdentity {
        arn: format!("arn:aws:iam::{account}:root"),
        account: account.to_owned(),
        user_id: account.to_owned(),
    })
}
