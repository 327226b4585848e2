//! A cluster at work: its control plane and its nodes.

use super::control_plane::ControlPlane;
use super::node::Node;
use super::{ClusterInfo, VERSION, eks, plain};
use ::runtime::NodeRuntime;
use cri::{ContainerId, ContainerState, Runtime, Sandbox};
use fabric::HostId;
use ipnet::Ipv4Net;
use kernel::NetNs;
use kube::object;
use kube::store::Key;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whose cluster it is.
pub(super) enum Kind {
    /// The lab's own.
    Plain(plain::Definition),
    /// An account's, by EKS.
    Eks(eks::Definition),
}

impl Kind {
    /// The host of a node.
    pub(super) fn host_of(&self, node: &Value) -> Option<HostId> {
        match self {
            Self::Plain(definition) => Some(definition.layout().node(object::name(node))),
            Self::Eks(_) => eks::host_of(node),
        }
    }

    /// Where pods live, if that is a range of their own.
    pub(super) fn pods(&self) -> Option<Ipv4Net> {
        match self {
            Self::Plain(_) => Some(plain::PODS),
            Self::Eks(_) => None,
        }
    }

    /// Where services are.
    pub(super) fn services(&self) -> Ipv4Net {
        match self {
            Self::Plain(_) => plain::SERVICES,
            Self::Eks(definition) => definition.services,
        }
    }
}

/// A cluster at work; it ends when this is dropped.
pub(super) struct Running {
    pub(super) kind: Kind,
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) plane: ControlPlane,
}

impl Running {
    /// What is fixed of it, if it is the lab's own.
    pub(super) fn plain(&self) -> Option<&plain::Definition> {
        match &self.kind {
            Kind::Plain(definition) => Some(definition),
            Kind::Eks(_) => None,
        }
    }

    /// The runtime of the node where a pod is, and the pod.
    pub(super) fn pod(&self, namespace: &str, name: &str) -> Option<(&Node, Arc<Value>)> {
        let now = self.plane.cluster.now();
        let pod = now.store.get(&Key::new("pods", namespace, name))?.clone();
        let node = self.nodes.get(object::text(&pod, &["spec", "nodeName"]))?;
        Some((node, pod))
    }

    /// A pod's first container, or the one that it names for its callers.
    pub(super) fn container(
        &self,
        namespace: &str,
        name: &str,
    ) -> Option<(Arc<NodeRuntime>, ContainerId)> {
        let (node, pod) = self.pod(namespace, name)?;
        let chosen = &pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"];
        let first = object::list(&pod, &["spec", "containers"]).first()?;
        let container = chosen.as_str().or_else(|| first["name"].as_str())?;
        let runtime = node.runtime().clone();
        let sandboxes = runtime.sandboxes();
        let own = |sandbox: &&Sandbox| sandbox.ready && sandbox.uid == object::uid(&pod);
        let sandbox = &sandboxes.iter().find(own)?.id;
        let containers = runtime.containers();
        let mut own = containers.iter().filter(|of| {
            let runs = matches!(of.state, ContainerState::Running { .. });
            of.sandbox == *sandbox && of.name == container && runs
        });
        let id = own.next()?.id.clone();
        Some((runtime, id))
    }

    /// The network of a running pod that has one of its own.
    pub(super) fn pod_network(&self, namespace: &str, name: &str) -> Option<Arc<NetNs>> {
        let (node, pod) = self.pod(namespace, name)?;
        if pod["spec"]["hostNetwork"] == true {
            return None;
        }
        let sandboxes = node.runtime().sandboxes();
        let own = |sandbox: &&Sandbox| sandbox.ready && sandbox.uid == object::uid(&pod);
        node.runtime().network(&sandboxes.iter().find(own)?.id)
    }

    pub(super) fn info(&self) -> ClusterInfo {
        let store = &self.plane.cluster.now().store;
        let (name, server, version, created) = match &self.kind {
            Kind::Plain(of) => (of.name.clone(), of.server(), VERSION, of.created),
            Kind::Eks(of) => (of.name(), of.server(), of.version(), of.created),
        };
        ClusterInfo {
            name,
            server,
            version: format!("v{version}"),
            created,
            nodes: store.list("nodes", None).count(),
            pods: store.list("pods", None).count(),
        }
    }
}
