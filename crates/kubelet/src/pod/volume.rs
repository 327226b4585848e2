//! Volumes of a pod.

use super::{FieldRef, ResourceFieldRef};
use crate::quantity::Quantity;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A volume: a name and one source. Sources that this kubelet doesn't know stay as they are, so
/// that they can be named.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Volume {
    pub(crate) name: String,
    pub(crate) empty_dir: Option<EmptyDir>,
    pub(crate) host_path: Option<HostPath>,
    pub(crate) config_map: Option<ConfigSource>,
    pub(crate) secret: Option<ConfigSource>,
    #[serde(rename = "downwardAPI")]
    pub(crate) downward: Option<DownwardSource>,
    pub(crate) projected: Option<Projected>,
    pub(crate) persistent_volume_claim: Option<Claim>,
    pub(crate) ephemeral: Option<Value>,
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

/// An empty directory that lives as long as the pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct EmptyDir {
    pub(crate) medium: String,
    pub(crate) size_limit: Option<Quantity>,
}

impl EmptyDir {
    /// Whether it is in memory, and not on disk.
    pub(crate) fn is_memory(&self) -> bool {
        self.medium == "Memory"
    }
}

/// A file or directory of the node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HostPath {
    pub(crate) path: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// A config map or secret as files. A secret's own volume calls its name `secretName`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ConfigSource {
    #[serde(alias = "secretName")]
    pub(crate) name: String,
    pub(crate) items: Vec<Item>,
    pub(crate) default_mode: Option<u32>,
    pub(crate) optional: bool,
}

/// An entry and the file it becomes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Item {
    pub(crate) key: String,
    pub(crate) path: String,
    pub(crate) mode: Option<u32>,
}

/// The pod's fields as files.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DownwardSource {
    pub(crate) items: Vec<DownwardItem>,
    pub(crate) default_mode: Option<u32>,
}

/// A field and the file it becomes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DownwardItem {
    pub(crate) path: String,
    pub(crate) mode: Option<u32>,
    pub(crate) field_ref: Option<FieldRef>,
    pub(crate) resource_field_ref: Option<ResourceFieldRef>,
}

/// Several sources in one directory.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Projected {
    pub(crate) sources: Vec<Projection>,
    pub(crate) default_mode: Option<u32>,
}

/// One of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Projection {
    pub(crate) config_map: Option<ConfigSource>,
    pub(crate) secret: Option<ConfigSource>,
    #[serde(rename = "downwardAPI")]
    pub(crate) downward: Option<DownwardSource>,
    pub(crate) service_account_token: Option<TokenSource>,
}

/// A token of the pod's service account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct TokenSource {
    pub(crate) audience: String,
    pub(crate) expiration_seconds: Option<i64>,
    pub(crate) path: String,
}

/// A claim for a persistent volume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Claim {
    pub(crate) claim_name: String,
    pub(crate) read_only: bool,
}
