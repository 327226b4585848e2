//! A cluster in memory: an API server, the caches, a kubelet and a garbage collector, as simple
//! as the tests can bear, and the driver that runs the controllers on it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    Action, Change, Controller, Expectations, Metrics, Outcome, PodUsage, Resource, ScaleHistory,
    View, clock, object,
};

type Key = (Resource, String, String);
type Objects = BTreeMap<Key, Arc<Value>>;
type Check = Box<dyn Fn(&Cluster)>;

pub(crate) struct Cluster {
    store: Objects,
    cache: Objects,
    unseen: VecDeque<(Change, Key, Arc<Value>)>,
    expectations: Expectations,
    history: ScaleHistory,
    events: Vec<String>,
    version: u64,
    check: Option<Check>,
    /// How many changes the cache takes in each round; all of them at once by default.
    pub pace: usize,
    /// Whether the kubelet makes pods ready.
    pub healthy: bool,
    /// The CPU that every pod uses, in thousandths.
    pub cpu: i64,
    pub now: i64,
}

impl View for Cluster {
    fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key = (resource, namespace.to_owned(), name.to_owned());
        self.cache.get(&key).cloned()
    }

    fn list(&self, resource: Resource, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let of = |k: &Key| k.0 == resource && namespace.is_none_or(|n| n == k.1);
        let found = self.cache.iter().filter(|(k, _)| of(k));
        found.map(|(_, o)| o.clone()).collect()
    }
}

/// Every pod of these uses the same.
struct Cpu(Vec<PodUsage>);

