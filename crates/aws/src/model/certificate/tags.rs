//! Certificates' tags.

use super::*;

/// The most tags of a certificate.
const MOST: usize = 50;

/// Reads a request's tags.
///
/// # Errors
/// `InvalidTagException`, `TooManyTagsException`.
pub fn read(
    tags: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let tags: BTreeMap<String, String> = tags.into_iter().collect();
    for (key, value) in &tags {
        if key.to_lowercase().starts_with("aws:") {
            return Err(Refusal::new(
                "InvalidTagException",
                format!("The tag key '{key}' begins with the reserved prefix 'aws:'."),
            ));
        }
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!(
                "The tag key '{key}' must have 1 to 128 characters and its value at most 256."
            )));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if tags.len() > MOST {
        return Err(Refusal::new(
            "TooManyTagsException",
            format!("A certificate can have at most {MOST} tags."),
        ));
    }
    Ok(())
}

/// Changes a certificate's tags.
///
/// # Errors
/// `ResourceNotFoundException`, `TooManyTagsException`.
pub fn change(
    state: &mut State,
    context: &Context,
    arn: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), Refusal> {
    let mut certificate = find(state, context, arn)?.clone();
    change(&mut certificate.tags);
    check_count(&certificate.tags)?;
    state
        .certificates
        .insert(arn.to_owned(), Arc::new(certificate));
    Ok(())
}
