//! Who callers are: users by their keys, roles by their sessions, service accounts by their tokens.

use crate::account::Account;
use crate::iam::ok;
use aws::identity::{Caller, Issuers, Jwk, Keyring, NoIssuers, Party, Seal, caller_of_presigned};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use wire::error::ApiError;
use wire::query::Node;
use wire::sigv4::{Key, Presigned, Signable, presign, sign};

/// A user's key: its id and secret.
fn key(account: &mut Account, user: &str) -> (String, String) {
    ok(account, "CreateUser", &[("UserName", user)]);
    let made = ok(account, "CreateAccessKey", &[("UserName", user)]);
    (made.one("AccessKeyId"), made.one("SecretAccessKey"))
}

fn identity_request(headers: &[(String, String)]) -> Signable<'_> {
    Signable {
        method: "POST",
        path: "/",
        query: "",
        headers,
        body: b"Action=GetCallerIdentity",
    }
}

/// Signs a request as a client does and checks it.
fn caller_of(
    account: &Account,
    seal: &Seal,
    (id, secret): (&str, &str),
    token: Option<&str>,
) -> Result<Caller, String> {
    let mut headers = vec![("host".to_owned(), "sts.us-west-2.amazonaws.com".to_owned())];
    if let Some(token) = token {
        headers.push(("x-amz-security-token".to_owned(), token.to_owned()));
    }
    let key = Key {
        access_key: id,
        secret,
        region: "us-west-2",
        service: "sts",
    };
    let more = sign(&identity_request(&headers), &key, account.now);
    headers.extend(more);
    let keyring = Keyring {
        state: &account.state,
        seal,
        root: ("AKIAROOT", "root"),
        any: false,
    };
    let verified = keyring.verify(&identity_request(&headers), account.now);
    verified
        .map(|verified| verified.caller)
        .map_err(|error| error.code)
}

/// AWS-IAM: the root user's key, users' keys and sessions' are told apart; others are unknown.
#[test]
fn keys_tell_who_calls() {
    let mut account = Account::new();
    let seal = Seal::new(b"lab");
    let root = caller_of(&account, &seal, ("AKIAROOT", "root"), None).unwrap();
    assert!(root.is_root());
    let (id, secret) = key(&mut account, "bob");
    let bob = caller_of(&account, &seal, (&id, &secret), None).unwrap();
    assert_eq!(bob.arn, "arn:aws:iam::123456789012:user/bob");
    let wrong = caller_of(&account, &seal, (&id, "wrong"), None);
    assert_eq!(wrong.unwrap_err(), "SignatureDoesNotMatch");
    let inactive = [
        ("UserName", "bob"),
        ("AccessKeyId", id.as_str()),
        ("Status", "Inactive"),
    ];
    ok(&mut account, "UpdateAccessKey", &inactive);
    let unknown = caller_of(&account, &seal, (&id, &secret), None);
    assert_eq!(unknown.unwrap_err(), "InvalidClientTokenId");
}

fn sts(
    account: &Account,
    seal: &Seal,
    caller: Option<&Caller>,
    issuers: &dyn Issuers,
    (action, asked): (&str, &[(&str, &str)]),
) -> Result<crate::account::Document, ApiError> {
    let pairs = asked
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let request = wire::sts::Request::parse(action, &Node::tree(pairs))?;
    let party = Party {
        caller,
        seal,
        issuers,
    };
    let answer = aws::api::sts::answer(&account.state, &account.context(), party, request, "r")?;
    Ok(crate::account::Document(answer.body))
}

/// A role that an account's principals may take.
fn role_of_account(account: &mut Account, name: &str, who: &str) -> String {
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{who}"}},"Action":"sts:AssumeRole"}}]}}"#
    );
    let asked = [("RoleName", name), ("AssumeRolePolicyDocument", &trust)];
    ok(account, "CreateRole", &asked).one("Arn")
}

