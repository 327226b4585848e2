//! Who is who: by certificates, by the lab's own tokens, and by those of service accounts.
//!
//! Service accounts' tokens are JSON web tokens signed by the cluster (ES256). One is worth nothing when
//! its account, or the pod that it is bound to, is gone.
//! <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>

use crate::api::{Status, User, rbac::MASTERS};
use crate::certificates::{pem, subject_of};
use crate::object;
use crate::schema::rfc3339;
use crate::store::{Key, Store};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Who may sign for a cluster.
pub struct Keys {
    /// The administrator's token, if there is one.
    pub admin: Option<String>,
    /// The key that signs service accounts' tokens, PKCS #8.
    pub signing: Vec<u8>,
    /// What the tokens are issued by.
    pub issuer: String,
    /// The certificate that vouches for clients, in PEM.
    pub authority: String,
    /// Who knows tokens that the cluster doesn't: the cloud it belongs to.
    pub others: Option<Arc<dyn Others>>,
}

/// Knows tokens of others than the cluster.
pub trait Others: Send + Sync {
    /// Who a token stands for, if it is one of theirs and is good. `store` has the cluster's objects, where
    /// some keep who is who.
    fn user(&self, token: &str, store: &Store, now: i64) -> Option<User>;
}

/// A cluster's keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The signing key isn't one.
    #[error("the key that signs service accounts' tokens isn't one: {0}")]
    Signing(ring::error::KeyRejected),
    /// The authority's certificate isn't one.
    #[error("the cluster's authority can't vouch for clients: {0}")]
    Authority(String),
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
    admin: Option<String>,
    issuer: String,
    key: EcdsaKeyPair,
    clients: Arc<dyn ClientCertVerifier>,
    others: Option<Arc<dyn Others>>,
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
    /// They are none.
    pub fn new(keys: Keys) -> Result<Self, KeysError> {
        let random = SystemRandom::new();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &keys.signing, &random);
        Ok(Self {
            admin: keys.admin,
            issuer: keys.issuer,
            key: key.map_err(KeysError::Signing)?,
            clients: clients(&keys.authority).map_err(KeysError::Authority)?,
            others: keys.others,
        })
    }

    /// Whom a client's certificates name, if the cluster's authority vouches for them.
    pub fn certified(&self, shown: &[CertificateDer<'_>], now: i64) -> Option<User> {
        let (own, others) = shown.split_first()?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).ok()?));
        self.clients.verify_client_cert(own, others, now).ok()?;
        let subject = subject_of(own).filter(|subject| !subject.user.is_empty())?;
        let id: String = Sha256::digest(own)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut groups = subject.groups;
        groups.push(AUTHENTICATED.to_owned());
        Some(User {
            name: subject.user,
            groups,
            uid: String::new(),
            extra: BTreeMap::from([(CREDENTIAL.to_owned(), vec![format!("X509SHA256={id}")])]),
            grants: Vec::new(),
        })
    }

    /// Who an `Authorization` header stands for.
    ///
    /// # Errors
    /// `Unauthorized`: nobody.
    pub fn user(
        &self,
        authorization: Option<&str>,
        store: &Store,
        now: i64,
    ) -> Result<User, Status> {
        let token = authorization
            .and_then(|header| header.strip_prefix("Bearer "))
            .ok_or_else(Status::unauthorized)?;
        let audiences = [self.issuer.clone()];
        let others = || self.others.as_ref()?.user(token.trim(), store, now);
        let found = self.of_token(token.trim(), &audiences, store, now);
        found.or_else(others).ok_or_else(Status::unauthorized)
    }

    /// Who a token stands for, before one of these audiences.
    fn of_token(&self, token: &str, audiences: &[String], store: &Store, now: i64) -> Option<User> {
        let same = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        // Digests are compared, so that timing tells nothing of the token.
        let is = |own: &String| {
            ring::digest::digest(&ring::digest::SHA256, own.as_bytes()).as_ref() == same.as_ref()
        };
        if self.admin.as_ref().is_some_and(is) {
            return Some(User {
                name: "kubernetes-admin".to_owned(),
                groups: vec![MASTERS.to_owned(), AUTHENTICATED.to_owned()],
                ..User::default()
            });
        }
        let claims = self.claims(token, now)?;
        let meant = object::list(&claims, &["aud"]);
        let meant = meant.iter().filter_map(Value::as_str);
        if !meant
            .into_iter()
            .any(|one| audiences.iter().any(|known| known == one))
        {
            return None;
        }
        account(&claims, store)
    }

    /// What a token that the cluster signed says, while it is valid.
    fn claims(&self, token: &str, now: i64) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key());
        public.verify(signed.as_bytes(), &signature).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        if claims["exp"].as_i64()? <= now || claims["iss"] != self.issuer.as_str() {
            return None;
        }
        Some(claims)
    }

    /// Answers whom a token stands for: a `TokenReview`.
    /// <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/>
    pub fn review(&self, mut review: Value, store: &Store, now: i64) -> Value {
        let asked: Vec<String> = object::list(&review, &["spec", "audiences"])
            .iter()
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect();
        let audiences = if asked.is_empty() {
            vec![self.issuer.clone()]
        } else {
            asked
        };
        let token = object::text(&review, &["spec", "token"]);
        review["status"] = match self.of_token(token, &audiences, store, now) {
            Some(user) => json!({
                "authenticated": true, "user": user.value(), "audiences": audiences,
            }),
            None if token.is_empty() => json!({"user": {}}),
            None => json!({"user": {}, "error": "invalid bearer token"}),
        };
        review
    }

    /// The keys that check service accounts' tokens, for whoever trusts the cluster as an identity provider:
    /// a JSON web key set (RFC 7517).
    pub fn key_set(&self) -> Value {
        // An uncompressed point: 4, then both coordinates.
        let point = self.key.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at(point.len() / 2);
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "use": "sig", "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": self.key_id(),
            "x": part(x), "y": part(y),
        }]})
    }

    /// What tells the signing key from others.
    fn key_id(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.key.public_key().as_ref()))
    }

    /// Answers a request for a service account's token. `node` is where the pod is that it is bound to.
    ///
    /// # Errors
    /// It can't be signed.
    pub fn token(
        &self,
        mut request: Value,
        (account, node): (&Value, &Value),
        now: i64,
    ) -> Result<Value, Status> {
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
        if !node.is_null() {
            bound["node"] = node.clone();
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
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": self.key_id()});
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

const AUTHENTICATED: &str = "system:authenticated";
/// What tells which of a user's credentials was used.
const CREDENTIAL: &str = "authentication.kubernetes.io/credential-id";

/// Looks at who vouches for clients' certificates.
fn clients(authority: &str) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let certificate = pem(authority, "CERTIFICATE").ok_or("there is no certificate")?;
    let mut roots = RootCertStore::empty();
    roots
        .add(certificate.into())
        .map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| error.to_string())
}

