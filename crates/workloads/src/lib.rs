//! Kubernetes' workload controllers as reconcilers without I/O.
//!
//! Each controller is a function from what is known of the cluster (a [`View`]) and the time to
//! an [`Outcome`]: the [`Action`]s that bring the cluster closer to what its objects ask for. The
//! driver that calls them holds the caches, performs the actions in order, stops at the first
//! that fails (the reconcile is then run again, later), and calls again on every change of an
//! object that the controller looks at.
//!
//! Reconciles are idempotent: with nothing to do the outcome has no actions. Where upstream's
//! controllers let the API server choose names (pods of `ReplicaSet`s, Jobs and `DaemonSet`s, and
//! `EndpointSlice`s), a cache that is behind would make a reconcile create the same thing again;
//! the driver passes such outcomes through [`Expectations::admit`].
//!
//! What the controllers do, and the names, reasons and messages that they write, follow
//! kube-controller-manager 1.32 and the API reference at
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/>.

mod action;
mod autoscaler;
mod claim;
mod clock;
mod condition;
mod cron_job;
mod daemon_set;
mod deployment;
mod disruption;
mod endpoints;
mod events;
mod expectations;
mod hash;
mod history;
mod job;
mod node;
mod object;
#[cfg(test)]
mod odd;
mod pace;
mod pod;
mod proportion;
mod quantity;
mod replica_set;
mod resource;
mod selector;
mod stateful_set;
mod template;
#[cfg(test)]
mod testing;
mod volume;

pub use action::{Action, EventKind, Outcome, Propagation, View};
pub use autoscaler::{Metrics, PodUsage, ScaleHistory, horizontal_pod_autoscaler};
pub use cron_job::{Schedule, ScheduleError, cron_job};
pub use daemon_set::daemon_set;
pub use deployment::deployment;
pub use disruption::pod_disruption_budget;
pub use endpoints::{ApiFront, api_service, endpoint_slice, endpoint_slice_mirror};
pub use events::{create_failed, created};
pub use expectations::{Change, Controller, Expectations};
pub use job::job;
pub use node::{
    Evictions, NodeHealth, Orphanage, PodRange, node_lifecycle, pod_garbage, pod_range,
    taint_eviction,
};
pub use pace::Pace;
pub use replica_set::{replica_failure, replica_set, replication_controller};
pub use resource::Resource;
pub use selector::Selector;
pub use stateful_set::stateful_set;
pub use volume::{
    FOLDER as VOLUME_FOLDER, PROVISIONED_BY as VOLUME_PROVISIONED_BY,
    PROVISIONER as VOLUME_PROVISIONER, ephemeral_claims, matching_volume, persistent_volume,
    persistent_volume_claim, volume_allows,
};
