//! A pod's life on its node, as a state machine without I/O.
//!
//! [`Lifecycle::next`] looks at a [`Scene`]: what the API wants of the pod, what the runtime shows of
//! it, how its probes fare, and the time. It answers with one [`Step`], at most one action at a time;
//! what came of that goes back in by [`Lifecycle::note`]. It looks at what is there rather than
//! at what it did, so an action that was interrupted or lost does no harm.
//!
//! What happens in which order, and the reasons and messages of statuses and events, follow the kubelet
//! of Kubernetes 1.32:
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/>,
//! <https://kubernetes.io/docs/concepts/workloads/pods/init-containers/>,
//! <https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>.
//!
//! Not modelled: static pods, in-place resizing, checkpoints.

mod action;
mod backoff;
mod condition;
mod container_status;
mod end;
mod init;
mod note;
mod phase;
mod run;
mod seen;
mod start;
mod status;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use action::{
    Action, Event, Outcome, Pulled, SandboxFailure, StartFailure, Step, Todo, Victim,
};
pub(crate) use backoff::Limits;
pub(crate) use seen::{Health, Instance, Seen, Verdict};
pub(crate) use status::patch;

use crate::pod::{Pod, PodStatus, RestartPolicy, Role, Waiting};
use backoff::Backoff;
use cri::{ContainerId, ContainerState, Image, SandboxId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::SystemTime;

/// What there is to see of a pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    /// What the API wants, or wanted last.
    pub(crate) pod: &'a Pod,
    /// Whether the API still knows it.
    pub(crate) known: bool,
    /// What the runtime shows.
    pub(crate) seen: &'a Seen,
    /// How the probes of its containers fare.
    pub(crate) health: &'a BTreeMap<ContainerId, Health>,
    /// Why sandboxes can't have a network, if they can't.
    pub(crate) network: Option<&'a str>,
    /// The node's address.
    pub(crate) host: Ipv4Addr,
    /// The time.
    pub(crate) now: SystemTime,
}

/// A pod's life.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    limits: Limits,
    /// Why the node won't have it: a reason and a message.
    rejected: Option<(String, String)>,
    ending: Option<Ending>,
    mounts: Mounts,
    /// Nothing is tried again before, after something failed that concerns the whole pod.
    pause: Option<SystemTime>,
    tracks: BTreeMap<String, Track>,
    pulls: BTreeMap<String, PullFailure>,
    /// What images' ids are told as: their names with digests, where they have some.
    image_ids: BTreeMap<String, String>,
    /// Sandboxes that were stopped, whatever else the runtime shows of them.
    stopped: BTreeSet<SandboxId>,
    /// The sandbox in whose place another one is made, once that was told.
    replaced: Option<SandboxId>,
    network_told: Option<SystemTime>,
    status: PodStatus,
}

/// The end of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ending {
    /// How many seconds its containers have.
    grace: u64,
    /// How it failed, unless its containers' exit codes tell: a reason and a message.
    failure: Option<(String, String)>,
    /// Whether it ends for its node's sake.
    evicted: bool,
    /// Whether the API was asked to forget it.
    deleting: bool,
    /// Whether the node forgot it.
    forgotten: bool,
}

impl Ending {
    /// Why the pod ends for its node's sake, if it does.
    fn disrupted(&self) -> Option<&str> {
        let (_, message) = self.failure.as_ref().filter(|_| self.evicted)?;
        Some(message)
    }
}

/// A pod's volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mounts {
    /// They aren't there, after so many failures.
    Missing { failures: u32 },
    /// They are there, and were as they should be at this time.
    Ready { since: SystemTime },
    /// They were taken away.
    Gone,
}

/// What is known of a container beside what the runtime shows.
#[derive(Clone, Debug, Default)]
struct Track {
    /// The highest attempt that is known of.
    attempt: Option<u32>,
    /// Why it isn't started.
    waiting: Option<Waiting>,
    /// It isn't tried again before.
    retry: Option<SystemTime>,
    /// How long it stays down after it ended.
    crashes: Option<Backoff>,
    /// When the back-off was last told.
    told: Option<SystemTime>,
    image: ImageStage,
    /// The instance whose hook after the start hasn't run yet.
    hook: Option<ContainerId>,
    /// The instance that must end, and what is told of that.
    doomed: Option<(ContainerId, String)>,
}

