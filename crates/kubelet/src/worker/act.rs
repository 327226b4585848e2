//! Carrying out what a pod's life asks for.

use super::{kill, pull, start};
use crate::container::sandbox;
use crate::lifecycle::{Action, Event, Outcome, SandboxFailure, Seen};
use crate::pod::Pod;
use crate::room::Room;
use crate::shared::Shared;
use crate::volume::{self, Belongings};
use cri::{ContainerId, RuntimeError, SandboxId};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A volume's objects may be this old when they are read for a pod that begins.
const FRESH: Duration = Duration::from_secs(1);

/// What an action is carried out with.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) shared: Arc<Shared>,
    pub(super) pod: Arc<Pod>,
    pub(super) room: Room,
    pub(super) belongings: Arc<Belongings>,
    /// What there was when the action was decided on.
    pub(super) seen: Seen,
}

impl Work {
    pub(super) async fn carry_out(&self, action: Action) -> Outcome {
        match action {
            Action::Mount => {
                let (shared, pod) = (&*self.shared, &*self.pod);
                let made = volume::prepare(shared, pod, &self.room, &self.belongings, FRESH);
                Outcome::Mounted(made.await)
            }
            Action::MakeSandbox { attempt } => self.make_sandbox(attempt).await,
            Action::StopSandbox(id) => self.stop_sandbox(id).await,
            Action::RemoveSandbox(id) => {
                let removed = self
                    .shared
                    .blocking(move |means| means.runtime.remove_sandbox(&id));
                done(removed.await)
            }
            Action::Inspect { container } => self.inspect(container).await,
            Action::Pull { container } => pull::pull(self, container).await,
            Action::Start {
                container,
                attempt,
                image,
                sandbox,
            } => {
                let started = start::start(self, &container, attempt, &image, sandbox).await;
                Outcome::Started(container, started)
            }
            Action::PostStart { container, id } => self.post_start(container, id).await,
            Action::Kill(victims) => kill::kill(self, victims).await,
            Action::Remove(ids) => self.remove(ids).await,
            Action::Unmount => {
                let volumes = self.room.volumes();
                let held = volumes.clone();
                self.shared
                    .blocking(move |means| volume::release(&*means.memory, &held))
                    .await;
                remove(volumes.as_path()).await;
                Outcome::Unmounted
            }
            Action::Delete => {
                let pod = &self.pod;
                let uid = &pod.metadata.uid;
                self.shared.reporter.ended(uid, &pod.path());
                Outcome::Done
            }
            Action::Forget => self.forget().await,
        }
    }

    /// Tells something of the pod.
    pub(super) fn tell(&self, event: Event) {
        let about = self.pod.reference(None);
        self.shared.recorder.tell(about, event);
    }

    async fn make_sandbox(&self, attempt: u32) -> Outcome {
        let config = &self.shared.config;
        let (spec, no_dns) = sandbox::of(&self.pod, attempt, config);
        if no_dns {
            self.tell(Event::warning(
                "MissingClusterDNS",
                format!(
                    "pod: {:?}. kubelet does not have ClusterDNS IP configured and cannot create Pod using \"ClusterFirst\" policy. Falling back to \"Default\" policy.",
                    self.pod.told()
                ),
            ));
        }
        let made = self
            .shared
            .blocking(move |means| means.runtime.run_sandbox(&spec));
        Outcome::Sandbox(match made.await {
            Some(Ok(sandbox)) => Ok(sandbox),
            Some(Err(error)) => Err(SandboxFailure(in_grpcs_words(&error))),
            None => Err(SandboxFailure("the runtime failed".to_owned())),
        })
    }

    async fn stop_sandbox(&self, id: SandboxId) -> Outcome {
        let stopped = id.clone();
        let stopped = self
            .shared
            .blocking(move |means| means.runtime.stop_sandbox(&stopped));
        let result = match stopped.await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(in_grpcs_words(&error)),
            None => Err("the runtime failed".to_owned()),
        };
        Outcome::SandboxStopped(id, result)
    }

    async fn inspect(&self, container: String) -> Outcome {
        let Some((_, asked)) = self.pod.container(&container) else {
            return Outcome::Done;
        };
        let reference = asked.image.clone();
        let found = self
            .shared
            .blocking(move |means| means.images.find(&reference));
        Outcome::Inspected(container, found.await.flatten())
    }

    async fn post_start(&self, container: String, id: ContainerId) -> Outcome {
        let Some((_, spec)) = self.pod.container(&container) else {
            return Outcome::Done;
        };
        let hooked = match &spec.lifecycle.post_start {
            Some(handler) => self.hook(spec, &id, handler).await,
            None => Ok(()),
        };
        Outcome::Hooked(container, id, hooked)
    }

    /// Forgets containers and their logs.
    async fn remove(&self, ids: Vec<ContainerId>) -> Outcome {
        let logs = self.seen.containers.iter();
        let logs: Vec<_> = logs
            .filter(|instance| ids.contains(&instance.id))
            .filter_map(|instance| instance.log.clone())
            .collect();
        let removed = self.shared.blocking(move |means| {
            for id in &ids {
                means.runtime.remove_container(id)?;
            }
            for log in logs {
                crate::logs::remove(&log);
            }
            Ok::<_, RuntimeError>(())
        });
        done(removed.await)
    }

    async fn forget(&self) -> Outcome {
        let seen = self.seen.clone();
        let removed = self.shared.blocking(move |means| {
            for instance in &seen.containers {
                means.runtime.remove_container(&instance.id)?;
            }
            for sandbox in &seen.sandboxes {
                means.runtime.remove_sandbox(&sandbox.id)?;
            }
            Ok::<_, RuntimeError>(())
        });
        if let Some(Err(error)) = removed.await {
            return Outcome::Failed(error.to_string());
        }
        remove(self.room.root()).await;
        remove(self.room.logs()).await;
        Outcome::Forgotten
    }
}

fn done(result: Option<Result<(), RuntimeError>>) -> Outcome {
    match result {
        Some(Ok(())) => Outcome::Done,
        Some(Err(error)) => Outcome::Failed(error.to_string()),
        None => Outcome::Failed("the runtime failed".to_owned()),
    }
}

/// A runtime's refusal as a kubelet hears it.
pub(super) fn in_grpcs_words(error: &RuntimeError) -> String {
    let code = match error {
        RuntimeError::NoSandbox(_) | RuntimeError::NoContainer(_) | RuntimeError::NoImage(_) => {
            "NotFound"
        }
        _ => "Unknown",
    };
    format!("rpc error: code = {code} desc = {error}")
}

/// Removes a directory with all in it.
async fn remove(path: &Path) {
    let path = path.to_owned();
    let removed = tokio::task::spawn_blocking(move || match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "can't be removed");
        }
        _ => {}
    });
    // A panic there was logged.
    let _ = removed.await;
}
