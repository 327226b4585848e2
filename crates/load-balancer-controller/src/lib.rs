//! The AWS Load Balancer Controller: ingresses become application load balancers, services network load balancers, by
//! AWS's and Kubernetes' public APIs alone.
//!
//! * [`model`]: what is to be there, without any call;
//! * `deploy`: brings it there;
//! * `binding`: puts pods and nodes into target groups;
//! * `webhook`: what new objects are told;
//! * [`run`]: follows the cluster;
//! * [`manifest`]: the objects that bring all this to a cluster.
//!
//! Names, orders, defaults and messages follow
//! <https://kubernetes-sigs.github.io/aws-load-balancer-controller/v2.11/>.

mod binding;
mod calls;
mod deploy;
mod events;
mod failure;
pub mod manifest;
pub mod model;
mod run;
mod together;
mod webhook;
mod world;

pub use run::{Options, OptionsError, StartError, run, start};
