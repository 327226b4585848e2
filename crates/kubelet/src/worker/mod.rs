//! One pod's task: it looks at what there is, asks the pod's [`Lifecycle`] what to do, and does it.

mod act;
mod hooks;
mod kill;
mod last_words;
mod probes;
mod pull;
mod start;

use crate::eviction;
use crate::lifecycle::{Action, Event, Health, Instance, Lifecycle, Limits, Scene, Seen, Todo};
use crate::pod::{PodStatus, Wanted};
use crate::room::Room;
use crate::roster::Roster;
use crate::shared::Shared;
use crate::volume::Belongings;
use act::Work;
use cri::ContainerId;
use last_words::LastWords;
use probes::{Probes, Result as ProbeResult};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{mpsc, watch};

/// Why pods end with their node.
const SHUT_DOWN: &str = "Pod was terminated in response to imminent node shutdown.";

/// What the API wants of a pod, as it changes: nothing, once it forgot it.
pub(crate) type Wish = watch::Receiver<Option<Wanted>>;

/// A pod's task.
#[derive(Debug)]
pub(crate) struct Worker {
    shared: Arc<Shared>,
    roster: Roster,
    wish: Wish,
    wanted: Wanted,
    known: bool,
    life: Lifecycle,
    room: Room,
    belongings: Arc<Belongings>,
    health: BTreeMap<ContainerId, Health>,
    probes: Probes,
    results: mpsc::UnboundedReceiver<ProbeResult>,
    last_words: LastWords,
    /// The status that the API was told last.
    told: Option<Value>,
}

impl Worker {
    /// The task of a pod that is bound to the node; `rejected` says why the node won't have it.
    pub(crate) fn new(
        shared: Arc<Shared>,
        roster: Roster,
        wanted: Wanted,
        wish: Wish,
        rejected: Option<(String, String)>,
    ) -> Self {
        let pod = &wanted.pod;
        let mut life = Lifecycle::new(pod, Limits::of(shared.config.pace));
        if let Some((reason, message)) = rejected {
            let event = life.reject(&reason, &message);
            shared.recorder.tell(pod.reference(None), event);
        }
        let (probes, results) = Probes::new(shared.clone());
        Self {
            room: Room::of(&shared.config, &pod.metadata),
            shared,
            roster,
            wish,
            wanted,
            known: true,
            life,
            belongings: Arc::default(),
            health: BTreeMap::new(),
            probes,
            results,
            last_words: LastWords::default(),
            told: None,
        }
    }

    /// Runs the pod until nothing of it is left.
    pub(crate) async fn run(mut self) {
        let mut network = self.shared.network.subscribe();
        let mut happenings = self.shared.happenings.subscribe();
        let mut closing = self.shared.closing.subscribe();
        let mut orders = self.shared.orders.subscribe();
        loop {
            self.take_wish();
            if let Some(grace) = *closing.borrow_and_update()
                && !self.life.ending()
            {
                self.life
                    .evict(grace.min(self.wanted.pod.grace()), "Terminated", SHUT_DOWN);
            }
            let uid = &self.wanted.pod.metadata.uid;
            let order = orders.borrow_and_update().get(uid).cloned();
            if let Some(why) = order
                && !self.life.ending()
            {
                self.life.evict(eviction::GRACE, eviction::REASON, &why);
            }
            while let Ok(result) = self.results.try_recv() {
                self.take_result(result);
            }
            happenings.borrow_and_update();
            let trouble = network.borrow_and_update().clone();
            let seen = self.look().await;
            let step = {
                let scene = scene(&self.wanted, self.known, &seen, &self.health);
                self.life.next(&Scene {
                    network: trouble.as_deref(),
                    host: self.shared.config.address,
                    ..scene
                })
            };
            self.tell(step.events);
            self.report(&seen);
            self.probes
                .tend(&self.wanted.pod, &seen, &self.health, &self.life);
            self.health.retain(|id, _| seen.runs(id));
            match step.todo {
                Todo::Gone => return,
                Todo::Act(action) => self.act(action, &seen).await,
                Todo::Wait(until) => {
                    tokio::select! {
                        _ = network.changed() => {}
                        _ = happenings.changed() => {}
                        _ = closing.changed() => {}
                        _ = orders.changed() => {}
                        () = self.news(until) => {}
                    }
                }
            }
        }
    }

