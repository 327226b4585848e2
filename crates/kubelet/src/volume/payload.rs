//! The files of config maps, secrets, pods' own fields and tokens.

use super::{Failure, Making};
use crate::fields::Facts;
use crate::pod::{ConfigSource, DownwardSource, Item, Projected};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube_client::Error;
use serde_json::Value;
use std::collections::BTreeMap;

/// The mode that files have where nobody says otherwise.
const MODE: u32 = 0o644;

/// A file of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Its path in the volume.
    pub(super) path: String,
    /// What it says.
    pub(super) data: Vec<u8>,
    /// Its mode.
    pub(super) mode: u32,
}

impl Making<'_> {
    pub(super) async fn config_map(
        &self,
        source: &ConfigSource,
        mode: Option<u32>,
    ) -> Result<Vec<File>, String> {
        self.entries("configmaps", "config", source, mode).await
    }

    pub(super) async fn secret(
        &self,
        source: &ConfigSource,
        mode: Option<u32>,
    ) -> Result<Vec<File>, String> {
        self.entries("secrets", "secret", source, mode).await
    }

    async fn entries(
        &self,
        resource: &str,
        kind: &str,
        source: &ConfigSource,
        mode: Option<u32>,
    ) -> Result<Vec<File>, String> {
        let namespace = &self.pod.metadata.namespace;
        let path = format!("/api/v1/namespaces/{namespace}/{resource}/{}", source.name);
        let object = match self.shared.library.get(&path, self.age).await {
            Ok(object) => object,
            Err(error) if error.is_not_found() && source.optional => return Ok(Vec::new()),
            Err(error) => return Err(error.to_string()),
        };
        choose(kind, &decoded(&object), source, mode.unwrap_or(MODE))
    }

    pub(super) async fn projected(
        &self,
        volume: &str,
        source: &Projected,
    ) -> Result<Vec<File>, Failure> {
        let mode = source.default_mode;
        let mut files = Vec::new();
        for projection in &source.sources {
            if let Some(source) = &projection.config_map {
                files.extend(self.config_map(source, mode).await?);
            }
            if let Some(source) = &projection.secret {
                files.extend(self.secret(source, mode).await?);
            }
            if let Some(source) = &projection.downward {
                files.extend(downward(source, mode, &self.facts())?);
            }
            if let Some(source) = &projection.service_account_token {
                let token = self.token(volume, source).await.map_err(|error: Error| {
                    Failure::SetUp(format!("failed to fetch token: {error}"))
                })?;
                files.push(File {
                    path: source.path.clone(),
                    data: token.into_bytes(),
                    mode: mode.unwrap_or(MODE),
                });
            }
        }
        Ok(files)
    }
}

/// A config map's or secret's entries.
pub(crate) fn decoded(object: &Value) -> BTreeMap<String, Vec<u8>> {
    let secret = object["kind"] == "Secret";
    let mut entries = BTreeMap::new();
    for (field, encoded) in [("data", secret), ("binaryData", true)] {
        for (key, value) in object[field].as_object().into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            let data = if encoded {
                STANDARD.decode(text).unwrap_or_default()
            } else {
                text.as_bytes().to_vec()
            };
            entries.insert(key.clone(), data);
        }
    }
    entries
}

/// The files that a source makes of entries: all of them, or those it names.
fn choose(
    kind: &str,
    entries: &BTreeMap<String, Vec<u8>>,
    source: &ConfigSource,
    mode: u32,
) -> Result<Vec<File>, String> {
    if source.items.is_empty() {
        let all = entries.iter().map(|(key, data)| File {
            path: key.clone(),
            data: data.clone(),
            mode,
        });
        return Ok(all.collect());
    }
    let mut files = Vec::new();
    for Item {
        key,
        path,
        mode: own,
    } in &source.items
    {
        match entries.get(key) {
            Some(data) => files.push(File {
                path: path.clone(),
                data: data.clone(),
                mode: own.unwrap_or(mode),
            }),
            None if source.optional => {}
            None => return Err(format!("references non-existent {kind} key: {key}")),
        }
    }
    Ok(files)
}

/// The pod's fields as files.
pub(super) fn downward(
    source: &DownwardSource,
    mode: Option<u32>,
    facts: &Facts<'_>,
) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    for item in &source.items {
        let data = if let Some(field) = &item.field_ref {
            facts.field(&field.field_path)?
        } else if let Some(resource) = &item.resource_field_ref {
            facts.resource(resource, None)?
        } else {
            continue;
        };
        files.push(File {
            path: item.path.clone(),
            data: data.into_bytes(),
            mode: item.mode.or(mode).unwrap_or(MODE),
        });
    }
    Ok(files)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn source(value: Value) -> ConfigSource {
        serde_json::from_value(value).unwrap()
    }

    /// K8S-RUN: entries become files, all or those that are named.
    #[test]
    fn entries_become_files() {
        let secret = json!({"kind": "Secret", "data": {"user": "bWU=", "key": "AAE="}});
        let entries = decoded(&secret);
        assert_eq!(entries["user"], b"me");
        let all = choose("secret", &entries, &source(json!({})), 0o644).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(
            (all[0].path.as_str(), &all[0].data[..]),
            ("key", &[0, 1][..])
        );
        let some = source(json!({"items": [{"key": "user", "path": "a/b", "mode": 0o400}]}));
        let some = choose("secret", &entries, &some, 0o644).unwrap();
        assert_eq!((some[0].path.as_str(), some[0].mode), ("a/b", 0o400));
        let none = json!({"items": [{"key": "none", "path": "n"}]});
        let error = choose("secret", &entries, &source(none.clone()), 0o644).unwrap_err();
        assert_eq!(error, "references non-existent secret key: none");
        let mut optional = source(none);
        optional.optional = true;
        assert!(
            choose("secret", &entries, &optional, 0o644)
                .unwrap()
                .is_empty()
        );
        let map = json!({"kind": "ConfigMap", "data": {"a": "1"}, "binaryData": {"b": "AAE="}});
        assert_eq!(decoded(&map)["a"], b"1");
        assert_eq!(decoded(&map)["b"], [0, 1]);
    }
}
