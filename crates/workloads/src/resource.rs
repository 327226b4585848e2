//! The resources that the controllers read and write.

/// A built-in Kubernetes resource, in the version that the controllers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// `v1` Pod.
    Pods,
    /// `v1` Node (cluster-scoped).
    Nodes,
    /// `v1` Service.
    Services,
    /// `v1` Endpoints.
    Endpoints,
    /// `v1` `PersistentVolumeClaim`.
    PersistentVolumeClaims,
    /// `v1` `ReplicationController`.
    ReplicationControllers,
    /// `apps/v1` `ReplicaSet`.
    ReplicaSets,
    /// `apps/v1` Deployment.
    Deployments,
    /// `apps/v1` `StatefulSet`.
    StatefulSets,
    /// `apps/v1` `DaemonSet`.
    DaemonSets,
    /// `apps/v1` `ControllerRevision`.
    ControllerRevisions,
    /// `batch/v1` Job.
    Jobs,
    /// `batch/v1` `CronJob`.
    CronJobs,
    /// `policy/v1` `PodDisruptionBudget`.
    PodDisruptionBudgets,
    /// `autoscaling/v2` `HorizontalPodAutoscaler`.
    HorizontalPodAutoscalers,
    /// `discovery.k8s.io/v1` `EndpointSlice`.
    EndpointSlices,
    /// `coordination.k8s.io/v1` Lease.
    Leases,
    /// `v1` `PersistentVolume` (cluster-scoped).
    PersistentVolumes,
    /// `storage.k8s.io/v1` `StorageClass` (cluster-scoped).
    StorageClasses,
    /// `v1` `ResourceQuota`.
    ResourceQuotas,
}

impl Resource {
    /// Every resource, for a driver that sets up one cache for each.
    pub const ALL: [Self; 20] = [
        Self::Pods,
        Self::Nodes,
        Self::Services,
        Self::Endpoints,
        Self::PersistentVolumeClaims,
        Self::ReplicationControllers,
        Self::ReplicaSets,
        Self::Deployments,
        Self::StatefulSets,
        Self::DaemonSets,
        Self::ControllerRevisions,
        Self::Jobs,
        Self::CronJobs,
        Self::PodDisruptionBudgets,
        Self::HorizontalPodAutoscalers,
        Self::EndpointSlices,
        Self::Leases,
        Self::PersistentVolumes,
        Self::StorageClasses,
        Self::ResourceQuotas,
    ];

    /// (group, version, kind, plural), the four names of a resource.
    const fn names(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Pods => ("", "v1", "Pod", "pods"),
            Self::Nodes => ("", "v1", "Node", "nodes"),
            Self::Services => ("", "v1", "Service", "services"),
            Self::Endpoints => ("", "v1", "Endpoints", "endpoints"),
            Self::PersistentVolumeClaims => {
                ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
            }
            Self::ReplicationControllers => {
                ("", "v1", "ReplicationController", "replicationcontrollers")
            }
            Self::ReplicaSets => ("apps", "v1", "ReplicaSet", "replicasets"),
            Self::Deployments => ("apps", "v1", "Deployment", "deployments"),
            Self::StatefulSets => ("apps", "v1", "StatefulSet", "statefulsets"),
            Self::DaemonSets => ("apps", "v1", "DaemonSet", "daemonsets"),
            Self::ControllerRevisions => {
                ("apps", "v1", "ControllerRevision", "controllerrevisions")
            }
            Self::Jobs => ("batch", "v1", "Job", "jobs"),
            Self::CronJobs => ("batch", "v1", "CronJob", "cronjobs"),
            Self::PodDisruptionBudgets => (
                "policy",
                "v1",
                "PodDisruptionBudget",
                "poddisruptionbudgets",
            ),
            Self::HorizontalPodAutoscalers => (
                "autoscaling",
                "v2",
                "HorizontalPodAutoscaler",
                "horizontalpodautoscalers",
            ),
            Self::EndpointSlices => ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
            Self::Leases => ("coordination.k8s.io", "v1", "Lease", "leases"),
            Self::PersistentVolumes => ("", "v1", "PersistentVolume", "persistentvolumes"),
            Self::StorageClasses => ("storage.k8s.io", "v1", "StorageClass", "storageclasses"),
            Self::ResourceQuotas => ("", "v1", "ResourceQuota", "resourcequotas"),
        }
    }

    /// The API group, empty for the core group.
    #[must_use]
    pub const fn group(self) -> &'static str {
        self.names().0
    }

    /// The version within the group, such as `v1`.
    #[must_use]
    pub const fn version(self) -> &'static str {
        self.names().1
    }

    /// The kind, such as `ReplicaSet`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        self.names().2
    }

    /// The plural as it stands in a request's path, such as `replicasets`.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        self.names().3
    }

    /// `apiVersion` of an object: `apps/v1`, or `v1` in the core group.
    #[must_use]
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// Whether objects live in a namespace.
    #[must_use]
    pub const fn namespaced(self) -> bool {
        !matches!(
            self,
            Self::Nodes | Self::PersistentVolumes | Self::StorageClasses
        )
    }

    /// The resource of an owner reference's `apiVersion` and `kind`. Only the group counts, as
    /// an owner may be named in another version than the one stored.
    #[must_use]
    pub fn of_kind(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        Self::ALL
            .into_iter()
            .find(|r| r.kind() == kind && r.group() == group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_references_name_resources_by_group_and_kind() {
        assert_eq!(
            Resource::of_kind("apps/v1", "ReplicaSet"),
            Some(Resource::ReplicaSets)
        );
        assert_eq!(Resource::of_kind("v1", "Pod"), Some(Resource::Pods));
        assert_eq!(Resource::of_kind("example.com/v1", "ReplicaSet"), None);
        assert_eq!(Resource::Jobs.api_version(), "batch/v1");
        assert_eq!(Resource::Nodes.api_version(), "v1");
    }
}
