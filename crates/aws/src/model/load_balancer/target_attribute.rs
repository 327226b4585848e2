//! Target groups' attributes.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html>

use super::setting::{Setting, Values, setting};
use super::*;

const DELAY: Setting = setting(
    "deregistration_delay.timeout_seconds",
    "300",
    Values::Number(0, 3600),
);
const STICKY: Setting = setting("stickiness.enabled", "false", Values::Flag);

const CROSS_ZONE: Setting = setting(
    "load_balancing.cross_zone.enabled",
    "use_load_balancer_configuration",
    Values::OneOf(&["true", "false", "use_load_balancer_configuration"]),
);

const HEALTH: [Setting; 4] = [
    setting(
        "target_group_health.dns_failover.minimum_healthy_targets.count",
        "1",
        Values::NumberOrOff(1, 1000),
    ),
    setting(
        "target_group_health.dns_failover.minimum_healthy_targets.percentage",
        "off",
        Values::NumberOrOff(1, 100),
    ),
    setting(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        "1",
        Values::Number(1, 1000),
    ),
    setting(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        "off",
        Values::NumberOrOff(1, 100),
    ),
];

const HTTP: [Setting; 7] = [
    setting(
        "stickiness.type",
        "lb_cookie",
        Values::OneOf(&["lb_cookie", "app_cookie"]),
    ),
    setting(
        "stickiness.lb_cookie.duration_seconds",
        "86400",
        Values::Number(1, 604_800),
    ),
    setting("stickiness.app_cookie.cookie_name", "", Values::Text(256)),
    setting(
        "stickiness.app_cookie.duration_seconds",
        "86400",
        Values::Number(1, 604_800),
    ),
    setting(
        "load_balancing.algorithm.type",
        "round_robin",
        Values::OneOf(&[
            "round_robin",
            "least_outstanding_requests",
            "weighted_random",
        ]),
    ),
    setting(
        "load_balancing.algorithm.anomaly_mitigation",
        "off",
        Values::OneOf(&["on", "off"]),
    ),
    setting(
        "slow_start.duration_seconds",
        "0",
        Values::NumberOrNone(30, 900),
    ),
];

const FLOWS: &str = "The attribute cannot be changed for target groups of this protocol and type";

fn network(group: &TargetGroup) -> Vec<Setting> {
    let datagrams = group.protocol.is_some_and(Protocol::has_datagrams);
    let by_address = group.target_type == TargetType::Ip && !datagrams;
    let flag = |on: bool| if on { "true" } else { "false" };
    // What holds for UDP can't be turned off; an application load balancer behind one always sees clients.
    let fixed = datagrams || group.target_type == TargetType::Alb;
    let preserve = match fixed {
        true => Values::Only("true", FLOWS),
        false => Values::Flag,
    };
    let terminate = match datagrams {
        true => Values::Only("false", FLOWS),
        false => Values::Flag,
    };
    vec![
        DELAY,
        setting(
            "deregistration_delay.connection_termination.enabled",
            flag(datagrams),
            Values::Flag,
        ),
        setting("preserve_client_ip.enabled", flag(!by_address), preserve),
        setting("proxy_protocol_v2.enabled", "false", Values::Flag),
        STICKY,
        setting(
            "stickiness.type",
            "source_ip",
            Values::OneOf(&["source_ip"]),
        ),
        CROSS_ZONE,
        setting(
            "target_health_state.unhealthy.connection_termination.enabled",
            flag(!datagrams),
            terminate,
        ),
        setting(
            "target_health_state.unhealthy.draining_interval_seconds",
            "0",
            Values::Number(0, 360_000),
        ),
    ]
}

const GATEWAY: [Setting; 6] = [
    DELAY,
    STICKY,
    setting(
        "stickiness.type",
        "source_ip_dest_ip_proto",
        Values::OneOf(&["source_ip_dest_ip", "source_ip_dest_ip_proto"]),
    ),
    CROSS_ZONE,
    setting(
        "target_failover.on_deregistration",
        "no_rebalance",
        Values::OneOf(&["rebalance", "no_rebalance"]),
    ),
    setting(
        "target_failover.on_unhealthy",
        "no_rebalance",
        Values::OneOf(&["rebalance", "no_rebalance"]),
    ),
];

/// A group's attributes.
pub(super) fn settings(group: &TargetGroup) -> Vec<Setting> {
    let mut settings = match (group.target_type, group.kind()) {
        (TargetType::Lambda, _) => vec![
            setting("lambda.multi_value_headers.enabled", "false", Values::Flag),
            CROSS_ZONE,
        ],
        (_, Kind::Application) => {
            let mut settings = vec![DELAY, STICKY, CROSS_ZONE];
            settings.extend(HTTP);
            settings
        }
        (_, Kind::Network) => network(group),
        (_, Kind::Gateway) => return GATEWAY.to_vec(),
    };
    settings.extend(HEALTH);
    settings
}

/// Refuses values that don't go together.
///
/// # Errors
/// `InvalidConfigurationRequest`.
pub(super) fn check_together(group: &TargetGroup) -> Result<(), Refusal> {
    let of = |key: &str| group.attribute(key).unwrap_or_default();
    let cookie = of("stickiness.app_cookie.cookie_name");
    let reserved = ["AWSALB", "AWSALBAPP", "AWSALBTG"];
    if reserved.iter().any(|name| cookie.starts_with(name)) {
        return Err(misconfigured(format!(
            "'stickiness.app_cookie.cookie_name' value '{cookie}' begins with a reserved prefix"
        )));
    }
    let sticky = of("stickiness.enabled") == "true";
    if sticky && of("stickiness.type") == "app_cookie" && cookie.is_empty() {
        return Err(misconfigured(
            "You must specify a cookie name if the stickiness type is 'app_cookie'",
        ));
    }
    if of("load_balancing.algorithm.anomaly_mitigation") == "on"
        && of("load_balancing.algorithm.type") != "weighted_random"
    {
        return Err(misconfigured(
            "Anomaly mitigation is supported only with the 'weighted_random' algorithm",
        ));
    }
    // <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html>
    let slow = !matches!(of("slow_start.duration_seconds").as_str(), "0" | "");
    if slow && of("load_balancing.algorithm.type") != "round_robin" {
        return Err(misconfigured(
            "Slow start mode is supported only with the 'round_robin' algorithm",
        ));
    }
    if of("target_failover.on_deregistration") != of("target_failover.on_unhealthy") {
        return Err(misconfigured(
            "The attributes 'target_failover.on_deregistration' and 'target_failover.on_unhealthy' must have the same value",
        ));
    }
    let drains = of("target_health_state.unhealthy.draining_interval_seconds");
    if !matches!(drains.as_str(), "0" | "")
        && of("target_health_state.unhealthy.connection_termination.enabled") == "true"
    {
        return Err(misconfigured(
            "The draining interval can be set only if connection termination for unhealthy targets is disabled",
        ));
    }
    Ok(())
}
