//! Identity providers that speak OpenID Connect: a cluster's issuer of service account tokens, for one.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html>

use super::*;

/// The most providers of an account.
const MOST: usize = 100;
/// The most client ids of a provider.
const MOST_CLIENTS: usize = 100;
/// The most thumbprints of a provider.
const MOST_THUMBPRINTS: usize = 5;

/// An OpenID Connect provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OidcProvider {
    /// Its ARN.
    pub arn: String,
    /// Its address without the scheme: what tokens name as their issuer, after `https://`.
    pub issuer: String,
    /// The audiences that tokens may be for.
    pub clients: Vec<String>,
    /// SHA-1 thumbprints of certificates that its server's may come from, in hexadecimal.
    pub thumbprints: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Its tags.
    pub tags: Tags,
}

fn arn_of(state: &State, issuer: &str) -> String {
    let account = &state.settings.account;
    format!("arn:aws:iam::{account}:oidc-provider/{issuer}")
}

/// The provider of an ARN.
///
/// # Errors
/// `NoSuchEntity`.
pub fn find<'s>(state: &'s State, arn: &str) -> Result<&'s OidcProvider, Refusal> {
    let found = state.iam_oidc_providers.get(arn).map(Arc::as_ref);
    found.ok_or_else(|| missing(format!("OpenIDConnect Provider not found for arn {arn}")))
}

/// The provider that vouches for tokens of an issuer, given as in tokens: `https://…`.
pub fn of_issuer<'s>(state: &'s State, issuer: &str) -> Option<&'s OidcProvider> {
    let arn = arn_of(state, issuer.strip_prefix("https://")?);
    state.iam_oidc_providers.get(&arn).map(Arc::as_ref)
}

fn check_thumbprints(thumbprints: &[String]) -> Result<(), Refusal> {
    if thumbprints.len() > MOST_THUMBPRINTS {
        return Err(Refusal::new(
            "InvalidInput",
            format!("Thumbprint list must contain fewer than {MOST_THUMBPRINTS} entries."),
        ));
    }
    for thumbprint in thumbprints {
        let hex = thumbprint.bytes().all(|byte| byte.is_ascii_hexdigit());
        if thumbprint.len() != 40 || !hex {
            return Err(invalid(format!(
                "1 validation error detected: Value '[{thumbprint}]' at 'thumbprintList' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 40, Member must have length greater than or equal to 40]"
            )));
        }
    }
    Ok(())
}

fn check_clients(clients: &[String]) -> Result<(), Refusal> {
    if clients.len() > MOST_CLIENTS {
        return Err(exceeded("ClientIdsPerOpenIdConnectProvider", MOST_CLIENTS));
    }
    if clients.iter().any(|of| of.is_empty() || of.len() > 255) {
        return Err(invalid(
            "1 validation error detected: Value at 'clientIDList' failed to satisfy constraint: Member must have length between 1 and 255",
        ));
    }
    Ok(())
}

/// Makes a provider.
///
/// # Errors
/// `EntityAlreadyExists`, `InvalidInput`, `ValidationError`, `LimitExceeded`.
pub fn create(
    state: &mut State,
    context: &Context,
    url: &str,
    clients: Vec<String>,
    thumbprints: Vec<String>,
    tags: Tags,
) -> Result<OidcProvider, Refusal> {
    let issuer = url.strip_prefix("https://").unwrap_or_default();
    let issuer = issuer.trim_end_matches('/');
    if issuer.is_empty() || issuer.contains(['?', '#']) || url.len() > 255 {
        return Err(invalid("Invalid Open ID Connect Provider URL"));
    }
    check_clients(&clients)?;
    check_thumbprints(&thumbprints)?;
    let arn = arn_of(state, issuer);
    if state.iam_oidc_providers.contains_key(&arn) {
        return Err(taken(format!("Provider with url {url} already exists.")));
    }
    if context.quotas && state.iam_oidc_providers.len() >= MOST {
        return Err(exceeded("OpenIdConnectProvidersPerAccount", MOST));
    }
    let provider = OidcProvider {
        arn: arn.clone(),
        issuer: issuer.to_owned(),
        clients,
        thumbprints,
        created: context.now,
        tags,
    };
    state
        .iam_oidc_providers
        .insert(arn, Arc::new(provider.clone()));
    Ok(provider)
}

fn change(
    state: &mut State,
    arn: &str,
    change: impl FnOnce(&mut OidcProvider) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut provider = find(state, arn)?.clone();
    change(&mut provider)?;
    state
        .iam_oidc_providers
        .insert(arn.to_owned(), Arc::new(provider));
    Ok(())
}

/// Gives a provider other thumbprints.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput`, `ValidationError`.
pub fn set_thumbprints(
    state: &mut State,
    arn: &str,
    thumbprints: Vec<String>,
) -> Result<(), Refusal> {
    check_thumbprints(&thumbprints)?;
    change(state, arn, |provider| {
        provider.thumbprints = thumbprints;
        Ok(())
    })
}

/// Adds an audience; one that it has stays.
///
/// # Errors
/// `NoSuchEntity`, `LimitExceeded`, `ValidationError`.
pub fn add_client(state: &mut State, arn: &str, client: String) -> Result<(), Refusal> {
    change(state, arn, |provider| {
        if !provider.clients.contains(&client) {
            provider.clients.push(client);
        }
        check_clients(&provider.clients)
    })
}

/// Takes an audience away, if it has it.
///
/// # Errors
/// `NoSuchEntity`.
pub fn remove_client(state: &mut State, arn: &str, client: &str) -> Result<(), Refusal> {
    change(state, arn, |provider| {
        provider.clients.retain(|of| of != client);
        Ok(())
    })
}

/// Deletes a provider. One that isn't there is as good as deleted.
pub fn delete(state: &mut State, arn: &str) {
    state.iam_oidc_providers.remove(arn);
}
