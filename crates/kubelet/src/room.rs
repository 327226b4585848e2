//! Where a pod's things are on the kubelet's side.

use crate::config::KubeletConfig;
use crate::pod::Metadata;
use std::path::{Path, PathBuf};

/// What a pod's volumes are in, below all that the kubelet keeps of it.
pub(crate) const VOLUMES: &str = "volumes";

/// A pod's directories.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    root: PathBuf,
    logs: PathBuf,
}

impl Room {
    pub(crate) fn of(config: &KubeletConfig, pod: &Metadata) -> Self {
        let Metadata {
            namespace,
            name,
            uid,
            ..
        } = pod;
        Self {
            root: pods(config).join(uid),
            logs: config.logs.join(format!("{namespace}_{name}_{uid}")),
        }
    }

    /// All that the kubelet keeps of the pod but its logs.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Its logs.
    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    /// Its volumes.
    pub(crate) fn volumes(&self) -> PathBuf {
        self.root.join(VOLUMES)
    }

    /// One of them: `kubernetes.io~empty-dir/cache`.
    pub(crate) fn volume(&self, plugin: &str, name: &str) -> PathBuf {
        self.volumes()
            .join(format!("kubernetes.io~{plugin}"))
            .join(name)
    }

    /// Its `/etc/hosts`.
    pub(crate) fn hosts(&self) -> PathBuf {
        self.root.join("etc-hosts")
    }

    /// The file that a container leaves its last words in.
    pub(crate) fn last_words(&self, container: &str, attempt: u32) -> PathBuf {
        self.root
            .join("containers")
            .join(container)
            .join(attempt.to_string())
    }

    /// A container's log.
    pub(crate) fn log(&self, container: &str, attempt: u32) -> PathBuf {
        self.logs.join(container).join(format!("{attempt}.log"))
    }
}

/// Where pods' directories are.
pub(crate) fn pods(config: &KubeletConfig) -> PathBuf {
    pods_in(&config.directory)
}

/// The same, in a kubelet's directory.
pub(crate) fn pods_in(directory: &Path) -> PathBuf {
    directory.join("pods")
}
