//! A cluster's DNS.
//!
//! Names as Kubernetes' specification has them
//! (<https://github.com/kubernetes/dns/blob/master/docs/specification.md>), served as CoreDNS with its
//! `kubernetes` plugin serves them (<https://coredns.io/plugins/kubernetes/>), and configured by the Corefile
//! in the `coredns` ConfigMap as managed clusters ship it.
//!
//! * [`Zone`]: a cluster's services, endpoints and namespaces, updated object by object; it answers questions,
//!   and has no sockets.
//! * [`Config`]: a Corefile. A plugin or property that isn't known is an error that names it.
//! * [`run`]: the program of a `coredns` pod.
//!
//! Not modelled: DNSSEC, zone transfers, DNS over TLS, HTTPS or gRPC, stale and prefetched cache entries,
//! selectors of the `kubernetes` plugin, and the many plugins that no managed cluster ships.

mod answer;
mod corefile;
mod follow;
mod message;
mod metrics;
mod plugin;
mod question;
mod random;
mod run;
mod server;
mod zone;

pub use answer::Answer;
pub use corefile::{Config, CorefileError, Imports};
pub use plugin::kubernetes::Kubernetes;
pub use question::Question;
pub use run::{RunError, Settings, run};
pub use zone::{Found, Kind, Zone};
