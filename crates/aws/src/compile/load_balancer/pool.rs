//! Target group → pool.

use crate::model::load_balancer::{
    Action, HealthPort, Kind, LoadBalancer, Matcher, Node, Protocol, Target, TargetGroup,
    TargetType, health, listener, rule, target,
};
use crate::model::{InstanceId, State, network_interface};
use fabric::NumberRange;
use fabric::balancer::{
    Algorithm, Conduct, HealthCheck, Member, MemberState, Pool, Preamble, Probe, SourceSeen,
    Speech, Stickiness,
};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// For how long a client of forwarded flows stays with its target: AWS says no bound, so a day.
const STICKY: u32 = 86_400;

/// The pools of the groups that a balancer's rules forward to.
pub(super) fn of_balancer(state: &State, balancer: &LoadBalancer) -> Vec<Pool> {
    let rules = listener::of(state, &balancer.arn).flat_map(|of| rule::of(state, &of.arn));
    let groups: BTreeSet<String> = rules
        .flat_map(|rule| {
            let groups = rule.actions.iter().flat_map(Action::groups);
            groups.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    groups
        .iter()
        .filter_map(|arn| state.target_groups.get(arn))
        .map(|group| pool(state, balancer, group))
        .collect()
}

fn pool(state: &State, balancer: &LoadBalancer, group: &TargetGroup) -> Pool {
    let attribute = |key: &str| group.attribute(key).unwrap_or_default();
    let sticky = attribute("stickiness.enabled") == "true";
    let forwards = group.kind() != Kind::Application;
    Pool {
        id: group.arn.as_str().into(),
        speech: speech(group),
        members: target::of(state, &group.arn)
            .flat_map(|target| members(state, group, target))
            .collect(),
        cross_zone: group.crosses_zones(balancer),
        source: match group.preserves_clients() {
            true => SourceSeen::Client,
            false => SourceSeen::Node,
        },
        affinity: (sticky && forwards).then_some(STICKY),
        health_check: group.health_check.enabled.then(|| health_check(group)),
        conduct: conduct(group, sticky),
    }
}

fn speech(group: &TargetGroup) -> Speech {
    let two = group
        .protocol_version
        .as_deref()
        .is_some_and(|version| version != "HTTP1");
    match (group.protocol, two) {
        (Some(Protocol::Http), false) => Speech::Http1,
        (Some(Protocol::Http), true) => Speech::Http2,
        (Some(Protocol::Https), false) => Speech::Https1,
        (Some(Protocol::Https), true) => Speech::Https2,
        (Some(Protocol::Tls), _) => Speech::Tls,
        _ => Speech::Plain,
    }
}

fn conduct(group: &TargetGroup, sticky: bool) -> Conduct {
    let attribute = |key: &str| group.attribute(key).unwrap_or_default();
    let number = |key: &str| attribute(key).parse::<u32>().unwrap_or_default();
    let stickiness = match attribute("stickiness.type").as_str() {
        "lb_cookie" => Some(Stickiness::Own {
            seconds: number("stickiness.lb_cookie.duration_seconds"),
        }),
        "app_cookie" => Some(Stickiness::Application {
            cookie: attribute("stickiness.app_cookie.cookie_name"),
            seconds: number("stickiness.app_cookie.duration_seconds"),
        }),
        _ => None,
    };
    Conduct {
        algorithm: match attribute("load_balancing.algorithm.type").as_str() {
            "least_outstanding_requests" => Algorithm::LeastOutstanding,
            "weighted_random" => Algorithm::Random,
            _ => Algorithm::RoundRobin,
        },
        stickiness: stickiness.filter(|_| sticky),
        slow_start: number("slow_start.duration_seconds"),
        cut_when_gone: attribute("deregistration_delay.connection_termination.enabled") == "true",
        preamble: has_preamble(group).then_some(Preamble::ProxyV2),
        grpc: group.protocol_version.as_deref() == Some("GRPC"),
        function: None,
    }
}

/// Whether connections to a group's targets begin with who the client is.
pub(super) fn has_preamble(group: &TargetGroup) -> bool {
    group.attribute("proxy_protocol_v2.enabled").as_deref() == Some("true")
}

fn health_check(group: &TargetGroup) -> HealthCheck {
    let check = &group.health_check;
    let path = check.path.clone().unwrap_or_else(|| "/".to_owned());
    let tls = check.protocol == Protocol::Https;
    let probe = match (check.protocol, &check.matcher) {
        (Protocol::Http | Protocol::Https, Some(Matcher::Grpc(codes))) => Probe::Grpc {
            tls,
            path,
            statuses: ranges(codes),
        },
        (Protocol::Http | Protocol::Https, Some(Matcher::Http(codes))) => Probe::Http {
            speech: match (tls, group.protocol_version.as_deref()) {
                (false, Some("HTTP2")) => Speech::Http2,
                (true, Some("HTTP2")) => Speech::Https2,
                (false, _) => Speech::Http1,
                (true, _) => Speech::Https1,
            },
            path,
            statuses: ranges(codes),
        },
        _ => Probe::Tcp,
    };
    HealthCheck {
        probe,
        interval: check.interval,
        timeout: check.timeout,
        healthy_after: check.healthy,
        unhealthy_after: check.unhealthy,
    }
}

/// `200,202-204` as ranges.
pub(super) fn ranges(codes: &str) -> Vec<NumberRange> {
    let range = |part: &str| {
        let (low, high) = part
            .trim()
            .split_once('-')
            .unwrap_or((part.trim(), part.trim()));
        Some(NumberRange::new(low.parse().ok()?, high.parse().ok()?))
    };
    codes.split(',').filter_map(range).collect()
}

/// A target as members: one, or as many as its balancer has nodes.
fn members(state: &State, group: &TargetGroup, target: &Target) -> Vec<Member> {
    let places: Vec<(Ipv4Addr, Option<String>)> = match group.target_type {
        TargetType::Instance => {
            let id = InstanceId::from(target.key.id.as_str());
            let zone = target::zone(state, group, target);
            address(state, &id)
                .map(|of| (of, zone))
                .into_iter()
                .collect()
        }
        TargetType::Ip => {
            let zone = target::zone(state, group, target);
            target
                .key
                .id
                .parse()
                .map(|of| (of, zone))
                .into_iter()
                .collect()
        }
        TargetType::Alb => state
            .load_balancers
            .get(&target.key.id)
            .map_or_else(Vec::new, |of| {
                let node =
                    |node: &Node| Some((node_address(state, node)?, Some(node.zone.clone())));
                of.nodes.iter().filter_map(node).collect()
            }),
        TargetType::Lambda => Vec::new(),
    };
    let status = health::of(state, group, target);
    let check_port = match group.health_check.port {
        HealthPort::Traffic => target.key.port,
        HealthPort::Number(number) => number,
    };
    let member = |(address, zone): (Ipv4Addr, Option<String>)| Member {
        name: target.key.id.clone(),
        address,
        port: target.key.port,
        check_port,
        zone,
        state: member_state(status.state),
        reason: status.reason.map(|reason| reason.code().to_owned()),
    };
    places.into_iter().map(member).collect()
}

fn member_state(shown: &str) -> MemberState {
    match shown {
        // What isn't checked counts as healthy.
        "healthy" | "unavailable" => MemberState::Healthy,
        "initial" => MemberState::Initial,
        "draining" => MemberState::Draining,
        "unused" => MemberState::Unused,
        _ => MemberState::Unhealthy,
    }
}

/// An instance's address: the primary one of its first interface.
pub(super) fn address(state: &State, id: &InstanceId) -> Option<Ipv4Addr> {
    let interfaces = network_interface::of_instance(state, id);
    Some(interfaces.first()?.primary()?.ip)
}

fn node_address(state: &State, node: &Node) -> Option<Ipv4Addr> {
    Some(state.network_interfaces.get(&node.interface)?.primary()?.ip)
}
