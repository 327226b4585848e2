//! Who the user is: OpenID Connect's authorization code flow, carried out by the balancer.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html>
//!
//! A user without a session is sent to the identity provider, with what was asked for sealed in `state`.
//! The provider sends the user back to `/oauth2/idpresponse` with a code; the balancer makes tokens of it, asks who
//! the user is, seals that in cookies and sends the user to where it all began.

mod form;
mod provider;
mod session;
mod token;

pub use token::{KeyError, public_key_pem, signing_key};

use crate::calendar;
use crate::front::{Client, cookie};
use crate::own::Refusal;
use bytes::Bytes;
use fabric::balancer::http::{Authenticate, Unauthenticated};
use fabric::id::{BalancerId, RuleId};
use form::{decoded, encoded};
use http::header::{HOST, LOCATION, SET_COOKIE};
use http::{HeaderName, HeaderValue, Response, StatusCode, request};
use serde_json::{Value, json};
use session::Session;
use std::time::SystemTime;

/// Where identity providers send users back.
pub(crate) const CALLBACK: &str = "/oauth2/idpresponse";
/// A cookie that only the browser has that was sent to sign in.
const NONCE: &str = "AWSALBAuthNonce";
/// What `state` is sealed for.
const STATE: &str = "state";
/// How long a user may take to sign in, in seconds.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html#client-login-timeout>
const SIGN_IN: u64 = 15 * 60;

/// What members are told of a user.
const DATA: HeaderName = HeaderName::from_static("x-amzn-oidc-data");
const IDENTITY: HeaderName = HeaderName::from_static("x-amzn-oidc-identity");
const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-amzn-oidc-accesstoken");

/// How a request goes on.
pub(crate) enum Passage {
    /// On its way, with these headers.
    Go(Vec<(HeaderName, HeaderValue)>),
    /// No further.
    Answer(Response<Bytes>),
}

/// Asks who sent a request.
///
/// # Errors
/// Nobody who is known, and the rule refuses those.
pub(crate) async fn pass(
    authenticate: &Authenticate,
    rule: &RuleId,
    balancer: &BalancerId,
    client: &Client,
    head: &mut request::Parts,
) -> Result<Passage, Refusal> {
    for name in [DATA, IDENTITY, ACCESS_TOKEN] {
        head.headers.remove(name);
    }
    let now = calendar::unix(SystemTime::now());
    let seal = &client.front.seal;
    if let Some(session) = Session::read(&authenticate.session_cookie, &head.headers, seal, now) {
        return Ok(Passage::Go(told(
            &session,
            authenticate,
            balancer,
            client,
            now,
        )));
    }
    match authenticate.unauthenticated {
        Unauthenticated::Deny => Err(Refusal::Unauthenticated),
        Unauthenticated::Allow => Ok(Passage::Go(Vec::new())),
        Unauthenticated::Authenticate => {
            let answer = send_to_sign_in(authenticate, rule, client, head, now);
            answer.map(Passage::Answer).ok_or(Refusal::BadRequest)
        }
    }
}

/// What members are told of a user.
fn told(
    session: &Session,
    authenticate: &Authenticate,
    balancer: &BalancerId,
    client: &Client,
    now: u64,
) -> Vec<(HeaderName, HeaderValue)> {
    let key = client.front.means.vault.signing_key();
    let data = key.and_then(|key| {
        let provider = &authenticate.provider;
        let claims = token::Claims {
            issuer: &provider.issuer,
            client: &provider.client,
            signer: balancer.as_str(),
            user: &session.claims,
        };
        token::signed(&claims, &key, now).ok()
    });
    let named = [
        (IDENTITY, Some(session.subject.clone())),
        (ACCESS_TOKEN, Some(session.access_token.clone())),
        (DATA, data),
    ];
    let valued = |(name, value): (HeaderName, Option<String>)| {
        Some((name, HeaderValue::from_str(&value?).ok()?))
    };
    named.into_iter().filter_map(valued).collect()
}

