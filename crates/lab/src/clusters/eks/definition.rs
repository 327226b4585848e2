//! What is fixed when an EKS cluster's control plane is made.

use super::super::certificate::Certificates;
use super::super::{ClusterError, KubeUser};
use aws::model::State;
use aws::model::eks::{Cluster, ClusterKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::Ipv4Net;
use kube::serve::Keys;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A control plane's keys. The rest of what it is lies in the cluster's record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::clusters) struct Secrets {
    /// The cluster's id: one of the same name that is made later has others.
    pub(super) id: String,
    /// The key of service accounts' tokens.
    pub(super) signing: String,
    /// Its certificates.
    pub(super) certificates: Certificates,
}

/// An EKS cluster as its control plane was started for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::clusters) struct Definition {
    /// Its region and name.
    pub(super) key: ClusterKey,
    /// What tells it from others of the same name.
    pub(super) id: String,
    /// When it was made.
    pub(in crate::clusters) created: i64,
    /// The URL of its API.
    server: String,
    /// Kubernetes' version, `1.34`.
    version: String,
    /// Its VPC.
    pub(super) vpc: String,
    /// The range of services.
    pub(in crate::clusters) services: Ipv4Net,
    /// The certificate of its authority, in PEM.
    pub(in crate::clusters) authority: String,
    /// Where its control plane is in the customer's network.
    pub(super) addresses: Vec<Ipv4Addr>,
}

impl Definition {
    /// What a record says.
    pub(super) fn of(state: &State, cluster: &Cluster, secrets: &Secrets) -> Self {
        Self {
            key: cluster.key.clone(),
            id: cluster.id.clone(),
            created: cluster.created,
            server: cluster.endpoint_url(),
            version: cluster.version.to_string(),
            vpc: cluster.vpc.to_string(),
            services: cluster.service_cidr,
            authority: secrets.certificates.authority.clone(),
            addresses: cluster.private_addresses(state),
        }
    }

    /// Whether a control plane that was started for this is what the record wants now.
    pub(super) fn is_of(&self, state: &State, cluster: &Cluster) -> bool {
        self.version == cluster.version.to_string()
            && self.addresses == cluster.private_addresses(state)
    }

    /// Its name.
    pub(in crate::clusters) fn name(&self) -> String {
        self.key.name.clone()
    }

    /// The URL of its API.
    pub(in crate::clusters) fn server(&self) -> String {
        self.server.clone()
    }

    /// Who uses it from outside.
    pub(in crate::clusters) fn user(&self) -> KubeUser {
        KubeUser::Iam {
            region: self.key.region.clone(),
            cluster: self.key.name.clone(),
        }
    }

    /// Kubernetes' version.
    pub(in crate::clusters) fn version(&self) -> &str {
        &self.version
    }

    /// The address of the cluster's names.
    pub(super) fn dns(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.services.network()) + 10)
    }
}

impl Secrets {
    /// New keys for a cluster.
    pub(super) fn make(state: &State, cluster: &Cluster) -> Result<Self, ClusterError> {
        let service = Ipv4Addr::from(u32::from(cluster.service_cidr.network()) + 1);
        let mut addresses = cluster.private_addresses(state);
        addresses.push(service);
        let names = [cluster.endpoint.host.as_str()];
        let certificates = Certificates::make(&cluster.key.name, &addresses, &names);
        let signing = Keys::new_signing().map_err(ClusterError::keys)?;
        Ok(Self {
            id: cluster.id.clone(),
            signing: STANDARD.encode(signing),
            certificates: certificates.map_err(ClusterError::keys)?,
        })
    }
}
