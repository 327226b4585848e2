//! Who a caller of an EKS cluster is: a principal of IAM, by a signed request in its token, and what the cluster
//! knows it as.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/grant-k8s-access.html>

mod aws_auth;
mod principal;

use super::nodeadm::{CLUSTER, TOKEN};
use crate::cloud::Cloud;
use crate::http::Keys;
use aws::identity::caller_of_presigned;
use aws::model::State;
use aws::model::eks::{Authentication, Cluster, ClusterKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kube::api::{Grant, Rights, User};
use kube::serve::Others;
use kube::store::{Key, Store};
use principal::Principal;
use serde_json::json;
use std::collections::BTreeMap;

const AUTHENTICATED: &str = "system:authenticated";

/// Knows the principals of an account's cluster.
pub(super) struct Principals {
    cloud: Cloud,
    keys: Keys,
    cluster: ClusterKey,
}

impl Principals {
    pub(super) fn new(cloud: Cloud, keys: Keys, cluster: ClusterKey) -> Self {
        Self {
            cloud,
            keys,
            cluster,
        }
    }
}

impl Others for Principals {
    fn user(&self, token: &str, store: &Store, now: i64) -> Option<User> {
        let encoded = token.strip_prefix(TOKEN)?;
        let address = URL_SAFE_NO_PAD.decode(encoded.trim_end_matches('=')).ok()?;
        let address = String::from_utf8(address).ok()?;
        let snapshot = self.cloud.snapshot();
        let state = &snapshot.state;
        let headers = [(CLUSTER.to_owned(), self.cluster.name.clone())];
        let keyring = self.keys.keyring(state);
        let caller = match caller_of_presigned(&keyring, &address, &headers, now) {
            Ok(caller) => caller,
            Err(error) => {
                let cluster = &self.cluster.name;
                tracing::info!(cluster, %error, "a token is refused");
                return None;
            }
        };
        let principal = Principal {
            arn: caller.arn,
            account: caller.account,
            id: caller.user_id,
        };
        let cluster = state.eks_clusters.get(&self.cluster)?;
        by_entry(state, cluster, &principal).or_else(|| by_map(state, cluster, store, &principal))
    }
}

/// Whom an access entry makes of a principal.
fn by_entry(state: &State, cluster: &Cluster, principal: &Principal) -> Option<User> {
    if !cluster.authentication.has_entries() {
        return None;
    }
    let mut entries = state.eks_access_entries.values();
    let entry =
        entries.find(|entry| entry.key.cluster == cluster.key && principal.is(&entry.key.name))?;
    let policies = entry.policies.iter();
    let grants = policies.filter_map(|(policy, scope)| {
        Some(Grant {
            rights: rights_of(policy)?,
            namespaces: scope.namespaces.clone(),
        })
    });
    Some(User {
        grants: grants.collect(),
        ..user(state, principal, &entry.username, &entry.groups)
    })
}

/// Whom the ConfigMap `aws-auth` makes of a principal; and the cluster's creator, who needs no entry there.
fn by_map(state: &State, cluster: &Cluster, store: &Store, principal: &Principal) -> Option<User> {
    if cluster.authentication == Authentication::Api {
        return None;
    }
    let map = store.get(&Key::new("configmaps", "kube-system", "aws-auth"));
    let found = map.and_then(|map| aws_auth::find(map, principal));
    if let Some(mapped) = found {
        return Some(user(state, principal, &mapped.username, &mapped.groups));
    }
    let creator = cluster.creator_is_admin && !cluster.authentication.has_entries();
    let masters = ["system:masters".to_owned()];
    (creator && principal.is(&cluster.creator))
        .then(|| user(state, principal, "kubernetes-admin", &masters))
}

/// A principal as a user of the cluster; names may have templates.
fn user(state: &State, principal: &Principal, name: &str, groups: &[String]) -> User {
    let filled = |text: &str| principal.fill(text, |instance| private_name(state, instance));
    let mut groups: Vec<String> = groups.iter().map(|group| filled(group)).collect();
    groups.push(AUTHENTICATED.to_owned());
    let extra = [
        ("arn", principal.arn.clone()),
        ("canonicalArn", principal.canonical()),
        ("principalId", principal.id.clone()),
        ("sessionName", principal.session().to_owned()),
    ];
    User {
        name: filled(name),
        groups,
        uid: format!(
            "aws-iam-authenticator:{}:{}",
            principal.account, principal.id
        ),
        extra: extra
            .into_iter()
            .map(|(key, value)| (key.to_owned(), vec![value]))
            .collect::<BTreeMap<_, _>>(),
        grants: Vec::new(),
    }
}

/// An instance's private DNS name.
fn private_name(state: &State, instance: &str) -> Option<String> {
    let instance = state.instances.get(instance)?;
    let primary = state.network_interfaces.get(instance.interfaces.first()?)?;
    let address = primary.addresses.first()?.ip;
    Some(crate::names::private_name(&instance.region, address))
}

/// What an access policy of EKS lets somebody do.
/// <https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html>
fn rights_of(policy: &str) -> Option<Rights> {
    let (_, name) = policy.rsplit_once('/')?;
    let role = |name: &str| Some(Rights::Role(name.to_owned()));
    let reads = |group: &str, resource: &str| {
        let rule = json!({
            "apiGroups": [group], "resources": [resource], "verbs": ["get", "list", "watch"],
        });
        Some(Rights::Rules(vec![rule]))
    };
    match name {
        "AmazonEKSClusterAdminPolicy" => role("cluster-admin"),
        "AmazonEKSAdminPolicy" => role("admin"),
        "AmazonEKSEditPolicy" => role("edit"),
        "AmazonEKSViewPolicy" => role("view"),
        "AmazonEKSAdminViewPolicy" => reads("*", "*"),
        "AmazonEKSSecretReaderPolicy" => reads("", "secrets"),
        _ => None,
    }
}
