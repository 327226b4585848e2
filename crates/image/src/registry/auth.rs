//! Answering a challenge.

use crate::registry::challenge::{Challenge, challenges};
use crate::registry::http::{Http, Url, text};
use crate::registry::repository::Refusal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cri::Credentials;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

/// A token server's answer is no larger.
const LARGEST_ANSWER: u64 = 1 << 20;

/// Whoever asks, for what.
pub(super) struct Asker<'a> {
    pub(super) credentials: Option<&'a Credentials>,
    /// `repository:library/nginx:pull`.
    pub(super) scope: &'a str,
}

/// What to send in answer to a refusal. `again` if an answer was refused before.
pub(super) async fn answer(
    http: &mut Http,
    asker: &Asker<'_>,
    refused: &HeaderMap,
    again: bool,
) -> Result<Option<HeaderValue>, Refusal> {
    let all = challenges(refused);
    if let Some(bearer) = all.iter().find(|challenge| challenge.scheme == "bearer") {
        if let Some(error) = bearer.parameter("error").filter(|_| again) {
            return Err(Refusal::Denied(format!(
                "server message: {error}: authorization failed"
            )));
        }
        if again {
            return Ok(None);
        }
        let token = token(http, asker, bearer).await;
        let token = token.map_err(|why| Refusal::Failed(format!("failed to authorize: {why}")))?;
        return header(&format!("Bearer {token}")).map(Some);
    }
    if all.iter().any(|challenge| challenge.scheme == "basic") && !again {
        return match asker.credentials {
            Some(credentials) => header(&basic(credentials)).map(Some),
            None => Err(Refusal::Denied(
                "authorization failed: no basic auth credentials".to_owned(),
            )),
        };
    }
    Ok(None)
}

fn header(value: &str) -> Result<HeaderValue, Refusal> {
    let mut header = HeaderValue::from_str(value).map_err(|_| {
        Refusal::Failed("failed to authorize: invalid header field value".to_owned())
    })?;
    header.set_sensitive(true);
    Ok(header)
}

fn basic(credentials: &Credentials) -> String {
    let pair = format!("{}:{}", credentials.username, credentials.password);
    format!("Basic {}", STANDARD.encode(pair))
}

/// A token: for a user by OAuth where the server knows it, otherwise by the older way, which is also
/// that for nobody.
async fn token(
    http: &mut Http,
    asker: &Asker<'_>,
    challenge: &Challenge,
) -> Result<String, String> {
    let realm = challenge.parameter("realm");
    let realm = realm.ok_or("no realm specified for token auth challenge")?;
    let realm = Url::parse(realm).ok_or("invalid token auth challenge realm")?;
    let service = challenge.parameter("service").unwrap_or_default();
    let mut scopes: Vec<_> = challenge
        .parameter("scope")
        .unwrap_or_default()
        .split(' ')
        .chain([asker.scope])
        .filter(|scope| !scope.is_empty())
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    let Some(credentials) = asker.credentials else {
        let got = get(http, &realm, service, &scopes, None).await;
        return got.map_err(|(_, why)| format!("failed to fetch anonymous token: {why}"));
    };
    let what = |why: String| format!("failed to fetch oauth token: {why}");
    match post(http, &realm, service, &scopes, credentials).await {
        Ok(token) => Ok(token),
        Err((Some(400 | 401 | 404 | 405), _)) => {
            let got = get(http, &realm, service, &scopes, Some(credentials)).await;
            got.map_err(|(_, why)| what(why))
        }
        Err((_, why)) => Err(what(why)),
    }
}

/// A status, if the server answered at all, and what is wrong.
type Failure = (Option<u16>, String);

async fn post(
    http: &mut Http,
    realm: &Url,
    service: &str,
    scopes: &[&str],
    credentials: &Credentials,
) -> Result<String, Failure> {
    let form = [
        ("client_id", "skylab"),
        ("grant_type", "password"),
        ("password", &credentials.password),
        ("scope", &scopes.join(" ")),
        ("service", service),
        ("username", &credentials.username),
    ];
    let form: Vec<_> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
    headers.insert(CONTENT_TYPE, kind);
    let body = Bytes::from(form.join("&"));
    ask(http, &Method::POST, realm, headers, body).await
}

async fn get(
    http: &mut Http,
    realm: &Url,
    service: &str,
    scopes: &[&str],
    credentials: Option<&Credentials>,
) -> Result<String, Failure> {
    let mut query: Vec<_> = scopes
        .iter()
        .map(|scope| format!("scope={}", escaped(scope)))
        .collect();
    if !service.is_empty() {
        query.push(format!("service={}", escaped(service)));
    }
    let mut url = realm.clone();
    let separator = if url.path.contains('?') { '&' } else { '?' };
    url.path = format!("{}{separator}{}", url.path, query.join("&"));
    let mut headers = HeaderMap::new();
    if let Some(credentials) = credentials {
        let value = HeaderValue::from_str(&basic(credentials));
        let value = value.map_err(|error| (None, error.to_string()))?;
        headers.insert(AUTHORIZATION, value);
    }
    ask(http, &Method::GET, &url, headers, Bytes::new()).await
}

async fn ask(
    http: &mut Http,
    method: &Method,
    url: &Url,
    headers: HeaderMap,
    body: Bytes,
) -> Result<String, Failure> {
    let sent = http.send(method, url, headers, body).await;
    let (response, at) = sent.map_err(|why| (None, why))?;
    let status = response.status();
    if !status.is_success() {
        let why = unexpected(method, &at, status);
        return Err((Some(status.as_u16()), why));
    }
    let text = text(response.into_body(), LARGEST_ANSWER).await;
    let text = text.map_err(|why| (None, why))?;
    let answer: Value = serde_json::from_slice(&text)
        .map_err(|error| (None, format!("unable to decode token response: {error}")))?;
    let token = ["access_token", "token"].map(|name| answer[name].as_str().unwrap_or_default());
    let token = token.into_iter().find(|token| !token.is_empty());
    token.map(str::to_owned).ok_or_else(|| {
        let why = "authorization server did not include a token in the response";
        (None, why.to_owned())
    })
}

/// An answer that wasn't hoped for, in containerd's words.
pub(super) fn unexpected(method: &Method, url: &Url, status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or_default();
    let code = status.as_str();
    format!("unexpected status from {method} request to {url}: {code} {reason}")
}

/// As in a form.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            b' ' => escaped.push('+'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
