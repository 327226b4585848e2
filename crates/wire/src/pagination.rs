//! Pages of Describe operations.

use crate::error::ApiError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Cuts a page out of all results, in their order. Tokens say where to go on; they are opaque to
/// clients.
///
/// # Errors
/// `InvalidParameterValue` for a number out of bounds, `InvalidNextToken`-like for a foreign token.
pub fn page<T>(
    all: Vec<T>,
    max_results: Option<i32>,
    next_token: Option<&str>,
    bounds: std::ops::RangeInclusive<i32>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let start = match next_token {
        None => 0,
        Some(token) => position(token)
            .filter(|start| *start <= all.len())
            .ok_or_else(|| {
                ApiError::new(
                    "InvalidParameterValue",
                    format!("Value ( {token} ) for parameter nextToken is invalid."),
                )
            })?,
    };
    let Some(max) = max_results else {
        return Ok((all.into_iter().skip(start).collect(), None));
    };
    if !bounds.contains(&max) {
        let message = format!(
            "Value ( {max} ) for parameter maxResults is invalid. Expecting a value between {} and {}.",
            bounds.start(),
            bounds.end()
        );
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    let end = start.saturating_add(max as usize);
    let token = (end < all.len()).then(|| URL_SAFE_NO_PAD.encode(format!("skylab:{end}")));
    Ok((
        all.into_iter().skip(start).take(max as usize).collect(),
        token,
    ))
}

fn position(token: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    std::str::from_utf8(&bytes)
        .ok()?
        .strip_prefix("skylab:")?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_to_the_whole() {
        let (first, token) = page((0..12).collect(), Some(5), None, 5..=1000).unwrap();
        let (second, token) = page((0..12).collect(), Some(5), token.as_deref(), 5..=1000).unwrap();
        let (third, end) = page(
            (0..12).collect::<Vec<i32>>(),
            Some(5),
            token.as_deref(),
            5..=1000,
        )
        .unwrap();
        assert_eq!([first, second, third].concat(), (0..12).collect::<Vec<_>>());
        assert_eq!(end, None);
        assert_eq!(
            page(vec![1], Some(4), None, 5..=1000).unwrap_err().code,
            "InvalidParameterValue"
        );
        assert_eq!(
            page(vec![1], None, Some("x!"), 5..=1000).unwrap_err().code,
            "InvalidParameterValue"
        );
    }
}