impl Metrics for Cpu {
    fn pod_usage(&self, _namespace: &str, _resource: &str) -> Result<Vec<PodUsage>, String> {
        Ok(self.0.clone())
    }
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Self {
            store: BTreeMap::new(),
            cache: BTreeMap::new(),
            unseen: VecDeque::new(),
            expectations: Expectations::new(),
            history: ScaleHistory::new(),
            events: Vec::new(),
            version: 0,
            check: None,
            pace: usize::MAX,
            healthy: true,
            cpu: 0,
            now: 1_700_000_000,
        }
    }

    /// Checks something after every write.
    pub(crate) fn always(&mut self, check: impl Fn(&Self) + 'static) {
        self.check = Some(Box::new(check));
    }

    /// The Events so far, each as `Reason message`.
    pub(crate) fn events(&self) -> &[String] {
        &self.events
    }

    /// A stored object in namespace `a`, or a node.
    pub(crate) fn object(&self, resource: Resource, name: &str) -> Value {
        self.find(resource, name)
            .unwrap_or_else(|| panic!("no {name}"))
    }

    pub(crate) fn find(&self, resource: Resource, name: &str) -> Option<Value> {
        let namespace = if resource.namespaced() { "a" } else { "" };
        let key = (resource, namespace.to_owned(), name.to_owned());
        self.store.get(&key).map(|o| (**o).clone())
    }

    /// What is stored, whether or not the cache has it.
    pub(crate) fn stored(&self, resource: Resource) -> Vec<Arc<Value>> {
        let found = self.store.iter().filter(|(k, _)| k.0 == resource);
        found.map(|(_, o)| o.clone()).collect()
    }

    pub(crate) fn create(&mut self, resource: Resource, mut object: Value) -> bool {
        self.version += 1;
        let n = self.version;
        if object::name(&object).is_empty() {
            let name = format!("{}{n:05}", object::text(&object, "/metadata/generateName"));
            object::put(&mut object, &["metadata", "name"], json!(name));
        }
        let key = key(resource, &object);
        if self.store.contains_key(&key) {
            return false;
        }
        for (field, value) in [
            ("uid", json!(format!("uid-{n}"))),
            ("creationTimestamp", json!(clock::format(self.now))),
            ("generation", json!(1)),
        ] {
            object::put(&mut object, &["metadata", field], value);
        }
        object::put(&mut object, &["kind"], json!(resource.kind()));
        self.events
            .extend(crate::created(&object).map(|e| told(&e)));
        self.write(Change::Added, key, object);
        true
    }

    /// Changes a stored object as a user would.
    pub(crate) fn edit(&mut self, resource: Resource, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.object(resource, name);
        change(&mut object);
        self.replace(resource, object);
    }

    pub(crate) fn delete(&mut self, resource: Resource, name: &str) {
        let object = self.object(resource, name);
        self.remove(resource, &object);
    }

    /// Performs actions up to the first that fails; whether all went well.
    pub(crate) fn perform(&mut self, actions: Vec<Action>) -> bool {
        actions.into_iter().all(|action| self.perform_one(action))
    }

    fn perform_one(&mut self, action: Action) -> bool {
        match action {
            Action::Create { resource, object } => self.create(resource, object),
            Action::Update { resource, object } => {
                self.fresh(resource, &object) && self.replace(resource, object)
            }
            Action::UpdateStatus { resource, object } => {
                let fresh = self.fresh(resource, &object);
                if let (true, Some(stored)) = (fresh, self.store.get(&key(resource, &object))) {
                    let mut next = (**stored).clone();
                    next["status"] = object["status"].clone();
                    self.write(Change::Modified, key(resource, &object), next);
                }
                fresh
            }
            Action::Patch {
                resource,
                namespace,
                name,
                patch,
            } => {
                let Some(stored) = self.store.get(&(resource, namespace, name)) else {
                    return false;
                };
                let mut next = (**stored).clone();
                merge(&mut next, &patch);
                self.fresh(resource, &next) && self.replace(resource, next)
            }
            Action::Delete {
                resource,
                namespace,
                name,
                uid,
                ..
            } => {
                let stored = self.store.get(&(resource, namespace, name)).cloned();
                let stored = stored.filter(|o| object::uid(o) == uid);
                stored.is_some_and(|o| self.remove(resource, &o))
            }
            event @ Action::Event { .. } => {
                self.events.push(told(&event));
                true
            }
        }
    }

    fn fresh(&self, resource: Resource, object: &Value) -> bool {
        let stored = self.store.get(&key(resource, object));
        let version = |o: &Value| object::text(o, "/metadata/resourceVersion").to_owned();
        stored
            .is_some_and(|s| version(s) == version(object) && object::uid(s) == object::uid(object))
    }

    fn replace(&mut self, resource: Resource, mut object: Value) -> bool {
        let key = key(resource, &object);
        let Some(stored) = self.store.get(&key).cloned() else {
            return false;
        };
        if resource != Resource::Pods {
            object["status"] = stored.get("status").cloned().unwrap_or_default();
        }
        if stored.get("spec") != object.get("spec") {
            let generation = object::generation(&stored) + 1;
            object::put(&mut object, &["metadata", "generation"], json!(generation));
        }
        self.write(Change::Modified, key, object);
        true
    }

    /// Writes an object as it is.
    pub(crate) fn force(&mut self, resource: Resource, object: Value) {
        self.write(Change::Modified, key(resource, &object), object);
    }

    /// Pods end gracefully, everything else goes at once.
    fn remove(&mut self, resource: Resource, object: &Value) -> bool {
        let key = key(resource, object);
        if resource == Resource::Pods && !object::terminating(object) {
            let mut object = object.clone();
            let time = json!(clock::format(self.now));
            object::put(&mut object, &["metadata", "deletionTimestamp"], time);
            self.write(Change::Modified, key, object);
        } else if resource != Resource::Pods {
            self.write(Change::Deleted, key, object.clone());
        }
        true
    }

    fn write(&mut self, change: Change, key: Key, mut object: Value) {
        self.version += 1;
        let version = json!(self.version.to_string());
        object::put(&mut object, &["metadata", "resourceVersion"], version);
        let object = Arc::new(object);
        match change {
            Change::Deleted => self.store.remove(&key),
            _ => self.store.insert(key.clone(), object.clone()),
        };
        self.unseen.push_back((change, key, object));
        if let Some(check) = self.check.take() {
            check(self);
            self.check = Some(check);
        }
    }

    /// Lets the cache see up to `pace` changes.
    pub(crate) fn sync(&mut self) {
        for _ in 0..self.pace {
            let Some((change, key, object)) = self.unseen.pop_front() else {
                return;
            };
            self.expectations.observe(change, &object);
            match change {
                Change::Deleted => self.cache.remove(&key),
                _ => self.cache.insert(key, object),
            };
        }
    }

    /// Schedules pods, makes them ready and removes those that are being deleted.
    pub(crate) fn kubelet(&mut self) {
        for pod in self.stored(Resource::Pods) {
            let key = key(Resource::Pods, &pod);
            if object::terminating(&pod) {
                self.write(Change::Deleted, key, (*pod).clone());
            } else if object::text(&pod, "/status/phase").is_empty() {
                let mut pod = (*pod).clone();
                if object::text(&pod, "/spec/nodeName").is_empty() {
                    let at = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values/0";
                    let node = pod.pointer(at).cloned().unwrap_or(json!("n1"));
                    object::put(&mut pod, &["spec", "nodeName"], node);
                }
                let ready = if self.healthy { "True" } else { "False" };
                let ip = format!("10.0.{}.{}", self.version / 250 % 250, self.version % 250);
                pod["status"] = json!({"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
                    "startTime": clock::format(self.now),
                    "conditions": [{"type": "Ready", "status": ready,
                        "lastTransitionTime": clock::format(self.now)}]});
                self.write(Change::Modified, key, pod);
            }
        }
    }

    /// Sets a pod's phase as the kubelet does at its end.
    pub(crate) fn finish(&mut self, pod: &str, phase: &str) {
        let mut object = self.object(Resource::Pods, pod);
        object["status"]["phase"] = json!(phase);
        object["status"]["conditions"] = json!([{"type": "Ready", "status": "False",
            "lastTransitionTime": clock::format(self.now)}]);
        let ended = json!({"finishedAt": clock::format(self.now)});
        object["status"]["containerStatuses"] =
            json!([{"name": "c", "state": {"terminated": ended}}]);
        self.write(Change::Modified, key(Resource::Pods, &object), object);
    }

    /// Deletes what is owned by objects that are gone.
    fn collect_garbage(&mut self) {
        let uids: Vec<String> = self
            .store
            .values()
            .map(|o| object::uid(o).to_owned())
            .collect();
        for ((resource, ..), object) in self.store.clone() {
            let owners = object::list(&object, "/metadata/ownerReferences");
            let lost = |o: &Value| !uids.contains(&object::text(o, "/uid").to_owned());
            if !owners.is_empty() && owners.iter().all(lost) {
                self.remove(resource, &object);
            }
        }
    }

    fn usage(&self) -> Cpu {
        let pods = self.stored(Resource::Pods);
        let usage = pods.iter().map(|pod| PodUsage {
            pod: object::name(pod).to_owned(),
            container: "c".into(),
            milli: self.cpu,
            at: self.now,
            window: 15,
        });
        Cpu(usage.collect())
    }

    /// Reconciles one object as the driver does.
    pub(crate) fn reconcile(&mut self, resource: Resource, name: &str) -> Outcome {
        let now = self.now;
        let outcome = match resource {
            Resource::Deployments => crate::deployment(self, "a", name, now),
            Resource::ReplicaSets => crate::replica_set(self, "a", name, now),
            Resource::ReplicationControllers => crate::replication_controller(self, "a", name, now),
            Resource::StatefulSets => crate::stateful_set(self, "a", name, now),
            Resource::DaemonSets => crate::daemon_set(self, "a", name, now),
            Resource::Jobs => crate::job(self, "a", name, now),
            Resource::CronJobs => crate::cron_job(self, "a", name, now),
            Resource::PodDisruptionBudgets => crate::pod_disruption_budget(self, "a", name, now),
            Resource::Services => crate::endpoint_slice(self, "a", name, now),
            Resource::Endpoints => crate::endpoint_slice_mirror(self, "a", name, now),
            Resource::HorizontalPodAutoscalers => {
                let mut history = std::mem::take(&mut self.history);
                let cpu = self.usage();
                let outcome = crate::horizontal_pod_autoscaler(
                    self,
                    &cpu,
                    &mut history,
                    ("a", name),
                    crate::Pace::Real,
                    now,
                );
                self.history = history;
                outcome
            }
            _ => Outcome::default(),
        };
        let controller = Controller {
            resource,
            namespace: "a".into(),
            name: name.into(),
        };
        self.expectations.admit(&controller, outcome, now)
    }

    /// Reconciles and performs.
    pub(crate) fn run(&mut self, resource: Resource, name: &str) -> bool {
        let outcome = self.reconcile(resource, name);
        let controller = Controller {
            resource,
            namespace: "a".into(),
            name: name.into(),
        };
        let busy = !outcome.actions.is_empty();
        let mut going = true;
        for action in outcome.actions {
            going = going && self.perform_one(action.clone());
            if !going {
                self.expectations.failed(&controller, &action);
            }
        }
        busy
    }

    /// Runs every controller once; whether any had something to do.
    pub(crate) fn round(&mut self) -> bool {
        let controllers: Vec<Key> = self.store.keys().cloned().collect();
        let mut busy = false;
        self.sync();
        for (resource, _, name) in controllers {
            if self.pace == usize::MAX {
                self.sync();
            }
            busy |= self.run(resource, &name);
        }
        busy || !self.unseen.is_empty()
    }

    /// Lets controllers, kubelet and garbage collector work until nothing changes any more; a
    /// second passes each round.
    pub(crate) fn settle(&mut self) {
        for _ in 0..2000 {
            let busy = self.round();
            let before = self.version;
            self.kubelet();
            self.collect_garbage();
            self.now += 1;
            if !busy && before == self.version {
                return;
            }
        }
        panic!(
            "the controllers never come to rest; last events: {:?}",
            self.events.iter().rev().take(5).collect::<Vec<_>>()
        );
    }
}

fn key(resource: Resource, object: &Value) -> Key {
    let namespace = object::namespace(object).to_owned();
    (resource, namespace, object::name(object).to_owned())
}

fn told(event: &Action) -> String {
    match event {
        Action::Event {
            reason, message, ..
        } => format!("{reason} {message}"),
        _ => String::new(),
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
