//! Clients that have to say who they are.
//! <https://kubernetes-sigs.github.io/aws-load-balancer-controller/v2.11/guide/ingress/annotations/#authentication>

use super::action::Authenticate;
use super::annotation::Annotations;
use super::error::BuildError;
use super::surround::Surroundings;
use serde_json::{Map, Value, json};

/// What annotations ask for, if they ask for anything.
///
/// # Errors
/// They don't say how, or the client's secret is missing.
pub(super) fn of(
    annotations: &Annotations<'_>,
    namespace: &str,
    surround: &Surroundings,
) -> Result<Option<Authenticate>, BuildError> {
    match annotations.text("auth-type").unwrap_or("none") {
        "none" => Ok(None),
        "oidc" => oidc(annotations, namespace, surround).map(Some),
        "cognito" => cognito(annotations).map(Some),
        other => Err(BuildError::new(format!("unknown authType: {other}"))),
    }
}

/// What both kinds have in common.
fn session(annotations: &Annotations<'_>) -> Result<Map<String, Value>, BuildError> {
    let text = |name: &str, usual: &str| json!(annotations.text(name).unwrap_or(usual));
    let timeout = annotations
        .number("auth-session-timeout")?
        .unwrap_or(604_800);
    let all = [
        (
            "OnUnauthenticatedRequest",
            text("auth-on-unauthenticated-request", "authenticate"),
        ),
        ("Scope", text("auth-scope", "openid")),
        (
            "SessionCookieName",
            text("auth-session-cookie", "AWSELBAuthSessionCookie"),
        ),
        ("SessionTimeout", json!(timeout.to_string())),
    ];
    let all = all.into_iter();
    Ok(all.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Takes members of an annotation's JSON over under AWS's names.
fn take(
    config: &mut Map<String, Value>,
    given: &Value,
    names: &[(&str, &str)],
) -> Result<(), BuildError> {
    for (own, name) in names {
        let value = given[*own].as_str().filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| BuildError::new(format!("{own} is required")))?;
        config.insert((*name).to_owned(), json!(value));
    }
    let extra = &given["authenticationRequestExtraParams"];
    if let Some(extra) = extra.as_object().filter(|extra| !extra.is_empty()) {
        // The query protocol writes maps as entries.
        let entries = extra.iter().enumerate().map(|(index, (key, value))| {
            let entry = json!({"key": key, "value": value});
            ((index + 1).to_string(), entry)
        });
        let entries: Map<String, Value> = entries.collect();
        config.insert(
            "AuthenticationRequestExtraParams".to_owned(),
            json!({"entry": entries}),
        );
    }
    Ok(())
}

fn oidc(
    annotations: &Annotations<'_>,
    namespace: &str,
    surround: &Surroundings,
) -> Result<Authenticate, BuildError> {
    let given = annotations.json("auth-idp-oidc")?;
    let given = given.ok_or_else(|| BuildError::new("missing authIDPConfigOIDC"))?;
    let mut config = session(annotations)?;
    take(
        &mut config,
        &given,
        &[
            ("issuer", "Issuer"),
            ("authorizationEndpoint", "AuthorizationEndpoint"),
            ("tokenEndpoint", "TokenEndpoint"),
            ("userInfoEndpoint", "UserInfoEndpoint"),
        ],
    )?;
    let secret = given["secretName"].as_str().unwrap_or_default();
    let key = format!("{namespace}/{secret}");
    let (id, secret) = surround.secrets.get(&key).ok_or_else(|| {
        BuildError::new(format!(
            "Secret {secret:?} not found, or without clientID and clientSecret"
        ))
    })?;
    config.insert("ClientId".to_owned(), json!(id));
    Ok(Authenticate {
        kind: "authenticate-oidc",
        config,
        secret: Some(secret.clone()),
    })
}

fn cognito(annotations: &Annotations<'_>) -> Result<Authenticate, BuildError> {
    let given = annotations.json("auth-idp-cognito")?;
    let given = given.ok_or_else(|| BuildError::new("missing authIDPConfigCognito"))?;
    let mut config = session(annotations)?;
    take(
        &mut config,
        &given,
        &[
            ("userPoolARN", "UserPoolArn"),
            ("userPoolClientID", "UserPoolClientId"),
            ("userPoolDomain", "UserPoolDomain"),
        ],
    )?;
    Ok(Authenticate {
        kind: "authenticate-cognito",
        config,
        secret: None,
    })
}
