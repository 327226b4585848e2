//! Durations as Go writes them.

use std::time::Duration;

/// Reads a duration; a bare number is seconds.
pub(super) fn parse(word: &str) -> Option<Duration> {
    if let Ok(seconds) = word.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (value, after) = rest.split_at(digits);
        let length = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let value: f64 = value.parse().ok()?;
        total = total.checked_add(Duration::try_from_secs_f64(value * seconds).ok()?)?;
        rest = after;
    }
    (!word.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (word, millis) in [
            ("5s", 5000),
            ("1h2m", 3_720_000),
            ("1.5s", 1500),
            ("30", 30_000),
        ] {
            let expected = Duration::from_millis(millis);
            assert_eq!(parse(word), Some(expected), "{word}");
        }
        for word in ["", "s", "5x", "-5s"] {
            assert_eq!(parse(word), None, "{word}");
        }
    }
}