/// How far a container's image is.
#[derive(Clone, Debug, Default, PartialEq)]
enum ImageStage {
    /// Nobody looked.
    #[default]
    Unknown,
    /// It has to be pulled.
    Wanted,
    /// It is there.
    Here(Image),
}

/// A pull that failed.
#[derive(Clone, Debug)]
struct PullFailure {
    backoff: Backoff,
    message: String,
}

impl Lifecycle {
    /// The life of a pod that was just bound to the node, or that the node finds when it starts.
    pub(crate) fn new(pod: &Pod, limits: Limits) -> Self {
        let mut tracks: BTreeMap<String, Track> = BTreeMap::new();
        for (_, container) in pod.containers() {
            let known = pod.status.container(&container.name);
            let ran = known
                .filter(|status| !status.container_id.is_empty() || status.last_state.is_some());
            let track = Track {
                attempt: ran.map(|status| status.restart_count),
                ..Track::default()
            };
            tracks.insert(container.name.clone(), track);
        }
        Self {
            limits,
            rejected: None,
            ending: None,
            mounts: Mounts::Missing { failures: 0 },
            pause: None,
            tracks,
            pulls: BTreeMap::new(),
            image_ids: BTreeMap::new(),
            stopped: BTreeSet::new(),
            replaced: None,
            network_told: None,
            status: pod.status.clone(),
        }
    }

    /// The node won't have it.
    pub(crate) fn reject(&mut self, reason: &str, message: &str) -> Event {
        self.rejected = Some((reason.to_owned(), message.to_owned()));
        Event::warning(reason, message)
    }

    /// The pod must end within so many seconds for its node's sake, and has failed for a reason.
    pub(crate) fn evict(&mut self, grace: u64, reason: &str, message: &str) {
        self.shorten(grace);
        if let Some(ending) = &mut self.ending {
            ending.failure = Some((reason.to_owned(), message.to_owned()));
            ending.evicted = true;
        }
    }

    /// What is told of the pod.
    pub(crate) fn status(&self) -> &PodStatus {
        &self.status
    }

    /// Whether it is coming to its end, or came to it.
    pub(crate) fn ending(&self) -> bool {
        self.ending.is_some() || self.rejected.is_some()
    }

    /// How many seconds its containers have for their end, if they shall end.
    pub(crate) fn grace(&self) -> Option<u64> {
        self.ending.as_ref().map(|ending| ending.grace)
    }

    /// Whether an instance is past its hook after the start, so that its probes may begin.
    pub(crate) fn settled(&self, name: &str, id: &ContainerId) -> bool {
        let track = self.tracks.get(name);
        track.is_none_or(|track| track.hook.as_ref() != Some(id))
    }

    /// What to do next.
    pub(crate) fn next(&mut self, scene: &Scene<'_>) -> Step {
        self.learn(scene);
        let mut events = self.decide(scene);
        self.status = self.status_of(scene);
        let finished = matches!(self.status.phase.as_str(), "Succeeded" | "Failed");
        if self.ending.is_none() && (finished || done(scene)) {
            self.finish(scene, None);
        }
        let mut step = if self.ending.is_some() {
            self.end(scene)
        } else {
            self.run(scene)
        };
        self.status = self.status_of(scene);
        events.append(&mut step.events);
        step.events = events;
        step
    }

    /// Takes in what the runtime shows.
    fn learn(&mut self, scene: &Scene<'_>) {
        for instance in &scene.seen.containers {
            let track = self.tracks.entry(instance.name.clone()).or_default();
            track.attempt = track.attempt.max(Some(instance.attempt));
        }
        for track in self.tracks.values_mut() {
            let running = |id: &ContainerId| scene.seen.runs(id);
            if track.hook.as_ref().is_some_and(|id| !running(id)) {
                track.hook = None;
            }
            if track.doomed.as_ref().is_some_and(|(id, _)| !running(id)) {
                track.doomed = None;
            }
        }
    }

