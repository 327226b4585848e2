//! What the lab reports: what became of the control planes, nodes and add-ons that it runs.

use super::*;

impl State {
    /// A cluster's control plane answers, with certificates of this authority (PEM in base64).
    pub fn control_plane_ready(&mut self, cluster: &ClusterKey, authority: &str) {
        edit(self, cluster, |cluster| {
            cluster.authority = Some(authority.to_owned());
        });
    }

    /// These instances are all the ready nodes of a node group.
    pub fn nodes_joined(&mut self, nodegroup: &PartKey, instances: BTreeSet<InstanceId>) {
        let known = self.eks_nodegroups.get(nodegroup);
        if known.is_some_and(|known| known.joined != instances) {
            nodegroup::edit(self, nodegroup, |nodegroup| nodegroup.joined = instances);
        }
    }

    /// A node that is about to be terminated has no pods left that could be moved.
    pub fn node_drained(&mut self, nodegroup: &PartKey, instance: &InstanceId) {
        nodegroup::edit(self, nodegroup, |nodegroup| {
            if let Some(leaving) = nodegroup.leaving.get_mut(instance) {
                leaving.drained = true;
            }
        });
    }

    /// An add-on's objects are in the cluster, and this is what is wrong with them: nothing, and the add-on is active.
    pub fn addon_health(&mut self, addon: &PartKey, issues: Vec<AddonIssue>) {
        addon::settle(self, addon, issues);
    }

    /// An add-on that was being deleted is gone from its cluster.
    pub fn addon_removed(&mut self, addon: &PartKey) {
        let known = self.eks_addons.get(addon);
        if known.is_some_and(|known| known.status == AddonStatus::Deleting) {
            self.eks_addons.remove(addon);
        }
    }
}
