//! Who goes first.
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction>

use super::{Resource, Tenant};
use std::cmp::Reverse;

/// The pod that goes first: one that uses more than it asked for, then of the lowest priority, then the
/// one that is farthest above what it asked for.
pub(super) fn first<'a>(
    tenants: impl Iterator<Item = &'a Tenant>,
    resource: Resource,
) -> Option<&'a Tenant> {
    tenants.min_by_key(|tenant| {
        let asked = tenant.pod().request(resource.name()).units();
        let above = i128::from(tenant.uses(resource)) - i128::from(asked);
        let priority = tenant.pod().spec.priority.unwrap_or_default();
        (above <= 0, priority, Reverse(above))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::eviction::words::tests::tenant;
    use serde_json::json;

    /// K8S-RUN: who keeps to what it asked for stays longest, whatever its priority.
    #[test]
    fn the_greediest_goes_first() {
        let request = |amount: &str| json!({"requests": {"memory": amount}});
        let modest = tenant("modest", 0, request("100Mi"), 50 << 20);
        let important = tenant("important", 1000, json!({}), 80 << 20);
        let small = tenant("small", 0, json!({}), 10 << 20);
        let large = tenant("large", 0, request("5Mi"), 40 << 20);
        let mut all = vec![modest, important, small, large];
        let mut order = Vec::new();
        while let Some(tenant) = first(all.iter(), Resource::Memory) {
            let name = tenant.pod().metadata.name.clone();
            all.retain(|tenant| tenant.pod().metadata.name != name);
            order.push(name);
        }
        assert_eq!(order, ["large", "small", "important", "modest"]);
    }
}