    /// Decides whether the pod comes to its end.
    fn decide(&mut self, scene: &Scene<'_>) -> Vec<Event> {
        let pod = scene.pod;
        if self.status.start_time.is_none() {
            self.status.start_time = Some(crate::clock::rfc3339(scene.now));
        }
        if pod.deleted() {
            let grace = pod.metadata.deletion_grace_period_seconds;
            self.shorten(grace.and_then(|g| u64::try_from(g).ok()).unwrap_or(0));
        }
        if !scene.known {
            self.shorten(0);
        }
        if self.ending.is_none() && self.rejected.is_some() {
            let failure = self
                .rejected
                .clone()
                .map(|(reason, message)| (reason, format!("Pod was rejected: {message}")));
            self.finish(scene, failure);
        }
        if self.ending.is_none()
            && let Some(until) = self.deadline(pod)
            && until <= scene.now
        {
            let message = "Pod was active on the node longer than the specified deadline";
            let failure = ("DeadlineExceeded".to_owned(), message.to_owned());
            self.finish(scene, Some(failure));
            return vec![Event::normal("DeadlineExceeded", message)];
        }
        Vec::new()
    }

    /// The pod is done, by its own containers' ends or by a failure.
    fn finish(&mut self, scene: &Scene<'_>, failure: Option<(String, String)>) {
        self.shorten(scene.pod.grace());
        if let Some(ending) = &mut self.ending {
            ending.failure = failure;
        }
    }

    /// The pod shall end; a time that was given before only gets shorter. Containers have a second
    /// at least.
    fn shorten(&mut self, grace: u64) {
        let grace = grace.max(1);
        match &mut self.ending {
            Some(ending) => ending.grace = ending.grace.min(grace),
            None => {
                self.ending = Some(Ending {
                    grace,
                    failure: None,
                    evicted: false,
                    deleting: false,
                    forgotten: false,
                });
            }
        }
    }

    /// Until when the node lets the pod run.
    fn deadline(&self, pod: &Pod) -> Option<SystemTime> {
        let since = crate::clock::parse(self.status.start_time.as_deref()?)?;
        since.checked_add(pod.deadline()?)
    }

    /// A container's image is there.
    fn found(&mut self, name: &str, image: Image) {
        if let Some(digest) = image.digests.first() {
            self.image_ids.insert(image.id.to_string(), digest.clone());
        }
        self.track(name).image = ImageStage::Here(image);
    }

    fn track(&mut self, name: &str) -> &mut Track {
        self.tracks.entry(name.to_owned()).or_default()
    }
}

/// Whether a container shall be started, from what it did last.
fn should_start(pod: &Pod, role: Role, last: Option<&Instance>) -> bool {
    if pod.deleted() {
        return false;
    }
    let Some(last) = last else { return true };
    match &last.state {
        ContainerState::Running { .. } => false,
        ContainerState::Created => role != Role::Ephemeral,
        ContainerState::Exited { code, .. } => match role {
            Role::Ephemeral => false,
            Role::Sidecar => true,
            Role::Init => *code != 0 && pod.spec.restart_policy != RestartPolicy::Never,
            Role::Main => restarts(pod, *code),
        },
    }
}

/// Whether all main containers ended for good. Sidecars that still run don't keep a pod alive.
fn done(scene: &Scene<'_>) -> bool {
    scene.pod.spec.containers.iter().all(|container| {
        let last = scene.seen.latest(&container.name);
        let code = last.and_then(Instance::exit_code);
        code.is_some_and(|code| !restarts(scene.pod, code))
    })
}

/// Whether a main container that ended with a code is started again.
fn restarts(pod: &Pod, code: i32) -> bool {
    match pod.spec.restart_policy {
        RestartPolicy::Always => true,
        RestartPolicy::OnFailure => code != 0,
        RestartPolicy::Never => false,
    }
}
