//! Times as HTTP and access logs write them.

use http::HeaderValue;
use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A moment by the calendar, in UTC.
struct Civil {
    year: u64,
    /// From 1.
    month: usize,
    day: u64,
    /// Days from a Thursday on.
    weekday: usize,
    hour: u64,
    minute: u64,
    second: u64,
}

/// Days into years, months and days: Howard Hinnant's `civil_from_days`, for 1970 and later.
/// <https://howardhinnant.github.io/date_algorithms.html>
fn civil(seconds: u64) -> Civil {
    let days = seconds / 86_400;
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    Civil {
        year: year_of_era + era * 400 + u64::from(month <= 2),
        month: usize::try_from(month).unwrap_or(1),
        day: of_year - (153 * from_march + 2) / 5 + 1,
        weekday: usize::try_from(days % 7).unwrap_or(0),
        hour: seconds / 3600 % 24,
        minute: seconds / 60 % 60,
        second: seconds % 60,
    }
}

/// Seconds since 1970.
pub(crate) fn unix(time: SystemTime) -> u64 {
    since_1970(time).as_secs()
}

fn since_1970(time: SystemTime) -> Duration {
    // Clocks that stand before 1970 stand at 1970.
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http(seconds: u64) -> String {
    let at = civil(seconds);
    let (day, month) = (DAYS[at.weekday], MONTHS[at.month - 1]);
    format!(
        "{day}, {:02} {month} {:04} {:02}:{:02}:{:02} GMT",
        at.day, at.year, at.hour, at.minute, at.second
    )
}

/// `2018-07-02T22:23:00.186641Z`.
pub(crate) fn precise(time: SystemTime) -> String {
    let micros = since_1970(time).subsec_micros();
    format!("{}.{micros:06}Z", second(time))
}

/// `2018-07-02T22:23:00`.
pub(crate) fn second(time: SystemTime) -> String {
    let at = civil(unix(time));
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    )
}

/// Now, for a `Date` header.
pub(crate) fn date() -> HeaderValue {
    thread_local! {
        static LAST: RefCell<(u64, HeaderValue)> =
            const { RefCell::new((0, HeaderValue::from_static(""))) };
    }
    let now = unix(SystemTime::now());
    LAST.with_borrow_mut(|(second, text)| {
        if *second != now {
            *second = now;
            // The text is letters, digits, commas, colons and spaces.
            *text =
                HeaderValue::from_maybe_shared(http(now)).unwrap_or(HeaderValue::from_static(""));
        }
        text.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-ALB: dates, leap days included.
    #[test]
    fn dates() {
        assert_eq!(http(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(http(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        let at = UNIX_EPOCH + Duration::from_micros(1_530_570_180_186_641);
        assert_eq!(precise(at), "2018-07-02T22:23:00.186641Z");
    }
}
