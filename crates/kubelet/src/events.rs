//! Events: told once, counted when they happen again.
//! <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>

use crate::clock;
use crate::lifecycle::Event;
use kube_client::{Client, Patch};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// So many events wait to be sent; more are lost, as upstream.
const WAITING: usize = 1000;
/// So many are remembered, to be counted.
const REMEMBERED: usize = 4096;
/// An object tells so many at once, then one in five minutes.
const BURST: f64 = 25.0;
const REFILL: Duration = Duration::from_secs(300);

/// Something to tell.
#[derive(Debug)]
struct Told {
    about: Value,
    event: Event,
    at: SystemTime,
}

/// Where events are put.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<Told>,
}

impl Recorder {
    /// A recorder and the end of its queue, for [`run`].
    pub(crate) fn new() -> (Self, Queue) {
        let (queue, told) = mpsc::channel(WAITING);
        (Self { queue }, Queue { told })
    }

    /// Tells something about an object.
    pub(crate) fn tell(&self, about: Value, event: Event) {
        let at = SystemTime::now();
        if self.queue.try_send(Told { about, event, at }).is_err() {
            tracing::debug!("an event is lost");
        }
    }
}

/// Events to send.
#[derive(Debug)]
pub(crate) struct Queue {
    told: mpsc::Receiver<Told>,
}

/// Sends events, one after another, until the last recorder is gone.
pub(crate) async fn run(client: Client, node: String, mut queue: Queue) {
    let mut memory = Memory::default();
    while let Some(told) = queue.told.recv().await {
        let Some(request) = memory.request(&told, &node) else {
            continue;
        };
        if let Err(error) = send(&client, &request, &mut memory, &told, &node).await {
            tracing::debug!(%error, reason = told.event.reason, "an event wasn't taken");
        }
    }
}

async fn send(
    client: &Client,
    request: &Request,
    memory: &mut Memory,
    told: &Told,
    node: &str,
) -> Result<(), kube_client::Error> {
    match request {
        Request::Create { path, event } => client.create(path, event).await.map(drop),
        Request::Count { path, patch } => {
            match client.patch(path, Patch::Strategic, patch).await {
                // It was forgotten meanwhile.
                Err(error) if error.is_not_found() => {
                    memory.forget(told);
                    match memory.request(told, node) {
                        Some(Request::Create { path, event }) => {
                            client.create(&path, &event).await.map(drop)
                        }
                        _ => Ok(()),
                    }
                }
                other => other.map(drop),
            }
        }
    }
}

/// What is sent.
#[derive(Debug)]
enum Request {
    Create { path: String, event: Value },
    Count { path: String, patch: Value },
}

/// What was told.
#[derive(Debug, Default)]
struct Memory {
    known: HashMap<String, Known>,
    budgets: HashMap<String, Budget>,
}

#[derive(Debug)]
struct Known {
    path: String,
    count: u64,
}

#[derive(Debug)]
struct Budget {
    left: f64,
    at: SystemTime,
}

impl Memory {
    /// How to tell it; not at all where an object tells too much.
    fn request(&mut self, told: &Told, node: &str) -> Option<Request> {
        if !self.affords(told) {
            return None;
        }
        let key = key(told);
        let now = clock::rfc3339(told.at);
        if let Some(known) = self.known.get_mut(&key) {
            known.count += 1;
            let patch = json!({
                "count": known.count, "lastTimestamp": now, "message": told.event.message,
            });
            let path = known.path.clone();
            return Some(Request::Count { path, patch });
        }
        let namespace = match told.about["namespace"].as_str() {
            Some(namespace) if !namespace.is_empty() => namespace,
            _ => "default",
        };
        let since = told.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let about = told.about["name"].as_str().unwrap_or_default();
        // Events of one moment are told apart by their number.
        let nanos = since.as_nanos() + self.known.len() as u128;
        let name = format!("{about}.{nanos:x}");
        let collection = format!("/api/v1/namespaces/{namespace}/events");
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let path = format!("{collection}/{name}");
        self.known.insert(key, Known { path, count: 1 });
        let mut about = told.about.clone();
        if let Some(field) = &told.event.field {
            about["fieldPath"] = field.as_str().into();
        }
        let event = json!({
            "kind": "Event", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": about,
            "reason": told.event.reason, "message": told.event.message,
            "type": told.event.kind.as_str(),
            "source": {"component": "kubelet", "host": node},
            "reportingComponent": "kubelet", "reportingInstance": node,
            "firstTimestamp": now, "lastTimestamp": now, "count": 1,
        });
        Some(Request::Create {
            path: collection,
            event,
        })
    }

    fn forget(&mut self, told: &Told) {
        self.known.remove(&key(told));
    }

    fn affords(&mut self, told: &Told) -> bool {
        if self.budgets.len() >= REMEMBERED {
            self.budgets.clear();
        }
        let uid = told.about["uid"].as_str().unwrap_or_default().to_owned();
        let budget = self.budgets.entry(uid).or_insert(Budget {
            left: BURST,
            at: told.at,
        });
        let passed = told.at.duration_since(budget.at).unwrap_or_default();
        budget.left = (budget.left + passed.as_secs_f64() / REFILL.as_secs_f64()).min(BURST);
        budget.at = told.at;
        if budget.left < 1.0 {
            return false;
        }
        budget.left -= 1.0;
        true
    }
}

/// Events with the same key are one.
fn key(told: &Told) -> String {
    let Event {
        kind,
        reason,
        message,
        field,
    } = &told.event;
    let uid = told.about["uid"].as_str().unwrap_or_default();
    let field = field.as_deref().unwrap_or_default();
    format!("{uid}\0{field}\0{}\0{reason}\0{message}", kind.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::clock::at;

    fn told(message: &str, seconds: i64) -> Told {
        Told {
            about: json!({"kind": "Pod", "namespace": "shop", "name": "web", "uid": "u"}),
            event: Event::warning("BackOff", message),
            at: at(seconds),
        }
    }

    /// K8S-RUN: an event that happens again is counted.
    #[test]
    fn repeated_events_are_counted() {
        let mut memory = Memory::default();
        let Some(Request::Create { path, event }) = memory.request(&told("a", 1), "n1") else {
            panic!("it is new");
        };
        assert_eq!(path, "/api/v1/namespaces/shop/events");
        assert_eq!(
            event["source"],
            json!({"component": "kubelet", "host": "n1"})
        );
        let name = event["metadata"]["name"].as_str().unwrap();
        let Some(Request::Count { path, patch }) = memory.request(&told("a", 61), "n1") else {
            panic!("it is known");
        };
        assert!(path.ends_with(name));
        assert_eq!(
            (&patch["count"], &patch["lastTimestamp"]),
            (&json!(2), &json!("1970-01-01T00:01:01Z"))
        );
        let other = memory.request(&told("b", 61), "n1");
        assert!(matches!(other, Some(Request::Create { .. })));
    }

    /// K8S-RUN: an object that tells too much is heard once in five minutes.
    #[test]
    fn a_flood_is_cut() {
        let mut memory = Memory::default();
        let heard = (0..100).filter(|_| memory.request(&told("a", 1), "n1").is_some());
        assert_eq!(heard.count(), 25);
        assert!(memory.request(&told("a", 200), "n1").is_none());
        assert!(memory.request(&told("a", 302), "n1").is_some());
    }
}
