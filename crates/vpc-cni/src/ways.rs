//! Rules and tables of a node: which way what pods send and get takes.
//!
//! | priority | rule | when |
//! | --- | --- | --- |
//! | 512 | `to <pod> lookup main` | every pod |
//! | 1024 | `fwmark 0x80/0x80 lookup main` | what is marked leaves by the primary interface |
//! | 1535 | `to <range> lookup main` | ranges that are reached by the primary interface |
//! | 1536 | `from <pod> lookup <table>` | pods of other interfaces |
//! | 32765 | `from <primary address> lookup <table>` | each other interface |
//!
//! <https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/cni-proposal.md#inside-host-network-stack>

use ipnet::Ipv4Net;
use kernel::NetlinkError;
use kernel::routing::{MAIN, OwnRule, Routing};
use std::net::Ipv4Addr;

const TO_POD: u32 = 512;
const MARKED: u32 = 1024;
const EXTERNAL: u32 = 1535;
const FROM_POD: u32 = 1536;
const FROM_INTERFACE: u32 = 32_765;

/// The table of an interface: main for the first one.
pub fn table(device: u32) -> u32 {
    if device == 0 { MAIN } else { device + 1 }
}

fn from(priority: u32, table: u32, address: Ipv4Addr) -> OwnRule {
    OwnRule {
        priority,
        table,
        from: Some(address.into()),
        to: None,
        mark: None,
    }
}

fn to(priority: u32, range: Ipv4Net) -> OwnRule {
    OwnRule {
        priority,
        table: MAIN,
        from: None,
        to: Some(range),
        mark: None,
    }
}

/// The rule of an interface's own address.
pub(crate) fn of_interface(address: Ipv4Addr, table: u32) -> OwnRule {
    from(FROM_INTERFACE, table, address)
}

/// The rule of what is marked.
pub(crate) fn of_marked(mark: u32) -> OwnRule {
    OwnRule {
        priority: MARKED,
        table: MAIN,
        from: None,
        to: None,
        mark: Some((mark, mark)),
    }
}

/// The rules of a pod.
pub(crate) fn of_pod(address: Ipv4Addr, pods_table: u32) -> Vec<OwnRule> {
    let mut rules = vec![to(TO_POD, address.into())];
    if pods_table != MAIN {
        rules.push(from(FROM_POD, pods_table, address));
    }
    rules
}

/// Makes a pod's rules; what is left of an earlier owner of the address makes way.
///
/// # Errors
/// The kernel refuses.
pub(crate) fn add_pod(
    routing: &mut Routing,
    address: Ipv4Addr,
    table: u32,
) -> Result<(), NetlinkError> {
    let wanted = of_pod(address, table);
    for rule in routing.rules()? {
        if is_of_pod(&rule, address) && !wanted.contains(&rule) {
            routing.remove_rule(&rule)?;
        }
    }
    wanted.iter().try_for_each(|rule| routing.add_rule(rule))
}

/// Removes a pod's rules, whichever table they name.
///
/// # Errors
/// The kernel refuses.
pub(crate) fn remove_pod(routing: &mut Routing, address: Ipv4Addr) -> Result<(), NetlinkError> {
    for rule in routing.rules()? {
        if is_of_pod(&rule, address) {
            routing.remove_rule(&rule)?;
        }
    }
    Ok(())
}

fn is_of_pod(rule: &OwnRule, address: Ipv4Addr) -> bool {
    let one = Some(Ipv4Net::from(address));
    (rule.priority == TO_POD && rule.to == one) || (rule.priority == FROM_POD && rule.from == one)
}

/// Makes the rules of ranges that are reached by the primary interface these.
///
/// # Errors
/// The kernel refuses.
pub(crate) fn set_external(routing: &mut Routing, ranges: &[Ipv4Net]) -> Result<(), NetlinkError> {
    let wanted: Vec<OwnRule> = ranges.iter().map(|range| to(EXTERNAL, *range)).collect();
    for rule in routing.rules()? {
        if rule.priority == EXTERNAL && !wanted.contains(&rule) {
            routing.remove_rule(&rule)?;
        }
    }
    wanted.iter().try_for_each(|rule| routing.add_rule(rule))
}

/// Makes the rule of what is marked be there, or not.
///
/// # Errors
/// The kernel refuses.
pub(crate) fn set_marked(routing: &mut Routing, mark: Option<u32>) -> Result<(), NetlinkError> {
    let wanted = mark.map(of_marked);
    for rule in routing.rules()? {
        if rule.priority == MARKED && Some(&rule) != wanted.as_ref() {
            routing.remove_rule(&rule)?;
        }
    }
    wanted.map_or(Ok(()), |rule| routing.add_rule(&rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-CNI: pods of the primary interface have no rule by their source; the table of another one is
    /// its device index and one.
    #[test]
    fn only_pods_of_other_interfaces_have_a_table() {
        let pod = Ipv4Addr::new(10, 0, 1, 7);
        assert_eq!(of_pod(pod, table(0)).len(), 1);
        let rules = of_pod(pod, table(2));
        assert_eq!((rules[1].priority, rules[1].table), (1536, 3));
        assert!(rules.iter().all(|rule| is_of_pod(rule, pod)));
    }
}
