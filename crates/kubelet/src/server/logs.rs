//! `/containerLogs`: what containers printed, and what they go on to print.

use super::Server;
use super::answer::{Body, respond, text};
use crate::lifecycle::Instance;
use crate::logs::{Options, Reader};
use crate::pod::{ContainerStatus, State};
use crate::query::pairs;
use crate::roster::Resident;
use crate::shared::Shared;
use bytes::Bytes;
use cri::{ContainerId, ContainerState};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::Request;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;

/// How often a log that is followed is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// So many pieces wait for a caller.
const WAITING: usize = 4;

impl Server {
    pub(super) async fn logs(
        &self,
        request: &Request<Incoming>,
        resident: &Resident,
        container: &str,
    ) -> Response<Body> {
        let pod = &resident.wanted.pod;
        if pod.container(container).is_none() {
            let words = format!(
                "container {container:?} not found in pod {:?}\n",
                pod.metadata.name
            );
            return text(StatusCode::NOT_FOUND, words);
        }
        let query = pairs(request.uri().query().unwrap_or_default());
        let options = match Options::read(&query, SystemTime::now()) {
            Ok(options) => options,
            Err(why) => return text(StatusCode::BAD_REQUEST, why),
        };
        let chosen = choose(resident, container, options.previous);
        let (id, log) = match chosen {
            Ok((id, log)) => (id, log),
            Err(why) => return text(StatusCode::BAD_REQUEST, why),
        };
        let opened = {
            let options = options.clone();
            tokio::task::spawn_blocking(move || Reader::open(&log, &options)).await
        };
        let reader = match opened {
            Ok(Ok(reader)) => reader,
            Ok(Err(error)) => {
                let words = format!("failed to try resolving symlinks in path: {error}");
                return text(StatusCode::INTERNAL_SERVER_ERROR, words);
            }
            Err(error) => return text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        };
        let (sender, body) = Channel::<Bytes, Infallible>::new(WAITING);
        let shared = self.shared.clone();
        self.spawn(tell(shared, reader, options.follow.then_some(id), sender));
        respond(StatusCode::OK, "text/plain", body.boxed_unsync())
    }
}

/// Tells a log to its end, and on if a container's is followed until that has ended.
async fn tell(
    shared: Arc<Shared>,
    mut reader: Reader,
    follow: Option<ContainerId>,
    mut sender: Sender<Bytes>,
) {
    let mut ending = false;
    loop {
        // Looked at before the log, so that nothing of it is missed.
        let followed = follow.clone();
        let read = shared
            .blocking(move |means| {
                let running = followed.is_some_and(|id| {
                    let found = means.runtime.container(&id);
                    found.is_some_and(|c| matches!(c.state, ContainerState::Running { .. }))
                });
                let piece = reader.next();
                (reader, running, piece)
            })
            .await;
        let Some((read, running, piece)) = read else {
            return;
        };
        reader = read;
        match told(piece) {
            Some(piece) if !piece.is_empty() => {
                if sender.send_data(piece.into()).await.is_err() {
                    return;
                }
                ending = false;
            }
            Some(_) if reader.done() || ending || (!running && follow.is_none()) => return,
            Some(_) => {
                ending = !running;
                tokio::select! {
                    () = sleep(LOOK) => {}
                    () = gone(&mut sender) => return,
                }
            }
            None => return,
        }
    }
}

fn told(piece: io::Result<Vec<u8>>) -> Option<Vec<u8>> {
    piece
        .inspect_err(|error| tracing::debug!(%error, "a log can't be read"))
        .ok()
}

/// Waits until the caller has gone.
async fn gone(sender: &mut Sender<Bytes>) {
    loop {
        sleep(LOOK).await;
        if sender.send_data(Bytes::new()).await.is_err() {
            return;
        }
    }
}

/// Which instance's log is wanted: of the one that runs, else of the one that ended last.
fn choose(
    resident: &Resident,
    container: &str,
    previous: bool,
) -> Result<(ContainerId, PathBuf), String> {
    let pod = &resident.wanted.pod.metadata.name;
    let of = format!("container {container:?} in pod {pod:?}");
    let Some(status) = resident.status.container(container) else {
        return Err(format!("{of} is not available"));
    };
    let id = chosen(status, &of, previous)?;
    let mut instances = resident.seen.all(container);
    let found = instances.find(|instance| id.ends_with(&instance.id.0));
    let log =
        found.and_then(|instance: &Instance| Some((instance.id.clone(), instance.log.clone()?)));
    log.ok_or_else(|| format!("unable to retrieve container logs for {id}"))
}

/// The id of an instance, or why there is no log, in upstream's words.
fn chosen(status: &ContainerStatus, of: &str, previous: bool) -> Result<String, String> {
    let last = status.last_state.as_ref().and_then(State::terminated);
    let last = last
        .map(|last| last.container_id.clone())
        .filter(|id| !id.is_empty());
    if previous {
        return last.ok_or_else(|| format!("previous terminated {of} not found"));
    }
    match (&status.state, last) {
        (Some(State::Running(_)), _) => Ok(status.container_id.clone()),
        (Some(State::Terminated(ended)), _) if !ended.container_id.is_empty() => {
            Ok(ended.container_id.clone())
        }
        (_, Some(last)) => Ok(last),
        (Some(State::Terminated(_)), None) => Err(format!("{of} is terminated")),
        (Some(State::Waiting(waiting)), None) => Err(match waiting.reason.as_str() {
            "ErrImagePull" => format!("{of} is waiting to start: image can't be pulled"),
            "ImagePullBackOff" => {
                format!("{of} is waiting to start: trying and failing to pull image")
            }
            reason => format!("{of} is waiting to start: {reason}"),
        }),
        (None, None) => Err(format!("{of} is waiting to start - no logs yet")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn choice(status: Value, previous: bool) -> Result<String, String> {
        let status: ContainerStatus = serde_json::from_value(status).unwrap();
        chosen(&status, "container \"c\" in pod \"p\"", previous)
    }

    /// K8S-RUN: which log `kubectl logs` gets, and what it hears where there is none.
    #[test]
    fn logs_are_of_what_runs_or_ran() {
        let waits = |reason: &str| json!({"state": {"waiting": {"reason": reason}}});
        let ended = json!({"terminated": {"exitCode": 1, "containerID": "skylab://old"}});
        let running =
            json!({"containerID": "skylab://new", "state": {"running": {}}, "lastState": ended});
        assert_eq!(choice(running.clone(), false).unwrap(), "skylab://new");
        assert_eq!(choice(running, true).unwrap(), "skylab://old");
        assert_eq!(
            choice(json!({"state": ended}), false).unwrap(),
            "skylab://old"
        );
        let crashing =
            json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended});
        assert_eq!(choice(crashing, false).unwrap(), "skylab://old");
        for (status, previous, why) in [
            (
                waits("ErrImagePull"),
                false,
                "container \"c\" in pod \"p\" is waiting to start: image can't be pulled",
            ),
            (
                waits("ImagePullBackOff"),
                false,
                "container \"c\" in pod \"p\" is waiting to start: trying and failing to pull image",
            ),
            (
                waits("ContainerCreating"),
                false,
                "container \"c\" in pod \"p\" is waiting to start: ContainerCreating",
            ),
            (
                waits("ContainerCreating"),
                true,
                "previous terminated container \"c\" in pod \"p\" not found",
            ),
        ] {
            assert_eq!(choice(status, previous), Err(why.to_owned()));
        }
    }
}
