//! Requests whose signature is in their address, to be sent by others.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html>

use super::{ALGORITHM, Key, Signable, canonical, hex, sign_text};
use crate::Timestamp;
use crate::query::encode;
use sha2::{Digest, Sha256};

/// A request to be signed in its address.
#[derive(Clone, Copy, Debug)]
pub struct Presigned<'a> {
    /// The host, `sts.us-west-2.amazonaws.com`.
    pub host: &'a str,
    /// The query, `Action=GetCallerIdentity&Version=2011-06-15`.
    pub query: &'a str,
    /// Headers that whoever sends it must add; names in lower case.
    pub headers: &'a [(String, String)],
    /// The token of the session whose key signs, if it is one.
    pub session: Option<&'a str>,
    /// How long the signature is good, in seconds.
    pub lifetime: u32,
}

/// The address of a GET request by HTTPS, signed.
pub fn presign(request: &Presigned<'_>, key: &Key<'_>, now: i64) -> String {
    let iso = Timestamp(now).iso();
    let digits = iso.chars().filter(|letter| !matches!(letter, '-' | ':'));
    let date: String = digits.take(15).chain(['Z']).collect();
    let day = &date[..8];
    let mut headers = request.headers.to_vec();
    headers.push(("host".to_owned(), request.host.to_owned()));
    let mut names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let names = names.join(";");
    let scope = format!("{day}/{}/{}/aws4_request", key.region, key.service);
    let mut query = format!(
        "{}&X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={}&X-Amz-Date={date}&X-Amz-Expires={}",
        request.query,
        encode(&format!("{}/{scope}", key.access_key)),
        request.lifetime
    );
    if let Some(session) = request.session {
        query.push_str(&format!("&X-Amz-Security-Token={}", encode(session)));
    }
    query.push_str(&format!("&X-Amz-SignedHeaders={}", encode(&names)));
    let signable = Signable {
        method: "GET",
        path: "/",
        query: &query,
        headers: &headers,
        body: b"",
    };
    let nothing = hex(&Sha256::digest(b""));
    let canonical = canonical(&signable, &names, &nothing, true);
    let (region, service) = (key.region, key.service);
    let signature = hex(&sign_text(
        key.secret, &date, day, region, service, &canonical,
    ));
    format!(
        "https://{}/?{query}&X-Amz-Signature={signature}",
        request.host
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::verify;

    /// AWS-IAM: what is signed in its address is proved by it, headers and session too.
    #[test]
    fn a_presigned_address_is_verified() {
        let key = Key {
            access_key: "ASIAEXAMPLE",
            secret: "secret",
            region: "us-west-2",
            service: "sts",
        };
        let headers = [("x-k8s-aws-id".to_owned(), "demo".to_owned())];
        let request = Presigned {
            host: "sts.us-west-2.amazonaws.com",
            query: "Action=GetCallerIdentity&Version=2011-06-15",
            headers: &headers,
            session: Some("a/b+c="),
            lifetime: 60,
        };
        let address = presign(&request, &key, 1_700_000_000);
        let query = address.split_once('?').map_or("", |(_, query)| query);
        let mut sent = headers.to_vec();
        sent.push(("host".to_owned(), request.host.to_owned()));
        let check = |headers: &[(String, String)], secret: &str| {
            let signable = Signable {
                method: "GET",
                path: "/",
                query,
                headers,
                body: b"",
            };
            let secret = secret.to_owned();
            let known = |_: &str| Some(secret.clone());
            verify(&signable, known, false, 1_700_000_030).is_ok()
        };
        assert!(check(&sent, "secret"));
        assert!(!check(&sent, "another"));
        sent[0].1 = "other".to_owned();
        assert!(!check(&sent, "secret"));
    }
}
