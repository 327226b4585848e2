//! How many rules a group may have.
//!
//! The quota holds for each direction and for IPv4 and IPv6 apart; a rule that names a group counts
//! for both, one that names a prefix list counts as the list's maximum of entries.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>

use super::*;
use crate::model::quota::{self, Quota};

/// How much a rule counts among the IPv4 rules and among the IPv6 rules.
fn weight(state: &State, peer: &Peer) -> (usize, usize) {
    match peer {
        Peer::Cidr(IpNet::V4(_)) => (1, 0),
        Peer::Cidr(IpNet::V6(_)) => (0, 1),
        Peer::Group(_) => (1, 1),
        Peer::PrefixList(id) => (
            state
                .prefix_lists
                .get(id)
                .map_or(1, |list| list.max_entries as usize),
            0,
        ),
    }
}

/// Refuses a group with more rules than the quota.
pub(super) fn check(
    state: &State,
    context: &Context,
    group: &SecurityGroup,
) -> Result<(), Refusal> {
    for egress in [false, true] {
        let rules = group.rules.iter().filter(|rule| rule.egress == egress);
        let (v4, v6) = rules
            .map(|rule| weight(state, &rule.peer))
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        quota::check(context, Quota::RulesPerGroup, v4.max(v6), 0)?;
    }
    Ok(())
}

/// Refuses a prefix list's new maximum that brings a group over its quota.
pub(crate) fn check_resized_list(
    state: &State,
    context: &Context,
    list: &PrefixListId,
) -> Result<(), Refusal> {
    let names_it =
        |rule: &SecurityGroupRule| matches!(&rule.peer, Peer::PrefixList(id) if id == list);
    let mut groups = state.security_groups.values();
    groups
        .by_ref()
        .filter(|group| group.rules.iter().any(names_it))
        .try_for_each(|group| check(state, context, group))
}
