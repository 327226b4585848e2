//! Registering the node, and telling how it fares.

use super::object::{self, Conditions, Trouble};
use super::{network_message, path, tell};
use crate::lifecycle::Event;
use crate::shared::Shared;
use cri::Image;
use kube_client::{Error, Patch};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};

/// A node whose status stays the same tells it this often nevertheless.
const REPORT: Duration = Duration::from_secs(300);
/// How often a node looks at itself.
const LOOK: Duration = Duration::from_secs(10);
/// How often one that isn't ready does.
const EAGER: Duration = Duration::from_millis(250);
/// After a failure the next try waits so long, and twice as long each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(7);

/// Registers the node and keeps its status true.
pub(crate) async fn keep(shared: Arc<Shared>) {
    tell(&shared, Event::normal("Starting", "Starting kubelet."));
    let mut keeper = Keeper {
        shared,
        conditions: Conditions::default(),
        told: None,
    };
    keeper.register().await;
    let mut closing = keeper.shared.closing.subscribe();
    let mut pressure = keeper.shared.pressure.subscribe();
    let enforced = "Updated Node Allocatable limit across pods";
    tell(
        &keeper.shared,
        Event::normal("NodeAllocatableEnforced", enforced),
    );
    loop {
        let ready = keeper.beat().await;
        let look = keeper.shared.config.pace.timer(LOOK);
        tokio::select! {
            () = sleep(if ready { look } else { EAGER }) => {}
            Ok(()) = closing.changed() => {}
            Ok(()) = pressure.changed() => {}
        }
    }
}

struct Keeper {
    shared: Arc<Shared>,
    conditions: Conditions,
    /// The status that was told last, and when.
    told: Option<(Value, Instant)>,
}

impl Keeper {
    async fn register(&mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.try_register().await {
                Ok(()) => return,
                Err(error) => {
                    let node = &self.shared.config.name;
                    tracing::debug!(node, %error, "not registered for now");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn try_register(&mut self) -> Result<(), Error> {
        let (status, _, events) = self.status().await;
        let shared = self.shared.clone();
        let (config, client) = (&shared.config, &shared.means.client);
        let node = object::registration(config, status);
        match client.create("/api/v1/nodes", &node).await {
            Ok(made) => {
                self.learn(&made);
                for event in events {
                    tell(&shared, event);
                }
                Ok(())
            }
            Err(error) if error.is_conflict() => self.take_over().await,
            Err(error) => Err(error),
        }
    }

    /// The node was registered before: what is its kubelet's is put right.
    async fn take_over(&mut self) -> Result<(), Error> {
        let shared = self.shared.clone();
        let (config, client) = (&shared.config, &shared.means.client);
        let known = client.get(&path(&config.name)).await?;
        self.conditions = Conditions::of(&known);
        let boot = known["status"]["nodeInfo"]["bootID"].as_str();
        if boot.is_some_and(|boot| boot != config.machine.boot_id) {
            let name = &config.name;
            let told = format!(
                "Node {name} has been rebooted, boot id: {}",
                config.machine.boot_id
            );
            tell(&shared, Event::warning("Rebooted", told));
        }
        let patch = json!({"metadata": {
            "labels": object::labels(config),
            "annotations": object::annotations(config),
        }});
        let node = client
            .patch(&path(&config.name), Patch::Strategic, &patch)
            .await?;
        self.learn(&node);
        Ok(())
    }

    /// Looks at the node and tells its status where that is due; gives whether it is ready.
    async fn beat(&mut self) -> bool {
        let (status, ready, events) = self.status().await;
        let due = self.told.as_ref().is_none_or(|(told, at)| {
            let often = self.shared.config.pace.timer(REPORT);
            !object::same(told, &status) || at.elapsed() >= often
        });
        if due {
            self.tell(status).await;
        }
        for event in events {
            tell(&self.shared, event);
        }
        ready
    }

    async fn tell(&mut self, status: Value) {
        let client = self.shared.means.client.clone();
        let path = path(&self.shared.config.name);
        let patch = object::patch(&status);
        let told = client
            .patch(&format!("{path}/status"), Patch::Strategic, &patch)
            .await;
        match told {
            Ok(node) => {
                self.learn(&node);
                self.told = Some((status, Instant::now()));
            }
            Err(error) if error.is_not_found() => {
                // Somebody deleted it: a kubelet registers its node again.
                self.told = None;
                self.register().await;
            }
            Err(error) => {
                self.told = None;
                tracing::debug!(path, %error, "the node's status is told later");
            }
        }
    }

    /// The status as it is, whether the node is ready, and what changed.
    async fn status(&mut self) -> (Value, bool, Vec<Event>) {
        let looked = self.shared.blocking(|means| {
            let trouble = means.runtime.trouble();
            (
                trouble,
                means.runtime.network_trouble(),
                means.images.list(),
            )
        });
        let nothing = || (Some("the runtime failed".to_owned()), None, Vec::new());
        let (runtime, network, images): (Option<String>, Option<String>, Vec<Image>) =
            looked.await.unwrap_or_else(nothing);
        self.shared.network.send_if_modified(|known| {
            let changed = *known != network;
            known.clone_from(&network);
            changed
        });
        let mut trouble: Trouble = runtime
            .map(|why| format!("container runtime is down,{why}"))
            .into_iter()
            .collect();
        trouble.extend(network.as_deref().map(network_message));
        if self.shared.closing.borrow().is_some() {
            trouble.push("node is shutting down".to_owned());
        }
        let config = &self.shared.config;
        let now = SystemTime::now();
        let pressure = *self.shared.pressure.borrow();
        let (conditions, events) = self
            .conditions
            .update(&config.name, &trouble, pressure, now);
        let status = object::status(config, conditions, images);
        (status, trouble.is_empty(), events)
    }

    /// Remembers the node's labels, which pods may choose it by.
    fn learn(&self, node: &Value) {
        self.shared.node.send_replace(Some(Arc::new(node.clone())));
    }
}
