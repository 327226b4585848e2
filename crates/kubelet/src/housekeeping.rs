//! What is left of pods that nobody knows any more: sandboxes, directories.

use crate::config::{KubeletConfig, Means};
use crate::{room, volume};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Ends and removes what belongs to none of these pods. Blocks.
pub(crate) fn sweep(means: &Means, config: &KubeletConfig, known: &BTreeSet<String>) {
    for sandbox in means.runtime.sandboxes() {
        if known.contains(&sandbox.uid) {
            continue;
        }
        tracing::info!(
            namespace = sandbox.namespace,
            pod = sandbox.name,
            "a pod is left over"
        );
        if let Err(error) = means.runtime.remove_sandbox(&sandbox.id) {
            tracing::debug!(%error, "it is removed later");
        }
    }
    let pods = room::pods(config);
    for pod in fs::read_dir(&pods).into_iter().flatten().flatten() {
        if pod
            .file_name()
            .to_str()
            .is_some_and(|uid| !known.contains(uid))
        {
            volume::release(&*means.memory, &pod.path().join(room::VOLUMES));
        }
    }
    folders(&pods, |name| known.contains(name));
    folders(&config.logs, |name| {
        let uid = name.rsplit('_').next().unwrap_or_default();
        known.contains(uid)
    });
}

/// Removes the directories in one that aren't kept.
fn folders(above: &Path, kept: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(above) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| !kept(name))
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::debug!(path = %entry.path().display(), %error, "it is removed later");
        }
    }
}
