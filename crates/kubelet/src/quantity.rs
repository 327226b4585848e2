//! Amounts: `500m`, `1Gi`, `1e3`.
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Billionths of one.
const ONE: i128 = 1_000_000_000;

/// What suffixes stand for, in billionths.
const SUFFIXES: [(&str, i128); 15] = [
    ("Ki", ONE << 10),
    ("Mi", ONE << 20),
    ("Gi", ONE << 30),
    ("Ti", ONE << 40),
    ("Pi", ONE << 50),
    ("Ei", ONE << 60),
    ("n", 1),
    ("u", 1_000),
    ("m", 1_000_000),
    ("k", ONE * 1_000),
    ("M", ONE * 1_000_000),
    ("G", ONE * 1_000_000_000),
    ("T", ONE * 1_000_000_000_000),
    ("P", ONE * 1_000_000_000_000_000),
    ("E", ONE * 1_000_000_000_000_000_000),
];

/// An amount of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity {
    billionths: i128,
}

impl Quantity {
    /// So many thousandths.
    pub(crate) fn of_millis(millis: u64) -> Self {
        Self {
            billionths: i128::from(millis) * 1_000_000,
        }
    }

    /// So many.
    pub(crate) fn of_units(units: u64) -> Self {
        Self {
            billionths: i128::from(units) * ONE,
        }
    }

    /// The amount that a text stands for; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (sign, text) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let found = SUFFIXES
            .iter()
            .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
        let (number, factor) = found.unwrap_or((text, ONE));
        let (mantissa, exponent) = match number.split_once(['e', 'E']) {
            Some((mantissa, exponent)) if factor == ONE => (mantissa, exponent.parse().ok()?),
            _ => (number, 0_i32),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || whole.len() + fraction.len() == 0 {
            return None;
        }
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let power = 10_i128.checked_pow(shift.unsigned_abs())?;
        let exact = digits.checked_mul(factor)?;
        let billionths = if shift < 0 {
            divided_up(exact, power)
        } else {
            exact.checked_mul(power)?
        };
        Some(Self {
            billionths: sign * billionths,
        })
    }

    /// Whole ones, rounded up; nothing below zero.
    pub(crate) fn units(self) -> u64 {
        u64::try_from(divided_up(self.billionths, ONE).max(0)).unwrap_or(u64::MAX)
    }

    /// Thousandths, rounded up; nothing below zero.
    pub(crate) fn millis(self) -> u64 {
        u64::try_from(divided_up(self.billionths, 1_000_000).max(0)).unwrap_or(u64::MAX)
    }

    /// How many of a divisor, rounded up; a divisor of nothing counts as one.
    pub(crate) fn divided(self, divisor: Self) -> u64 {
        let divisor = if divisor.billionths <= 0 {
            ONE
        } else {
            divisor.billionths
        };
        u64::try_from(divided_up(self.billionths, divisor).max(0)).unwrap_or(u64::MAX)
    }

    /// Whether it is nothing.
    pub(crate) fn is_zero(self) -> bool {
        self.billionths == 0
    }
}

impl std::ops::Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            billionths: self.billionths.saturating_add(other.billionths),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no quantity")))
    }
}

/// Bytes as quantities are written: in the largest unit that leaves no fraction.
pub(crate) fn bytes(amount: u64) -> String {
    for (step, units) in [
        (1024, ["Ki", "Mi", "Gi", "Ti"]),
        (1000, ["k", "M", "G", "T"]),
    ] {
        let (mut amount, mut unit) = (amount, None);
        for name in units {
            if amount == 0 || amount % step != 0 {
                break;
            }
            (amount, unit) = (amount / step, Some(name));
        }
        if let Some(unit) = unit {
            return format!("{amount}{unit}");
        }
    }
    amount.to_string()
}

fn divided_up(amount: i128, by: i128) -> i128 {
    let (whole, rest) = (amount.div_euclid(by), amount.rem_euclid(by));
    whole + i128::from(rest > 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    /// K8S-RUN: amounts as the documentation has them.
    #[test]
    fn amounts_are_read() {
        for (text, millis) in [
            ("250m", 250),
            ("1", 1000),
            ("0.5", 500),
            ("1.5k", 1_500_000),
            ("128Mi", 134_217_728_000),
            ("1e3", 1_000_000),
            ("5e-1", 500),
            ("100n", 1),
            ("-1", 0),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().millis(), millis, "{text}");
        }
        for wrong in ["", "x", "1.2.3", "1Q", ".", "99999999999999999999E", "1e99"] {
            assert_eq!(Quantity::parse(wrong), None, "{wrong}");
        }
        let read: Quantity = serde_json::from_value(json!(2)).unwrap();
        assert_eq!(read, Quantity::of_units(2));
    }

    #[test]
    fn bytes_are_written_as_quantities() {
        for (amount, text) in [
            (0, "0"),
            (1023, "1023"),
            (100 << 20, "100Mi"),
            (1536, "1536"),
            (3 << 10, "3Ki"),
            (5_000_000, "5M"),
        ] {
            assert_eq!(bytes(amount), text);
        }
    }

    #[test]
    fn division_rounds_up() {
        let memory = Quantity::parse("100Mi").unwrap();
        assert_eq!(memory.divided(Quantity::parse("1Mi").unwrap()), 100);
        let cpu = Quantity::parse("250m").unwrap();
        assert_eq!(cpu.divided(Quantity::default()), 1);
        assert_eq!(cpu.divided(Quantity::parse("1m").unwrap()), 250);
    }
}
