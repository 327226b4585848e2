//! A directory for a test, gone when the test ends.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that goes away with this.
pub(crate) struct Directory(PathBuf);

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Directory {
    /// Makes one.
    pub(crate) fn new() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("skylab-image-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::fs::remove_dir_all(&self.0).is_err() {
            // Overlayfs leaves a directory that is closed even to its owner.
            let open = ["-R", "u+rwx"];
            let _ = std::process::Command::new("chmod")
                .args(open)
                .arg(&self.0)
                .output();
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
