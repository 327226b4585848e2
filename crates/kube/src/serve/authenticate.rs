//! Who is who: the lab's own tokens, and those of service accounts.
//!
//! Service accounts' tokens are JSON web tokens signed by the cluster (ES256).
//! <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>

use crate::api::{Status, User, rbac::MASTERS};
use crate::object;
use crate::schema::rfc3339;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use serde_json::{Value, json};
use std::fmt;

/// Who may sign for a cluster.
pub struct Keys {
    /// The administrator's token.
    pub admin: String,
    /// The key that signs service accounts' tokens, PKCS #8.
    pub signing: Vec<u8>,
    /// What the tokens are issued by.
    pub issuer: String,
}

impl Keys {
    /// A new signing key.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new_signing() -> Result<Vec<u8>, ring::error::Unspecified> {
        let key =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
        Ok(key.as_ref().to_vec())
    }
}

/// Tells callers apart.
pub struct Authenticator {
    admin: String,
    issuer: String,
    key: EcdsaKeyPair,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl Authenticator {
    /// With these keys.
    ///
    /// # Errors
    /// The signing key isn't one.
    pub fn new(keys: Keys) -> Result<Self, ring::error::KeyRejected> {
        let random = SystemRandom::new();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &keys.signing, &random)?;
        Ok(Self {
            admin: keys.admin,
            issuer: keys.issuer,
            key,
        })
    }

    /// Who an `Authorization` header stands for.
    ///
    /// # Errors
    /// `Unauthorized`: nobody.
    pub fn user(&self, authorization: Option<&str>, now: i64) -> Result<User, Status> {
        let Some(header) = authorization else {
            return Err(Status::unauthorized());
        };
        let token = header
            .strip_prefix("Bearer ")
            .ok_or_else(Status::unauthorized)?
            .trim();
        let same = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        let admin = ring::digest::digest(&ring::digest::SHA256, self.admin.as_bytes());
        // Digests are compared, so that timing tells nothing of the token.
        if same.as_ref() == admin.as_ref() {
            return Ok(User {
                name: "kubernetes-admin".to_owned(),
                groups: vec![MASTERS.to_owned(), "system:authenticated".to_owned()],
            });
        }
        self.account(token, now).ok_or_else(Status::unauthorized)
    }

    /// The service account that a token is of.
    fn account(&self, token: &str, now: i64) -> Option<User> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key());
        public.verify(signed.as_bytes(), &signature).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        if claims["exp"].as_i64()? <= now || claims["iss"] != self.issuer.as_str() {
            return None;
        }
        let name = claims["sub"].as_str()?.to_owned();
        let namespace = name
            .strip_prefix("system:serviceaccount:")?
            .split(':')
            .next()?;
        Some(User {
            groups: vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ],
            name,
        })
    }

    /// Answers a request for a service account's token.
    ///
    /// # Errors
    /// It can't be signed.
    pub fn token(&self, mut request: Value, account: &Value, now: i64) -> Result<Value, Status> {
        let seconds = object::number(&request, &["spec", "expirationSeconds"])
            .unwrap_or(3600)
            .max(600);
        let audiences = object::list(&request, &["spec", "audiences"]).to_vec();
        let audiences = if audiences.is_empty() {
            vec![json!(self.issuer)]
        } else {
            audiences
        };
        let (namespace, name) = (object::namespace(account), object::name(account));
        let mut bound = json!({
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": object::uid(account)},
        });
        let reference = &request["spec"]["boundObjectRef"];
        if reference["kind"] == "Pod" {
            bound["pod"] = json!({"name": reference["name"], "uid": reference["uid"]});
        }
        let claims = json!({
            "aud": audiences,
            "exp": now + seconds,
            "iat": now,
            "nbf": now,
            "iss": self.issuer,
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "kubernetes.io": bound,
        });
        let header = json!({"alg": "ES256", "typ": "JWT"});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| Status::internal("the token could not be signed"))?;
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
        request["apiVersion"] = json!("authentication.k8s.io/v1");
        request["kind"] = json!("TokenRequest");
        request["metadata"] =
            json!({"name": name, "namespace": namespace, "creationTimestamp": rfc3339(now)});
        request["spec"]["audiences"] = json!(audiences);
        request["status"] = json!({"token": token, "expirationTimestamp": rfc3339(now + seconds)});
        Ok(request)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn authenticator() -> Authenticator {
        let keys = Keys {
            admin: "secret".to_owned(),
            signing: Keys::new_signing().unwrap(),
            issuer: "https://kubernetes.default.svc".to_owned(),
        };
        Authenticator::new(keys).unwrap()
    }

    /// K8S-API: tokens are of the account they were made for, for their time, and of this cluster.
    #[test]
    fn tokens_are_of_their_account() {
        let authenticator = authenticator();
        let account = json!({"metadata": {"name": "web", "namespace": "shop", "uid": "u"}});
        let made = authenticator.token(json!({}), &account, 1000).unwrap();
        let header = format!("Bearer {}", made["status"]["token"].as_str().unwrap());
        let user = authenticator.user(Some(&header), 1001).unwrap();
        assert_eq!(user.name, "system:serviceaccount:shop:web");
        assert!(
            user.groups
                .contains(&"system:serviceaccounts:shop".to_owned())
        );
        assert!(authenticator.user(Some(&header), 1000 + 3600).is_err());
        assert!(self::authenticator().user(Some(&header), 1001).is_err());
        assert!(authenticator.user(Some("Bearer secret"), 0).is_ok());
        for wrong in [
            None,
            Some("Bearer "),
            Some("Bearer a.b.c"),
            Some("Basic secret"),
        ] {
            assert_eq!(authenticator.user(wrong, 0).unwrap_err().code, 401);
        }
    }
}
