//! A service's classic load balancer.

mod balancer;
mod delete;
mod ensure;
mod groups;
mod nodes;

use crate::Home;
use crate::aws::{Aws, Calls, list};
use crate::failure::Failure;
use serde_json::{Value, json};
use std::time::Duration;

/// What looks after classic load balancers.
pub(crate) struct Classic<'a, A> {
    pub(crate) calls: Calls<'a, A>,
    pub(crate) home: &'a Home,
    /// How long something is waited for before it is tried again.
    pub(crate) pause: Duration,
}

impl<A: Aws> Classic<'_, A> {
    /// The load balancer of a name, if there is one.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<Value>, Failure> {
        let asked = json!({"LoadBalancerNames": [name]});
        let doing = "error describing load balancer";
        let answer = self
            .calls
            .classic(doing, "DescribeLoadBalancers", asked)
            .await;
        match answer {
            Ok(answer) => Ok(list(&answer, "LoadBalancerDescriptions").first().cloned()),
            Err(error) if error.code() == Some("LoadBalancerNotFound") => Ok(None),
            Err(error) => Err(error),
        }
    }
}
