//! Amounts: `500m`, `1Gi`, `1e3`.
//!
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>

/// What an amount's suffix multiplies by.
const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// An amount as a number; `None` if it is none.
pub fn parse(text: &str) -> Option<f64> {
    let plain = |text: &str| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let fits = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && digits
                .chars()
                .all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
        fits.then(|| text.parse::<f64>().ok()).flatten()
    };
    if let Some(number) = plain(text) {
        return Some(number);
    }
    SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| Some(plain(text.strip_suffix(suffix)?)? * factor))
}

/// An amount in thousandths, as processors are counted.
pub fn milli(text: &str) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation)] // amounts of processors are far from the bounds
    parse(text).map(|amount| (amount * 1000.0).ceil() as i64)
}

/// An amount that is added up and written again, exact to a thousandth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount {
    milli: i128,
    /// Whether it is written by powers of 1024.
    binary: bool,
}

impl Amount {
    /// So many.
    pub fn count(number: usize) -> Self {
        Self {
            milli: i128::try_from(number).unwrap_or(0) * 1000,
            binary: false,
        }
    }

    /// What text says; `None` if it is no amount. What is smaller than a thousandth counts as one.
    pub fn parse(text: &str) -> Option<Self> {
        #[allow(clippy::cast_possible_truncation)] // far from the bounds of 128 bits
        let milli = (parse(text)? * 1000.0).ceil() as i128;
        Some(Self {
            milli,
            binary: text.ends_with('i'),
        })
    }

    /// An amount of JSON: text, or a number.
    pub fn of(value: &serde_json::Value) -> Option<Self> {
        match value {
            serde_json::Value::String(text) => Self::parse(text),
            serde_json::Value::Number(number) => Self::parse(&number.to_string()),
            _ => None,
        }
    }

    /// How many times another goes into it.
    #[allow(clippy::cast_precision_loss)] // a ratio for people
    pub fn ratio(self, other: Self) -> Option<f64> {
        (other.milli != 0).then(|| self.milli as f64 / other.milli as f64)
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.milli == 0
    }

    /// The larger of two.
    #[must_use]
    pub fn most(self, other: Self) -> Self {
        if other.milli > self.milli {
            other
        } else {
            self
        }
    }

    /// Compares by value alone, however they are written.
    pub fn exceeds(self, other: Self) -> bool {
        self.milli > other.milli
    }
}

impl std::ops::Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        // Nothing takes the form of what is added to it, as in upstream's sums.
        let binary = if self.milli == 0 {
            other.binary
        } else {
            self.binary
        };
        Self {
            milli: self.milli.saturating_add(other.milli),
            binary,
        }
    }
}

impl std::ops::Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            milli: self.milli.saturating_sub(other.milli),
            binary: self.binary,
        }
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), |sum, amount| sum + amount)
    }
}

impl std::fmt::Display for Amount {
    /// In upstream's canonical form: no fraction, the largest suffix.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.milli % 1000 != 0 {
            return write!(f, "{}m", self.milli);
        }
        let mut number = self.milli / 1000;
        let (base, suffixes) = if self.binary && number.abs() >= 1024 {
            (1024, ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"])
        } else {
            (1000, ["", "k", "M", "G", "T", "P", "E"])
        };
        let mut step = 0;
        while number != 0 && number % base == 0 && step + 1 < suffixes.len() {
            number /= base;
            step += 1;
        }
        write!(f, "{number}{}", suffixes[step])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K8S-API: amounts as the documentation has them.
    #[test]
    fn amounts_are_read() {
        assert_eq!(parse("500m"), Some(0.5));
        assert_eq!(parse("1Gi"), Some(1_073_741_824.0));
        assert_eq!(parse("1e3"), Some(1000.0));
        assert_eq!(parse("2E"), Some(2e18));
        assert_eq!(milli("100m"), Some(100));
        for wrong in ["", "x", "1Zi", "1 Gi", "nan", "inf"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    /// K8S-API: sums are written as upstream writes them.
    #[test]
    fn sums_are_canonical() {
        let sum = |texts: &[&str]| {
            let all = texts.iter().filter_map(|text| Amount::parse(text));
            all.sum::<Amount>().to_string()
        };
        assert_eq!(sum(&["500m", "500m"]), "1");
        assert_eq!(sum(&["500m", "1"]), "1500m");
        assert_eq!(sum(&["1Gi", "512Mi"]), "1536Mi");
        assert_eq!(sum(&["512Mi", "512Mi"]), "1Gi");
        assert_eq!(sum(&["1000"]), "1k");
        assert_eq!(sum(&[]), "0");
        assert_eq!(sum(&["100Ki", "1"]), "102401");
    }
}
