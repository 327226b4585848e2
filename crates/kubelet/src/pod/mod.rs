//! Pods, as a kubelet reads them from the API.
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/>

mod container;
mod resources;
mod security;
mod status;
mod volume;

pub(crate) use container::{
    Container, EnvFrom, EnvSource, EnvVar, FieldRef, Handler, HttpGet, KeyRef, Port, Probe,
    PullPolicy, ResourceFieldRef, Role, TerminationMessage, VolumeMount,
};
pub(crate) use resources::{Qos, Resources};
pub(crate) use security::{PodSecurity, Security};
pub(crate) use status::{
    Condition, ContainerStatus, PodStatus, Running, State, Terminated, VolumeMountStatus, Waiting,
};
pub(crate) use volume::{
    ConfigSource, DownwardSource, EmptyDir, HostPath, Item, Projected, TokenSource, Volume,
};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Pod {
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
    pub(crate) status: PodStatus,
}

/// What every object has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) deletion_timestamp: Option<String>,
    pub(crate) deletion_grace_period_seconds: Option<i64>,
}

/// What a pod shall be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    pub(crate) containers: Vec<Container>,
    pub(crate) init_containers: Vec<Container>,
    pub(crate) ephemeral_containers: Vec<Container>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) restart_policy: RestartPolicy,
    pub(crate) termination_grace_period_seconds: Option<i64>,
    pub(crate) active_deadline_seconds: Option<u64>,
    pub(crate) dns_policy: String,
    pub(crate) dns_config: DnsConfig,
    pub(crate) node_name: String,
    pub(crate) node_selector: BTreeMap<String, String>,
    pub(crate) affinity: Value,
    pub(crate) service_account_name: String,
    pub(crate) host_network: bool,
    #[serde(rename = "hostPID")]
    pub(crate) host_pid: bool,
    #[serde(rename = "hostIPC")]
    pub(crate) host_ipc: bool,
    pub(crate) share_process_namespace: bool,
    pub(crate) security_context: PodSecurity,
    pub(crate) image_pull_secrets: Vec<Named>,
    pub(crate) hostname: String,
    pub(crate) subdomain: String,
    #[serde(rename = "setHostnameAsFQDN")]
    pub(crate) set_hostname_as_fqdn: bool,
    pub(crate) host_aliases: Vec<HostAlias>,
    pub(crate) enable_service_links: Option<bool>,
    pub(crate) readiness_gates: Vec<ReadinessGate>,
    pub(crate) priority: Option<i64>,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) os: Named,
}

/// A taint that a pod doesn't mind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Toleration {
    pub(crate) key: String,
    pub(crate) operator: String,
    pub(crate) value: String,
    pub(crate) effect: String,
}

/// When a container that ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum RestartPolicy {
    /// Always.
    #[default]
    Always,
    /// When it failed.
    OnFailure,
    /// Never.
    Never,
}

/// A reference by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub(crate) name: String,
}

/// Names for an address in `/etc/hosts`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HostAlias {
    pub(crate) ip: String,
    pub(crate) hostnames: Vec<String>,
}

/// A condition that others set and readiness waits for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ReadinessGate {
    pub(crate) condition_type: String,
}

/// A pod's own words for its resolver.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DnsConfig {
    pub(crate) nameservers: Vec<String>,
    pub(crate) searches: Vec<String>,
    pub(crate) options: Vec<DnsOption>,
}

/// `name` or `name:value`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct DnsOption {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

