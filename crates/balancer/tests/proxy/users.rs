//! Users who sign in.

use crate::member::echo;
use crate::tls::{certify, join, tls};
use crate::world::{PORT, World, http, pool};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use fabric::balancer::Service;
use fabric::balancer::http::{
    Action, Authenticate, Forward, IdentityProvider, Outcome, Rule, Unauthenticated,
};
use http::Response;
use rustls::RootCertStore;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Site {
    world: World,
    roots: RootCertStore,
}

async fn site(unauthenticated: Unauthenticated) -> Site {
    let mut world = World::new();
    let mut roots = RootCertStore::empty();
    certify(&world, "c1", "one.example", &mut roots);
    let authenticate = Authenticate {
        provider: IdentityProvider {
            issuer: "https://idp.example".into(),
            authorization_endpoint: "https://idp.example/authorize".into(),
            token_endpoint: "https://idp.example/token".into(),
            user_info_endpoint: "https://idp.example/user".into(),
            client: "app".into(),
            secret: "s".into(),
        },
        scope: "openid email".into(),
        session_cookie: "AWSELBAuthSessionCookie".into(),
        session_timeout: 604_800,
        extra: [("display".to_owned(), "page".to_owned())].into(),
        unauthenticated,
    };
    let mut listener = http("p");
    listener.access_log = true;
    listener.tls = Some(tls(&["c1"]));
    listener.default = Arc::new(Rule {
        id: "default".into(),
        priority: 0,
        conditions: Vec::new(),
        action: Action {
            authenticate: Some(Arc::new(authenticate)),
            outcome: Outcome::Forward(Forward::to("p".into())),
        },
    });
    world.listen(PORT, Service::Http(listener));
    world.pools(vec![pool("p", &[echo("a").await])]);
    world.apply().await;
    Site { world, roots }
}

impl Site {
    async fn get(&self, path: &str, headers: &str) -> String {
        let mut stream = join(&self.world, &self.roots, "one.example", "http/1.1").await;
        let text = format!(
            "GET {path} HTTP/1.1\r\nHost: one.example\r\nConnection: close\r\n{headers}\r\n"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }
}

fn value(answer: &str, name: &str) -> String {
    crate::world::values(answer, name)
        .into_iter()
        .next()
        .unwrap_or_default()
}

fn cookie(answer: &str) -> String {
    let set = crate::world::values(answer, "set-cookie");
    let pairs: Vec<&str> = set
        .iter()
        .map(|line| line.split(';').next().unwrap())
        .collect();
    format!("Cookie: {}\r\n", pairs.join("; "))
}

/// The identity provider: what it is asked for a code, and what it says of a user.
fn provider(site: &Site, issuer: &'static str) {
    let fetch = move |request: http::Request<Bytes>| {
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        let answer = match request.uri().path() {
            "/token" => {
                assert!(
                    body.contains("grant_type=authorization_code&code=c0de&"),
                    "{body}"
                );
                assert!(
                    body.contains("redirect_uri=https%3A%2F%2Fone.example%2Foauth2%2Fidpresponse"),
                    "{body}"
                );
                assert!(
                    body.ends_with("client_id=app&client_secret=secret%20of%20s"),
                    "{body}"
                );
                let claims =
                    serde_json::json!({"iss": issuer, "aud": "app", "exp": 99_999_999_999_u64});
                let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
                serde_json::json!({"access_token": "t0ken", "id_token": format!("e30.{payload}.x")})
            }
            _ => {
                assert_eq!(request.headers()["authorization"], "Bearer t0ken");
                serde_json::json!({"sub": "u1", "email": "u@example"})
            }
        };
        Response::new(Bytes::from(answer.to_string()))
    };
    *site.world.here.0.fetch.lock().unwrap() = Some(Arc::new(fetch));
}

/// AWS-ALB: a user is sent to sign in, comes back with a code, and is known from then on.
#[tokio::test]
async fn code_flow() {
    let site = site(Unauthenticated::Authenticate).await;
    provider(&site, "https://idp.example");
    let sent = site.get("/private?x=1", "").await;
    assert!(sent.starts_with("HTTP/1.1 302 Found\r\n"), "{sent}");
    let location = value(&sent, "location");
    let start = "https://idp.example/authorize?client_id=app\
                 &redirect_uri=https%3A%2F%2Fone.example%2Foauth2%2Fidpresponse\
                 &response_type=code&scope=openid%20email&state=";
    assert!(location.starts_with(start), "{location}");
    assert!(location.ends_with("&display=page"), "{location}");
    let state = location
        .split("&state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let back = format!("/oauth2/idpresponse?code=c0de&state={state}");
    let stranger = site.get(&back, "").await;
    assert!(stranger.starts_with("HTTP/1.1 401 "), "{stranger}");
    let known = site.get(&back, &cookie(&sent)).await;
    assert!(known.starts_with("HTTP/1.1 302 Found\r\n"), "{known}");
    assert_eq!(value(&known, "location"), "https://one.example/private?x=1");
    let set = value(&known, "set-cookie");
    assert!(set.starts_with("AWSELBAuthSessionCookie-0="), "{set}");
    assert!(set.ends_with("; Path=/; Secure; HttpOnly"), "{set}");
    let forged = "x-amzn-oidc-identity: admin\r\n";
    let page = site
        .get("/private?x=1", &format!("{}{forged}", cookie(&known)))
        .await;
    assert!(page.contains("x-amzn-oidc-identity: u1\n"), "{page}");
    assert!(page.contains("x-amzn-oidc-accesstoken: t0ken\n"), "{page}");
    let data = page
        .split("x-amzn-oidc-data: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    let part = |index| {
        let part: &str = data.split('.').nth(index).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    };
    assert_eq!(
        (part(0)["alg"].as_str(), part(0)["kid"].as_str()),
        (Some("ES256"), Some("k1"))
    );
    assert_eq!(part(1)["email"], "u@example");
}

/// AWS-ALB: a provider that can't be asked is 500, one whose token is for others 561.
#[tokio::test]
async fn provider_fails() {
    let site = site(Unauthenticated::Authenticate).await;
    let sent = site.get("/", "").await;
    let location = value(&sent, "location");
    let state = location
        .split("&state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let back = format!("/oauth2/idpresponse?code=c0de&state={state}");
    let answer = site.get(&back, &cookie(&sent)).await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    provider(&site, "https://other.example");
    let answer = site.get(&back, &cookie(&sent)).await;
    assert!(answer.starts_with("HTTP/1.1 561 "), "{answer}");
    let lines = site.world.lines(3).await;
    assert!(lines[0].contains(" \"authenticate,forward\" "), "{lines:?}");
    assert!(lines[1].contains(" 500 - ") && lines[1].contains(" \"AuthTokenEpRequestFailed\" "));
    assert!(lines[2].contains(" 561 - ") && lines[2].contains(" \"AuthInvalidIdToken\" "));
}

/// AWS-ALB: users who aren't signed in may be refused, or let through without a name.
#[tokio::test]
async fn not_signed_in() {
    let denied = site(Unauthenticated::Deny).await.get("/", "").await;
    assert!(denied.starts_with("HTTP/1.1 401 "), "{denied}");
    let allowed = site(Unauthenticated::Allow).await;
    let page = allowed.get("/", "x-amzn-oidc-identity: admin\r\n").await;
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(!page.contains("x-amzn-oidc"), "{page}");
}
