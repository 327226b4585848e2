//! AWS Signature Version 4: checked on the way in, made on the way out.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod presign;

pub use presign::{Presigned, presign};

use crate::Timestamp;
use crate::error::ApiError;
use crate::query::{encode, pairs};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a request's date may be off, in seconds.
const SKEW: i64 = 15 * 60;
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// A request as its signature sees it.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The path, as it came.
    pub path: &'a str,
    /// The query string, as it came, without the question mark.
    pub query: &'a str,
    /// Headers; names in lower case.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

/// What a signature claims, and, once verified, proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The access key's id.
    pub access_key: String,
    /// The region of the credential's scope.
    pub region: String,
    /// The service of the credential's scope.
    pub service: String,
}

/// A key to sign with.
#[derive(Clone, Debug)]
pub struct Key<'a> {
    /// The access key's id.
    pub access_key: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// The region.
    pub region: &'a str,
    /// The service.
    pub service: &'a str,
}

/// The parts of an Authorization header or of a presigned query.
struct Signature<'a> {
    credential: String,
    signed_headers: String,
    signature: String,
    date: String,
    payload: Payload<'a>,
    presigned: bool,
}

enum Payload<'a> {
    Declared(&'a str),
    OfBody,
}

fn incomplete(what: &str) -> ApiError {
    ApiError::new(
        "IncompleteSignature",
        format!("Authorization header requires '{what}'."),
    )
}

fn header<'a>(request: &Signable<'a>, name: &str) -> Option<&'a str> {
    request
        .headers
        .iter()
        .find(|(header, _)| header == name)
        .map(|(_, value)| value.as_str())
}

impl<'a> Signature<'a> {
    fn of(request: &Signable<'a>) -> Result<Self, ApiError> {
        match header(request, "authorization") {
            Some(authorization) => Self::of_header(request, authorization),
            None => Self::of_query(request),
        }
    }

    fn of_header(request: &Signable<'a>, authorization: &str) -> Result<Self, ApiError> {
        let Some(rest) = authorization.strip_prefix(ALGORITHM) else {
            return Err(ApiError::new(
                "IncompleteSignature",
                "The algorithm must be AWS4-HMAC-SHA256.",
            ));
        };
        let part = |name: &str| {
            let mut parts = rest.split(',').map(str::trim);
            parts
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
                .map(str::to_owned)
                .ok_or_else(|| incomplete(name))
        };
        let date = header(request, "x-amz-date").ok_or_else(|| incomplete("X-Amz-Date"))?;
        let payload =
            header(request, "x-amz-content-sha256").map_or(Payload::OfBody, Payload::Declared);
        Ok(Self {
            credential: part("Credential")?,
            signed_headers: part("SignedHeaders")?,
            signature: part("Signature")?,
            date: date.to_owned(),
            payload,
            presigned: false,
        })
    }