/// A pod that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the pod can't be read: {0}")]
pub(crate) struct Unreadable(#[from] serde_json::Error);

impl Pod {
    /// Whether it doesn't mind a taint that has no value.
    pub(crate) fn tolerates(&self, key: &str, effect: &str) -> bool {
        self.spec.tolerations.iter().any(|toleration| {
            let exists = toleration.operator == "Exists";
            (toleration.effect.is_empty() || toleration.effect == effect)
                && (toleration.key == key || (toleration.key.is_empty() && exists))
                && (exists || toleration.value.is_empty())
        })
    }

    /// Reads an object.
    pub(crate) fn read(object: &Value) -> Result<Self, Unreadable> {
        Ok(Self::deserialize(without_nulls(object))?)
    }

    /// Its containers of all kinds, in the order in which they begin.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (Role, &Container)> {
        let init = self.spec.init_containers.iter().map(|container| {
            let role = if container.restarts_always() {
                Role::Sidecar
            } else {
                Role::Init
            };
            (role, container)
        });
        let main = self.spec.containers.iter().map(|c| (Role::Main, c));
        let ephemeral = self.spec.ephemeral_containers.iter();
        init.chain(main)
            .chain(ephemeral.map(|c| (Role::Ephemeral, c)))
    }

    /// The container of a name.
    pub(crate) fn container(&self, name: &str) -> Option<(Role, &Container)> {
        self.containers()
            .find(|(_, container)| container.name == name)
    }

    /// Whether its deletion was asked for.
    pub(crate) fn deleted(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// How long its containers have for their end when nobody says otherwise.
    pub(crate) fn grace(&self) -> u64 {
        let seconds = self.spec.termination_grace_period_seconds.unwrap_or(30);
        u64::try_from(seconds).unwrap_or(1).max(1)
    }

    /// How long the node lets it run.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.spec.active_deadline_seconds.map(Duration::from_secs)
    }

    /// When the kubelet first saw it, as its status says.
    pub(crate) fn started(&self) -> Option<SystemTime> {
        crate::clock::parse(self.status.start_time.as_deref()?)
    }

    /// Whether its containers ended for good, as its status says.
    pub(crate) fn finished(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// Who it is, in upstream's messages: `web_default(uid)`.
    pub(crate) fn told(&self) -> String {
        let Metadata {
            name,
            namespace,
            uid,
            ..
        } = &self.metadata;
        format!("{name}_{namespace}({uid})")
    }

    /// The path of the object in the API.
    pub(crate) fn path(&self) -> String {
        let Metadata {
            name, namespace, ..
        } = &self.metadata;
        format!("/api/v1/namespaces/{namespace}/pods/{name}")
    }

    /// An `ObjectReference` to it, or to a part of it.
    pub(crate) fn reference(&self, field: Option<&str>) -> Value {
        let mut reference = json!({
            "kind": "Pod",
            "apiVersion": "v1",
            "namespace": self.metadata.namespace,
            "name": self.metadata.name,
            "uid": self.metadata.uid,
            "resourceVersion": self.metadata.resource_version,
        });
        if let Some(field) = field {
            reference["fieldPath"] = field.into();
        }
        reference
    }
}

impl fmt::Display for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.metadata.namespace, self.metadata.name)
    }
}

/// A pod with the object it was read from.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) pod: Arc<Pod>,
    pub(crate) object: Arc<Value>,
}

/// A field that is null says as little as one that is missing.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let said = map.iter().filter(|(_, value)| !value.is_null());
            let said = said.map(|(key, value)| (key.clone(), without_nulls(value)));
            Value::Object(said.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// K8S-RUN: a pod as the API gives it, with fields that say nothing.
    #[test]
    fn a_pod_is_read() {
        let object = json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "u", "labels": null},
            "spec": {
                "initContainers": [
                    {"name": "set-up", "image": "a"},
                    {"name": "log", "image": "b", "restartPolicy": "Always"},
                ],
                "containers": [{"name": "c", "image": "nginx", "ports": [
                    {"name": "http", "containerPort": 80}]}],
                "ephemeralContainers": [{"name": "debug", "image": "d", "targetContainerName": "c"}],
                "volumes": null, "restartPolicy": "OnFailure", "someday": {"new": 1},
            },
            "status": {"phase": "Pending", "containerStatuses": [
                {"name": "c", "state": {}, "lastState": {}, "ready": false, "restartCount": 2}]},
        });
        let pod = Pod::read(&object).unwrap();
        let roles: Vec<Role> = pod.containers().map(|(role, _)| role).collect();
        let wanted = [Role::Init, Role::Sidecar, Role::Main, Role::Ephemeral];
        assert_eq!(roles, wanted);
        assert_eq!(pod.spec.restart_policy, RestartPolicy::OnFailure);
        assert_eq!(pod.status.container_statuses[0].restart_count, 2);
        assert_eq!(pod.status.container_statuses[0].state, None);
        assert_eq!(pod.told(), "web_shop(u)");
        assert_eq!(pod.grace(), 30);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Pod::read(&json!({"spec": {"containers": "none"}})).is_err());
    }
}
