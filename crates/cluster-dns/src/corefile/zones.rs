//! Zones as a Corefile writes them.

use crate::question::normal;
use std::net::IpAddr;

/// The zones that a word stands for: a name, or the reverse zones of a prefix. Nothing, if it is neither.
pub(crate) fn zones(word: &str) -> Option<Vec<String>> {
    if let Some((address, length)) = word.split_once('/') {
        return reverse(address.parse().ok()?, length.parse().ok()?);
    }
    let name = normal(word);
    let labels = name.strip_suffix('.')?.split('.');
    let fits = |label: &str| !label.is_empty() && label.len() < 64;
    (name == "." || labels.into_iter().all(fits)).then(|| vec![name])
}

/// The reverse zones of a prefix. Zones end between bytes, or between hexadecimal digits: a prefix that doesn't
/// has several.
fn reverse(address: IpAddr, length: u32) -> Option<Vec<String>> {
    let (bits, unit, suffix, value) = match address {
        IpAddr::V4(address) => (32, 8, "in-addr.arpa.", u128::from(u32::from(address)) << 96),
        IpAddr::V6(address) => (128, 4, "ip6.arpa.", u128::from(address)),
    };
    if length > bits {
        return None;
    }
    let whole = length.next_multiple_of(unit).min(bits);
    let several = 1_u128 << (whole - length);
    let zone = |index: u128| {
        // The address is at the top; so is what counts the zones.
        let low = 128_u32.saturating_sub(whole);
        let masked = match length {
            0 => 0,
            length => value >> (128 - length) << (128 - length),
        };
        let value = masked | index.checked_shl(low).unwrap_or_default();
        let mut name = String::new();
        for part in (0..whole / unit).rev() {
            let digit = value >> (128 - unit * (part + 1)) & ((1 << unit) - 1);
            name.push_str(&match unit {
                8 => format!("{digit}."),
                _ => format!("{digit:x}."),
            });
        }
        name + suffix
    };
    Some((0..several).map(zone).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(word: &str) -> Vec<String> {
        zones(word).unwrap_or_default()
    }

    #[test]
    fn prefixes_are_reverse_zones() {
        assert_eq!(of("10.0.0.0/8"), ["10.in-addr.arpa."]);
        assert_eq!(of("10.96.0.0/24"), ["0.96.10.in-addr.arpa."]);
        assert_eq!(of("10.96.1.7/32"), ["7.1.96.10.in-addr.arpa."]);
        let several = ["96.10.in-addr.arpa.", "97.10.in-addr.arpa."];
        assert_eq!(of("10.96.0.0/15"), several);
        assert_eq!(of("10.96.0.0/12").len(), 16);
        assert_eq!(of("fd00:10::/31").len(), 2);
        assert_eq!(of("fd00::/16"), ["0.0.d.f.ip6.arpa."]);
        assert_eq!(of("0.0.0.0/0"), ["in-addr.arpa."]);
        assert_eq!(zones("10.0.0.0/33"), None);
    }

    #[test]
    fn names_are_normal() {
        assert_eq!(of("."), ["."]);
        assert_eq!(of("Cluster.Local"), ["cluster.local."]);
        assert_eq!(zones("a..b"), None);
    }
}
