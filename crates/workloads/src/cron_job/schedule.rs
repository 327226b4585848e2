//! Cron schedules: `minute hour day-of-month month day-of-week`.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax>

use std::fmt;

use crate::clock::{self, DAY};

/// How many years ahead a time is looked for: 29 February may be eight years away.
const YEARS: i64 = 9;

/// The names of months and days of the week, from their first number on.
const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A parsed schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// `@every`, in seconds.
    Every(i64),
    Fields {
        minutes: Field,
        hours: Field,
        days: Field,
        months: Field,
        weekdays: Field,
    },
}

/// The numbers that a field allows, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    bits: u64,
    /// Whether the field says `*`: of the two fields for days it then does not count.
    any: bool,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleError {
    /// Not five fields.
    Fields {
        /// How many there are.
        found: usize,
        /// The whole text.
        text: String,
    },
    /// An `@` word that does not exist.
    Descriptor(String),
    /// A part of a field that is no number or name.
    Number(String),
    /// A number outside of the field's range, a range that ends before it starts, or a step of
    /// nothing.
    Range(String),
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields { found, text } => {
                write!(f, "expected exactly 5 fields, found {found}: [{text}]")
            }
            Self::Descriptor(text) => write!(f, "unrecognized descriptor: {text}"),
            Self::Number(text) => write!(f, "failed to parse int from {text}"),
            Self::Range(text) => write!(f, "out of the allowed range: {text}"),
        }
    }
}

impl std::error::Error for ScheduleError {}

/// A field's smallest and largest number, and the names of its numbers.
type Bounds = (u32, u32, &'static [&'static str]);

const BOUNDS: [Bounds; 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, MONTHS),
    (0, 6, DAYS),
];

impl Schedule {
    /// Reads five fields or a word such as `@daily`.
    ///
    /// # Errors
    ///
    /// Where the text is no schedule.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        if text.starts_with('@') {
            return Self::descriptor(text);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(ScheduleError::Fields {
                found: fields.len(),
                text: text.to_owned(),
            });
        };
        let [minute, hour, day, month, weekday] = BOUNDS;
        Ok(Self(Kind::Fields {
            minutes: Field::parse(minutes, minute)?,
            hours: Field::parse(hours, hour)?,
            days: Field::parse(days, day)?,
            months: Field::parse(months, month)?,
            weekdays: Field::parse(weekdays, weekday)?,
        }))
    }

    fn descriptor(text: &str) -> Result<Self, ScheduleError> {
        let fields = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            _ => {
                let unknown = || ScheduleError::Descriptor(text.to_owned());
                let span = text.strip_prefix("@every ").ok_or_else(unknown)?;
                let seconds = duration(span).ok_or_else(unknown)?;
                return Ok(Self(Kind::Every(seconds.max(1))));
            }
        };
        Self::parse(fields)
    }

    /// The first time of the schedule after a moment, in the zone of that moment; none if there
    /// is none within nine years.
    #[must_use]
    pub fn next(&self, after: i64) -> Option<i64> {
        let (minutes, hours, days, months, weekdays) = match &self.0 {
            Kind::Every(seconds) => return after.checked_add(*seconds),
            Kind::Fields {
                minutes,
                hours,
                days,
                months,
                weekdays,
            } => (minutes, hours, days, months, weekdays),
        };
        let start = after
            .checked_div_euclid(60)?
            .checked_add(1)?
            .checked_mul(60)?;
        let first_day = start.div_euclid(DAY);
        for day in first_day..first_day.checked_add(YEARS * 366)? {
            let date = clock::civil(day.checked_mul(DAY)?);
            let (in_month, in_week) = (days.has(date.day), weekdays.has(date.weekday));
            let day_fits = if days.any || weekdays.any {
                in_month && in_week
            } else {
                in_month || in_week
            };
            if !day_fits || !months.has(date.month) {
                continue;
            }
            let from = if day == first_day {
                start.rem_euclid(DAY) / 60
            } else {
                0
            };
            let found = (from..24 * 60).find(|m| hours.has(m / 60) && minutes.has(m % 60));
            if let Some(minute) = found {
                return Some(day * DAY + minute * 60);
            }
        }
        None
    }
}

