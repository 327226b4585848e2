//! Classic load balancer → balancer. A listener and its instances' port make a pool.

use super::{nodes, pool};
use crate::model::State;
use crate::model::classic_load_balancer::policy::{APP_COOKIE, LB_COOKIE};
use crate::model::classic_load_balancer::{
    ClassicListener, ClassicLoadBalancer, HealthCheck as Of, instance,
};
use crate::model::load_balancer::HealthState;
use fabric::balancer::http::{
    Action, Desync, Dialect, Forward, HeaderConduct, Http, Outcome, Rule,
};
use fabric::balancer::{
    Balancer, Conduct, HealthCheck, Listener, Member, MemberState, Pool, Preamble, Probe, Service,
    SourceSeen, Speech, Stickiness, Stream, Tls, Transport,
};
use fabric::{NumberRange, PoolId};
use std::sync::Arc;

/// For how long an idle client's connection is kept between requests.
const KEEP_ALIVE: u32 = 3600;

pub(super) fn balancer(state: &State, of: &ClassicLoadBalancer) -> Balancer {
    let listeners = of.listeners.values();
    Balancer {
        id: format!("classic/{}", of.key()).into(),
        nodes: nodes(&of.nodes),
        listeners: listeners
            .clone()
            .map(|one| Arc::new(listener(of, one)))
            .collect(),
        pools: listeners
            .map(|one| (pool_id(of, one), Arc::new(pool(state, of, one))))
            .collect(),
    }
}

fn pool_id(of: &ClassicLoadBalancer, listener: &ClassicListener) -> PoolId {
    format!("classic/{}/{}", of.key(), listener.port).into()
}

/// The key of the classic balancer that a pool is of, if it is one's.
pub(super) fn balancer_of(pool: &PoolId) -> Option<&str> {
    let (key, _port) = pool.as_str().strip_prefix("classic/")?.rsplit_once('/')?;
    Some(key)
}

fn is_http(protocol: &str) -> bool {
    matches!(protocol, "HTTP" | "HTTPS")
}

fn listener(of: &ClassicLoadBalancer, one: &ClassicListener) -> Listener {
    let tls = one.certificate.as_ref().map(|arn| Tls {
        default_certificate: arn.as_str().into(),
        certificates: Vec::new(),
        policy: one.policies.first().cloned().unwrap_or_default(),
        alpn: Vec::new(),
    });
    let pool = pool_id(of, one);
    let idle_timeout = of.attributes.idle_timeout;
    let service = if is_http(&one.protocol) {
        Service::Http(Http {
            tls,
            http2: false,
            dialect: Dialect::AwsClassic,
            rules: Vec::new(),
            default: Arc::new(Rule {
                id: one.port.to_string().into(),
                priority: 0,
                conditions: Vec::new(),
                action: Action::plain(Outcome::Forward(Forward::to(pool))),
            }),
            idle_timeout,
            client_keep_alive: KEEP_ALIVE,
            headers: HeaderConduct::default(),
            desync: match of.attributes.desync.as_str() {
                "monitor" => Desync::Monitor,
                "strictest" => Desync::Strictest,
                _ => Desync::Defensive,
            },
            access_log: true,
        })
    } else {
        Service::Stream(Stream {
            tls,
            pool,
            idle_timeout,
            access_log: Some(Dialect::AwsClassic),
        })
    };
    Listener {
        id: format!("classic/{}/{}", of.key(), one.port).into(),
        transports: vec![Transport::Tcp],
        ports: NumberRange::one(one.port),
        service,
    }
}

fn pool(state: &State, of: &ClassicLoadBalancer, one: &ClassicListener) -> Pool {
    Pool {
        id: pool_id(of, one),
        speech: match one.instance_protocol.as_str() {
            "HTTP" => Speech::Http1,
            "HTTPS" => Speech::Https1,
            "SSL" => Speech::Tls,
            _ => Speech::Plain,
        },
        members: members(state, of, one),
        cross_zone: of.attributes.cross_zone,
        source: SourceSeen::Node,
        affinity: None,
        health_check: Some(health_check(&of.health_check)),
        conduct: Conduct {
            stickiness: stickiness(of, one),
            preamble: preamble(of, one),
            ..Conduct::default()
        },
    }
}

fn members(state: &State, of: &ClassicLoadBalancer, one: &ClassicListener) -> Vec<Member> {
    let member = |(id, registered): (&crate::model::InstanceId, &instance::Registered)| {
        let status = instance::status(state, of, id);
        let subnet = state.instances.get(id).map(|instance| &instance.subnet)?;
        Some(Member {
            name: id.to_string(),
            address: pool::address(state, id)?,
            port: one.instance_port,
            check_port: of.health_check.ping.port,
            zone: state.subnets.get(subnet).map(|subnet| subnet.zone.clone()),
            state: match (
                registered.leaves.is_some(),
                status.in_service,
                status.reason,
            ) {
                (true, ..) => MemberState::Draining,
                (_, true, _) => MemberState::Healthy,
                (_, _, "ELB") => MemberState::Initial,
                _ if matches!(registered.health.state, HealthState::Unhealthy(_)) => {
                    MemberState::Unhealthy
                }
                _ => MemberState::Unused,
            },
            reason: (!status.in_service).then(|| status.description.to_owned()),
        })
    };
    of.instances.iter().filter_map(member).collect()
}

fn health_check(of: &Of) -> HealthCheck {
    let path = of.ping.path.clone().unwrap_or_default();
    let http = |speech| Probe::Http {
        speech,
        path,
        // A classic balancer takes 200 and nothing else.
        statuses: vec![NumberRange::one(200)],
    };
    HealthCheck {
        probe: match of.ping.protocol.as_str() {
            "HTTP" => http(Speech::Http1),
            "HTTPS" => http(Speech::Https1),
            "SSL" => Probe::Tls,
            _ => Probe::Tcp,
        },
        interval: of.interval,
        timeout: of.timeout,
        healthy_after: of.healthy,
        unhealthy_after: of.unhealthy,
    }
}

fn stickiness(of: &ClassicLoadBalancer, one: &ClassicListener) -> Option<Stickiness> {
    one.policies.iter().find_map(|name| {
        let policy = of.policies.get(name)?;
        let attribute = |name: &str| {
            let found = policy.attributes.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        match policy.kind.as_str() {
            LB_COOKIE => Some(Stickiness::Own {
                seconds: attribute("CookieExpirationPeriod")
                    .and_then(|seconds| seconds.parse().ok())
                    .unwrap_or_default(),
            }),
            APP_COOKIE => Some(Stickiness::Application {
                cookie: attribute("CookieName")?,
                seconds: 0,
            }),
            _ => None,
        }
    })
}

fn preamble(of: &ClassicLoadBalancer, one: &ClassicListener) -> Option<Preamble> {
    let policies = of.backend_policies.get(&one.instance_port)?;
    let on = ("ProxyProtocol".to_owned(), "true".to_owned());
    let proxy = |name: &String| {
        let policy = of.policies.get(name);
        policy.is_some_and(|policy| policy.attributes.contains(&on))
    };
    policies.iter().any(proxy).then_some(Preamble::ProxyV1)
}
