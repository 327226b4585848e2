//! A node of a cluster: what the programs on it put into its namespace.
//!
//! A node's proxy, its policy agent and what translates its pods' sources are programs of their own,
//! each with a table of its own. So each gives a fabric to the planner that has only its part of the
//! node, and nothing here relies on another part.

mod policy;
mod pool;
mod service;
mod services;
mod source_nat;

use super::unit::Entity;
use fabric::delta::changes;
use fabric::{Change, HostId, Node, Services};
pub(super) use policy::plan_pod;
pub(super) use pool::{Pick, plan_pick};
pub(super) use service::plan_service;
pub(super) use services::plan_services;
pub(super) use source_nat::plan_source_nat;
use std::sync::Arc;

/// What changed of a node.
pub(super) fn changed(change: &Change<HostId, Node>, into: &mut Vec<Entity>) {
    let nothing = Arc::<Node>::default();
    let (host, old, new) = match change {
        Change::Added(host, new) => (host, &nothing, new),
        Change::Changed(host, old, new) => (host, old, new),
        Change::Removed(host, old) => (host, old, &nothing),
    };
    if settings(&old.services) != settings(&new.services) {
        into.push(Entity::Services(host.clone()));
    }
    let services = changes(&old.services.services, &new.services.services);
    super::changed(&services, |id| Entity::Service(host.clone(), id), into);
    let pods = changes(&old.policies.pods, &new.policies.pods);
    super::changed(&pods, |address| Entity::Pod(host.clone(), address), into);
    if old.source_nat != new.source_nat {
        into.push(Entity::SourceNat(host.clone()));
    }
}

/// What holds for all services, and whether there are any.
fn settings(services: &Services) -> (Services, bool) {
    let settings = Services {
        services: imbl::OrdMap::new(),
        ..services.clone()
    };
    (settings, services.services.is_empty())
}
