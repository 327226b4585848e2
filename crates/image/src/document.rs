//! The documents that make up an image: index, manifest, configuration. Docker's own kinds of them have
//! the same fields. <https://github.com/opencontainers/image-spec>

use crate::digest::Digest;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// An image's name in an index.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The same by containerd and Docker, always in full.
pub(crate) const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// A document is no larger than this, as for containerd.
pub(crate) const LARGEST: u64 = 4 * 1048 * 1048;

/// What refers to content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length.
    pub size: u64,
    /// For what machines it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Whatever else is said of it.
    #[serde(
        default,
        deserialize_with = "or_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub(crate) fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// For what machines something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `amd64`, `arm64`.
    #[serde(default)]
    pub architecture: String,
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// A variant of the architecture, `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// This machine.
    pub fn here() -> Self {
        Self {
            architecture: match std::env::consts::ARCH {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            }
            .to_owned(),
            os: "linux".to_owned(),
            variant: None,
        }
    }

    /// Whether this machine can run it. Variants beyond the first are newer than what every machine has.
    pub(crate) fn is_here(&self) -> bool {
        let here = Self::here();
        let plain = matches!(self.variant.as_deref(), None | Some("" | "v1" | "v8"));
        self.os == here.os && self.architecture == here.architecture && plain
    }
}

/// A list of manifests, or of lists.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    pub(crate) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) manifests: Vec<Descriptor>,
}

impl Index {
    pub(crate) fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(INDEX.to_owned()),
            manifests,
        }
    }
}

/// What an image consists of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    pub(crate) config: Descriptor,
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) layers: Vec<Descriptor>,
}

/// Either of the two. The text decides and not what it is called.
#[derive(Clone, Debug)]
pub(crate) enum Document {
    Index(Index),
    Manifest(Manifest),
}

impl Document {
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if value["schemaVersion"] == 1 {
            return Err(format!(
                "not implemented: media type {SCHEMA_1:?} is no longer supported since containerd v2.0, \
                 please rebuild the image as {DOCKER_MANIFEST:?} or {MANIFEST:?}"
            ));
        }
        let (list, layers) = (
            value.get("manifests").is_some(),
            value.get("layers").is_some() || value.get("config").is_some(),
        );
        match (list, layers) {
            (true, false) => serde_json::from_value(value).map(Self::Index),
            (false, true) => serde_json::from_value(value).map(Self::Manifest),
            // What is both would be one image for one reader and another for the next.
            _ => return Err("the document is neither an index nor a manifest".to_owned()),
        }
        .map_err(|error| error.to_string())
    }
}

/// How an image is run, and what its layers hold when decompressed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) config: Execution,
    pub(crate) rootfs: RootFs,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RootFs {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) diff_ids: Vec<Digest>,
}

/// The part of a configuration that says how to run it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Execution {
    #[serde(
        deserialize_with = "or_empty",
        skip_serializing_if = "String::is_empty"
    )]
    pub(crate) user: String,
    #[serde(
        deserialize_with = "or_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) exposed_ports: BTreeMap<String, Value>,
    #[serde(deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub(crate) env: Vec<String>,
    #[serde(deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub(crate) entrypoint: Vec<String>,
    #[serde(deserialize_with = "or_empty", skip_serializing_if = "Vec::is_empty")]
    pub(crate) cmd: Vec<String>,
    #[serde(
        deserialize_with = "or_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) volumes: BTreeMap<String, Value>,
    #[serde(
        deserialize_with = "or_empty",
        skip_serializing_if = "String::is_empty"
    )]
    pub(crate) working_dir: String,
    #[serde(
        deserialize_with = "or_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(
        deserialize_with = "or_empty",
        skip_serializing_if = "String::is_empty"
    )]
    pub(crate) stop_signal: String,
}

/// Go writes `null` for what is empty.
fn or_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn nulls_are_nothing() {
        let text = r#"{"architecture":"amd64","os":"linux","config":{"Env":null,"Cmd":["sh"],
            "Entrypoint":null,"Volumes":null,"Labels":null,"ExposedPorts":{"80/tcp":{}},
            "OnBuild":null,"Hostname":""},"rootfs":{"type":"layers","diff_ids":null}}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.config.cmd, ["sh"]);
        assert!(config.config.entrypoint.is_empty());
        assert!(config.config.exposed_ports.contains_key("80/tcp"));
    }

    #[test]
    fn documents_are_one_thing() {
        let digest = Digest::of(b"");
        let descriptor = format!(r#"{{"mediaType":"x","digest":"{digest}","size":0}}"#);
        let manifest = format!(r#"{{"schemaVersion":2,"config":{descriptor},"layers":[]}}"#);
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{descriptor}]}}"#);
        let both = format!(
            r#"{{"schemaVersion":2,"manifests":[{descriptor}],"config":{descriptor},"layers":[]}}"#
        );
        let read = |text: &str| Document::read(text.as_bytes());
        assert!(matches!(read(&manifest), Ok(Document::Manifest(_))));
        assert!(matches!(read(&index), Ok(Document::Index(_))));
        assert!(read(&both).is_err());
        assert!(read("{}").is_err());
        assert!(read(&index.replace("sha256:", "sha256:../")).is_err());
        let old = read(r#"{"schemaVersion":1,"fsLayers":[]}"#).unwrap_err();
        assert!(old.contains("no longer supported since containerd v2.0"));
    }
}
