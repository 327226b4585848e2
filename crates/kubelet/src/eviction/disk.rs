//! What pods have on disk.

use crate::config::KubeletConfig;
use crate::pod::Pod;
use crate::room::Room;
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The unit in which file systems tell what a file takes.
const BLOCK: u64 = 512;

/// What a pod has on its node's disk, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    volumes: BTreeMap<String, u64>,
    /// In memory: they count as their limits say, and not as disk.
    in_memory: BTreeMap<String, u64>,
    logs: BTreeMap<String, u64>,
}

impl Held {
    /// All of it.
    pub(super) fn total(&self) -> u64 {
        self.volumes.values().chain(self.logs.values()).sum()
    }

    /// A volume's part.
    pub(super) fn of_volume(&self, name: &str) -> u64 {
        let held = self.volumes.get(name).or_else(|| self.in_memory.get(name));
        held.copied().unwrap_or_default()
    }

    /// What is a container's alone.
    pub(super) fn of_container(&self, name: &str) -> u64 {
        self.logs.get(name).copied().unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn volume(&mut self, name: &str, bytes: u64) {
        self.volumes.insert(name.to_owned(), bytes);
    }
}

/// Measures it. Blocks.
pub(super) fn held(config: &KubeletConfig, pod: &Pod) -> Held {
    let room = Room::of(config, &pod.metadata);
    let mut held = Held::default();
    for volume in &pod.spec.volumes {
        let Some(empty) = &volume.empty_dir else {
            continue;
        };
        let bytes = used(&room.volume("empty-dir", &volume.name));
        let part = if empty.is_memory() {
            &mut held.in_memory
        } else {
            &mut held.volumes
        };
        part.insert(volume.name.clone(), bytes);
    }
    for container in &pod.spec.containers {
        let bytes = used(&room.logs().join(&container.name));
        held.logs.insert(container.name.clone(), bytes);
    }
    held
}

/// Bytes that a directory takes with all below it. A file with several names counts for each.
fn used(path: &Path) -> u64 {
    let mut waiting: Vec<PathBuf> = vec![path.to_owned()];
    let mut bytes = 0;
    while let Some(folder) = waiting.pop() {
        // What is gone meanwhile takes nothing.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            bytes += taken(&metadata);
            if metadata.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    bytes
}

fn taken(metadata: &Metadata) -> u64 {
    metadata.blocks() * BLOCK
}
