//! Other issuers' tokens: JSON Web Tokens, checked against their issuer's keys.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc.html>
//! <https://www.rfc-editor.org/rfc/rfc7519>

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256};
use ring::signature::{RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::Value;

/// No token is longer.
const LONGEST: usize = 20_000;

/// Where issuers' keys come from. A lab's clusters are issuers inside the lab, so it knows their keys itself.
pub trait Issuers: Send + Sync {
    /// The keys that an issuer (`https://…`) signs with; `None` if they can't be had.
    fn keys(&self, issuer: &str) -> Option<Vec<Jwk>>;
}

/// No issuers at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIssuers;

impl Issuers for NoIssuers {
    fn keys(&self, _: &str) -> Option<Vec<Jwk>> {
        None
    }
}

/// A public key of an issuer.
/// <https://www.rfc-editor.org/rfc/rfc7517>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    id: Option<String>,
    key: Key,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    /// Modulus and exponent, for `RS256`.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point, for `ES256`.
    P256(Vec<u8>),
}

/// Why a token isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebTokenError {
    /// It is no JSON Web Token.
    #[error(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
    )]
    Form,
    /// None of the issuer's keys made its signature.
    #[error(
        "Provided Token's signature could not be verified with the keys of its identity provider."
    )]
    Signature,
    /// It is too old, or too young.
    #[error("Token expired: current date/time must be before the expiration date/time")]
    Time,
}

impl Jwk {
    /// The keys of a key set (`{"keys": […]}`); keys of other kinds are left out.
    pub fn list(set: &Value) -> Vec<Self> {
        let keys = set["keys"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        keys.iter().filter_map(Self::read).collect()
    }

    fn read(of: &Value) -> Option<Self> {
        let part = |name: &str| URL_SAFE_NO_PAD.decode(of[name].as_str()?).ok();
        let key = match of["kty"].as_str()? {
            "RSA" => Key::Rsa {
                n: part("n")?,
                e: part("e")?,
            },
            "EC" if of["crv"] == "P-256" => Key::P256([vec![4], part("x")?, part("y")?].concat()),
            _ => return None,
        };
        let id = of["kid"].as_str().map(str::to_owned);
        Some(Self { id, key })
    }

    fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        match (&self.key, algorithm) {
            (Key::Rsa { n, e }, "RS256") => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Key::P256(point), "ES256") => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            _ => false,
        }
    }
}

/// A token, read and not yet believed.
#[derive(Clone, Debug, PartialEq)]
pub struct WebToken {
    key_id: Option<String>,
    algorithm: String,
    signed: String,
    signature: Vec<u8>,
    expires: i64,
    not_before: Option<i64>,
    /// Its issuer: `https://…`.
    pub issuer: String,
    /// Whom it is about.
    pub subject: String,
    /// Whom it is for.
    pub audiences: Vec<String>,
}

impl WebToken {
    /// Reads a token.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, WebTokenError> {
        Self::read(text).ok_or(WebTokenError::Form)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let [header, claims, signature] = [parts.next()?, parts.next()?, parts.next()?];
        if parts.next().is_some() || text.len() > LONGEST {
            return None;
        }
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let object = |part: &str| serde_json::from_slice::<Value>(&decoded(part)?).ok();
        let (head, body) = (object(header)?, object(claims)?);
        let audiences = match &body["aud"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(several) => several
                .iter()
                .map(|of| of.as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
            _ => return None,
        };
        // Times are numbers with or without fractions.
        let time = |name: &str| body[name].as_f64().map(|seconds| seconds as i64);
        Some(Self {
            key_id: head["kid"].as_str().map(str::to_owned),
            algorithm: head["alg"].as_str()?.to_owned(),
            signed: format!("{header}.{claims}"),
            signature: decoded(signature)?,
            expires: time("exp")?,
            not_before: time("nbf"),
            issuer: body["iss"].as_str()?.to_owned(),
            subject: body["sub"].as_str()?.to_owned(),
            audiences,
        })
    }

    /// Checks its signature and its time.
    ///
    /// # Errors
    /// None of the keys made it, or it is not of this time.
    pub fn check(&self, keys: &[Jwk], now: i64) -> Result<(), WebTokenError> {
        let named = |key: &&Jwk| match (&self.key_id, &key.id) {
            (Some(asked), Some(own)) => asked == own,
            _ => true,
        };
        let verified = keys
            .iter()
            .filter(named)
            .any(|key| key.verifies(&self.algorithm, self.signed.as_bytes(), &self.signature));
        if !verified {
            return Err(WebTokenError::Signature);
        }
        if self.expires <= now || self.not_before.is_some_and(|from| from > now + 300) {
            return Err(WebTokenError::Time);
        }
        Ok(())
    }
}
