//! Load balancers of the second generation: application, network and gateway.
//!
//! A balancer is its record, its listeners and their rules, and its nodes: one network interface in each of its
//! subnets, which the service made and only the service changes. Target groups stand for themselves; rules refer
//! to them.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/how-elastic-load-balancing-works.html>

pub mod action;
pub mod attribute;
pub mod condition;
pub mod dns;
pub mod health;
mod health_check;
mod lifecycle;
pub mod limit;
pub mod listener;
mod listener_attribute;
pub mod name;
pub mod node;
mod protocol;
pub mod rule;
pub mod setting;
pub mod ssl_policy;
pub mod tags;
pub mod target;
mod target_attribute;
pub mod target_group;

pub use action::{Action, ActionKind};
pub use condition::Condition;
pub use health::{Health, HealthState, Probe, Reason};
pub use health_check::{HealthCheck, HealthCheckChanges, HealthPort, Matcher};
pub(crate) use lifecycle::check_ip_address_type;
pub use lifecycle::{
    NewLoadBalancer, create, delete, finish_transitions, next_transition, set_ip_address_type,
    set_security_groups, set_subnets,
};
pub use listener::Listener;
pub use node::{Node, Placement};
pub use protocol::Protocol;
pub use rule::Rule;
pub use target::{Target, TargetKey};
pub use target_group::{TargetGroup, TargetType};

use super::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Which kind a load balancer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// It understands HTTP.
    Application,
    /// It passes on TCP, UDP and TLS.
    Network,
    /// It passes packets through appliances.
    Gateway,
}

/// Whether a load balancer is for the internet or for its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// Its nodes have public addresses.
    InternetFacing,
    /// Its nodes have private addresses only.
    Internal,
}

/// A load balancer's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BalancerState {
    /// Being made.
    Provisioning,
    /// At work.
    Active,
}

/// An application, network or gateway load balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Its ARN.
    pub arn: String,
    /// Its name, its account's own in the region.
    pub name: String,
    /// The region.
    pub region: String,
    /// Its kind.
    pub kind: Kind,
    /// Its scheme; a gateway load balancer has none.
    pub scheme: Option<Scheme>,
    /// Its VPC.
    pub vpc: VpcId,
    /// The name its nodes have in DNS; a gateway load balancer has none.
    pub dns_name: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Its state.
    pub state: BalancerState,
    /// When it is active, in seconds since 1970.
    pub until: i64,
    /// Its security groups.
    pub security_groups: Vec<SecurityGroupId>,
    /// Whether its security groups hold for traffic from AWS PrivateLink too (`on`, `off`), where it was asked.
    pub private_link_rules: Option<bool>,
    /// Its nodes, by subnet in the order given.
    pub nodes: Vec<Node>,
    /// Its attributes, where they were set.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Kind {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Network => "network",
            Self::Gateway => "gateway",
        }
    }

    /// What stands for it in ARNs and in interfaces' descriptions.
    pub fn short(self) -> &'static str {
        match self {
            Self::Application => "app",
            Self::Network => "net",
            Self::Gateway => "gwy",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl LoadBalancer {
    /// The zones of its nodes.
    pub fn zones(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|node| node.zone.as_str())
    }

    /// What an attribute is, set or not.
    pub fn attribute(&self, key: &str) -> Option<String> {
        attribute::of(self)
            .into_iter()
            .find(|(of, _)| of == key)
            .map(|(_, value)| value)
    }

    /// The last part of its ARN.
    pub fn hash(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }
}

/// Elastic Load Balancing's word for a value that can't be.
pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

/// Its word for values that can't be together, or not here.
pub(crate) fn misconfigured(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidConfigurationRequest", message)
}

/// Refuses a number out of its bounds, as AWS's validation says it.
pub(crate) fn check_range(field: &str, value: i64, low: i64, high: i64) -> Result<(), Refusal> {
    let bound = if value < low {
        format!("greater than or equal to {low}")
    } else if value > high {
        format!("less than or equal to {high}")
    } else {
        return Ok(());
    };
    Err(invalid(format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: Member must have value {bound}"
    )))
}

/// A port's number.
///
/// # Errors
/// `ValidationError`.
pub fn port(value: i32) -> Result<u16, Refusal> {
    check_range("port", i64::from(value), 1, 65535)?;
    u16::try_from(value).map_err(|_| invalid(format!("The port '{value}' is not valid")))
}

/// The balancer of an ARN in the region asked.
///
/// # Errors
/// `LoadBalancerNotFound`, `ValidationError` for what is no balancer's ARN.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    arn: &str,
) -> Result<&'s LoadBalancer, Refusal> {
    if !name::is_arn(arn, "loadbalancer") {
        return Err(invalid(format!("'{arn}' is not a valid load balancer ARN")));
    }
    let found = state.load_balancers.get(arn);
    found
        .filter(|balancer| balancer.region == context.region)
        .map(Arc::as_ref)
        .ok_or_else(|| {
            Refusal::new(
                "LoadBalancerNotFound",
                format!("Load balancer '{arn}' not found"),
            )
        })
}

/// The region's balancers, by ARN.
pub fn in_region<'s>(state: &'s State, region: &str) -> impl Iterator<Item = &'s LoadBalancer> {
    let all = state.load_balancers.values().map(Arc::as_ref);
    all.filter(move |balancer| balancer.region == region)
}

/// Changes a balancer.
pub(crate) fn edit(state: &mut State, arn: &str, change: impl FnOnce(&mut LoadBalancer)) {
    if let Some(balancer) = state.load_balancers.get_mut(arn) {
        change(Arc::make_mut(balancer));
    }
}