/// Sends a user to the identity provider.
fn send_to_sign_in(
    authenticate: &Authenticate,
    rule: &RuleId,
    client: &Client,
    head: &request::Parts,
    now: u64,
) -> Option<Response<Bytes>> {
    let seal = &client.front.seal;
    let nonce = format!("{:016x}", crate::chance::number());
    let state = json!({
        "rule": rule.as_str(),
        "to": format!("{}{}", origin(client, head), head.uri.path_and_query()?),
        "nonce": nonce,
        "until": now + SIGN_IN,
    });
    let state = seal.seal(STATE, &state.to_string())?;
    let callback = callback(client, head);
    let provider = &authenticate.provider;
    let mut location = provider.authorization_endpoint.clone();
    location.push(if location.contains('?') { '&' } else { '?' });
    let own = [
        ("client_id", provider.client.as_str()),
        ("redirect_uri", &callback),
        ("response_type", "code"),
        ("scope", &authenticate.scope),
        ("state", &state),
    ];
    let extra = authenticate.extra.iter();
    let extra = extra.map(|(name, value)| (name.as_str(), value.as_str()));
    location.push_str(&encoded(own.into_iter().chain(extra)));
    let mut response = found(&location)?;
    let sealed = seal.seal(NONCE, &nonce)?;
    let until = calendar::http(now + SIGN_IN);
    let line = format!("{NONCE}={sealed}; Expires={until}; Path=/; Secure; HttpOnly");
    set_cookie(&mut response, &line)?;
    Some(response)
}

/// The rule for which an identity provider sends a user back.
pub(crate) fn rule_called_back(client: &Client, head: &request::Parts) -> Option<RuleId> {
    let state = decoded(head.uri.query()?, "state")?;
    let state: Value = serde_json::from_str(&client.front.seal.open(STATE, &state)?).ok()?;
    state["rule"].as_str().map(RuleId::from)
}

/// A user comes back from the identity provider.
///
/// # Errors
/// It isn't the user who was sent there, or the provider can't be asked or has another mind.
pub(crate) async fn sign_in(
    authenticate: &Authenticate,
    client: &Client,
    head: &request::Parts,
) -> Result<Response<Bytes>, Refusal> {
    let now = calendar::unix(SystemTime::now());
    let seal = &client.front.seal;
    let query = head.uri.query().unwrap_or_default();
    let to = || {
        let state = seal.open(STATE, &decoded(query, "state")?)?;
        let state: Value = serde_json::from_str(&state).ok()?;
        let nonce = seal.open(NONCE, cookie(&head.headers, NONCE)?)?;
        let in_time = state["until"].as_u64()? > now;
        let same = state["nonce"].as_str()? == nonce;
        (in_time && same).then(|| state["to"].as_str().map(str::to_owned))?
    };
    let to = to().ok_or(Refusal::NotSignedIn("AuthInvalidStateParam"))?;
    let code = decoded(query, "code").ok_or(Refusal::NotSignedIn("AuthMissingCodeParam"))?;
    let means = &client.front.means;
    let callback = callback(client, head);
    let user = provider::ask(&authenticate.provider, means, &code, &callback, now).await?;
    let session = Session {
        subject: user.subject,
        access_token: user.access_token,
        claims: user.claims,
        until: now + u64::from(authenticate.session_timeout),
    };
    let written = session.write(&authenticate.session_cookie, seal);
    let mut response = found(&to).ok_or(Refusal::BadRequest)?;
    let too_long = Refusal::ProviderUnreachable("AuthUserinfoResponseSizeExceeded");
    for line in written.ok_or(too_long)? {
        set_cookie(&mut response, &line).ok_or(Refusal::BadRequest)?;
    }
    Ok(response)
}

fn found(location: &str) -> Option<Response<Bytes>> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_str(location).ok()?);
    headers.insert(http::header::CONTENT_LENGTH, 0.into());
    headers.insert(http::header::SERVER, HeaderValue::from_static("awselb/2.0"));
    Some(response)
}

fn set_cookie(response: &mut Response<Bytes>, line: &str) -> Option<()> {
    let line = HeaderValue::from_str(line).ok()?;
    response.headers_mut().append(SET_COOKIE, line);
    Some(())
}

/// Scheme, host and port as the client wrote them.
fn origin(client: &Client, head: &request::Parts) -> String {
    let scheme = if client.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let host = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => head
            .headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default(),
    };
    format!("{scheme}://{host}")
}

fn callback(client: &Client, head: &request::Parts) -> String {
    format!("{}{CALLBACK}", origin(client, head))
}
