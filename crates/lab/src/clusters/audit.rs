//! Who did what in a cluster: audit events, one JSON object a line, in the lab's state directory.
//!
//! The newest events are in `audit-CLUSTER.log`, those before in `audit-CLUSTER.log.1`; neither grows beyond
//! its bound.

use kube::audit::Audit;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A file's bound, in bytes.
const BOUND: u64 = 16 << 20;

/// A cluster's events.
pub(super) struct Events {
    path: PathBuf,
    bound: u64,
    open: Mutex<Open>,
}

/// The file that is written to.
struct Open {
    file: File,
    length: u64,
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }
}

impl Events {
    /// The events of a cluster, in a directory.
    ///
    /// # Errors
    /// The file can't be opened.
    pub(super) fn new(directory: &Path, cluster: &str) -> io::Result<Self> {
        Self::bounded(directory, cluster, BOUND)
    }

    fn bounded(directory: &Path, cluster: &str, bound: u64) -> io::Result<Self> {
        let path = path(directory, cluster);
        let open = Mutex::new(Open::at(&path)?);
        Ok(Self { path, bound, open })
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if open.length > 0 && open.length.saturating_add(length) > self.bound {
            fs::rename(&self.path, before(&self.path))?;
            *open = Open::at(&self.path)?;
        }
        open.file.write_all(line)?;
        open.length += length;
        Ok(())
    }
}

impl Audit for Events {
    fn record(&self, event: &Value) {
        let mut line = event.to_string().into_bytes();
        line.push(b'\n');
        if let Err(error) = self.write(&line) {
            tracing::warn!(%error, "an audit event can't be written");
        }
    }
}

/// Forgets a cluster's events.
pub(super) fn forget(directory: &Path, cluster: &str) {
    let path = path(directory, cluster);
    // What isn't there needs no removing.
    let _ = fs::remove_file(before(&path));
    let _ = fs::remove_file(path);
}

fn path(directory: &Path, cluster: &str) -> PathBuf {
    directory.join(format!("audit-{cluster}.log"))
}

/// Where the events before are.
fn before(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    /// K8S-API: events are kept in their order, the newest within the bound.
    #[test]
    fn files_keep_to_their_bound() {
        let folder = std::env::temp_dir().join(format!("skylab-audit-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let newest = path(&folder, "c");
        for round in 0..2 {
            // A lab that comes back goes on where it was.
            let events = Events::bounded(&folder, "c", 100).unwrap();
            for number in 0..10 {
                events.record(&json!({"round": round, "number": number}));
            }
        }
        let lines = |path: &Path| fs::read_to_string(path).unwrap();
        let (last, earlier) = (lines(&newest), lines(&before(&newest)));
        assert!(last.len() <= 100 && earlier.len() <= 100);
        assert!(last.ends_with("{\"number\":9,\"round\":1}\n"), "{last}");
        let all = format!("{earlier}{last}");
        let numbers: Vec<u64> = all
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["number"]
                    .as_u64()
                    .unwrap()
            })
            .collect();
        assert!(
            numbers.windows(2).all(|two| two[1] == two[0] + 1),
            "{numbers:?}"
        );
        forget(&folder, "c");
        assert!(fs::read_dir(&folder).unwrap().next().is_none());
        fs::remove_dir(&folder).unwrap();
    }
}
