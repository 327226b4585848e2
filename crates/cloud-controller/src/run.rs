//! Following a cluster's services and nodes.

use crate::Home;
use crate::aws::{Aws, Calls};
use crate::classic::Classic;
use crate::failure::Failure;
use crate::node::{Node, participant};
use crate::service::{FINALIZER, Service};
use kube::api::{Method, Status};
use kube::client::{Client, path, resource};
use kube::cluster::Cluster;
use kube::object;
use kube::resource::Resource;
use kube::store::{Key, Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long after a failure a service is looked at again, in seconds; it doubles with each.
const RETRY: i64 = 5;
/// It doubles no further.
const SLOWEST: i64 = 300;
/// A group that is in use is tried again after so many seconds.
const IN_USE: i64 = 10;

/// What was done for a service.
#[derive(Default)]
struct Done {
    /// The service that a load balancer was made for, and the nodes behind it.
    made: Option<(Service, Vec<Node>)>,
    failures: u32,
    /// When it is tried again.
    again: Option<Instant>,
}

struct Controller<'a, A> {
    client: Client,
    aws: &'a A,
    home: &'a Home,
    known: BTreeMap<Key, Done>,
}

/// What a service needs.
#[derive(Debug, PartialEq, Eq)]
enum Need {
    Ensure,
    Nodes,
    Delete,
}

/// Looks after a cluster's services until the task is ended.
pub async fn run<A: Aws>(cluster: Cluster, aws: A, home: Home) {
    let mut follow = cluster.follow();
    let mut controller = Controller {
        client: Client::of_control_plane(cluster, "cloud-controller-manager"),
        aws: &aws,
        home: &home,
        known: BTreeMap::new(),
    };
    loop {
        let store = follow.borrow_and_update().store.clone();
        controller.look(&store).await;
        let pause = controller.pause();
        tokio::select! {
            changed = follow.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl<A: Aws> Controller<'_, A> {
    /// Looks at every service.
    async fn look(&mut self, store: &Store) {
        let nodes = store.list("nodes", None);
        let mut nodes: Vec<Node> = nodes.filter_map(|(_, node)| participant(node)).collect();
        nodes.sort();
        let services: Vec<(Key, Value)> = store
            .list("services", None)
            .map(|(key, service)| (key.clone(), service.as_ref().clone()))
            .collect();
        self.known
            .retain(|key, _| services.iter().any(|(of, _)| of == key));
        for (key, object) in services {
            let service = Service::of(&object);
            let done = self.known.entry(key.clone()).or_default();
            let waits = done.again.is_some_and(|at| at > Instant::now());
            if let Some(need) = need(&service, &nodes, done.made.as_ref()).filter(|_| !waits) {
                self.work(&key, &object, service, &nodes, need).await;
            }
        }
    }

    /// How long nothing has to be done unless something changes.
    fn pause(&self) -> Duration {
        let next = self.known.values().filter_map(|done| done.again).min();
        let longest = Duration::from_secs(60);
        next.map_or(longest, |at| at.saturating_duration_since(Instant::now()))
    }

    async fn work(
        &mut self,
        key: &Key,
        object: &Value,
        service: Service,
        nodes: &[Node],
        need: Need,
    ) {
        let outcome = match need {
            Need::Delete => self.clean_up(object, &service).await,
            Need::Ensure => self.ensure(object, &service, nodes).await,
            Need::Nodes => self.update(object, &service, nodes).await,
        };
        let seconds = |seconds: i64| {
            let paced = self.client.cluster().settings().pace.timer(seconds);
            Duration::from_secs(paced.unsigned_abs()).max(Duration::from_secs(1))
        };
        let done = self.known.entry(key.clone()).or_default();
        match outcome {
            Ok(()) | Err(Failure::Elsewhere) => {
                *done = Done {
                    made: Some((service, nodes.to_vec())),
                    ..Done::default()
                };
            }
            Err(error) => {
                tracing::info!(service = service.path(), %error, "no load balancer");
                let wait = (RETRY << done.failures.min(6)).min(SLOWEST);
                done.failures += 1;
                done.again = Some(Instant::now() + seconds(wait));
                self.tell_failure(object, &need, &error).await;
            }
        }
    }

    async fn tell_failure(&self, object: &Value, need: &Need, error: &Failure) {
        let (reason, words) = match need {
            Need::Ensure => (
                "SyncLoadBalancerFailed",
                format!("Error syncing load balancer: failed to ensure load balancer: {error}"),
            ),
            Need::Delete => (
                "SyncLoadBalancerFailed",
                format!("Error syncing load balancer: failed to delete load balancer: {error}"),
            ),
            Need::Nodes => (
                "UpdateLoadBalancerFailed",
                format!("Error updating load balancer with new hosts: {error}"),
            ),
        };
        self.event(object, "Warning", reason, &words).await;
    }

    fn classic(&self) -> Classic<'_, A> {
        let pause = self.client.cluster().settings().pace.timer(IN_USE);
        Classic {
            calls: Calls(self.aws),
            home: self.home,
            pause: Duration::from_secs(pause.unsigned_abs()).max(Duration::from_secs(1)),
        }
    }

    /// Makes a service's load balancer and says where it is.
    async fn ensure(
        &self,
        object: &Value,
        service: &Service,
        nodes: &[Node],
    ) -> Result<(), Failure> {
        self.event(
            object,
            "Normal",
            "EnsuringLoadBalancer",
            "Ensuring load balancer",
        )
        .await;
        if !service.held {
            let mut finalizers = object::list(object, &["metadata", "finalizers"]).to_vec();
            finalizers.push(FINALIZER.into());
            self.finalizers(object, &finalizers).await?;
        }
        if nodes.is_empty() {
            let words = "There are no available nodes for LoadBalancer";
            self.event(object, "Warning", "UnAvailableLoadBalancer", words)
                .await;
        }
        let name = self.classic().ensure(service, nodes).await?;
        self.event(
            object,
            "Normal",
            "EnsuredLoadBalancer",
            "Ensured load balancer",
        )
        .await;
        let ingress = json!([{"hostname": name}]);
        if object["status"]["loadBalancer"]["ingress"] != ingress {
            self.status(object, &json!({"ingress": ingress})).await?;
        }
        Ok(())
    }

    async fn update(
        &self,
        object: &Value,
        service: &Service,
        nodes: &[Node],
    ) -> Result<(), Failure> {
        self.classic().update_nodes(service, nodes).await?;
        let words = "Updated load balancer with new hosts";
        self.event(object, "Normal", "UpdatedLoadBalancer", words)
            .await;
        Ok(())
    }

    /// Takes a service's load balancer away and lets the service go.
    async fn clean_up(&self, object: &Value, service: &Service) -> Result<(), Failure> {
        let words = "Deleting load balancer";
        self.event(object, "Normal", "DeletingLoadBalancer", words)
            .await;
        self.classic().delete(service).await?;
        let finalizers = object::list(object, &["metadata", "finalizers"]).iter();
        let left: Vec<Value> = finalizers.filter(|of| *of != FINALIZER).cloned().collect();
        if !service.going {
            self.status(object, &Value::Null).await?;
        }
        self.finalizers(object, &left).await?;
        self.event(
            object,
            "Normal",
            "DeletedLoadBalancer",
            "Deleted load balancer",
        )
        .await;
        Ok(())
    }

    async fn finalizers(&self, object: &Value, finalizers: &[Value]) -> Result<(), Failure> {
        let patch = json!({"metadata": {"finalizers": finalizers}});
        self.patch(object, "", &patch).await
    }

    async fn status(&self, object: &Value, balancer: &Value) -> Result<(), Failure> {
        // Null takes the whole away in a merge patch, and an empty object would change nothing.
        let patch = match balancer {
            Value::Null => json!({"status": {"loadBalancer": {"ingress": null}}}),
            balancer => json!({"status": {"loadBalancer": balancer}}),
        };
        self.patch(object, "status", &patch).await
    }

    async fn patch(&self, object: &Value, below: &str, patch: &Value) -> Result<(), Failure> {
        let path = path(
            services()?,
            object::namespace(object),
            object::name(object),
            below,
        );
        let form = "application/merge-patch+json";
        let sent = self.client.send(Method::Patch, &path, form, patch);
        match sent.await {
            // It is gone: nobody is left to be told.
            Err(status) if status.reason != "NotFound" => Err(status.into()),
            _ => Ok(()),
        }
    }

    async fn event(&self, object: &Value, kind: &str, reason: &str, words: &str) {
        let about = object::reference(object);
        let told = kube::controllers::events::record(&self.client, &about, kind, reason, words);
        if let Err(status) = told.await {
            tracing::debug!(%status, reason, "an event is not recorded");
        }
    }
}

fn services() -> Result<&'static Resource, Status> {
    resource("services").ok_or_else(Status::no_such_path)
}

