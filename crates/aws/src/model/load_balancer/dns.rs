//! What a balancer's name stands for: its nodes in zones where it has healthy targets.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health.html>
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#dns-name>

use super::*;
use network_interface::PublicAddress;
use std::net::Ipv4Addr;

/// The addresses of a balancer's name, lower case; `None` for what is no balancer's. A network load
/// balancer's nodes also have names of their own, by zone.
pub fn addresses(state: &State, name: &str) -> Option<Vec<Ipv4Addr>> {
    of_second_generation(state, name).or_else(|| of_classic(state, name))
}

/// A classic balancer's nodes that reach an instance in service.
fn of_classic(state: &State, name: &str) -> Option<Vec<Ipv4Addr>> {
    let mut all = state.classic_load_balancers.values();
    let of = all.find(|of| of.dns_name.eq_ignore_ascii_case(name))?;
    let reaches = |node: &&Node| {
        of.instances.keys().any(|id| {
            let instance = state.instances.get(id);
            let subnet = instance.and_then(|instance| state.subnets.get(&instance.subnet));
            let near = subnet.is_some_and(|subnet| subnet.zone == node.zone);
            let reached = near || of.attributes.cross_zone;
            reached && classic_load_balancer::instance::status(state, of, id).in_service
        })
    };
    let mut chosen: Vec<&Node> = of.nodes.iter().filter(reaches).collect();
    if chosen.is_empty() {
        chosen = of.nodes.iter().collect();
    }
    let public = of.scheme == Scheme::InternetFacing;
    let address = |node: &Node| address(state, public, node);
    Some(chosen.into_iter().filter_map(address).collect())
}

fn of_second_generation(state: &State, name: &str) -> Option<Vec<Ipv4Addr>> {
    let mut all = state.load_balancers.values();
    let (of, zone) = all.find_map(|of| {
        let own = of.dns_name.as_deref()?;
        let before = strip_suffix(name, own)?;
        match before.strip_suffix('.') {
            None => before.is_empty().then_some((of, None)),
            Some(zone) => {
                let known = of.kind == Kind::Network && of.zones().any(|known| known == zone);
                known.then_some((of, Some(zone)))
            }
        }
    })?;
    let of_zone = |node: &&Node| zone.is_none_or(|zone| node.zone == zone);
    let nodes: Vec<&Node> = of.nodes.iter().filter(of_zone).collect();
    let healthy = |node: &&&Node| is_healthy(state, of, &node.zone);
    let mut chosen: Vec<&Node> = nodes.iter().filter(healthy).copied().collect();
    if chosen.is_empty() {
        // With no healthy zone left all are tried.
        chosen = nodes;
    }
    let public = of.scheme == Some(Scheme::InternetFacing);
    let address = |node: &Node| address(state, public, node);
    Some(chosen.into_iter().filter_map(address).collect())
}

fn strip_suffix<'n>(name: &'n str, own: &str) -> Option<&'n str> {
    let at = name.len().checked_sub(own.len())?;
    let (before, rest) = name.split_at_checked(at)?;
    rest.eq_ignore_ascii_case(own).then_some(before)
}

fn address(state: &State, public: bool, node: &Node) -> Option<Ipv4Addr> {
    let interface = state.network_interfaces.get(&node.interface)?;
    let first = interface.addresses.first()?;
    if !public {
        return Some(first.ip);
    }
    match first.public.as_ref()? {
        PublicAddress::Automatic(ip) => Some(*ip),
        PublicAddress::Elastic(allocation) => {
            state.elastic_ips.get(allocation).map(|ip| ip.public_ip)
        }
    }
}

/// Whether a node in a zone reaches a healthy target in each of the balancer's groups that has any.
fn is_healthy(state: &State, of: &LoadBalancer, zone: &str) -> bool {
    let mut groups: Vec<String> = listener::of(state, &of.arn)
        .flat_map(|listener| rule::of(state, &listener.arn))
        .flat_map(|rule| {
            let groups = rule.actions.iter().flat_map(Action::groups);
            groups.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    groups.sort_unstable();
    groups.dedup();
    groups.iter().all(|group| {
        let Some(group) = state.target_groups.get(group) else {
            return true;
        };
        let everywhere = group.crosses_zones(of);
        let mut reached = target::of(state, &group.arn).filter(|target| {
            let own = target::zone(state, group, target);
            everywhere || own.is_none_or(|own| own == zone)
        });
        let good = |state| matches!(state, "healthy" | "unavailable");
        // A group without targets says nothing of a zone, unless it has some in another.
        let none = target::of(state, &group.arn).next().is_none();
        none || reached.any(|target| good(health::of(state, group, target).state))
    })
}