    fn take_wish(&mut self) {
        match self.wish.borrow_and_update().clone() {
            Some(wanted) => self.wanted = wanted,
            None => self.known = false,
        }
    }

    /// What the runtime shows of the pod.
    async fn look(&mut self) -> Seen {
        let uid = self.wanted.pod.metadata.uid.clone();
        let listed = self.shared.blocking(move |means| {
            let mut sandboxes = means.runtime.sandboxes();
            sandboxes.retain(|sandbox| sandbox.uid == uid);
            let mut containers = means.runtime.containers();
            containers.retain(|c| sandboxes.iter().any(|sandbox| sandbox.id == c.sandbox));
            (sandboxes, containers)
        });
        let (sandboxes, containers) = listed.await.unwrap_or_default();
        let mut instances: Vec<Instance> = containers.into_iter().map(Into::into).collect();
        self.last_words
            .fill(&self.wanted.pod, &self.room, &mut instances)
            .await;
        Seen::new(sandboxes, instances)
    }

    fn tell(&self, events: Vec<Event>) {
        for event in events {
            let about = self.wanted.pod.reference(None);
            self.shared.recorder.tell(about, event);
        }
    }

    /// Tells the API how the pod fares, if that changed.
    fn report(&mut self, seen: &Seen) {
        let pod = &self.wanted.pod;
        let status: &PodStatus = self.life.status();
        self.roster.update(&self.wanted, status, seen);
        if !self.known {
            return;
        }
        let patch = crate::lifecycle::patch(pod, status);
        if self.told.as_ref() == Some(&patch) {
            return;
        }
        let uid = &pod.metadata.uid;
        self.shared.reporter.status(uid, &pod.path(), patch.clone());
        self.told = Some(patch);
    }

    /// Carries an action out, unless something more urgent comes up meanwhile.
    async fn act(&mut self, action: Action, seen: &Seen) {
        let patient = matches!(
            action,
            Action::Pull { .. } | Action::Mount | Action::PostStart { .. }
        );
        let ending = self.life.ending();
        let killing = matches!(action, Action::Kill(_));
        let work = Work {
            shared: self.shared.clone(),
            pod: self.wanted.pod.clone(),
            room: self.room.clone(),
            belongings: self.belongings.clone(),
            seen: seen.clone(),
        };
        let grace = self.life.grace();
        let carried_out = work.carry_out(action);
        tokio::pin!(carried_out);
        let outcome = tokio::select! {
            outcome = &mut carried_out => outcome,
            () = urgent(&mut self.wish, grace), if (patient && !ending) || killing => {
                tracing::debug!(pod = %self.wanted.pod, "interrupted");
                return;
            }
        };
        let scene = scene(&self.wanted, self.known, seen, &self.health);
        let events = self.life.note(&scene, outcome);
        self.tell(events);
    }

    /// Waits for something to change for the pod, or for a time.
    async fn news(&mut self, until: Option<SystemTime>) {
        let left = until.map(|until| until.duration_since(SystemTime::now()).unwrap_or_default());
        let alarm = async {
            match left {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.wish.changed() => {
                if changed.is_err() {
                    // The kubelet is ending, and this task with it.
                    std::future::pending::<()>().await;
                }
            }
            Some(result) = self.results.recv() => self.take_result(result),
            () = alarm => {}
        }
    }

    fn take_result(&mut self, result: ProbeResult) {
        let health = self.health.entry(result.container).or_default();
        result.kind.set(health, result.verdict);
    }
}

fn scene<'a>(
    wanted: &'a Wanted,
    known: bool,
    seen: &'a Seen,
    health: &'a BTreeMap<ContainerId, Health>,
) -> Scene<'a> {
    Scene {
        pod: &wanted.pod,
        known,
        seen,
        health,
        network: None,
        host: Ipv4Addr::UNSPECIFIED,
        now: SystemTime::now(),
    }
}

/// Waits until the pod shall end, or end within less than this grace.
async fn urgent(wish: &mut Wish, grace: Option<u64>) {
    loop {
        let wanted = match &*wish.borrow() {
            None => Some(1),
            Some(wanted) if wanted.pod.deleted() => {
                let seconds = wanted.pod.metadata.deletion_grace_period_seconds;
                Some(u64::try_from(seconds.unwrap_or(0)).unwrap_or(0).max(1))
            }
            Some(_) => None,
        };
        if let Some(wanted) = wanted
            && grace.is_none_or(|grace| wanted < grace)
        {
            return;
        }
        if wish.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
