//! A guest's disk: what it wrote over the machine's files. It lies in the lab's memory and goes with
//! the lab.

use super::GuestFile;
use crate::launch::RUNTIME;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Directories that are each guest's own and show nothing of the machine's: what a Kubernetes node keeps.
/// A machine that is a node itself must not lend its network to the lab's.
pub(super) const OWN: [&str; 6] = [
    "/etc/cni",
    "/etc/kubernetes",
    "/opt/cni",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/pods",
];

/// A disk; dropping it removes what was written.
#[derive(Debug)]
pub struct GuestDisk(PathBuf);

impl GuestDisk {
    /// A fresh disk: the machine's files, nothing changed.
    ///
    /// # Errors
    /// The lab's memory is full.
    pub fn fresh() -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let path =
            Path::new(RUNTIME).join(format!("disk-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::DirBuilder::new().mode(0o755).create(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Puts a file over the machine's. Directories on the way keep what the machine has in them.
    pub(super) fn write(&self, file: &GuestFile) -> io::Result<()> {
        let target = self.place(&file.path)?;
        if let Some(parent) = target.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(parent)?;
        }
        fs::write(&target, &file.contents)?;
        fs::set_permissions(&target, fs::Permissions::from_mode(file.mode))
    }

    /// Where a file of the guest's lies here.
    fn place(&self, path: &Path) -> io::Result<PathBuf> {
        let plain: PathBuf = path
            .components()
            .filter(|component| matches!(component, Component::Normal(_)))
            .collect();
        let absolute = Path::new("/").join(&plain);
        if OWN.iter().any(|own| absolute.starts_with(own)) {
            return Ok(own(&self.0, &absolute));
        }
        let mut inside = plain.iter();
        let top = inside.next().ok_or(io::ErrorKind::InvalidInput)?;
        let top = upper(&self.0, Path::new(top));
        Ok(inside.fold(top, |path, name| path.join(name)))
    }
}

/// Where a directory that is the guest's own lies on a disk.
pub(super) fn own(disk: &Path, path: &Path) -> PathBuf {
    disk.join("own")
        .join(path.strip_prefix("/").unwrap_or(path))
}

/// Where what is written below a top-level directory lies on a disk.
pub(super) fn upper(disk: &Path, top: &Path) -> PathBuf {
    disk.join(top).join("upper")
}

/// Overlayfs's working directory for the same.
pub(super) fn work(disk: &Path, top: &Path) -> PathBuf {
    disk.join(top).join("work")
}

impl Drop for GuestDisk {
    fn drop(&mut self) {
        // What can't be removed goes with the lab.
        let _ = fs::remove_dir_all(&self.0);
    }
}
