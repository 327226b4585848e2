//! A guest's disk: what it wrote over the machine's files. It lies in the lab's memory and goes with
//! the lab.

use super::GuestFile;
use crate::launch::RUNTIME;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

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
        let mut inside = file
            .path
            .components()
            .filter_map(|component| match component {
                Component::Normal(name) => Some(name),
                _ => None,
            });
        let top = inside.next().ok_or(io::ErrorKind::InvalidInput)?;
        let target = inside.fold(upper(&self.0, Path::new(top)), |path, name| path.join(name));
        if let Some(parent) = target.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(parent)?;
        }
        fs::write(&target, &file.contents)?;
        fs::set_permissions(&target, fs::Permissions::from_mode(file.mode))
    }
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
