//! Listener → listener.

use super::{pool, rule};
use crate::model::State;
use crate::model::load_balancer::{
    Action, Kind, Listener as Of, LoadBalancer, Protocol, listener, rule as rules,
};
use fabric::balancer::http::{Desync, Dialect, ForwardedFor, HeaderConduct, Http, Rule};
use fabric::balancer::{Forwarding, Listener, Service, Stream, Tls, Transport};
use fabric::{NumberRange, PoolId};
use std::sync::Arc;

/// After how many seconds a UDP flow is forgotten.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#connection-idle-timeout>
const UDP_IDLE: u32 = 120;
/// After how many seconds a TLS connection is.
const TLS_IDLE: u32 = 350;

/// A balancer's listeners.
pub(super) fn of_balancer(state: &State, balancer: &LoadBalancer) -> Vec<Arc<Listener>> {
    listener::of(state, &balancer.arn)
        .filter_map(|of| one(state, balancer, of))
        .map(Arc::new)
        .collect()
}

fn one(state: &State, balancer: &LoadBalancer, of: &Of) -> Option<Listener> {
    let protocol = of.protocol?;
    let service = match balancer.kind {
        Kind::Application => Service::Http(http(state, balancer, of)?),
        _ => connections(state, of, protocol)?,
    };
    Some(Listener {
        id: of.arn.as_str().into(),
        transports: match protocol {
            Protocol::Udp => vec![Transport::Udp],
            Protocol::TcpUdp => vec![Transport::Tcp, Transport::Udp],
            _ => vec![Transport::Tcp],
        },
        ports: NumberRange::one(of.port?),
        service,
    })
}

/// What a network load balancer makes of connections.
fn connections(state: &State, of: &Of, protocol: Protocol) -> Option<Service> {
    let rule = listener::default_rule(state, &of.arn)?;
    let arn = rule.actions.iter().flat_map(Action::groups).next()?;
    let group = state.target_groups.get(arn)?;
    let pool: PoolId = arn.into();
    let idle = listener::attributes(state, of)
        .into_iter()
        .find(|(key, _)| key == "tcp.idle_timeout.seconds")
        .and_then(|(_, value)| value.parse().ok());
    if protocol == Protocol::Tls || pool::has_preamble(group) {
        return Some(Service::Stream(Stream {
            tls: tls(of, alpn(of)),
            pool,
            idle_timeout: idle.unwrap_or(TLS_IDLE),
            access_log: (protocol == Protocol::Tls).then_some(Dialect::AwsNetwork),
        }));
    }
    Some(Service::Forward(Forwarding {
        pool,
        keeps_destination: false,
        idle_timeout: idle.unwrap_or(UDP_IDLE),
    }))
}

/// What a TLS listener offers in ALPN.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-listeners.html#alpn-policies>
fn alpn(of: &Of) -> &'static [&'static str] {
    match of.alpn.as_deref() {
        Some("HTTP1Only") => &["http/1.1", "http/1.0"],
        Some("HTTP2Only") => &["h2"],
        Some("HTTP2Optional") => &["http/1.1", "http/1.0", "h2"],
        Some("HTTP2Preferred") => &["h2", "http/1.1", "http/1.0"],
        _ => &[],
    }
}

fn tls(of: &Of, alpn: &[&str]) -> Option<Tls> {
    let (default, others) = of.certificates.split_first()?;
    Some(Tls {
        default_certificate: default.as_str().into(),
        certificates: others.iter().map(|arn| arn.as_str().into()).collect(),
        policy: of.ssl_policy.clone().unwrap_or_default(),
        alpn: alpn.iter().map(|name| (*name).to_owned()).collect(),
    })
}

fn http(state: &State, balancer: &LoadBalancer, of: &Of) -> Option<Http> {
    let attribute = |key: &str| balancer.attribute(key).unwrap_or_default();
    let number = |key: &str, usual| attribute(key).parse().unwrap_or(usual);
    let http2 = attribute("routing.http2.enabled") == "true";
    let mut compiled: Vec<Arc<Rule>> = rules::of(state, &of.arn)
        .iter()
        .filter_map(|rule| rule::compile(balancer, rule))
        .map(Arc::new)
        .collect();
    // The default rule is told last.
    let default = compiled.pop()?;
    let names: &[&str] = if http2 {
        &["h2", "http/1.1"]
    } else {
        &["http/1.1"]
    };
    Some(Http {
        tls: tls(of, names),
        http2,
        dialect: Dialect::AwsApplication,
        rules: compiled,
        default,
        idle_timeout: number("idle_timeout.timeout_seconds", 60),
        client_keep_alive: number("client_keep_alive.seconds", 3600),
        headers: headers(state, balancer, of),
        desync: match attribute("routing.http.desync_mitigation_mode").as_str() {
            "monitor" => Desync::Monitor,
            "strictest" => Desync::Strictest,
            _ => Desync::Defensive,
        },
        // No bucket is there for AWS's own setting to name: the lab keeps every balancer's log.
        access_log: true,
    })
}

/// The headers that a listener's attributes set on answers.
const ON_ANSWERS: [(&str, &str); 9] = [
    ("strict_transport_security", "Strict-Transport-Security"),
    ("access_control_allow_origin", "Access-Control-Allow-Origin"),
    (
        "access_control_allow_methods",
        "Access-Control-Allow-Methods",
    ),
    (
        "access_control_allow_headers",
        "Access-Control-Allow-Headers",
    ),
    (
        "access_control_allow_credentials",
        "Access-Control-Allow-Credentials",
    ),
    (
        "access_control_expose_headers",
        "Access-Control-Expose-Headers",
    ),
    ("access_control_max_age", "Access-Control-Max-Age"),
    ("content_security_policy", "Content-Security-Policy"),
    ("x_content_type_options", "X-Content-Type-Options"),
];

fn headers(state: &State, balancer: &LoadBalancer, of: &Of) -> HeaderConduct {
    let on = |key: &str| balancer.attribute(key).as_deref() == Some("true");
    let own = listener::attributes(state, of);
    let value = |key: &str| {
        let found = own.iter().find(|(name, _)| name == key);
        found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
    };
    let frames = ("x_frame_options", "X-Frame-Options");
    let set = ON_ANSWERS
        .iter()
        .chain([&frames])
        .filter_map(|(key, name)| {
            let value = value(&format!("routing.http.response.{key}.header_value"))?;
            Some(((*name).to_owned(), value))
        });
    let mode = balancer.attribute("routing.http.xff_header_processing.mode");
    HeaderConduct {
        forwarded_for: match mode.as_deref() {
            Some("preserve") => ForwardedFor::Preserve,
            Some("remove") => ForwardedFor::Remove,
            _ => ForwardedFor::Append,
        },
        client_port: on("routing.http.xff_client_port.enabled"),
        preserve_host: on("routing.http.preserve_host_header.enabled"),
        drop_invalid: on("routing.http.drop_invalid_header_fields.enabled"),
        tls_details: on("routing.http.x_amzn_tls_version_and_cipher_suite.enabled"),
        server: value("routing.http.response.server.enabled").as_deref() != Some("false"),
        set_on_answers: set.collect(),
    }
}
