//! Network ACL → stateless first-match filter on the subnet's boundary.
//!
//! Entries are asked by number, the lowest first; what none matches meets the final `*` deny.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html>

use super::security_group::{address_match, protocol_match};
use crate::model::network_acl::NetworkAclEntry;
use crate::model::{NetworkAclId, State};
use fabric::{AddressMatch, Filter, FilterAction, FilterKind, FilterRule, RuleId, Tracking};

pub(super) fn filter(state: &State, id: &NetworkAclId) -> Option<Filter> {
    let acl = state.network_acls.get(id)?;
    let rules = |egress: bool| {
        let mut entries: Vec<_> = acl
            .entries
            .iter()
            .filter(|entry| entry.egress == egress)
            .collect();
        entries.sort_by_key(|entry| entry.number);
        entries.into_iter().filter_map(compile_entry).collect()
    };
    Some(Filter {
        id: id.as_str().into(),
        kind: FilterKind::FirstMatch,
        stateful: false,
        tracking: Tracking::Always,
        ingress: rules(false),
        egress: rules(true),
    })
}

/// An entry; `None` for one that no IPv4 packet can match.
fn compile_entry(entry: &NetworkAclEntry) -> Option<FilterRule> {
    let peer = address_match(&entry.cidr)?;
    let (source, destination) = if entry.egress {
        (AddressMatch::Any, peer)
    } else {
        (peer, AddressMatch::Any)
    };
    Some(FilterRule {
        id: RuleId::from(entry.number.to_string()),
        action: if entry.allow {
            FilterAction::Allow
        } else {
            FilterAction::Deny
        },
        protocol: protocol_match(&entry.traffic),
        source,
        destination,
    })
}
