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

    /// K8S-NET: a rule with many blocks has them in a set: one block more or less changes the set alone, by itself.
    #[test]
    fn many_blocks_are_a_set() {
        use super::super::Compiler;
        use fabric::{AddressMatch, AddressTerm, FilterId};
        use serde_json::json;

        let policy = |name: &str, blocks: std::ops::Range<u32>| {
            let block = |n: u32| json!({"ipBlock": {"cidr": format!("{}/32", std::net::Ipv4Addr::from(n))}});
            let blocks: Vec<_> = blocks.map(block).collect();
            json!({
                "metadata": {"namespace": "default", "name": name},
                "spec": {"podSelector": {}, "ingress": [{"from": blocks, "ports": [{"port": 80}]}]},
            })
        };
        let mut compiler = Compiler::new();
        compiler.policy(&policy("many", 0..1000));
        compiler.policy(&policy("few", 0..3));
        let before = compiler.on("node");
        let set = |of: &fabric::Policies| of.address_sets.values().next().unwrap().clone();
        assert_eq!(
            (before.address_sets.len(), set(&before).members.len()),
            (1, 1000)
        );
        let few = &before.filters[&FilterId::from("default/few")];
        let AddressMatch::AnyOf(terms) = &few.ingress[0].source else {
            panic!("{few:?}");
        };
        assert!(
            terms
                .iter()
                .all(|term| matches!(term, AddressTerm::Prefix(_)))
        );

        compiler.policy(&policy("many", 1..1001));
        let after = compiler.on("node");
        assert_eq!(before.filters, after.filters);
        let was = set(&before);
        let (was, is) = (&was.members, set(&after));
        assert_eq!(was.diff(&is.members).count(), 2);
        compiler.policy(&policy("many", 1..1001));
        assert!(std::sync::Arc::ptr_eq(&is, &set(&compiler.on("node"))));

        compiler.policy(&policy("many", 0..3));
        assert!(compiler.on("node").address_sets.is_empty());
        compiler.policy(&policy("many", 0..100));
        compiler.policy_gone("default", "many");
        assert!(compiler.on("node").address_sets.is_empty());
    }
}
