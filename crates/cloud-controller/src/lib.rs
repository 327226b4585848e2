//! What the controllers of a control plane ask of AWS for its cluster: every Service of type LoadBalancer gets a classic load
//! balancer, by AWS's public APIs alone.
//!
//! * `service`, `settings`: what a service asks for, parsed once from its spec and annotations;
//! * `listener`, `health`, `subnet`, `group`, `node`: what that means for the load balancer; pure;
//! * `classic`: brings a classic load balancer there, or takes it away;
//! * `run`: follows a cluster's services and nodes.
//!
//! Names, numbers, orders and messages follow
//! <https://github.com/kubernetes/cloud-provider-aws/tree/master/pkg/providers/v1> and
//! <https://github.com/kubernetes/cloud-provider/blob/master/controllers/service/controller.go>.

mod aws;
mod classic;
mod failure;
mod group;
mod health;
mod listener;
mod node;
mod route;
mod run;
mod service;
mod settings;
mod subnet;
pub mod volume;

pub use aws::Aws;
pub use failure::Failure;
pub use run::run;

/// The cluster whose services are looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Its name, as it stands in tags.
    pub cluster: String,
    /// Its VPC.
    pub vpc: String,
}

impl Home {
    /// The tag of what belongs to the cluster.
    pub(crate) fn tag(&self) -> String {
        format!("{CLUSTER_TAG}{}", self.cluster)
    }
}

/// What tags of clusters begin with.
pub(crate) const CLUSTER_TAG: &str = "kubernetes.io/cluster/";
