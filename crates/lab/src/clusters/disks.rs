//! What EBS volumes hold: a directory a volume, which goes with it.

use crate::cloud::Cloud;
use aws::model::VolumeId;
use aws::model::state::Table;
use aws::model::volume::Volume;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the volumes' directories, below that of clusters' volumes. No cluster has such a name.
pub(super) const FOLDER: &str = "aws:ebs";

/// Removes the directories of volumes that are not there any more, until the task is ended.
pub(super) async fn tidy(cloud: Cloud, folder: PathBuf) {
    let mut snapshots = cloud.snapshots();
    let mut known: Option<Table<VolumeId, Volume>> = None;
    loop {
        let now = snapshots.borrow_and_update().state.volumes.clone();
        if known.as_ref().is_none_or(|known| !known.ptr_eq(&now)) {
            let there = now.keys().map(ToString::to_string).collect();
            let folder = folder.clone();
            let swept = tokio::task::spawn_blocking(move || sweep(&folder, &there));
            // A panic there was logged.
            let _ = swept.await;
            known = Some(now);
        }
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

/// Removes what belongs to no volume.
fn sweep(folder: &Path, there: &BTreeSet<String>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // No volume has held anything yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            tracing::warn!(%error, "volumes' directories can't be looked through");
            return;
        }
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| there.contains(name)) {
            continue;
        }
        if let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "a volume's directory stays");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-EBS: only directories of volumes that are gone go.
    #[test]
    fn directories_go_with_their_volumes() {
        let folder = std::env::temp_dir().join(format!("skylab-disks-{}", std::process::id()));
        for id in ["vol-1", "vol-2"] {
            fs::create_dir_all(folder.join(id).join("data")).unwrap();
        }
        sweep(&folder, &BTreeSet::from(["vol-2".to_owned()]));
        assert!(!folder.join("vol-1").exists());
        assert!(folder.join("vol-2/data").exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
