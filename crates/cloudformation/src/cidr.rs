//! `Fn::Cidr`: blocks out of a block.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html>

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The most blocks that one use gives.
const MOST: usize = 256;

/// The first `count` blocks with `bits` bits for hosts, if there are as many.
pub(crate) fn cut(block: &str, count: usize, bits: u8) -> Option<Vec<String>> {
    if !(1..=MOST).contains(&count) {
        return None;
    }
    match block.parse().ok()? {
        IpNet::V4(block) => cut_v4(block, count, bits),
        IpNet::V6(block) => cut_v6(block, count, bits),
    }
}

fn cut_v4(block: Ipv4Net, count: usize, bits: u8) -> Option<Vec<String>> {
    let length = 32u8.checked_sub(bits)?;
    let blocks = block.subnets(length).ok()?;
    let first = u32::from(blocks.clone().next()?.network());
    let fits = blocks.take(count).count() == count;
    let nth = |index: usize| {
        let start = first.checked_add(u32::try_from(index).ok()?.checked_shl(bits.into())?)?;
        Some(format!("{}/{length}", Ipv4Addr::from(start)))
    };
    fits.then(|| (0..count).map(nth).collect()).flatten()
}

fn cut_v6(block: Ipv6Net, count: usize, bits: u8) -> Option<Vec<String>> {
    let length = 128u8.checked_sub(bits)?;
    let first = u128::from(block.network());
    if length < block.prefix_len() {
        return None;
    }
    let room = length - block.prefix_len();
    if u32::from(room) < usize::BITS && count > 1 << room {
        return None;
    }
    let nth = |index: usize| {
        let start = first.checked_add(u128::try_from(index).ok()?.checked_shl(bits.into())?)?;
        Some(format!("{}/{length}", Ipv6Addr::from(start)))
    };
    (0..count).map(nth).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn blocks_are_cut_from_the_start_and_only_as_many_as_there_are() {
        let blocks = cut("192.168.0.0/24", 6, 5).unwrap();
        assert_eq!(blocks.first().unwrap(), "192.168.0.0/27");
        assert_eq!(blocks.last().unwrap(), "192.168.0.160/27");
        assert_eq!(cut("192.168.0.0/24", 9, 5), None);
        assert_eq!(cut("10.0.0.0/16", 2, 33), None);
        assert_eq!(cut("fd00::/56", 2, 64).unwrap()[1], "fd00:0:0:1::/64");
        assert_eq!(cut("fd00::/63", 3, 64), None);
        assert_eq!(cut("x", 1, 8), None);
    }
}
