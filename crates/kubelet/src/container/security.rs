//! As whom a container runs.
//! <https://kubernetes.io/docs/tasks/configure-pod-container/security-context/>

use crate::pod::{Container, Pod};
use cri::{Image, RunAs};

/// The user, the groups, and whether they may be root's. What the container says counts before what
/// its pod says.
pub(super) fn user(pod: &Pod, container: &Container, image: &Image) -> Result<RunAs, String> {
    let (all, own) = (&pod.spec.security_context, &container.security_context);
    let uid = own.run_as_user.or(all.run_as_user);
    let not_root = own.run_as_non_root.or(all.run_as_non_root) == Some(true);
    if not_root {
        let whose = format!("(pod: \"{}\", container: {})", pod.told(), container.name);
        match (uid, image.uid, &image.user) {
            (Some(0), ..) => {
                return Err(format!(
                    "container's runAsUser breaks non-root policy {whose}"
                ));
            }
            (Some(_), ..) => {}
            (None, Some(0), _) | (None, None, None) => {
                return Err(format!(
                    "container has runAsNonRoot and image will run as root {whose}"
                ));
            }
            (None, Some(_), _) => {}
            (None, None, Some(name)) => {
                return Err(format!(
                    "container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root {whose}"
                ));
            }
        }
    }
    let mut groups = all.supplemental_groups.clone();
    groups.extend(all.fs_group);
    Ok(RunAs {
        uid,
        gid: own.run_as_group.or(all.run_as_group),
        groups,
        not_root,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn user_of(
        pod: Value,
        container: Value,
        uid: Option<u32>,
        name: Option<&str>,
    ) -> Result<RunAs, String> {
        let pod = Pod::read(&json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
            "spec": {"securityContext": pod, "containers": [{"name": "c", "securityContext": container}]},
        }))
        .unwrap();
        let image = Image {
            id: cri::ImageId("sha256:1".into()),
            tags: Vec::new(),
            digests: Vec::new(),
            size: 0,
            uid,
            user: name.map(str::to_owned),
        };
        user(&pod, &pod.spec.containers[0], &image)
    }

    /// K8S-RUN: the container's word counts before the pod's.
    #[test]
    fn the_container_counts_first() {
        let pod = json!({"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 3000, "supplementalGroups": [4000]});
        let found = user_of(pod, json!({"runAsUser": 5}), None, None).unwrap();
        assert_eq!((found.uid, found.gid), (Some(5), Some(2000)));
        assert_eq!(found.groups, [4000, 3000]);
    }

    /// K8S-RUN: `runAsNonRoot`, in upstream's words.
    #[test]
    fn root_is_refused_where_it_must_not_be() {
        let policy = json!({"runAsNonRoot": true});
        let none = json!({});
        assert!(user_of(policy.clone(), none.clone(), Some(101), None).is_ok());
        assert!(user_of(policy.clone(), json!({"runAsUser": 7}), Some(0), None).is_ok());
        assert!(user_of(policy.clone(), json!({"runAsNonRoot": false}), None, None).is_ok());
        for (container, uid, name, why) in [
            (
                json!({"runAsUser": 0}),
                None,
                None,
                "container's runAsUser breaks non-root policy",
            ),
            (
                none.clone(),
                None,
                None,
                "container has runAsNonRoot and image will run as root",
            ),
            (
                none.clone(),
                Some(0),
                None,
                "container has runAsNonRoot and image will run as root",
            ),
            (
                none,
                None,
                Some("nginx"),
                "container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root",
            ),
        ] {
            let told = user_of(policy.clone(), container, uid, name).unwrap_err();
            assert_eq!(told, format!("{why} (pod: \"web_shop(u)\", container: c)"));
        }
    }
}
