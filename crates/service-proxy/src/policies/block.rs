//! Blocks of addresses with exceptions.

use ipnet::Ipv4Net;

/// A block without its exceptions, as disjoint ranges.
pub(super) fn without(block: Ipv4Net, exceptions: &[Ipv4Net]) -> Vec<Ipv4Net> {
    let mut left = vec![block.trunc()];
    for exception in exceptions {
        left = left
            .into_iter()
            .flat_map(|range| cut(range, exception))
            .collect();
    }
    left
}

/// A range without another: of each half that the other lies in, the half without it.
fn cut(mut range: Ipv4Net, exception: &Ipv4Net) -> Vec<Ipv4Net> {
    if exception.contains(&range) {
        return Vec::new();
    }
    if !range.contains(exception) {
        return vec![range];
    }
    let mut left = Vec::new();
    while range.prefix_len() < exception.prefix_len() {
        let Ok(halves) = range.subnets(range.prefix_len() + 1) else {
            break;
        };
        let (with, others): (Vec<Ipv4Net>, Vec<Ipv4Net>) =
            halves.partition(|half| half.contains(exception));
        left.extend(others);
        match with.first() {
            Some(half) => range = *half,
            None => break,
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn exceptions_are_cut_out() {
        let ranges = without(net("10.0.0.0/8"), &[net("10.1.0.0/16"), net("10.1.2.0/24")]);
        assert_eq!(ranges.len(), 8);
        let has = |address: &str| {
            let address: std::net::Ipv4Addr = address.parse().unwrap();
            ranges
                .iter()
                .filter(|range| range.contains(&address))
                .count()
        };
        assert_eq!(has("10.0.255.255"), 1);
        assert_eq!(has("10.1.0.0"), 0);
        assert_eq!(has("10.1.255.255"), 0);
        assert_eq!(has("10.2.0.0"), 1);
        assert_eq!(has("10.255.255.255"), 1);
    }

    #[test]
    fn odd_exceptions() {
        let all = net("0.0.0.0/0");
        assert!(without(net("10.0.0.0/24"), &[all]).is_empty());
        assert!(without(net("10.0.0.0/24"), &[net("10.0.0.0/24")]).is_empty());
        let beside = without(net("10.0.0.0/24"), &[net("10.0.1.0/24")]);
        assert_eq!(beside, [net("10.0.0.0/24")]);
        assert_eq!(without(all, &[net("10.0.0.1/32")]).len(), 32);
    }
}