/// The service account that a token's claims name, if all that it is bound to is still there.
fn account(claims: &Value, store: &Store) -> Option<User> {
    let text = |path: &[&str]| object::text(claims, path);
    let name = text(&["sub"]);
    let (namespace, account) = name
        .strip_prefix("system:serviceaccount:")?
        .split_once(':')?;
    let uid = text(&["kubernetes.io", "serviceaccount", "uid"]);
    let is = |key: Key, uid: &str| {
        store
            .get(&key)
            .is_some_and(|found| object::uid(found) == uid)
    };
    if !is(Key::new("serviceaccounts", namespace, account), uid) {
        return None;
    }
    let mut extra = BTreeMap::new();
    let mut note = |name: &str, value: &str| {
        let name = format!("authentication.kubernetes.io/{name}");
        extra.insert(name, vec![value.to_owned()]);
    };
    let bound = &claims["kubernetes.io"];
    let pod = text(&["kubernetes.io", "pod", "name"]);
    if !bound["pod"].is_null() {
        let uid = text(&["kubernetes.io", "pod", "uid"]);
        if !is(Key::new("pods", namespace, pod), uid) {
            return None;
        }
        note("pod-name", pod);
        note("pod-uid", uid);
    }
    if !bound["node"].is_null() {
        note("node-name", text(&["kubernetes.io", "node", "name"]));
        note("node-uid", text(&["kubernetes.io", "node", "uid"]));
    }
    Some(User {
        name: name.to_owned(),
        groups: vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            AUTHENTICATED.to_owned(),
        ],
        uid: uid.to_owned(),
        extra,
        grants: Vec::new(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn authenticator() -> Authenticator {
        let keys = Keys {
            admin: Some("secret".to_owned()),
            signing: Keys::new_signing().unwrap(),
            issuer: "https://kubernetes.default.svc".to_owned(),
            authority: crate::certificates::tests::authority().0,
            others: None,
        };
        Authenticator::new(keys).unwrap()
    }

    fn store(account: &Value) -> Store {
        let mut store = Store::default();
        store.put(Key::new("serviceaccounts", "shop", "web"), account.clone());
        store
    }

    /// K8S-API: tokens are of the account they were made for, for their time, and of this cluster.
    #[test]
    fn tokens_are_of_their_account() {
        let authenticator = authenticator();
        let account = json!({"metadata": {"name": "web", "namespace": "shop", "uid": "u"}});
        let made = authenticator
            .token(json!({}), (&account, &Value::Null), 1000)
            .unwrap();
        let header = format!("Bearer {}", made["status"]["token"].as_str().unwrap());
        let there = store(&account);
        let user = authenticator.user(Some(&header), &there, 1001).unwrap();
        assert_eq!(user.name, "system:serviceaccount:shop:web");
        assert_eq!(user.uid, "u");
        assert!(
            user.groups
                .contains(&"system:serviceaccounts:shop".to_owned())
        );
        let refused = |authenticator: &Authenticator, store: &Store, now| {
            authenticator.user(Some(&header), store, now).is_err()
        };
        assert!(refused(&authenticator, &there, 1000 + 3600));
        assert!(refused(&self::authenticator(), &there, 1001));
        assert!(refused(&authenticator, &Store::default(), 1001));
        let another = json!({"metadata": {"name": "web", "namespace": "shop", "uid": "v"}});
        assert!(refused(&authenticator, &store(&another), 1001));
        let admin = authenticator.user(Some("Bearer secret"), &there, 0);
        assert!(admin.is_ok());
        for wrong in [
            None,
            Some("Bearer "),
            Some("Bearer a.b.c"),
            Some("Basic secret"),
        ] {
            let refused = authenticator.user(wrong, &there, 0).unwrap_err();
            assert_eq!(refused.code, 401);
        }
    }

    /// K8S-API: a cloud's own tokens stand for whom it says; they are asked for last, and reviews don't know them.
    #[test]
    fn a_cloud_knows_its_own_tokens() {
        struct Cloud;
        impl Others for Cloud {
            fn user(&self, token: &str, _: &Store, _: i64) -> Option<User> {
                (token == "cloud.ann").then(|| User {
                    name: "ann".to_owned(),
                    ..User::default()
                })
            }
        }
        let mut authenticator = authenticator();
        let user = |of: &Authenticator, header| of.user(Some(header), &Store::default(), 0);
        assert!(user(&authenticator, "Bearer cloud.ann").is_err());
        authenticator.others = Some(Arc::new(Cloud));
        assert_eq!(
            user(&authenticator, "Bearer cloud.ann").unwrap().name,
            "ann"
        );
        assert!(user(&authenticator, "Bearer cloud.bob").is_err());
        let admin = user(&authenticator, "Bearer secret").unwrap();
        assert_eq!(admin.name, "kubernetes-admin");
    }

    /// K8S-API: whoever trusts a cluster checks its tokens by its key set.
    #[test]
    fn tokens_are_checked_by_the_key_set() {
        let authenticator = authenticator();
        let account = json!({"metadata": {"name": "web", "namespace": "shop", "uid": "u"}});
        let made = authenticator.token(json!({}), (&account, &Value::Null), 1000);
        let made = made.unwrap();
        let token = made["status"]["token"].as_str().unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let header: Value =
            serde_json::from_slice(&decode(token.split_once('.').unwrap().0)).unwrap();
        let key = authenticator.key_set()["keys"][0].clone();
        assert_eq!(header["kid"], key["kid"]);
        let mut point = vec![4];
        for part in ["x", "y"] {
            point.extend(decode(key[part].as_str().unwrap()));
        }
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        assert!(public.verify(signed.as_bytes(), &decode(signature)).is_ok());
    }

    /// K8S-API: a token is for those it was made for, and ends with its pod.
    #[test]
    fn tokens_are_for_their_audience_and_end_with_their_pod() {
        let authenticator = authenticator();
        let account = json!({"metadata": {"name": "web", "namespace": "shop", "uid": "u"}});
        let asked = json!({"spec": {
            "audiences": ["vault"],
            "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": "1"},
        }});
        let made = authenticator
            .token(asked, (&account, &Value::Null), 1000)
            .unwrap();
        let token = made["status"]["token"].clone();
        let mut there = store(&account);
        let review = |store: &Store, audiences: Value| {
            let review = json!({"spec": {"token": token, "audiences": audiences}});
            authenticator.review(review, store, 1001)["status"].clone()
        };
        assert!(review(&there, json!(["vault"]))["authenticated"].is_null());
        let pod = json!({"metadata": {"name": "p", "namespace": "shop", "uid": "1"}});
        there.put(Key::new("pods", "shop", "p"), pod);
        let told = review(&there, json!(["vault", "other"]));
        assert_eq!(told["authenticated"], true);
        assert_eq!(told["user"]["username"], "system:serviceaccount:shop:web");
        let pod = "authentication.kubernetes.io/pod-name";
        assert_eq!(told["user"]["extra"][pod], json!(["p"]));
        assert!(review(&there, json!([]))["authenticated"].is_null());
    }
}
