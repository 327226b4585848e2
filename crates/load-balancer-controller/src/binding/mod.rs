//! Target group bindings: a service's targets are in the target group, and their security groups let load balancers in.
//! <https://kubernetes-sigs.github.io/aws-load-balancer-controller/v2.11/guide/targetgroupbinding/targetgroupbinding/>

mod endpoints;
mod interfaces;
pub(crate) mod networking;
mod readiness;
mod reconcile;

pub(crate) use endpoints::fingerprint;
pub(crate) use networking::Networking;
pub(crate) use readiness::GATE;

use crate::model::object::{Metadata, NumberOrName};
use serde::Deserialize;
use serde_json::Value;

/// What keeps a binding until its targets are gone.
pub(crate) const FINALIZER: &str = "elbv2.k8s.aws/resources";

/// A binding.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Binding {
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
}

/// What a binding wants.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    #[serde(rename = "targetGroupARN")]
    pub(crate) target_group_arn: String,
    pub(crate) target_type: String,
    pub(crate) service_ref: ServiceRef,
    pub(crate) networking: Option<Peers>,
    pub(crate) node_selector: Option<Value>,
}

/// A service's port.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ServiceRef {
    pub(crate) name: String,
    pub(crate) port: Option<NumberOrName>,
}

/// Whom targets let in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Peers {
    pub(crate) ingress: Vec<PeerRule>,
}

/// Whom targets let in where.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PeerRule {
    pub(crate) from: Vec<Value>,
    pub(crate) ports: Vec<PeerPort>,
}

/// A port; all of them where none is said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PeerPort {
    pub(crate) protocol: Option<String>,
    pub(crate) port: Option<NumberOrName>,
}
