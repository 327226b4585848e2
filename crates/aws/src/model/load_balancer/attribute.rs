//! Load balancers' attributes.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>

use super::setting::{self, Setting, Values, setting};
use super::*;

const PROTECTION: Setting = setting("deletion_protection.enabled", "false", Values::Flag);
const IPV6: Setting = setting("ipv6.deny_all_igw_traffic", "false", Values::Flag);
const ZONAL_SHIFT: Setting = setting("zonal_shift.config.enabled", "false", Values::Flag);

/// The attributes of logs in a bucket.
macro_rules! logs {
    ($name:literal) => {
        [
            setting(concat!($name, ".s3.enabled"), "false", Values::Flag),
            setting(concat!($name, ".s3.bucket"), "", Values::Text(1024)),
            setting(concat!($name, ".s3.prefix"), "", Values::Text(1024)),
        ]
    };
}

const ACCESS_LOGS: [Setting; 3] = logs!("access_logs");
const CONNECTION_LOGS: [Setting; 3] = logs!("connection_logs");
const HEALTH_CHECK_LOGS: [Setting; 3] = logs!("health_check_logs");

const HTTP: [Setting; 12] = [
    setting(
        "load_balancing.cross_zone.enabled",
        "true",
        Values::Only(
            "true",
            "Cross-zone load balancing cannot be disabled for load balancers with type 'application'",
        ),
    ),
    setting(
        "idle_timeout.timeout_seconds",
        "60",
        Values::Number(1, 4000),
    ),
    setting(
        "client_keep_alive.seconds",
        "3600",
        Values::Number(60, 604_800),
    ),
    setting(
        "routing.http.desync_mitigation_mode",
        "defensive",
        Values::OneOf(&["monitor", "defensive", "strictest"]),
    ),
    setting(
        "routing.http.drop_invalid_header_fields.enabled",
        "false",
        Values::Flag,
    ),
    setting(
        "routing.http.preserve_host_header.enabled",
        "false",
        Values::Flag,
    ),
    setting(
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
        "false",
        Values::Flag,
    ),
    setting(
        "routing.http.xff_client_port.enabled",
        "false",
        Values::Flag,
    ),
    setting(
        "routing.http.xff_header_processing.mode",
        "append",
        Values::OneOf(&["append", "preserve", "remove"]),
    ),
    setting("routing.http2.enabled", "true", Values::Flag),
    setting("waf.fail_open.enabled", "false", Values::Flag),
    IPV6,
];

const NETWORK: [Setting; 4] = [
    setting("load_balancing.cross_zone.enabled", "false", Values::Flag),
    IPV6,
    setting(
        "dns_record.client_routing_policy",
        "any_availability_zone",
        Values::OneOf(&[
            "any_availability_zone",
            "availability_zone_affinity",
            "partial_availability_zone_affinity",
        ]),
    ),
    setting(
        "secondary_ips.auto_assigned.per_subnet",
        "0",
        Values::Only(
            "0",
            "Skylab does not have secondary addresses of load balancers' nodes yet",
        ),
    ),
];

const GATEWAY: [Setting; 1] = [setting(
    "load_balancing.cross_zone.enabled",
    "false",
    Values::Flag,
)];

fn settings(kind: Kind) -> Vec<Setting> {
    let mut settings = vec![PROTECTION];
    match kind {
        Kind::Application => {
            settings.extend(ACCESS_LOGS);
            settings.extend(CONNECTION_LOGS);
            settings.extend(HEALTH_CHECK_LOGS);
            settings.extend(HTTP);
            settings.push(ZONAL_SHIFT);
        }
        Kind::Network => {
            settings.extend(ACCESS_LOGS);
            settings.extend(NETWORK);
            settings.push(ZONAL_SHIFT);
        }
        Kind::Gateway => settings.extend(GATEWAY),
    }
    settings
}

/// All attributes of a balancer.
pub fn of(balancer: &LoadBalancer) -> Vec<(String, String)> {
    setting::all(&settings(balancer.kind), &balancer.attributes)
}

/// Sets attributes.
///
/// # Errors
/// `InvalidConfigurationRequest`, `ValidationError`; logs are refused, because there is no bucket for them.
pub fn modify(
    state: &mut State,
    context: &Context,
    arn: &str,
    wanted: &[(String, String)],
) -> Result<(), Refusal> {
    let balancer = find(state, context, arn)?;
    let set = setting::apply(
        &settings(balancer.kind),
        &balancer.attributes,
        "Load balancer",
        wanted,
    )?;
    for logs in ["access_logs", "connection_logs", "health_check_logs"] {
        if set.get(&format!("{logs}.s3.enabled")).map(String::as_str) != Some("true") {
            continue;
        }
        let key = format!("{logs}.s3.bucket");
        // There is no S3 in the lab, so whatever bucket it is, nobody may write to it.
        return Err(misconfigured(match set.get(&key).map(String::as_str) {
            None | Some("") => format!("The value of '{key}' cannot be empty"),
            Some(bucket) => {
                format!("Access Denied for bucket: {bucket}. Please check S3bucket permission")
            }
        }));
    }
    edit(state, arn, |balancer| balancer.attributes = set);
    Ok(())
}