/// AWS-IAM: a role's session signs requests until it ends, as long as its role is there.
#[test]
fn sessions_of_roles() {
    let mut account = Account::new();
    let seal = Seal::new(b"lab");
    let arn = role_of_account(&mut account, "ops", "arn:aws:iam::123456789012:root");
    let asked = [("RoleArn", arn.as_str()), ("RoleSessionName", "me")];
    let (id, secret) = key(&mut account, "bob");
    let bob = caller_of(&account, &seal, (&id, &secret), None).unwrap();
    let assume = |account: &Account, caller: &Caller| {
        sts(
            account,
            &seal,
            Some(caller),
            &NoIssuers,
            ("AssumeRole", &asked),
        )
    };
    // The trust policy leaves it to the account, and the account lets bob do nothing.
    assert_eq!(assume(&account, &bob).unwrap_err().code, "AccessDenied");
    let named = role_of_account(&mut account, "bobs", "arn:aws:iam::123456789012:user/bob");
    let own = [("RoleArn", named.as_str()), asked[1]];
    assert!(
        sts(
            &account,
            &seal,
            Some(&bob),
            &NoIssuers,
            ("AssumeRole", &own)
        )
        .is_ok()
    );
    let root = Caller::root(&account.state);
    let made = assume(&account, &root).unwrap();
    let (id, secret) = (made.one("AccessKeyId"), made.one("SecretAccessKey"));
    let token = made.one("SessionToken");
    let of_session = caller_of(&account, &seal, (&id, &secret), Some(&token)).unwrap();
    assert_eq!(
        of_session.arn,
        "arn:aws:sts::123456789012:assumed-role/ops/me"
    );
    assert_eq!(of_session.principal_arn, arn);
    let told = sts(
        &account,
        &seal,
        Some(&of_session),
        &NoIssuers,
        ("GetCallerIdentity", &[]),
    );
    assert_eq!(told.unwrap().one("Arn"), of_session.arn);
    let without = caller_of(&account, &seal, (&id, &secret), None);
    assert_eq!(without.unwrap_err(), "InvalidClientTokenId");
    let long = [asked[0], asked[1], ("DurationSeconds", "7200")];
    let refused = sts(
        &account,
        &seal,
        Some(&root),
        &NoIssuers,
        ("AssumeRole", &long),
    );
    assert_eq!(refused.unwrap_err().code, "ValidationError");
    account.now += 3600;
    let late = caller_of(&account, &seal, (&id, &secret), Some(&token));
    assert_eq!(late.unwrap_err(), "ExpiredToken");
    account.now -= 3600;
    ok(&mut account, "DeleteRole", &[("RoleName", "ops")]);
    role_of_account(&mut account, "ops", "123456789012");
    let other = caller_of(&account, &seal, (&id, &secret), Some(&token));
    assert_eq!(other.unwrap_err(), "InvalidClientTokenId");
}

/// An issuer of tokens with one key.
struct Issuer {
    url: String,
    pair: EcdsaKeyPair,
}

impl Issuer {
    fn new(url: &str) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        Self {
            url: url.to_owned(),
            pair: EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).unwrap(),
        }
    }

    fn token(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "ES256"})), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap()))
    }
}

impl Issuers for Issuer {
    fn keys(&self, issuer: &str) -> Option<Vec<Jwk>> {
        let point = &self.pair.public_key().as_ref()[1..];
        let part = |range| URL_SAFE_NO_PAD.encode(&point[range]);
        let set = json!({"keys": [
            {"kty": "EC", "crv": "P-256", "x": part(0..32), "y": part(32..64)},
        ]});
        (issuer == self.url).then(|| Jwk::list(&set))
    }
}

