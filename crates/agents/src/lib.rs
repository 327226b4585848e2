//! Programs that run on every node of a cluster, in the node's own network:
//!
//! * [`proxy`]: the service proxy, kube-proxy's part;
//! * [`policy`]: the agent that enforces network policies.
//!
//! Each follows the API, compiles what it is told of with [`service_proxy`], and makes the kernel of
//! its own network namespace obey ([`kernel::node`]). They use nothing but the API, so they run on any
//! cluster's nodes.

mod feed;
mod health;
pub mod policy;
pub mod proxy;

/// Why a program ends.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its configuration can't be used.
    #[error("{0}")]
    Config(String),
    /// It can't find or trust the API.
    #[error(transparent)]
    Api(#[from] kube_client::ConfigError),
    /// The kernel gives no access to the node's network.
    #[error(transparent)]
    Kernel(#[from] kernel::node::NodeError),
}
