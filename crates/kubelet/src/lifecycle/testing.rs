//! A node in memory, in which a pod's life is played.

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::Pace;
use crate::clock::at;
use cri::{Sandbox, SandboxId};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) struct World {
    pub(super) pod: Pod,
    pub(super) known: bool,
    pub(super) seen: Seen,
    pub(super) health: BTreeMap<ContainerId, Health>,
    pub(super) network: Option<&'static str>,
    pub(super) now: SystemTime,
    pub(super) life: Lifecycle,
    /// Images on the node.
    pub(super) images: BTreeSet<String>,
    /// What fails, by the action's first word and perhaps a container.
    pub(super) broken: BTreeMap<&'static str, String>,
    /// What was done, in short.
    pub(super) done: Vec<String>,
    /// What was told, in short.
    pub(super) told: Vec<String>,
    /// When to look again.
    pub(super) wake: Option<SystemTime>,
    made: u32,
}

impl World {
    pub(super) fn new(spec: Value) -> Self {
        Self::with(spec, json!({}))
    }

    pub(super) fn with(spec: Value, status: Value) -> Self {
        let pod = json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "u1"},
            "spec": spec, "status": status,
        });
        let pod = Pod::read(&pod).unwrap();
        let limits = Limits {
            refresh: Duration::from_secs(1_000_000),
            ..Limits::of(Pace::REAL)
        };
        let life = Lifecycle::new(&pod, limits);
        Self {
            pod,
            known: true,
            seen: Seen::default(),
            health: BTreeMap::new(),
            network: None,
            now: at(1_000),
            life,
            images: BTreeSet::new(),
            broken: BTreeMap::new(),
            done: Vec::new(),
            told: Vec::new(),
            wake: None,
            made: 0,
        }
    }

    fn scene<'a>(
        pod: &'a Pod,
        known: bool,
        seen: &'a Seen,
        health: &'a BTreeMap<ContainerId, Health>,
        network: Option<&'a str>,
        now: SystemTime,
    ) -> Scene<'a> {
        Scene {
            pod,
            known,
            seen,
            health,
            network,
            host: Ipv4Addr::new(10, 0, 0, 1),
            now,
        }
    }

    /// Plays until there is nothing to do; gives what was done.
    pub(super) fn settle(&mut self) -> Vec<String> {
        for _ in 0..200 {
            if !self.step() {
                return std::mem::take(&mut self.done);
            }
        }
        panic!("no rest: {:?}", self.done);
    }

    /// Plays one step; false when there is nothing to do.
    pub(super) fn step(&mut self) -> bool {
        let scene = Self::scene(
            &self.pod,
            self.known,
            &self.seen,
            &self.health,
            self.network,
            self.now,
        );
        let step = self.life.next(&scene);
        self.tell(step.events);
        let action = match step.todo {
            Todo::Act(action) => action,
            Todo::Wait(until) => {
                self.wake = until;
                return false;
            }
            Todo::Gone => {
                self.done.push("gone".into());
                return false;
            }
        };
        let outcome = self.play(action);
        let scene = Self::scene(
            &self.pod,
            self.known,
            &self.seen,
            &self.health,
            self.network,
            self.now,
        );
        let events = self.life.note(&scene, outcome);
        self.tell(events);
        true
    }

    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            let Event {
                reason, message, ..
            } = event;
            self.told.push(format!("{reason}: {message}"));
        }
    }

    fn fails(&self, what: &str) -> Option<String> {
        self.broken.get(what).cloned()
    }

    fn play(&mut self, action: Action) -> Outcome {
        match action {
            Action::Mount => {
                self.done.push("mount".into());
                Outcome::Mounted(self.fails("mount").into_iter().collect())
            }
            Action::MakeSandbox { attempt } => {
                self.done.push(format!("sandbox {attempt}"));
                if let Some(error) = self.fails("sandbox") {
                    return Outcome::Sandbox(Err(SandboxFailure(error)));
                }
                let sandbox = Sandbox {
                    id: SandboxId(format!("s{attempt}")),
                    namespace: "default".into(),
                    name: "web".into(),
                    uid: "u1".into(),
                    attempt,
                    ready: true,
                    address: Some(Ipv4Addr::new(10, 244, 0, 5)),
                    created: self.now,
                };
                self.seen.sandboxes.insert(0, sandbox.clone());
                Outcome::Sandbox(Ok(sandbox))
            }
            Action::StopSandbox(id) => {
                self.done.push(format!("stop {id}"));
                for sandbox in &mut self.seen.sandboxes {
                    sandbox.ready &= sandbox.id != id;
                }
                Outcome::SandboxStopped(id, Ok(()))
            }
            Action::RemoveSandbox(id) => {
                self.done.push(format!("remove {id}"));
                self.seen.sandboxes.retain(|sandbox| sandbox.id != id);
                Outcome::Done
            }
            Action::Inspect { container } => {
                let asked = self.pod.container(&container).unwrap().1.image.clone();
                let found = self.images.contains(&asked).then(|| image(&asked));
                Outcome::Inspected(container, found)
            }
            Action::Pull { container } => self.pull(container),
            Action::Start {
                container,
                attempt,
                sandbox,
                ..
            } => self.start(container, attempt, sandbox),
            Action::PostStart { container, id } => {
                self.done.push(format!("hook {container}"));
                let hooked = self.fails("hook").map_or(Ok(()), Err);
                Outcome::Hooked(container, id, hooked)
            }
            Action::Kill(victims) => {
                for victim in victims {
                    let after = victim.after.join("+");
                    let grace = victim.grace.as_secs();
                    self.done
                        .push(format!("kill {} {grace} [{after}]", victim.name));
                    self.end(&victim.id, 137, "Error");
                }
                Outcome::Done
            }
            Action::Remove(ids) => {
                self.done.push(format!("remove {}", ids.len()));
                self.seen.containers.retain(|c| !ids.contains(&c.id));
                Outcome::Done
            }
            Action::Unmount => {
                self.done.push("unmount".into());
                Outcome::Unmounted
            }
            Action::Delete => {
                self.done.push("delete".into());
                Outcome::Done
            }
            Action::Forget => {
                self.done.push("forget".into());
                Outcome::Forgotten
            }
        }
    }

    fn pull(&mut self, container: String) -> Outcome {
        self.done.push(format!("pull {container}"));
        let asked = self.pod.container(&container).unwrap().1.image.clone();
        if asked != asked.to_lowercase() {
            return Outcome::Pulled(container, Err(cri::ImageError::InvalidName(asked)));
        }
        if self.fails("pull").is_some() {
            return Outcome::Pulled(container, Err(cri::ImageError::NotFound(asked)));
        }
        self.images.insert(asked.clone());
        let pulled = Pulled {
            image: image(&asked),
            took: Duration::from_millis(1500),
            in_all: Duration::from_secs(2),
        };
        Outcome::Pulled(container, Ok(pulled))
    }

    fn start(&mut self, container: String, attempt: u32, sandbox: SandboxId) -> Outcome {
        self.done.push(format!("start {container} {attempt}"));
        if let Some(error) = self.fails("config") {
            return Outcome::Started(container, Err(StartFailure::Config(error)));
        }
        self.made += 1;
        let id = ContainerId(format!("c{}", self.made));
        let mut instance = Instance {
            id: id.clone(),
            sandbox,
            name: container.clone(),
            attempt,
            image: "nginx:1".into(),
            image_id: "sha256:1".into(),
            state: ContainerState::Running { started: self.now },
            created: self.now,
            log: None,
            message: String::new(),
        };
        let failure = self.fails("run");
        if failure.is_some() {
            instance.state = exited(self.now, self.now, 128, "StartError");
        }
        self.seen.containers.push(instance);
        self.seen = Seen::new(
            std::mem::take(&mut self.seen.sandboxes),
            std::mem::take(&mut self.seen.containers),
        );
        match failure {
            Some(error) => Outcome::Started(container, Err(StartFailure::Run(error))),
            None => Outcome::Started(container, Ok(id)),
        }
    }

    fn end(&mut self, id: &ContainerId, code: i32, reason: &str) {
        let now = self.now;
        for instance in &mut self.seen.containers {
            if instance.id == *id
                && let ContainerState::Running { started } = instance.state
            {
                instance.state = exited(started, now, code, reason);
            }
        }
    }

    /// The newest container of a name ends by itself.
    pub(super) fn exit(&mut self, name: &str, code: i32) {
        let id = self.seen.latest(name).unwrap().id.clone();
        let reason = if code == 0 { "Completed" } else { "Error" };
        self.end(&id, code, reason);
    }

    /// What a container's probes say.
    pub(super) fn health(&mut self, name: &str, health: Health) {
        let id = self.seen.latest(name).unwrap().id.clone();
        self.health.insert(id, health);
    }

    pub(super) fn sleep(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// Sleeps until the pod wants to be looked at.
    pub(super) fn sleep_until_woken(&mut self) {
        let wake = self.wake.unwrap();
        assert!(wake > self.now, "it was to wake in the past");
        self.now = wake;
    }

    /// The API says that the pod shall be deleted.
    pub(super) fn delete(&mut self, grace: i64) {
        self.pod.metadata.deletion_timestamp = Some("2024-01-01T00:00:00Z".into());
        self.pod.metadata.deletion_grace_period_seconds = Some(grace);
    }

    /// The pod's status as the API gets it.
    pub(super) fn status(&self) -> Value {
        patch(&self.pod, self.life.status())["status"].clone()
    }

    pub(super) fn phase(&self) -> &str {
        &self.life.status().phase
    }

    /// A condition: its status and reason.
    pub(super) fn condition(&self, kind: &str) -> (String, String) {
        let condition = self.life.status().condition(kind).unwrap().clone();
        (condition.status, condition.reason.unwrap_or_default())
    }

    /// Why a container waits.
    pub(super) fn waiting(&self, name: &str) -> (String, String) {
        match self.life.status().container(name).unwrap().state.clone() {
            Some(crate::pod::State::Waiting(waiting)) => (waiting.reason, waiting.message),
            other => panic!("{name} doesn't wait: {other:?}"),
        }
    }

    /// What was told since the last time.
    pub(super) fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

fn exited(started: SystemTime, finished: SystemTime, code: i32, reason: &str) -> ContainerState {
    ContainerState::Exited {
        started,
        finished,
        code,
        reason: reason.into(),
        message: String::new(),
    }
}

fn image(name: &str) -> Image {
    Image {
        id: cri::ImageId("sha256:1".into()),
        tags: vec![name.to_owned()],
        digests: vec!["docker.io/library/nginx@sha256:1".into()],
        size: 1000,
        uid: None,
        user: None,
    }
}
