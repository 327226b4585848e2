//! RFC 3339 times and the calendar (proleptic Gregorian, UTC), in Unix seconds.

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// A moment's calendar fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    /// The year.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
    /// 0 (Sunday) to 6.
    pub weekday: i64,
}

/// Days since 1970-01-01 of a date.
/// <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The calendar fields of a moment.
pub(crate) fn civil(unix: i64) -> Civil {
    let (date, clock) = (unix.div_euclid(DAY), unix.rem_euclid(DAY));
    let shifted = date + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = (shifted_month + 2) % 12 + 1;
    Civil {
        year: shifted.div_euclid(146_097) * 400 + year_of_era + i64::from(month <= 2),
        month,
        day: of_year - (153 * shifted_month + 2) / 5 + 1,
        hour: clock / 3600,
        minute: clock / 60 % 60,
        second: clock % 60,
        weekday: (date + 4).rem_euclid(7),
    }
}

/// A moment as the API writes it, such as `2024-02-29T12:00:00Z`.
pub(crate) fn format(unix: i64) -> String {
    let c = civil(unix);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

/// Unix seconds of an RFC 3339 time, with its fraction of a second cut off.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let clock = rest.strip_prefix(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-')?;
    let (clock, zone) = clock.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let local = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    Some(local - offset(zone)?)
}

/// Three numbers between separators.
fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator).map(digits);
    let found = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(found)
}

/// A number of digits only.
fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// The seconds of a zone, `Z` or `±hh:mm`, perhaps after a fraction.
fn offset(zone: &str) -> Option<i64> {
    let zone = match zone.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => zone,
    };
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    Some(sign * (digits(hours)? * 3600 + digits(minutes)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        for unix in [0, 951_782_400, 1_709_208_000, 4_102_444_799, -1] {
            assert_eq!(parse(&format(unix)), Some(unix));
        }
        assert_eq!(format(1_709_208_000), "2024-02-29T12:00:00Z");
    }

    #[test]
    fn offsets_and_fractions_are_read() {
        assert_eq!(parse("1970-01-01T01:00:00.123456+01:00"), Some(0));
        assert_eq!(parse("1969-12-31T23:30:00-00:30"), Some(0));
        assert_eq!(parse("1970-01-01"), None);
        assert_eq!(parse("1970-13-01T00:00:00Z"), None);
        assert_eq!(parse("日本語日本語日本語"), None);
    }

    #[test]
    fn weekdays_start_on_sunday() {
        assert_eq!(civil(0).weekday, 4);
        assert_eq!(civil(3 * DAY).weekday, 0);
    }
}