impl Field {
    fn has(self, number: i64) -> bool {
        u32::try_from(number).is_ok_and(|n| n < 64 && self.bits >> n & 1 == 1)
    }

    fn parse(text: &str, bounds: Bounds) -> Result<Self, ScheduleError> {
        let mut field = Self {
            bits: 0,
            any: false,
        };
        for part in text.split(',') {
            let part = Self::parse_part(part, bounds)?;
            field.bits |= part.bits;
            field.any |= part.any;
        }
        Ok(field)
    }

    /// `*`, `n`, `n-m`, each perhaps with `/step`; `n/step` goes on to the largest number.
    fn parse_part(part: &str, bounds: Bounds) -> Result<Self, ScheduleError> {
        let (lowest, highest, names) = bounds;
        let number = |text: &str| {
            let lower = text.to_ascii_lowercase();
            let place = names.iter().position(|name| *name == lower);
            let place = place.and_then(|n| u32::try_from(n).ok());
            place
                .map(|n| n + lowest)
                .or_else(|| text.parse().ok())
                .ok_or_else(|| ScheduleError::Number(part.to_owned()))
        };
        let out_of_range = || ScheduleError::Range(part.to_owned());
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u32>())),
            None => (part, None),
        };
        let any = matches!(range, "*" | "?");
        let (first, last) = match range.split_once('-') {
            _ if any => (lowest, highest),
            Some((first, last)) => (number(first)?, number(last)?),
            None if step.is_some() => (number(range)?, highest),
            None => (number(range)?, number(range)?),
        };
        let step = step.unwrap_or(Ok(1)).map_err(|_| out_of_range())?;
        if step == 0 || first < lowest || last > highest || first > last {
            return Err(out_of_range());
        }
        let numbers = (first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX));
        Ok(Self {
            bits: numbers.fold(0, |bits, n| bits | 1 << n),
            any: any && step == 1,
        })
    }
}

/// The seconds of a duration such as `1h30m`.
fn duration(text: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (digits, unit) = rest.split_at(end);
        let (factor, after) = [("h", 3600), ("m", 60), ("s", 1)]
            .into_iter()
            .find_map(|(name, factor)| Some((factor, unit.strip_prefix(name)?)))?;
        let part = digits.parse::<i64>().ok()?.checked_mul(factor)?;
        total = total.checked_add(part)?;
        rest = after;
    }
    (total > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> String {
        let schedule = Schedule::parse(schedule).unwrap();
        clock::format(schedule.next(clock::parse(after).unwrap()).unwrap())
    }

    #[test]
    fn schedules_find_their_next_time() {
        for (schedule, after, wanted) in [
            (
                "*/15 * * * *",
                "2024-01-01T00:00:00Z",
                "2024-01-01T00:15:00Z",
            ),
            ("0 0 29 2 *", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
            (
                "30 8-10/2 * * mon",
                "2024-01-01T08:30:00Z",
                "2024-01-01T10:30:00Z",
            ),
            (
                "0 12 * JAN,jul ?",
                "2024-02-01T00:00:00Z",
                "2024-07-01T12:00:00Z",
            ),
            (
                "50/5 23 * * *",
                "2024-01-01T23:50:30Z",
                "2024-01-01T23:55:00Z",
            ),
            ("@weekly", "2024-01-01T00:00:00Z", "2024-01-07T00:00:00Z"),
            ("@yearly", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
            (
                "@every 1h30m",
                "2024-01-01T00:00:10Z",
                "2024-01-01T01:30:10Z",
            ),
        ] {
            assert_eq!(next(schedule, after), wanted, "{schedule}");
        }
    }

    #[test]
    fn days_of_month_and_week_are_alternatives_if_both_are_given() {
        let after = "2024-01-01T00:00:00Z";
        assert_eq!(next("0 0 13 * fri", after), "2024-01-05T00:00:00Z");
        assert_eq!(next("0 0 13 * *", after), "2024-01-13T00:00:00Z");
        assert_eq!(next("0 0 * * fri", after), "2024-01-05T00:00:00Z");
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "@often",
            "@every -1h",
            "@every ",
        ] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
        assert_eq!(Schedule::parse("0 0 31 2 *").unwrap().next(0), None);
    }
}
