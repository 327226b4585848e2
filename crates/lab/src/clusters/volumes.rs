//! The directories of a cluster's volumes.
//!
//! A volume that [`PROVISIONER`] made is a directory in the lab's store. The kubelet makes it when a pod
//! first needs it; when the object is gone it goes too, unless the volume was to be retained. Upstream
//! that is the provisioner's work, and no kubelet may list volumes.
//! <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming>

use kube::cluster::Cluster;
use kube::object;
use kube::store::Store;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use workloads::{
    VOLUME_FOLDER as FOLDER, VOLUME_PROVISIONED_BY as PROVISIONED_BY,
    VOLUME_PROVISIONER as PROVISIONER,
};

type Volumes = BTreeMap<Arc<str>, Arc<Value>>;

/// Removes the directories of volumes that go, until the task is ended.
pub(super) async fn tidy(cluster: Cluster, folder: PathBuf) {
    let mut followed = cluster.follow();
    let mut known = volumes(&followed.borrow_and_update().store);
    while followed.changed().await.is_ok() {
        let now = volumes(&followed.borrow_and_update().store);
        let gone = known.iter().filter(|(name, _)| !now.contains_key(*name));
        for path in gone.filter_map(|(_, volume)| directory(&folder, volume)) {
            let removed = tokio::task::spawn_blocking(move || remove(&path));
            // A panic there was logged.
            let _ = removed.await;
        }
        known = now;
    }
}

fn volumes(store: &Store) -> Volumes {
    let all = store.list("persistentvolumes", None);
    all.map(|(key, volume)| (key.name.clone(), volume.clone()))
        .collect()
}

/// The directory that goes with a volume, if one does.
fn directory(folder: &Path, volume: &Value) -> Option<PathBuf> {
    let ours = volume["metadata"]["annotations"][PROVISIONED_BY] == PROVISIONER;
    let kept = volume["spec"]["persistentVolumeReclaimPolicy"] != "Delete";
    let path = object::text(volume, &["spec", "hostPath", "path"]);
    let name = path.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let plain = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
    (ours && !kept && plain).then(|| folder.join(name))
}

fn remove(path: &Path) {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "a volume's directory stays");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// OPS-SAFE, K8S-RUN: only directories of the provisioner's own go, and no path leads out of the
    /// store.
    #[test]
    fn only_the_provisioners_directories_go() {
        let volume = |path: &str, policy: &str, by: &str| {
            json!({
                "metadata": {"annotations": {PROVISIONED_BY: by}},
                "spec": {"persistentVolumeReclaimPolicy": policy, "hostPath": {"path": path}},
            })
        };
        let own = format!("{FOLDER}/pvc-1");
        let goes = |volume: &Value| directory(Path::new("/lab"), volume);
        let found = goes(&volume(&own, "Delete", PROVISIONER));
        assert_eq!(found, Some(PathBuf::from("/lab/pvc-1")));
        for other in [
            volume(&own, "Retain", PROVISIONER),
            volume(&own, "Delete", "example.com/other"),
            volume("/etc", "Delete", PROVISIONER),
            volume(&format!("{FOLDER}/../x"), "Delete", PROVISIONER),
            volume(FOLDER, "Delete", PROVISIONER),
        ] {
            assert_eq!(goes(&other), None, "{other}");
        }
    }
}
