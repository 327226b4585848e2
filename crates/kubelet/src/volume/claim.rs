//! Claims for persistent volumes.
//! <https://kubernetes.io/docs/concepts/storage/persistent-volumes/>

use super::disk::Disk;
use super::{Failure, Making, Source, blocking, host_path, in_store};
use crate::pod::HostPath;
use cri::MountSource;
use serde_json::Value;
use std::path::PathBuf;

impl Making<'_> {
    /// The volume that a claim of the pod's namespace has.
    pub(super) async fn claim(&self, name: &str, read_only: bool) -> Result<Source, Failure> {
        let namespace = &self.pod.metadata.namespace;
        let failed =
            |why: String| Failure::Claim(format!("error processing PVC {namespace}/{name}: {why}"));
        let path = format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}");
        let claim = self
            .shared
            .means
            .client
            .get(&path)
            .await
            .map_err(|error| failed(format!("failed to fetch PVC from API server: {error}")))?;
        let volume = claim["spec"]["volumeName"].as_str().unwrap_or_default();
        if claim["status"]["phase"] != "Bound" || volume.is_empty() {
            return Err(failed("PVC is not bound".to_owned()));
        }
        let path = format!("/api/v1/persistentvolumes/{volume}");
        let found = self.shared.means.client.get(&path).await;
        let volume = found.map_err(|error| failed(error.to_string()))?;
        let at = self.persistent(&volume).await?;
        Ok(Source {
            at,
            read_only,
            ours: false,
        })
    }

    async fn persistent(&self, volume: &Value) -> Result<MountSource, Failure> {
        let spec = &volume["spec"];
        if spec["volumeMode"] == "Block" {
            return Err(Failure::SetUp(
                "volume has volumeMode Block, but its plugin supports file systems only".to_owned(),
            ));
        }
        if let Some(disk) = Disk::of(volume) {
            let attached = self.attached(&disk).await?;
            return Ok(self.stored(attached).await?);
        }
        let (path, kind) = match (&spec["hostPath"], &spec["local"]) {
            (Value::Object(source), _) => (&source["path"], source.get("type")),
            (_, Value::Object(source)) => (&source["path"], None),
            _ => {
                let why = "no volume plugin matched the PersistentVolume's source".to_owned();
                return Err(Failure::SetUp(why));
            }
        };
        let path = path.as_str().unwrap_or_default().to_owned();
        if let Some(own) = in_store(&self.shared.config.volumes, &path) {
            return Ok(self.stored(own).await?);
        }
        let files = self.shared.means.files.clone();
        if spec["local"].is_object() {
            let checked = blocking(move || match files.kind(path.as_ref()) {
                Ok(Some(_)) => Ok(PathBuf::from(path)),
                _ => Err(format!("path {path:?} does not exist")),
            });
            return Ok(MountSource::Node(checked.await?));
        }
        let kind = kind.and_then(Value::as_str).unwrap_or_default().to_owned();
        let source = HostPath { path, kind };
        let checked = blocking(move || host_path::check(&*files, &source)).await?;
        Ok(MountSource::Node(checked))
    }

    /// A volume of the lab's own store.
    async fn stored(&self, path: PathBuf) -> Result<MountSource, String> {
        let group = self.pod.spec.security_context.fs_group;
        let made = path.clone();
        blocking(move || {
            let new = !made.is_dir();
            if new {
                super::ownership::make_directory(&made, 0o777)
                    .map_err(|error| super::told(&made, &error))?;
            }
            match group {
                Some(group) => super::ownership::give(&made, group, false),
                None => Ok(()),
            }
        })
        .await?;
        Ok(MountSource::Kubelet(path))
    }
}