    fn of_query(request: &Signable<'a>) -> Result<Self, ApiError> {
        let parameters = pairs(request.query);
        let part = |name: &str| {
            parameters
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        if part("X-Amz-Algorithm").as_deref() != Some(ALGORITHM) {
            let message = "Request is missing Authentication Token";
            return Err(ApiError::new("MissingAuthenticationToken", message));
        }
        let need = |name: &str| part(name).ok_or_else(|| incomplete(name));
        Ok(Self {
            credential: need("X-Amz-Credential")?,
            signed_headers: need("X-Amz-SignedHeaders")?,
            signature: need("X-Amz-Signature")?,
            date: need("X-Amz-Date")?,
            payload: Payload::OfBody,
            presigned: true,
        })
    }

    /// Access key, date, region, service.
    fn scope(&self) -> Result<[&str; 4], ApiError> {
        let parts: Vec<&str> = self.credential.split('/').collect();
        match parts.as_slice() {
            [key, date, region, service, "aws4_request"] => Ok([key, date, region, service]),
            _ => Err(ApiError::new(
                "IncompleteSignature",
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
            )),
        }
    }
}

/// What a request claims, without checking it.
///
/// # Errors
/// There is no signature, or it is malformed.
pub fn claim(request: &Signable<'_>) -> Result<Claim, ApiError> {
    let signature = Signature::of(request)?;
    let [access_key, _, region, service] = signature.scope()?.map(str::to_owned);
    Ok(Claim {
        access_key,
        region,
        service,
    })
}

/// Checks a request's signature. With `any_key` the claim is taken as it is.
///
/// # Errors
/// AWS's own: no signature, a malformed one, an unknown key, a wrong signature, an old date.
pub fn verify(
    request: &Signable<'_>,
    secret_of: impl Fn(&str) -> Option<String>,
    any_key: bool,
    now: i64,
) -> Result<Claim, ApiError> {
    let signature = Signature::of(request)?;
    let claim = claim(request)?;
    if any_key {
        return Ok(claim);
    }
    let ec2 = claim.service == "ec2";
    let refused = |code: &str, message: &str| {
        let words = "AWS was not able to validate the provided access credentials";
        if ec2 {
            ApiError::new("AuthFailure", words)
        } else {
            ApiError::new(code, message)
        }
    };
    let secret = secret_of(&claim.access_key).ok_or_else(|| {
        refused(
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
    })?;
    check_date(&signature, now)?;
    if !signature
        .signed_headers
        .split(';')
        .any(|name| name == "host")
    {
        return Err(incomplete("host in SignedHeaders"));
    }
    let expected = hex(&expected(request, &signature, &secret)?);
    if !equal(expected.as_bytes(), signature.signature.as_bytes()) {
        return Err(refused(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ));
    }
    Ok(claim)
}

/// The date must be near, or, presigned, not past its expiry; and its day must be the scope's.
fn check_date(signature: &Signature<'_>, now: i64) -> Result<(), ApiError> {
    let date = moment(&signature.date).ok_or_else(|| incomplete("X-Amz-Date"))?;
    let [_, day, _, _] = signature.scope()?;
    if !signature.date.starts_with(day) {
        return Err(ApiError::new(
            "IncompleteSignature",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
        ));
    }
    // An hour is what SDKs give presigned requests, and enough for what Skylab answers.
    let late = if signature.presigned { 3600 } else { SKEW };
    if date.0 - now > SKEW || now - date.0 > late {
        return Err(ApiError::new(
            "RequestExpired",
            format!(
                "Signature not yet current or expired: {} is not near {}",
                date.iso(),
                Timestamp(now).iso()
            ),
        ));
    }
    Ok(())
}

/// `20261123T181200Z`.
fn moment(text: &str) -> Option<Timestamp> {
    if text.len() != 16 || !text.is_ascii() {
        return None;
    }
    let (date, time) = (&text[..8], &text[9..15]);
    Timestamp::parse(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    ))
}

fn expected(
    request: &Signable<'_>,
    signature: &Signature<'_>,
    secret: &str,
) -> Result<Vec<u8>, ApiError> {
    let own = hex(&Sha256::digest(request.body));
    let payload = match signature.payload {
        Payload::Declared(UNSIGNED) => UNSIGNED,
        Payload::Declared(declared) if declared == own => declared,
        Payload::Declared(_) => {
            return Err(ApiError::new(
                "SignatureDoesNotMatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ));
        }
        Payload::OfBody => &own,
    };
    let canonical = canonical(
        request,
        &signature.signed_headers,
        payload,
        signature.presigned,
    );
    let [_, day, region, service] = signature.scope()?;
    Ok(sign_text(
        secret,
        &signature.date,
        day,
        region,
        service,
        &canonical,
    ))
}

fn canonical(
    request: &Signable<'_>,
    signed_headers: &str,
    payload: &str,
    presigned: bool,
) -> String {
    let mut parameters: Vec<(String, String)> = pairs_raw(request.query)
        .into_iter()
        .filter(|(name, _)| !(presigned && name == "X-Amz-Signature"))
        .map(|(name, value)| (encode(&name), encode(&value)))
        .collect();
    parameters.sort();
    let query: Vec<String> = parameters
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let headers: String = signed_headers
        .split(';')
        .map(|name| {
            let values: Vec<String> = request
                .headers
                .iter()
                .filter(|(header, _)| header == name)
                .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            format!("{name}:{}\n", values.join(","))
        })
        .collect();
    // Every service but S3 encodes the path a second time.
    let path: Vec<String> = request.path.split('/').map(encode).collect();
    let path = if request.path.is_empty() {
        "/".to_owned()
    } else {
        path.join("/")
    };
    format!(
        "{}\n{path}\n{}\n{headers}\n{signed_headers}\n{payload}",
        request.method,
        query.join("&")
    )
}

/// In a query string that is signed, a plus is a plus.
fn pairs_raw(query: &str) -> Vec<(String, String)> {
    pairs(&query.replace('+', "%2B"))
}

fn sign_text(
    secret: &str,
    date: &str,
    day: &str,
    region: &str,
    service: &str,
    canonical: &str,
) -> Vec<u8> {
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let text = format!(
        "{ALGORITHM}\n{date}\n{scope}\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [day, region, service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    hmac(&key, text.as_bytes())
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares in a time that doesn't tell where they differ.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

/// Signs a request: gives the `x-amz-date` and `authorization` headers to add. The request's headers
/// must have `host`; all of them are signed.
pub fn sign(request: &Signable<'_>, key: &Key<'_>, now: i64) -> [(String, String); 2] {
    let iso = Timestamp(now).iso();
    let date: String = iso
        .chars()
        .filter(|letter| !matches!(letter, '-' | ':'))
        .take(15)
        .chain(['Z'])
        .collect();
    let day = &date[..8];
    let mut headers = request.headers.to_vec();
    headers.push(("x-amz-date".to_owned(), date.clone()));
    let mut names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let signed_headers = names.join(";");
    let signable = Signable {
        headers: &headers,
        ..*request
    };
    let canonical = canonical(
        &signable,
        &signed_headers,
        &hex(&Sha256::digest(request.body)),
        false,
    );
    let signature = hex(&sign_text(
        key.secret,
        &date,
        day,
        key.region,
        key.service,
        &canonical,
    ));
    let scope = format!(
        "{}/{day}/{}/{}/aws4_request",
        key.access_key, key.region, key.service
    );
    let authorization = format!(
        "{ALGORITHM} Credential={scope}, SignedHeaders={signed_headers}, Signature={signature}"
    );
    [
        ("x-amz-date".to_owned(), date),
        ("authorization".to_owned(), authorization),
    ]
}

#[cfg(test)]
mod tests;
