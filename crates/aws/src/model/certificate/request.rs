//! Asking for certificates.
//!
//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html>

use super::*;
use crate::model::client_token::Token;

/// The most names of a certificate.
const MOST_NAMES: usize = 10;

/// How names are shown to be the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Validation {
    /// By a record in DNS.
    Dns,
    /// By mail to who has the domain.
    Email,
}

/// A certificate to ask for.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// Its name.
    pub domain: String,
    /// Its other names.
    pub names: Vec<String>,
    /// How they are shown to be the user's.
    pub validation: Validation,
    /// The algorithm of its key.
    pub key: KeyAlgorithm,
    /// Whether certificate transparency logs have it.
    pub logged: bool,
    /// The idempotency token.
    pub token: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// Labels of letters, digits and hyphens, two at least, the first perhaps a star.
fn is_domain(name: &str) -> bool {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name.len() <= 253 && bare.contains('.') && bare.split('.').all(label)
}

/// Asks for a certificate: it waits until its names are shown to be the user's. The same token gives the same
/// certificate again.
///
/// # Errors
/// `ValidationException` for a name that can't be, `LimitExceededException` for too many,
/// `IdempotentParameterMismatch`.
pub fn request(state: &mut State, context: &Context, new: NewRequest) -> Result<String, Refusal> {
    let mut names = vec![new.domain.to_lowercase()];
    for name in &new.names {
        let name = name.to_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if let Some(odd) = names.iter().find(|name| !is_domain(name)) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{odd}' at 'domainName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(\\*\\.)?(((?!-)[A-Za-z0-9-]{{0,62}}[A-Za-z0-9])\\.)+((?!-)[A-Za-z0-9-]{{1,62}}[A-Za-z0-9])$"
        )));
    }
    if names.len() > MOST_NAMES && context.quotas {
        return Err(Refusal::new(
            "LimitExceededException",
            format!("Error: the number of domain names exceeds the limit of {MOST_NAMES}."),
        ));
    }
    let asked = (&names, new.validation, new.key);
    let token = Token::of(
        state,
        context,
        "RequestCertificate",
        &asked,
        new.token.as_deref(),
        32,
    )?;
    if let Some(made) = &token.made
        && find(state, context, made).is_ok()
    {
        return Ok(made.clone());
    }
    let arn = fresh_arn(state, &context.region);
    let certificate = Certificate {
        arn: arn.clone(),
        region: context.region.clone(),
        domain: names[0].clone(),
        names,
        created: context.now,
        origin: Origin::Requested {
            validation: new.validation,
            key: new.key,
            logged: new.logged,
        },
        issued: None,
        tags: new.tags,
    };
    state
        .certificates
        .insert(arn.clone(), Arc::new(certificate));
    token.keep(state, context, &arn);
    Ok(arn)
}
