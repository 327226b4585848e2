//! Services of type LoadBalancer.

use super::Controller;
use crate::events::About;
use crate::failure::Failure;
use crate::model::object::{Metadata, Service, read};
use crate::model::service::{FINALIZER, build_service, is_ours};
use crate::model::stack::{Owner, Stack};
use crate::model::surround::Needs;
use crate::world::World;
use aws_client::Aws;
use kube_client::Patch;
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A number that changes with everything that a service's stack depends on; `None` for one of others.
pub(super) fn fingerprint(object: &Value) -> Option<u64> {
    // Most services are nobody's to balance; they are told apart before they are read.
    let mine = object["spec"]["type"] == "LoadBalancer";
    let finalizers = object["metadata"]["finalizers"].as_array();
    let mut finalizers = finalizers.into_iter().flatten();
    let held = finalizers.any(|of| of == FINALIZER);
    if !mine && !held {
        return None;
    }
    let service: Service = read(object)?;
    let wanted = is_ours(&service) && !service.metadata.going();
    if !wanted && !held {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    (wanted, held && !wanted, &service.metadata.uid).hash(&mut hasher);
    service.metadata.annotations.hash(&mut hasher);
    object["spec"].to_string().hash(&mut hasher);
    Some(hasher.finish())
}

/// Whether a service is to have a load balancer of this controller's.
pub(super) fn is_wanted(object: &Value) -> bool {
    let mine = object["spec"]["type"] == "LoadBalancer";
    let service = mine.then(|| read::<Service>(object)).flatten();
    service.is_some_and(|of| is_ours(&of) && !of.metadata.going())
}

fn path(metadata: &Metadata) -> String {
    format!(
        "/api/v1/namespaces/{}/services/{}",
        metadata.namespace, metadata.name
    )
}

impl<A: Aws + 'static> Controller<A> {
    /// Brings a service's load balancer to what it should be.
    pub(super) async fn service(&self, world: &World, key: &str) -> Result<(), Failure> {
        let object = world.services.get(key);
        let Some(service) = object.and_then(|of| read::<Service>(of)) else {
            return Ok(());
        };
        let metadata = &service.metadata;
        if !is_ours(&service) || metadata.going() {
            if metadata.held_by(FINALIZER) {
                return self.let_service_go(&service).await;
            }
            return Ok(());
        }
        if !metadata.held_by(FINALIZER) {
            let mut all = metadata.finalizers.clone();
            all.push(FINALIZER.to_owned());
            let added = self.service_finalizers(metadata, &all).await;
            self.of_service(metadata, "FailedAddFinalizer", "add finalizer", added)
                .await?;
        }
        let modelled = self.service_stack(&service).await;
        let modelled = self.of_service(metadata, "FailedBuildModel", "build model", modelled);
        let stack = modelled.await?;
        tracing::info!(stack = stack.name, "successfully built model");
        let deployed = self.deployer.deploy(&stack).await;
        let deployed = self.of_service(metadata, "FailedDeployModel", "deploy model", deployed);
        let name = deployed.await?;
        tracing::info!(stack = stack.name, "successfully deployed model");
        let wanted = name.map(|name| json!([{"hostname": name.to_lowercase()}]));
        let wanted = wanted.unwrap_or_default();
        let set = self.service_status(&service, &wanted).await;
        self.of_service(metadata, "FailedUpdateStatus", "update status", set)
            .await?;
        let (reason, words) = ("SuccessfullyReconciled", "Successfully reconciled");
        let about = About::service(metadata);
        self.events.good(&about, reason, words).await;
        Ok(())
    }

    async fn service_stack(&self, service: &Service) -> Result<Stack, Failure> {
        let needs = Needs {
            groups: true,
            ..Needs::default()
        };
        let name = service.metadata.key();
        let surround = self.surroundings(Owner::Service, &name, &needs).await?;
        Ok(build_service(&self.options.settings(), service, &surround)?)
    }

    async fn let_service_go(&self, service: &Service) -> Result<(), Failure> {
        let metadata = &service.metadata;
        let stack = Stack::empty(Owner::Service, metadata.key());
        let deployed = self.deployer.deploy(&stack).await;
        let deployed = self.of_service(metadata, "FailedDeployModel", "deploy model", deployed);
        deployed.await?;
        if !metadata.going() {
            self.service_status(service, &Value::Null).await?;
        }
        let all = metadata.finalizers.iter();
        let left: Vec<String> = all.filter(|of| *of != FINALIZER).cloned().collect();
        let removed = self.service_finalizers(metadata, &left).await;
        self.of_service(
            metadata,
            "FailedRemoveFinalizer",
            "remove finalizer",
            removed,
        )
        .await
    }

    async fn of_service<T>(
        &self,
        metadata: &Metadata,
        reason: &str,
        doing: &str,
        outcome: Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Err(error) = &outcome
            && !matches!(error, Failure::Waiting(_))
            && !error.is_conflict()
        {
            let words = format!("Failed {doing} due to {error}");
            let about = About::service(metadata);
            self.events.bad(&about, reason, &words).await;
        }
        outcome
    }

    async fn service_finalizers(&self, metadata: &Metadata, all: &[String]) -> Result<(), Failure> {
        let patch = json!({"metadata": {
            "finalizers": all, "resourceVersion": metadata.resource_version,
        }});
        let client = &self.deployer.kubernetes;
        match client.patch(&path(metadata), Patch::Merge, &patch).await {
            // It is gone: nobody holds it any longer.
            Err(error) if error.is_not_found() => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }

    async fn service_status(&self, service: &Service, wanted: &Value) -> Result<(), Failure> {
        if service.status["loadBalancer"]["ingress"] == *wanted {
            return Ok(());
        }
        // Null takes the whole away in a merge patch.
        let patch = json!({"status": {"loadBalancer": {"ingress": wanted}}});
        let path = format!("{}/status", path(&service.metadata));
        let client = &self.deployer.kubernetes;
        match client.patch(&path, Patch::Merge, &patch).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }
}
