//! Events: told once, counted when they happen again.
//! <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>

use kube_client::{Client, Patch};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use wire::Timestamp;

/// So many are remembered, to be counted.
const REMEMBERED: usize = 4096;

/// Whom an event is about.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// Its version and kind.
    pub(crate) kind: (&'static str, &'static str),
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// Who tells it.
    pub(crate) component: &'static str,
}

impl About {
    pub(crate) fn ingress(metadata: &crate::model::object::Metadata) -> Self {
        Self::of(("networking.k8s.io/v1", "Ingress"), "ingress", metadata)
    }

    pub(crate) fn service(metadata: &crate::model::object::Metadata) -> Self {
        Self::of(("v1", "Service"), "service", metadata)
    }

    pub(crate) fn binding(metadata: &crate::model::object::Metadata) -> Self {
        let kind = ("elbv2.k8s.aws/v1beta1", "TargetGroupBinding");
        Self::of(kind, "targetGroupBinding", metadata)
    }

    fn of(
        kind: (&'static str, &'static str),
        component: &'static str,
        of: &crate::model::object::Metadata,
    ) -> Self {
        Self {
            kind,
            namespace: of.namespace.clone(),
            name: of.name.clone(),
            uid: of.uid.clone(),
            component,
        }
    }
}

/// Tells events.
#[derive(Debug)]
pub(crate) struct Recorder {
    client: Client,
    known: Mutex<BTreeMap<String, (String, u64)>>,
}

fn now() -> (u128, String) {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let text = Timestamp(seconds).iso();
    // Events' times have no fractions.
    let whole = text
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end_matches('Z');
    (since.as_nanos(), format!("{whole}Z"))
}

impl Recorder {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            known: Mutex::default(),
        }
    }

    /// Tells that something is as it should be.
    pub(crate) async fn good(&self, about: &About, reason: &str, words: &str) {
        self.tell(about, "Normal", reason, words).await;
    }

    /// Tells that something is wrong.
    pub(crate) async fn bad(&self, about: &About, reason: &str, words: &str) {
        tracing::warn!(
            object = format!("{}/{}", about.namespace, about.name),
            reason,
            words
        );
        self.tell(about, "Warning", reason, words).await;
    }

    async fn tell(&self, about: &About, kind: &str, reason: &str, words: &str) {
        let key = format!("{}|{reason}|{words}", about.uid);
        let (nanos, at) = now();
        let collection = format!("/api/v1/namespaces/{}/events", about.namespace);
        let known = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get_mut(&key).map(|(path, count)| {
                *count += 1;
                (path.clone(), *count)
            })
        };
        if let Some((path, count)) = known {
            let patch = json!({"count": count, "lastTimestamp": at});
            match self.client.patch(&path, Patch::Strategic, &patch).await {
                Err(error) if error.is_not_found() => {}
                _ => return,
            }
        }
        let name = format!("{}.{nanos:x}", about.name);
        let (version, object) = about.kind;
        let event = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": name, "namespace": about.namespace},
            "involvedObject": {
                "apiVersion": version, "kind": object, "namespace": about.namespace,
                "name": about.name, "uid": about.uid,
            },
            "reason": reason, "message": words, "type": kind, "count": 1,
            "firstTimestamp": at, "lastTimestamp": at,
            "source": {"component": about.component}, "reportingComponent": about.component,
        });
        match self.client.create(&collection, &event).await {
            Ok(_) => {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(key, (format!("{collection}/{name}"), 1));
            }
            Err(error) => tracing::debug!(%error, reason, "an event wasn't taken"),
        }
    }
}

/// What a value of Kubernetes' API says at a path of names.
pub(crate) fn said<'v>(value: &'v Value, path: &[&str]) -> &'v str {
    let found = path.iter().fold(value, |value, name| &value[*name]);
    found.as_str().unwrap_or_default()
}
