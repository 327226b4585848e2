//! Rotating logs: one that has grown too long is moved away, and its container begins a new one.
//! <https://kubernetes.io/docs/concepts/cluster-administration/logging/#log-rotation>
//!
//! Not modelled: logs that were moved away are not compressed.

use crate::clock;
use cri::{ContainerState, Runtime};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A log of more bytes is rotated (`containerLogMaxSize`).
const LONGEST: u64 = 10 << 20;
/// So many files a container has at most (`containerLogMaxFiles`).
const FILES: usize = 5;

/// Rotates what has grown too long. Blocks.
pub(crate) fn rotate(runtime: &dyn Runtime, now: SystemTime) {
    for container in runtime.containers() {
        let running = matches!(container.state, ContainerState::Running { .. });
        let Some(log) = container.log.filter(|_| running) else {
            continue;
        };
        if fs::metadata(&log).is_ok_and(|found| found.len() > LONGEST) {
            move_away(&log, now);
            if let Err(error) = runtime.reopen_log(&container.id) {
                tracing::warn!(log = %log.display(), %error, "a container has no new log");
            }
        }
    }
}

fn move_away(log: &Path, now: SystemTime) {
    let mut rotated = rotated(log);
    // One more comes, and the log itself is a file too.
    while rotated.len() > FILES - 2 {
        // What can't be removed is removed with its pod.
        let _ = fs::remove_file(rotated.remove(0));
    }
    let mut name = log.as_os_str().to_owned();
    name.push(format!(".{}", stamp(now)));
    if let Err(error) = fs::rename(log, &name) {
        tracing::warn!(log = %log.display(), %error, "it can't be rotated");
    }
}

/// What was moved away of a log before, the oldest first.
fn rotated(log: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|n| n.to_str()))
    else {
        return Vec::new();
    };
    let prefix = format!("{name}.");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(&prefix))
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// `20240229-120000`.
fn stamp(now: SystemTime) -> String {
    let text = clock::rfc3339(now);
    text.trim_end_matches('Z')
        .replace(['-', ':'], "")
        .replace('T', "-")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::clock::at;

    /// K8S-RUN: a container keeps five files at most.
    #[test]
    fn old_logs_go() {
        let folder =
            std::env::temp_dir().join(format!("skylab-kubelet-rotate-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let log = folder.join("0.log");
        for minute in 0..8 {
            fs::write(&log, minute.to_string()).unwrap();
            move_away(&log, at(minute * 60));
        }
        let left = rotated(&log);
        assert_eq!(left.len(), FILES - 1);
        assert!(left[3].ends_with("0.log.19700101-000700"));
        assert_eq!(fs::read_to_string(&left[0]).unwrap(), "4");
        fs::remove_dir_all(&folder).unwrap();
    }
}
