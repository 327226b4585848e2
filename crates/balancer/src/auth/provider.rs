//! Asks an identity provider: a code becomes tokens, and a token tells who the user is.

use super::form::encoded;
use crate::means::{FetchError, Means};
use crate::own::Refusal;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use fabric::balancer::http::IdentityProvider;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Response};
use serde_json::{Map, Value};

/// How long a user's claims may be, in bytes.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#http-500-issues>
const MOST_CLAIMS: usize = 11 * 1024;

/// What is asked of a provider, by the log's codes for what goes wrong.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html#error-reason-codes>
struct Question {
    failed: &'static str,
    invalid: &'static str,
    too_long: &'static str,
}

const TOKENS: Question = Question {
    failed: "AuthTokenEpRequestFailed",
    invalid: "AuthInvalidTokenResponse",
    too_long: "AuthInvalidTokenResponse",
};
const USER: Question = Question {
    failed: "AuthUserinfoEpRequestFailed",
    invalid: "AuthInvalidUserinfoResponse",
    too_long: "AuthUserinfoResponseSizeExceeded",
};

/// A user, as the provider says.
pub(super) struct User {
    pub(super) subject: String,
    pub(super) access_token: String,
    pub(super) claims: Map<String, Value>,
}

/// Finds out who a user is who came back with a code.
///
/// # Errors
/// The provider can't be asked, or it refuses, or what it says doesn't hold.
pub(super) async fn ask(
    provider: &IdentityProvider,
    means: &Means,
    code: &str,
    callback: &str,
    now: u64,
) -> Result<User, Refusal> {
    let secret = means.vault.secret(&provider.secret).unwrap_or_default();
    let form = encoded(
        [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback),
            ("client_id", &provider.client),
            ("client_secret", &secret),
        ]
        .into_iter(),
    );
    let request = Request::post(&provider.token_endpoint)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(Bytes::from(form));
    let tokens = fetch(means, request, &TOKENS).await?;
    check(&tokens, provider, now)?;
    let access_token = text(&tokens, "access_token", &TOKENS)?;
    let request = Request::get(&provider.user_info_endpoint)
        .header(AUTHORIZATION, format!("Bearer {access_token}"))
        .header(ACCEPT, "application/json")
        .body(Bytes::new());
    let claims = fetch(means, request, &USER).await?;
    let subject = text(&claims, "sub", &USER)?;
    Ok(User {
        subject,
        access_token,
        claims,
    })
}

fn text(object: &Map<String, Value>, name: &str, of: &Question) -> Result<String, Refusal> {
    let value = object.get(name).and_then(Value::as_str);
    value
        .map(str::to_owned)
        .ok_or(Refusal::ProviderError(of.invalid))
}

async fn fetch(
    means: &Means,
    request: Result<Request<Bytes>, http::Error>,
    of: &Question,
) -> Result<Map<String, Value>, Refusal> {
    let request = request.map_err(|_| Refusal::ProviderUnreachable(of.failed))?;
    let uri = request.uri().clone();
    let answer: Result<Response<Bytes>, FetchError> = means.network.fetch(request).await;
    let answer = answer.map_err(|error| {
        tracing::info!(%uri, %error, "an identity provider can't be asked");
        Refusal::ProviderUnreachable(of.failed)
    })?;
    if answer.status() != 200 {
        return Err(Refusal::ProviderError(of.failed));
    }
    if answer.body().len() > MOST_CLAIMS {
        return Err(Refusal::ProviderUnreachable(of.too_long));
    }
    match serde_json::from_slice(answer.body()) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(Refusal::ProviderError(of.invalid)),
    }
}

/// The log's code for a token that says nothing to us.
const NOT_OURS: &str = "AuthInvalidIdToken";

/// Checks the token about the user: for us, from the provider, and still good. It came from the provider
/// itself over TLS, so its signature says nothing more.
/// <https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation>
fn check(
    tokens: &Map<String, Value>,
    provider: &IdentityProvider,
    now: u64,
) -> Result<(), Refusal> {
    let token = text(tokens, "id_token", &TOKENS)?;
    let payload = token.split('.').nth(1).unwrap_or_default();
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('='));
    let payload = payload.map_err(|_| Refusal::ProviderError(NOT_OURS))?;
    let claims: Value =
        serde_json::from_slice(&payload).map_err(|_| Refusal::ProviderError(NOT_OURS))?;
    let for_us = match &claims["aud"] {
        Value::Array(all) => all.iter().any(|one| one == provider.client.as_str()),
        one => one == provider.client.as_str(),
    };
    let good = claims["exp"].as_u64().is_some_and(|until| until > now);
    if claims["iss"] == provider.issuer.as_str() && for_us && good {
        Ok(())
    } else {
        Err(Refusal::ProviderError(NOT_OURS))
    }
}
