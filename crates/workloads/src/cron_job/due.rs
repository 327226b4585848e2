//! Which time of a schedule is due.

use serde_json::Value;

use super::Schedule;
use crate::{clock, object};

/// More missed times than this are told (`tooManyMissed`).
const MANY: i64 = 100;

/// What a schedule says at a moment.
pub(super) struct Due {
    /// The latest time that has passed and may not have been served.
    pub at: Option<i64>,
    /// The first time that has not passed.
    pub next: Option<i64>,
    /// Whether many times passed without a Job.
    pub too_many: bool,
}

/// The parsed schedule of a `CronJob` and the offset of its time zone; or the reason and message
/// of the Event that tells why there is none.
pub(super) fn schedule(cron: &Value) -> Result<(Schedule, i64), (&'static str, String)> {
    let zone = object::text(cron, "/spec/timeZone");
    let Some(offset) = offset(zone) else {
        let message = format!("invalid timeZone: {zone:?}: unknown time zone {zone}");
        return Err(("UnknownTimeZone", message));
    };
    let text = object::text(cron, "/spec/schedule");
    match Schedule::parse(text) {
        Ok(schedule) => Ok((schedule, offset)),
        Err(error) => {
            let message = format!("unparseable schedule: {text:?} : {error}");
            Err(("UnparseableSchedule", message))
        }
    }
}

/// Seconds east of UTC of the zones that have no rules: UTC's names and `Etc/GMT±n`, whose sign
/// is the reverse of all others'.
fn offset(zone: &str) -> Option<i64> {
    match zone {
        "" | "UTC" | "Etc/UTC" | "Etc/Universal" | "Etc/Zulu" | "GMT" | "Etc/GMT" => Some(0),
        _ => {
            let hours: i64 = zone.strip_prefix("Etc/GMT")?.parse().ok()?;
            (-14..=12).contains(&hours).then_some(-hours * 3600)
        }
    }
}

/// Finds what is due (`mostRecentScheduleTime`): of several times that passed only the latest is.
pub(super) fn due(
    cron: &Value,
    schedule: &Schedule,
    offset: i64,
    last: Option<i64>,
    now: i64,
) -> Due {
    let next = |after: i64| schedule.next(after + offset).map(|at| at - offset);
    let mut earliest = last.unwrap_or_else(|| object::creation(cron));
    let deadline = object::int(cron, "/spec/startingDeadlineSeconds");
    if let Some(seconds) = deadline {
        earliest = earliest.max(now - seconds);
    }
    let mut due = Due {
        at: None,
        next: next(earliest),
        too_many: false,
    };
    let Some(first) = due.next.filter(|at| *at <= now) else {
        return due;
    };
    // Many times may have passed; almost all are skipped by the distance of the first two.
    let second = next(first).unwrap_or(i64::MAX);
    let distance = second.saturating_sub(first).max(1);
    let missed = (now - first) / distance + 1;
    due.too_many = missed > MANY;
    let mut at = first;
    if missed > 2 {
        let skipped = first + (missed - 2) * distance;
        at = next(skipped - 1).filter(|at| *at <= now).unwrap_or(first);
    }
    due.next = next(at);
    while let Some(later) = due.next.filter(|later| *later <= now) {
        at = later;
        due.next = next(at);
    }
    due.at = Some(at);
    due
}

/// A moment in a zone, as RFC 3339.
pub(super) fn local(at: i64, offset: i64) -> String {
    let local = clock::format(at + offset);
    if offset == 0 {
        return local;
    }
    let (sign, minutes) = if offset < 0 {
        ('-', -offset / 60)
    } else {
        ('+', offset / 60)
    };
    let local = local.trim_end_matches('Z');
    format!("{local}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A moment as Go's `RFC1123Z`, such as `Thu, 29 Feb 2024 12:00:00 +0000`.
pub(super) fn rfc1123(at: i64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let c = clock::civil(at);
    let weekday = DAYS.get(object::size(c.weekday)).unwrap_or(&"");
    let month = MONTHS.get(object::size(c.month - 1)).unwrap_or(&"");
    format!(
        "{weekday}, {:02} {month} {:04} {:02}:{:02}:{:02} +0000",
        c.day, c.year, c.hour, c.minute, c.second
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> i64 {
        clock::parse(text).unwrap()
    }

    #[test]
    fn of_missed_times_the_latest_is_due() {
        let cron = json!({"metadata": {"creationTimestamp": "2024-01-01T00:00:00Z"},
            "spec": {"schedule": "30 9 * * 1-5"}});
        let (schedule, offset) = schedule(&cron).unwrap();
        let found = due(&cron, &schedule, offset, None, at("2024-01-07T12:00:00Z"));
        assert_eq!(found.at, Some(at("2024-01-05T09:30:00Z")));
        assert_eq!(found.next, Some(at("2024-01-08T09:30:00Z")));
        assert!(!found.too_many);
    }

    #[test]
    fn a_hundred_missed_times_are_many_unless_a_deadline_cuts_them_off() {
        let mut cron = json!({"metadata": {"creationTimestamp": "2024-01-01T00:00:00Z"},
            "spec": {"schedule": "* * * * *"}});
        let now = at("2025-01-01T00:00:30Z");
        let (schedule, _) = schedule(&cron).unwrap();
        let found = due(&cron, &schedule, 0, None, now);
        assert_eq!((found.at, found.too_many), (Some(now - 30), true));
        cron["spec"]["startingDeadlineSeconds"] = json!(200);
        let found = due(&cron, &schedule, 0, None, now);
        assert_eq!((found.at, found.too_many), (Some(now - 30), false));
    }

    #[test]
    fn zones_without_rules_shift_the_schedule() {
        let cron = json!({"metadata": {"creationTimestamp": "2024-01-01T00:00:00Z"},
            "spec": {"schedule": "0 9 * * *", "timeZone": "Etc/GMT-2"}});
        let (schedule, offset) = schedule(&cron).unwrap();
        let found = due(&cron, &schedule, offset, None, at("2024-01-01T07:00:00Z"));
        assert_eq!(found.at, Some(at("2024-01-01T07:00:00Z")));
        assert_eq!(
            local(at("2024-01-01T07:00:00Z"), offset),
            "2024-01-01T09:00:00+02:00"
        );
        assert_eq!(super::offset("Mars/Olympus"), None);
        assert_eq!(
            rfc1123(at("2024-02-29T12:00:00Z")),
            "Thu, 29 Feb 2024 12:00:00 +0000"
        );
    }
}
