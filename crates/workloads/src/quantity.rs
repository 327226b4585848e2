//! Quantities such as `250m` or `128Mi`.
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>

use serde_json::Value;

/// The factors of suffixes, in thousandths.
const SUFFIXES: [(&str, i128); 14] = [
    ("Ki", 1024 * 1000),
    ("Mi", 1_048_576 * 1000),
    ("Gi", 1_073_741_824 * 1000),
    ("Ti", 1_099_511_627_776 * 1000),
    ("Pi", 1_125_899_906_842_624 * 1000),
    ("Ei", 1_152_921_504_606_846_976 * 1000),
    ("m", 1),
    ("k", 1_000_000),
    ("M", 1_000_000_000),
    ("G", 1_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000_000),
    ("", 1000),
];

/// The thousandths of a quantity, rounded up; none for what is no quantity or is too large.
pub(crate) fn milli(value: &Value) -> Option<i64> {
    let number = value.as_number().map(ToString::to_string);
    let text = number.as_deref().or_else(|| value.as_str())?;
    let (digits, factor) = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)))?;
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) if factor == 1000 => (mantissa, exponent.parse::<u32>().ok()?),
        _ => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let plain = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let number: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let factor = factor.checked_mul(10_i128.checked_pow(exponent)?)?;
    let exact = number.checked_mul(factor)?.checked_add(scale - 1)?;
    i64::try_from(exact / scale).ok()
}

/// Thousandths as a quantity: whole numbers without a suffix, others with `m`.
pub(crate) fn format(milli: i64) -> String {
    if milli % 1000 == 0 {
        return (milli / 1000).to_string();
    }
    format!("{milli}m")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_read_with_their_suffix() {
        for (text, wanted) in [
            ("250m", 250),
            ("1", 1000),
            ("0.5", 500),
            ("1.5k", 1_500_000),
            ("128Mi", 134_217_728_000),
            ("1e3", 1_000_000),
            ("0.0001", 1),
        ] {
            assert_eq!(milli(&json!(text)), Some(wanted), "{text}");
        }
        assert_eq!(milli(&json!(2)), Some(2000));
        for text in ["", "x", "1.2.3", "-1", "1Q", ".", "99999999999999999999E"] {
            assert_eq!(milli(&json!(text)), None, "{text}");
        }
        assert_eq!(
            (format(250), format(2000)),
            ("250m".to_owned(), "2".to_owned())
        );
    }
}
