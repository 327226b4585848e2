//! What is told of a pod.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A pod's status.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PodStatus {
    pub(crate) phase: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) start_time: Option<String>,
    #[serde(rename = "hostIP")]
    pub(crate) host_ip: String,
    #[serde(rename = "podIP")]
    pub(crate) pod_ip: String,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) init_container_statuses: Vec<ContainerStatus>,
    pub(crate) container_statuses: Vec<ContainerStatus>,
    pub(crate) ephemeral_container_statuses: Vec<ContainerStatus>,
}

impl PodStatus {
    /// What is said of a container.
    pub(crate) fn container(&self, name: &str) -> Option<&ContainerStatus> {
        let init = self.init_container_statuses.iter();
        let all = init.chain(&self.container_statuses);
        all.chain(&self.ephemeral_container_statuses)
            .find(|status| status.name == name)
    }

    /// The condition of a type.
    #[cfg(test)]
    pub(crate) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| condition.kind == kind)
    }
}

/// One aspect of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) last_probe_time: Option<String>,
    pub(crate) last_transition_time: Option<String>,
}

/// A container's status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContainerStatus {
    pub(crate) name: String,
    #[serde(
        deserialize_with = "some_state",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) state: Option<State>,
    #[serde(
        deserialize_with = "some_state",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) last_state: Option<State>,
    pub(crate) ready: bool,
    pub(crate) restart_count: u32,
    pub(crate) image: String,
    #[serde(rename = "imageID")]
    pub(crate) image_id: String,
    #[serde(rename = "containerID", skip_serializing_if = "String::is_empty")]
    pub(crate) container_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) started: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) volume_mounts: Vec<VolumeMountStatus>,
}

/// A container's mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct VolumeMountStatus {
    pub(crate) name: String,
    pub(crate) mount_path: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recursive_read_only: Option<String>,
}

/// What a container is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum State {
    /// It can't run yet.
    Waiting(Waiting),
    /// It runs.
    Running(Running),
    /// It ended.
    Terminated(Terminated),
}

impl State {
    /// How it ended.
    pub(crate) fn terminated(&self) -> Option<&Terminated> {
        match self {
            Self::Terminated(terminated) => Some(terminated),
            _ => None,
        }
    }
}

/// Why a container can't run yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Waiting {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
}

/// Since when a container runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Running {
    pub(crate) started_at: String,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Terminated {
    pub(crate) exit_code: i32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
    pub(crate) started_at: Option<String>,
    pub(crate) finished_at: Option<String>,
    #[serde(rename = "containerID", skip_serializing_if = "String::is_empty")]
    pub(crate) container_id: String,
}

/// A state, of which the API's empty map says nothing.
fn some_state<'de, D: Deserializer<'de>>(from: D) -> Result<Option<State>, D::Error> {
    let value = Value::deserialize(from)?;
    if value.as_object().is_none_or(serde_json::Map::is_empty) {
        return Ok(None);
    }
    State::deserialize(value)
        .map(Some)
        .map_err(serde::de::Error::custom)
}
