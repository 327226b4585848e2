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
}
