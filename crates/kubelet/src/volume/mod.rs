//! Volumes: what a pod's containers find at their mount paths.
//! <https://kubernetes.io/docs/concepts/storage/volumes/>
//!
//! Modelled: `emptyDir`, `configMap`, `secret`, `downwardAPI`, `projected`, `hostPath`,
//! `persistentVolumeClaim` and generic `ephemeral` ones, where the persistent volume is a `hostPath` or
//! `local` one, or a disk of EBS. Not modelled: CSI beyond that and the plugins of other clouds; block devices; huge pages as an
//! `emptyDir`'s medium.

mod atomic;
mod claim;
mod disk;
mod empty_dir;
mod host_path;
mod ownership;
mod part;
mod payload;
mod token;

pub use empty_dir::power_failure;
pub(crate) use empty_dir::release;
pub(crate) use part::find as part;
pub(crate) use payload::decoded;

use crate::fields::Facts;
use crate::pod::{Pod, Volume};
use crate::room::Room;
use crate::shared::Shared;
use cri::MountSource;
use payload::File;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use token::Token;

/// What a pod's volumes are, once they are there.
#[derive(Debug, Default)]
pub(crate) struct Belongings {
    sources: Mutex<BTreeMap<String, Source>>,
    tokens: Mutex<BTreeMap<String, Token>>,
}

/// Where a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The place to mount.
    pub(crate) at: MountSource,
    /// Whether nobody may write there.
    pub(crate) read_only: bool,
    /// Whether all that is there is the kubelet's own, links too.
    pub(crate) ours: bool,
}

impl Belongings {
    /// The volume of a name.
    pub(crate) fn source(&self, volume: &str) -> Option<Source> {
        lock(&self.sources).get(volume).cloned()
    }
}

/// Makes a pod's volumes, or brings them up to date. Gives what failed, in the words of events.
pub(crate) async fn prepare(
    shared: &Shared,
    pod: &Pod,
    room: &Room,
    belongings: &Belongings,
    age: Duration,
) -> Vec<String> {
    let mut failures = Vec::new();
    for volume in &pod.spec.volumes {
        let made = Making {
            shared,
            pod,
            room,
            belongings,
            age,
        };
        match made.volume(volume).await {
            Ok(source) => {
                lock(&belongings.sources).insert(volume.name.clone(), source);
            }
            Err(Failure::SetUp(why)) => failures.push(format!(
                "MountVolume.SetUp failed for volume {:?} : {why}",
                volume.name
            )),
            Err(Failure::Claim(why)) => failures.push(format!(
                "Unable to attach or mount volumes: unmounted volumes=[{0}], unattached volumes=[], failed to process volumes=[{0}]: {why}",
                volume.name
            )),
        }
    }
    failures
}

/// Why a volume can't be had.
#[derive(Debug)]
enum Failure {
    /// It can't be made.
    SetUp(String),
    /// What it claims can't be told.
    Claim(String),
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::SetUp(why)
    }
}

/// One volume in the making.
struct Making<'a> {
    shared: &'a Shared,
    pod: &'a Pod,
    room: &'a Room,
    belongings: &'a Belongings,
    age: Duration,
}

impl Making<'_> {
    async fn volume(&self, volume: &Volume) -> Result<Source, Failure> {
        if let Some(empty) = &volume.empty_dir {
            return Ok(self.empty_dir(&volume.name, empty).await?);
        }
        if let Some(source) = &volume.config_map {
            let files = self.config_map(source, source.default_mode).await?;
            return Ok(self.files("configmap", volume, files).await?);
        }
        if let Some(source) = &volume.secret {
            let files = self.secret(source, source.default_mode).await?;
            return Ok(self.files("secret", volume, files).await?);
        }
        if let Some(source) = &volume.downward {
            let files = payload::downward(source, source.default_mode, &self.facts())?;
            return Ok(self.files("downward-api", volume, files).await?);
        }
        if let Some(source) = &volume.projected {
            let files = self.projected(&volume.name, source).await?;
            return Ok(self.files("projected", volume, files).await?);
        }
        if let Some(source) = &volume.host_path {
            let files = self.shared.means.files.clone();
            let source = source.clone();
            let checked = blocking(move || host_path::check(&*files, &source)).await;
            return Ok(checked.map(|path| Source {
                at: MountSource::Node(path),
                read_only: false,
                ours: false,
            })?);
        }
        if let Some(claim) = &volume.persistent_volume_claim {
            return self.claim(&claim.claim_name, claim.read_only).await;
        }
        if volume.ephemeral.is_some() {
            let name = format!("{}-{}", self.pod.metadata.name, volume.name);
            return self.claim(&name, false).await;
        }
        let kind = volume.other.keys().next().map_or("", String::as_str);
        Err(Failure::SetUp(format!(
            "no volume plugin matched name: kubernetes.io/{kind}"
        )))
    }

    /// Files that change as one.
    async fn files(
        &self,
        plugin: &str,
        volume: &Volume,
        files: Vec<File>,
    ) -> Result<Source, String> {
        let path = self.room.volume(plugin, &volume.name);
        let group = self.pod.spec.security_context.fs_group;
        let made = path.clone();
        blocking(move || atomic::write(&made, &files, group).map_err(|error| told(&made, &error)))
            .await?;
        Ok(Source {
            at: MountSource::Kubelet(path),
            read_only: true,
            ours: true,
        })
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            pod: self.pod,
            address: self.pod.status.pod_ip.parse().ok(),
            host: self.shared.config.address,
            allocatable: self.shared.config.allocatable,
        }
    }
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Does what blocks on a thread for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| error.to_string())?
}

/// The lab's own store of volumes, as nodes name it.
const STORE: &str = "/var/lib/skylab/volumes/";

/// A path of a persistent volume: in the lab's own store, or among the node's files.
fn in_store(volumes: &Path, path: &str) -> Option<PathBuf> {
    let below = Path::new(path.strip_prefix(STORE)?);
    let plain = |part| matches!(part, std::path::Component::Normal(_));
    (below.components().all(plain) && below.components().next().is_some())
        .then(|| volumes.join(below))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OPS-SAFE: no path leads out of the lab's store.
    #[test]
    fn the_store_is_a_store() {
        let volumes = Path::new("/lab/volumes");
        let found = in_store(volumes, "/var/lib/skylab/volumes/pvc-1");
        assert_eq!(found, Some(PathBuf::from("/lab/volumes/pvc-1")));
        for other in [
            "/var/lib/skylab/volumes/",
            "/var/lib/skylab/volumes/../../x",
            "/var/lib/skylab/volumes//etc",
            "/var/lib/other",
        ] {
            assert_eq!(in_store(volumes, other), None, "{other}");
        }
    }
}