/// What a service needs, given what was made for it.
fn need(service: &Service, nodes: &[Node], made: Option<&(Service, Vec<Node>)>) -> Option<Need> {
    if service.cleanup() {
        return Some(Need::Delete);
    }
    if !service.wanted || service.going {
        return None;
    }
    let Some((before, behind)) = made else {
        return Some(Need::Ensure);
    };
    // The finalizer is this controller's own doing.
    let held = Service {
        held: service.held,
        ..before.clone()
    };
    if held != *service {
        return Some(Need::Ensure);
    }
    (behind != nodes).then_some(Need::Nodes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::service::tests::web;

    /// AWS-LBC: a service is looked at again when it or the nodes change, and let go when it wants no more.
    #[test]
    fn services_are_looked_at_when_something_changed() {
        let mut object = web();
        let service = Service::of(&object);
        assert_eq!(need(&service, &[], None), Some(Need::Ensure));
        let made = (service, Vec::new());
        object["metadata"]["finalizers"] = json!([FINALIZER]);
        let held = Service::of(&object);
        assert_eq!(need(&held, &[], Some(&made)), None);
        let node = json!({"spec": {"providerID": "aws:///us-west-2a/i-1"}});
        let nodes = [participant(&node).unwrap()];
        assert_eq!(need(&held, &nodes, Some(&made)), Some(Need::Nodes));
        object["spec"]["ports"][0]["nodePort"] = json!(30000);
        let other = Service::of(&object);
        assert_eq!(need(&other, &[], Some(&made)), Some(Need::Ensure));
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let going = Service::of(&object);
        assert_eq!(need(&going, &[], Some(&made)), Some(Need::Delete));
    }
}
