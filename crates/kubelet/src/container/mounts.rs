//! What a container mounts of its pod's volumes.

use super::Plans;
use super::expand::expand_strictly;
use crate::pod::{Container, VolumeMount};
use cri::{Mount, MountSource, Propagation};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// A part of a volume that is mounted instead of all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Which of the container's mounts it is.
    pub(crate) mount: usize,
    /// The volume.
    pub(crate) root: MountSource,
    /// The part's path in it.
    pub(crate) below: PathBuf,
    /// Whether the volume's links are the kubelet's own.
    pub(crate) ours: bool,
}

impl Plans<'_> {
    /// What a container mounts, and which of it are parts.
    pub(super) fn mounts(
        &self,
        container: &Container,
        variables: &BTreeMap<&str, &str>,
    ) -> Result<(Vec<Mount>, Vec<Part>), String> {
        let mut mounts = Vec::new();
        let mut parts = Vec::new();
        for mount in &container.volume_mounts {
            let Some(source) = self.belongings.source(&mount.name) else {
                return Err(format!(
                    "cannot find volume {:?} to mount into container {:?}",
                    mount.name, container.name
                ));
            };
            let mut at = source.at.clone();
            if let Some(below) = below(mount, variables)? {
                at = joined(&source.at, &below);
                parts.push(Part {
                    mount: mounts.len(),
                    root: source.at,
                    below,
                    ours: source.ours,
                });
            }
            mounts.push(Mount {
                source: at,
                // A path that isn't absolute is below the root.
                target: Path::new("/").join(&mount.mount_path),
                read_only: mount.read_only || source.read_only,
                propagation: match mount.mount_propagation.as_str() {
                    "HostToContainer" => Propagation::FromNode,
                    "Bidirectional" => Propagation::Both,
                    _ => Propagation::Private,
                },
            });
        }
        Ok((mounts, parts))
    }
}

/// The part of its volume that a mount wants, if it doesn't want all of it.
fn below(mount: &VolumeMount, variables: &BTreeMap<&str, &str>) -> Result<Option<PathBuf>, String> {
    let below = if mount.sub_path_expr.is_empty() {
        mount.sub_path.clone()
    } else {
        expand_strictly(&mount.sub_path_expr, variables)?
    };
    if below.is_empty() {
        return Ok(None);
    }
    let below = PathBuf::from(below);
    let shown = below.display();
    if below.is_absolute() {
        return Err(format!(
            "error SubPath `{shown}` must not be an absolute path"
        ));
    }
    if below.components().any(|part| part == Component::ParentDir) {
        return Err(format!(
            "unable to provision SubPath `{shown}`: must not contain '..'"
        ));
    }
    Ok(Some(below))
}

fn joined(root: &MountSource, below: &Path) -> MountSource {
    match root {
        MountSource::Kubelet(root) => MountSource::Kubelet(root.join(below)),
        MountSource::Node(root) => MountSource::Node(root.join(below)),
        MountSource::Memory(size) => MountSource::Memory(*size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K8S-RUN: a part's path stays in its volume, and may name variables.
    #[test]
    fn parts_stay_in_their_volume() {
        let variables = BTreeMap::from([("POD", "web-0")]);
        let part = |path: &str, expression: &str| {
            let mount = VolumeMount {
                sub_path: path.into(),
                sub_path_expr: expression.into(),
                ..VolumeMount::default()
            };
            below(&mount, &variables)
        };
        assert_eq!(part("", ""), Ok(None));
        assert_eq!(part("a/b", ""), Ok(Some("a/b".into())));
        assert_eq!(part("", "logs/$(POD)"), Ok(Some("logs/web-0".into())));
        for (path, expression) in [("/a", ""), ("a/../..", ""), ("", "$(NONE)")] {
            assert!(part(path, expression).is_err(), "{path} {expression}");
        }
    }
}
