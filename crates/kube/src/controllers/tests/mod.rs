//! K8S-RUN: controllers at work on a cluster, by its API alone.
#![allow(clippy::unwrap_used)]

mod autoscaling;
mod nodes;
mod policy;
mod preemption;
mod services;
mod volumes;

use crate::api::{Method, Pace, Settings, Status};
use crate::client::{Client, path, resource};
use crate::cluster::{Cluster, Journal, Parts};
use crate::store::{Change, Key, Store};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Nothing survives.
struct Forgetful;

impl Journal for Forgetful {
    fn commit(&self, _: &[Change]) -> io::Result<()> {
        Ok(())
    }
}

/// Every test has a clock of its own, which moves when the test says so.
const CLOCKS: usize = 32;
static CLOCK: [AtomicI64; CLOCKS] = [const { AtomicI64::new(1_700_000_000) }; CLOCKS];

fn clock<const N: usize>() -> i64 {
    CLOCK[N].load(Ordering::Relaxed)
}

fn entropy() -> io::Result<[u8; 32]> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Ok(bytes)
}

/// A cluster with its control plane. `N` names the clock: no two tests share one.
struct World<const N: usize> {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl<const N: usize> World<N> {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            service_cidr: ([10, 96, 0, 0].into(), 24),
            node_ports: 30_000..=30_100,
            authority: "certificate".to_owned(),
            version: "1.32".to_owned(),
            pace: Pace::Real,
            pod_range: None,
            api_endpoints: Vec::new(),
        };
        change(&mut settings);
        let (cluster, _) = Cluster::start(Parts {
            settings,
            store: Store::default(),
            journal: Box::new(Forgetful),
            entropy,
            clock: clock::<N>,
            outward: std::sync::Arc::new(crate::outward::Outward::nowhere()),
            audit: std::sync::Arc::new(crate::audit::Unrecorded),
        })
        .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.spawn(super::run(cluster.clone()));
        runtime.spawn(crate::scheduler::run(cluster.clone()));
        let world = Self {
            client: Client::of_control_plane(cluster, "test"),
            runtime,
        };
        world.until("the default account", |store| {
            store
                .get(&Key::new("serviceaccounts", "default", "default"))
                .is_some()
        });
        world
    }

    /// Makes an object.
    fn create(&self, kind: &str, object: &Value) -> Value {
        let kind = resource(kind).unwrap();
        let mut object = object.clone();
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = json!(kind.kind);
        if kind.namespaced && object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = json!("default");
        }
        self.runtime
            .block_on(self.client.create(kind, &object))
            .unwrap()
    }

    /// Makes a node and has it say that it is ready.
    fn node(&self, name: &str) {
        let labels = json!({"kubernetes.io/hostname": name});
        self.create(
            "nodes",
            &json!({"metadata": {"name": name, "labels": labels}}),
        );
        self.beat(name);
    }

    /// A sign of life of a node's kubelet.
    fn beat(&self, name: &str) {
        let status = json!({"status": {
            "conditions": [{"type": "Ready", "status": "True",
                "lastHeartbeatTime": crate::schema::rfc3339(clock::<N>())}],
            "allocatable": {"cpu": "4", "memory": "4Gi", "pods": "10"},
        }});
        self.patch("nodes", name, "status", &status);
    }

    /// Changes an object, or what lies below it, by a merge patch.
    fn patch(&self, kind: &str, name: &str, below: &str, patch: &Value) {
        let kind = resource(kind).unwrap();
        let namespace = if kind.namespaced { "default" } else { "" };
        let at = path(kind, namespace, name, below);
        let form = "application/merge-patch+json";
        let sent = self.client.send(Method::Patch, &at, form, patch);
        self.runtime.block_on(sent).unwrap();
    }

    fn delete(&self, kind: &str, name: &str) {
        let kind = resource(kind).unwrap();
        let namespace = if kind.namespaced { "default" } else { "" };
        let options = json!({});
        let sent = self.client.delete(kind, namespace, name, &options);
        self.runtime.block_on(sent).unwrap();
    }

    fn find(&self, kind: &str, name: &str) -> Option<Arc<Value>> {
        let namespace = if resource(kind).unwrap().namespaced {
            "default"
        } else {
            ""
        };
        let now = self.client.cluster().now();
        now.store.get(&Key::new(kind, namespace, name)).cloned()
    }

    /// Lets time pass; the control plane notices when something changes.
    fn pass(&self, seconds: i64) {
        CLOCK[N].fetch_add(seconds, Ordering::Relaxed);
    }

    /// Waits until something holds of what is stored.
    fn until(&self, what: &str, holds: impl Fn(&Store) -> bool) {
        let begun = Instant::now();
        while !holds(&self.client.cluster().now().store) {
            assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
            self.turn();
        }
    }

    /// Lets time pass in steps, in which a node gives signs of life, until something holds.
    fn while_it_lasts(&self, step: i64, alive: &str, holds: impl Fn(&Store) -> bool) {
        for _ in 0..1000 {
            if holds(&self.client.cluster().now().store) {
                return;
            }
            self.pass(step);
            self.beat(alive);
            self.turn();
        }
        panic!("it lasts for ever");
    }

    /// Lets the control plane work for a moment. A change wakes whoever sleeps by a clock that
    /// stands still.
    fn turn(&self) {
        let map = resource("configmaps").unwrap();
        let poke = json!({"metadata": {"generateName": "poke-", "namespace": "kube-public"}});
        self.runtime.block_on(async {
            let _ = self.client.create(map, &poke).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        });
    }

    /// What a request is answered with.
    fn get(&self, path: &str) -> Result<Value, Status> {
        let sent = self
            .client
            .send(Method::Get, path, "application/json", &Value::Null);
        self.runtime.block_on(sent)
    }

    /// Whether an event with a reason was told of an object.
    fn told(&self, reason: &str, name: &str) -> bool {
        let now = self.client.cluster().now();
        let mut events = now.store.list("events", None);
        events
            .any(|(_, event)| event["reason"] == reason && event["involvedObject"]["name"] == name)
    }
}
