//! Classic load balancers: the first generation.
//!
//! A classic balancer has its listeners, its instances and their health in itself.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/introduction.html>

pub mod attribute;
mod health_check;
pub mod instance;
mod lifecycle;
pub mod listener;
pub mod policy;

pub use attribute::Attributes;
pub use health_check::{HealthCheck, HealthCheckWords, Ping, configure};
pub use instance::Registered;
pub use lifecycle::{NewClassic, attach_subnets, create, delete, detach_subnets, set_groups};
pub use listener::ClassicListener;
pub use policy::Policy;

use super::*;
use crate::model::load_balancer::{Node, Scheme};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A classic load balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassicLoadBalancer {
    /// Its name, its account's own in the region.
    pub name: String,
    /// The region.
    pub region: String,
    /// The name its nodes have in DNS.
    pub dns_name: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Whether it is for the internet.
    pub scheme: Scheme,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its nodes, one a subnet.
    pub nodes: Vec<Node>,
    /// Its security groups.
    pub security_groups: Vec<SecurityGroupId>,
    /// Its listeners, by port.
    pub listeners: BTreeMap<u16, ClassicListener>,
    /// Its policies, by name.
    pub policies: BTreeMap<String, Policy>,
    /// The policies of instances' ports.
    pub backend_policies: BTreeMap<u16, Vec<String>>,
    /// How instances are checked.
    pub health_check: HealthCheck,
    /// Its instances.
    pub instances: BTreeMap<InstanceId, Registered>,
    /// Its attributes.
    pub attributes: Attributes,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl ClassicLoadBalancer {
    /// Its key in the account.
    pub fn key(&self) -> String {
        key(&self.region, &self.name)
    }
}

/// A balancer's key in the account.
pub fn key(region: &str, name: &str) -> String {
    format!("{region}/{name}")
}

/// The balancer with a name in the region asked.
///
/// # Errors
/// `LoadBalancerNotFound`.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    name: &str,
) -> Result<&'s ClassicLoadBalancer, Refusal> {
    let found = state
        .classic_load_balancers
        .get(&key(&context.region, name));
    found.map(Arc::as_ref).ok_or_else(|| {
        Refusal::new(
            "LoadBalancerNotFound",
            format!("There is no ACTIVE Load Balancer named '{name}'"),
        )
    })
}

/// Changes a balancer by a function that may refuse.
pub(crate) fn change(
    state: &mut State,
    context: &Context,
    name: &str,
    change: impl FnOnce(&State, &mut ClassicLoadBalancer) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut balancer = find(state, context, name)?.clone();
    change(state, &mut balancer)?;
    state
        .classic_load_balancers
        .insert(balancer.key(), Arc::new(balancer));
    Ok(())
}

/// Elastic Load Balancing's word for a value that can't be.
pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

/// Its word for a change that can't be made.
pub(crate) fn misconfigured(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidConfigurationRequest", message)
}

/// Ends the states that are over by now.
pub fn finish_transitions(state: &mut State, now: i64) {
    instance::finish_transitions(state, now);
}

/// When the next state ends.
pub fn next_transition(state: &State) -> Option<i64> {
    state
        .classic_load_balancers
        .values()
        .flat_map(|balancer| balancer.instances.values())
        .filter_map(|registered| registered.leaves)
        .min()
}
