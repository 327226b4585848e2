//! Lengths of time as people read them.

use crate::object;
use crate::schema::parse_rfc3339;
use serde_json::{Value, json};

/// How old an object is.
pub(super) fn of(object: &Value, now: i64) -> Value {
    json!(since(
        object::text(object, &["metadata", "creationTimestamp"]),
        now
    ))
}

/// How long ago a moment was.
pub(super) fn since(moment: &str, now: i64) -> String {
    parse_rfc3339(moment).map_or("<unknown>".to_owned(), |at| told(now - at))
}

/// A length of time, as apimachinery's `HumanDuration` tells it.
pub(super) fn told(seconds: i64) -> String {
    let with = |whole: i64, unit: &str, rest: i64, small: &str| {
        if rest == 0 {
            format!("{whole}{unit}")
        } else {
            format!("{whole}{unit}{rest}{small}")
        }
    };
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => with(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => with(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => with(days, "d", hours % 24, "h"),
        _ if hours < 24 * 365 * 2 => format!("{days}d"),
        _ if hours < 24 * 365 * 8 => with(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn ages_are_told_as_upstream_tells_them() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (10_800, "3h"),
            (11_100, "3h5m"),
            (86_400, "24h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
        ] {
            assert_eq!(told(seconds), text);
        }
    }
}