/// AWS-IAM: a service account's token is a role's session, if the issuer signed it, the provider knows its audience
/// and the role trusts its subject.
#[test]
fn tokens_of_service_accounts() {
    let mut account = Account::new();
    let seal = Seal::new(b"lab");
    let issuer = Issuer::new("https://oidc.eks.us-west-2.amazonaws.com/id/ABC");
    let name = issuer.url.trim_start_matches("https://").to_owned();
    let asked = [
        ("Url", issuer.url.as_str()),
        ("ClientIDList.member.1", "sts.amazonaws.com"),
    ];
    let provider = ok(&mut account, "CreateOpenIDConnectProvider", &asked);
    let provider = provider.one("OpenIDConnectProviderArn");
    let subject = "system:serviceaccount:kube-system:lbc";
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{provider}"}},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{{"StringEquals":{{"{name}:sub":"{subject}","{name}:aud":"sts.amazonaws.com"}}}}}}]}}"#
    );
    let asked = [("RoleName", "lbc"), ("AssumeRolePolicyDocument", &trust)];
    let role = ok(&mut account, "CreateRole", &asked).one("Arn");
    let claims = |subject: &str, audience: &str, expires: i64| json!({"iss": issuer.url, "sub": subject, "aud": [audience], "exp": expires});
    let now = account.now;
    let assume = |token: &str| {
        let asked = [
            ("RoleArn", role.as_str()),
            ("RoleSessionName", "pod"),
            ("WebIdentityToken", token),
        ];
        let call = ("AssumeRoleWithWebIdentity", asked.as_slice());
        sts(&account, &seal, None, &issuer, call)
    };
    let good = issuer.token(&claims(subject, "sts.amazonaws.com", now + 60));
    let made = assume(&good).unwrap();
    assert_eq!(made.one("SubjectFromWebIdentityToken"), subject);
    assert!(made.one("Arn").ends_with("assumed-role/lbc/pod"));
    let mut forged = good.clone();
    forged.replace_range(good.len() - 8.., "AAAAAAAA");
    for (token, code) in [
        (
            issuer.token(&claims(
                "system:serviceaccount:default:x",
                "sts.amazonaws.com",
                now + 60,
            )),
            "AccessDenied",
        ),
        (
            issuer.token(&claims(subject, "another", now + 60)),
            "InvalidIdentityToken",
        ),
        (
            issuer.token(&claims(subject, "sts.amazonaws.com", now)),
            "ExpiredTokenException",
        ),
        (forged, "InvalidIdentityToken"),
        ("no token".to_owned(), "InvalidIdentityToken"),
    ] {
        assert_eq!(assume(&token).unwrap_err().code, code);
    }
}

/// AWS-EKS: a presigned GetCallerIdentity tells a cluster who its bearer is, for that cluster and for a while.
#[test]
fn presigned_calls_tell_their_caller() {
    let mut account = Account::new();
    let seal = Seal::new(b"lab");
    let (id, secret) = key(&mut account, "bob");
    let url = presigned(&id, &secret, "demo", account.now);
    let caller = |url: &str, cluster: &str, now: i64| {
        let keyring = Keyring {
            state: &account.state,
            seal: &seal,
            root: ("AKIAROOT", "root"),
            any: false,
        };
        let headers = [("x-k8s-aws-id".to_owned(), cluster.to_owned())];
        caller_of_presigned(&keyring, url, &headers, now).map(|caller| caller.arn)
    };
    let now = account.now;
    let arn = "arn:aws:iam::123456789012:user/bob";
    assert_eq!(caller(&url, "demo", now + 300).as_deref(), Ok(arn));
    assert!(caller(&url, "another", now).is_err());
    assert!(caller(&url, "demo", now + 901).is_err());
    for (from, to) in [
        ("https://sts.", "https://sts.evil."),
        ("https://", "http://"),
        ("GetCallerIdentity", "AssumeRole"),
        ("amazonaws.com/", "amazonaws.com/x"),
        ("Version", "Extra=1&Version"),
        ("X-Amz-Expires=60", "X-Amz-Expires=9999"),
    ] {
        assert!(caller(&url.replace(from, to), "demo", now).is_err(), "{to}");
    }
}

/// What `aws eks get-token` makes.
fn presigned(id: &str, secret: &str, cluster: &str, now: i64) -> String {
    let headers = [("x-k8s-aws-id".to_owned(), cluster.to_owned())];
    let request = Presigned {
        host: "sts.us-west-2.amazonaws.com",
        query: "Action=GetCallerIdentity&Version=2011-06-15",
        headers: &headers,
        session: None,
        lifetime: 60,
    };
    let key = Key {
        access_key: id,
        secret,
        region: "us-west-2",
        service: "sts",
    };
    presign(&request, &key, now)
}
