//! Moments and durations as Kubernetes writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// Seconds since 1970, rounded down.
pub(crate) fn unix(moment: SystemTime) -> i64 {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match moment.duration_since(UNIX_EPOCH) {
        Ok(since) => seconds(since),
        Err(before) => {
            let before = before.duration();
            -seconds(before) - i64::from(before.subsec_nanos() > 0)
        }
    }
}

/// The moment so many seconds after 1970.
pub(crate) fn at(unix: i64) -> SystemTime {
    let distance = Duration::from_secs(unix.unsigned_abs());
    let moment = if unix < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    moment.unwrap_or(UNIX_EPOCH)
}

/// As objects have it: `2024-02-29T12:00:00Z`.
pub(crate) fn rfc3339(moment: SystemTime) -> String {
    let unix = unix(moment);
    let (days, clock) = (unix.div_euclid(DAY), unix.rem_euclid(DAY));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// As leases have it: `2024-02-29T12:00:00.000000Z`.
pub(crate) fn rfc3339_micro(moment: SystemTime) -> String {
    let whole = rfc3339(moment);
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!(
        "{}.{:06}Z",
        whole.trim_end_matches('Z'),
        since.subsec_micros()
    )
}

/// The moment that a text names, to the nanosecond.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.split_at_checked(10)?;
    let clock = rest.strip_prefix(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-')?;
    let (clock, rest) = clock.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, zone) = fraction(rest)?;
    let local = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    Some(at(local - offset(zone)?) + Duration::from_nanos(nanos))
}

/// The calendar's date, so many days after 1970-01-01.
/// <https://howardhinnant.github.io/date_algorithms.html>
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = (month + 2) % 12 + 1;
    let year = shifted.div_euclid(146_097) * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

/// Days from 1970-01-01 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(digits);
    let found = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(found)
}

fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// The nanoseconds of a fraction, if there is one, and what follows it.
fn fraction(text: &str) -> Option<(u64, &str)> {
    let Some(text) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (fraction, zone) = text.split_at(end);
    let padded: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    Some((padded.parse().ok()?, zone))
}

/// The seconds of a zone, `Z` or `±hh:mm`.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    Some(sign * (digits(hours)? * 3600 + digits(minutes)? * 60))
}

/// A duration to the millisecond, as Go's programs print it: `853ms`, `2.5s`, `1m20s`, `5m0s`.
pub(crate) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let fraction = format!("{:03}", rest % 1000);
    let fraction = match fraction.trim_end_matches('0') {
        "" => String::new(),
        digits => format!(".{digits}"),
    };
    let seconds = format!("{}{fraction}s", rest / 1000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn moments_go_there_and_back() {
        for unix in [0, 951_782_400, 1_709_208_000, 4_102_444_799, -1] {
            assert_eq!(parse(&rfc3339(at(unix))), Some(at(unix)), "{unix}");
        }
        assert_eq!(rfc3339(at(1_709_208_000)), "2024-02-29T12:00:00Z");
        let moment = at(5) + Duration::from_micros(250);
        assert_eq!(rfc3339_micro(moment), "1970-01-01T00:00:05.000250Z");
        assert_eq!(parse(&rfc3339_micro(moment)), Some(moment));
    }

    #[test]
    fn zones_and_fractions_are_read() {
        let half = UNIX_EPOCH + Duration::from_millis(500);
        assert_eq!(parse("1970-01-01T01:00:00.5+01:00"), Some(half));
        assert_eq!(parse("1969-12-31T23:30:00-00:30"), Some(at(0)));
        for wrong in [
            "",
            "1970-01-01",
            "1970-13-01T00:00:00Z",
            "1970-01-01T00:00:00",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_read_as_gos() {
        for (millis, text) in [
            (0, "0s"),
            (853, "853ms"),
            (2500, "2.5s"),
            (10_000, "10s"),
            (80_000, "1m20s"),
            (300_000, "5m0s"),
            (3_601_001, "1h0m1.001s"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }
}
