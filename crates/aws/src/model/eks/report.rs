//! What the lab reports: what became of the control planes, nodes and add-ons that it runs.

use super::*;

impl State {
    /// A cluster's control plane answers, with certificates of this authority (PEM in base64).
    pub fn control_plane_ready(&mut self, cluster: &ClusterKey, authority: &str) {
        edit(self, cluster, |cluster| {
            cluster.authority = Some(authority.to_owned());
        });
    }
}
