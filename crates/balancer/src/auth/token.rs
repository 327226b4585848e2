//! What members are told about a user, signed: a JSON Web Token by ES256.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html#user-claims-encoding>

use crate::means::SigningKey;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ALGORITHM, EcdsaKeyPair, KeyPair};
use serde_json::{Map, Value, json};

/// For how many seconds it is good.
const LASTS: u64 = 120;

/// Before a point on P-256 in a public key by X.509: its kind, in DER.
/// <https://www.rfc-editor.org/rfc/rfc5480#section-2>
const SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A key can't be made or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key can't be made or used")]
pub struct KeyError;

/// What a token says.
pub(super) struct Claims<'a> {
    pub(super) issuer: &'a str,
    pub(super) client: &'a str,
    pub(super) signer: &'a str,
    pub(super) user: &'a Map<String, Value>,
}

/// Makes a key, with an id for its public half.
///
/// # Errors
/// There is no entropy.
pub fn signing_key(id: impl Into<String>) -> Result<SigningKey, KeyError> {
    let made = EcdsaKeyPair::generate_pkcs8(&ALGORITHM, &SystemRandom::new());
    let pkcs8 = made.map_err(|_| KeyError)?.as_ref().to_vec();
    Ok(SigningKey {
        id: id.into(),
        pkcs8,
    })
}

/// A key's public half, in PEM, as AWS publishes it at
/// `https://public-keys.auth.elb.<region>.amazonaws.com/<id>`.
///
/// # Errors
/// It is no key.
pub fn public_key_pem(key: &SigningKey) -> Result<String, KeyError> {
    let pair = pair(key)?;
    let mut der = SPKI.to_vec();
    der.extend_from_slice(pair.public_key().as_ref());
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line).unwrap_or_default());
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    Ok(pem)
}

fn pair(key: &SigningKey) -> Result<EcdsaKeyPair, KeyError> {
    let random = SystemRandom::new();
    EcdsaKeyPair::from_pkcs8(&ALGORITHM, &key.pkcs8, &random).map_err(|_| KeyError)
}

/// A token, with AWS's padding.
///
/// # Errors
/// The key is none.
pub(super) fn signed(claims: &Claims<'_>, key: &SigningKey, now: u64) -> Result<String, KeyError> {
    let until = now + LASTS;
    let header = json!({
        "typ": "JWT",
        "kid": key.id,
        "alg": "ES256",
        "iss": claims.issuer,
        "client": claims.client,
        "signer": claims.signer,
        "exp": until,
    });
    let mut payload = claims.user.clone();
    payload.insert("exp".into(), until.into());
    payload.insert("iss".into(), claims.issuer.into());
    let header = URL_SAFE.encode(header.to_string());
    let payload = URL_SAFE.encode(Value::Object(payload).to_string());
    let text = format!("{header}.{payload}");
    let signature = pair(key)?
        .sign(&SystemRandom::new(), text.as_bytes())
        .map_err(|_| KeyError)?;
    Ok(format!("{text}.{}", URL_SAFE.encode(signature)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    /// AWS-ALB: the published key verifies what members are told.
    #[test]
    fn verifies() {
        let key = signing_key("k1").unwrap();
        let user = json!({"sub": "u1", "email": "u@example"});
        let claims = Claims {
            issuer: "https://idp.example",
            client: "app",
            signer: "arn:lb",
            user: user.as_object().unwrap(),
        };
        let token = signed(&claims, &key, 1000).unwrap();
        let (text, signature) = token.rsplit_once('.').unwrap();
        let pem = public_key_pem(&key).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &der[SPKI.len()..]);
        let signature = URL_SAFE.decode(signature).unwrap();
        public.verify(text.as_bytes(), &signature).unwrap();
        let payload = URL_SAFE.decode(text.split('.').nth(1).unwrap()).unwrap();
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(
            (&payload["email"], &payload["exp"]),
            (&json!("u@example"), &json!(1120))
        );
    }
}
