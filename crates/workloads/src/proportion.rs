//! Numbers that may be given as percentages (`IntOrString`).

use serde_json::Value;

/// Which way a percentage that gives no whole number goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// To the next larger number.
    Up,
    /// To the next smaller number.
    Down,
}

/// The number meant by an integer or by a percentage of `total`; none for anything else.
pub(crate) fn scaled(value: &Value, total: i64, round: Round) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number.clamp(0, i64::from(i32::MAX)));
    }
    let percent = percent(value)?;
    let hundredths = percent.saturating_mul(total);
    Some(match round {
        Round::Up => hundredths.saturating_add(99) / 100,
        Round::Down => hundredths / 100,
    })
}

/// The number of a text such as `25%`.
pub(crate) fn percent(value: &Value) -> Option<i64> {
    let percent: i64 = value.as_str()?.strip_suffix('%')?.parse().ok()?;
    Some(percent.clamp(0, i64::from(i32::MAX)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn percentages_round_as_asked() {
        assert_eq!(scaled(&json!("25%"), 10, Round::Up), Some(3));
        assert_eq!(scaled(&json!("25%"), 10, Round::Down), Some(2));
        assert_eq!(scaled(&json!(4), 10, Round::Down), Some(4));
        assert_eq!(scaled(&json!("4"), 10, Round::Down), None);
        assert_eq!(scaled(&json!("100%"), 0, Round::Up), Some(0));
    }
}
