//! Empty directories that live as long as their pod, on disk or in memory.
//! <https://kubernetes.io/docs/concepts/storage/volumes/#emptydir>

use super::{Making, Source, blocking, ownership, told};
use crate::place::Memory;
use crate::pod::{EmptyDir, Pod};
use crate::room;
use cri::MountSource;
use std::fs;
use std::path::{Path, PathBuf};

/// What the directories of a pod's volumes of this kind are in.
const PLUGIN: &str = "empty-dir";

impl Making<'_> {
    pub(super) async fn empty_dir(&self, name: &str, empty: &EmptyDir) -> Result<Source, String> {
        let path = self.room.volume(PLUGIN, name);
        let group = self.pod.spec.security_context.fs_group;
        let memory = match empty.medium.as_str() {
            "" => None,
            "Memory" => Some(self.memory(empty)),
            other => return Err(format!("unknown storage medium {other:?}")),
        };
        let from = self.shared.means.memory.clone();
        let made = path.clone();
        blocking(move || {
            if made.is_dir() {
                return Ok(());
            }
            let at = |error| told(&made, &error);
            ownership::make_directory(&made, 0o777).map_err(at)?;
            if let Some(size) = memory
                && let Err(error) = from.mount(&made, size)
            {
                // The next try makes it anew.
                let _ = fs::remove_dir(&made);
                return Err(at(error));
            }
            match group {
                Some(group) => ownership::give(&made, group, false),
                None => Ok(()),
            }
        })
        .await?;
        Ok(Source {
            at: MountSource::Kubelet(path),
            read_only: false,
            ours: false,
        })
    }

    /// How many bytes one in memory holds at most.
    fn memory(&self, empty: &EmptyDir) -> u64 {
        let limit = empty.size_limit.map(|limit| limit.units());
        let asked = limit.filter(|limit| *limit > 0);
        let pods = memory_limit(self.pod);
        let node = self.shared.config.allocatable.memory;
        asked.into_iter().chain(pods).fold(node, u64::min)
    }
}

/// What a pod may use of memory, if all its containers have a limit.
fn memory_limit(pod: &Pod) -> Option<u64> {
    let limits = pod.spec.containers.iter();
    let limits: Vec<u64> = limits
        .map(|container| container.resources.limit("memory").units())
        .collect();
    limits
        .iter()
        .all(|limit| *limit > 0)
        .then(|| limits.iter().sum())
        .filter(|limit| *limit > 0)
}

/// What a power failure does to what a kubelet keeps in its directory: volumes in memory are gone, those
/// on disk stay. The kubelet must have ended. Blocks.
pub fn power_failure(directory: &Path, memory: &dyn Memory) {
    for pod in entries(&room::pods_in(directory)) {
        let volumes = pod.join(room::VOLUMES);
        release(memory, &volumes);
        for volume in entries(&folder(&volumes)) {
            // One with files in it is on disk.
            let _ = fs::remove_dir(volume);
        }
    }
}

fn folder(volumes: &Path) -> PathBuf {
    volumes.join(format!("kubernetes.io~{PLUGIN}"))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Gives back the memory of a pod's volumes, which then can be removed like others. Blocks.
pub(crate) fn release(memory: &dyn Memory, volumes: &Path) {
    for volume in entries(&folder(volumes)) {
        if let Err(error) = memory.unmount(&volume) {
            tracing::warn!(path = %volume.display(), %error, "memory is not given back");
        }
    }
}
