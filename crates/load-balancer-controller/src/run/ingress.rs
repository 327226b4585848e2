//! Groups of ingresses.

use super::Controller;
use crate::events::About;
use crate::failure::Failure;
use crate::model::class::GroupId;
use crate::model::object::{Ingress, Metadata};
use crate::model::stack::Owner;
use crate::model::{Member, build, surround};
use crate::world::{Part, World};
use aws_client::Aws;
use kube_client::Patch;
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A number that changes with everything that a group's stack depends on in the cluster.
pub(super) fn fingerprint(world: &World, parts: &[Part]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        let metadata = &part.ingress.metadata;
        (part.active, &metadata.uid, &metadata.annotations).hash(&mut hasher);
        metadata.going().hash(&mut hasher);
        format!("{:?}{:?}", part.ingress.spec, part.params).hash(&mut hasher);
        let namespace = &metadata.namespace;
        for name in surround::services_of(&part.ingress) {
            let service = world.services.get(&format!("{namespace}/{name}"));
            let Some(service) = service else {
                name.hash(&mut hasher);
                continue;
            };
            let of = &service["metadata"];
            of["uid"].to_string().hash(&mut hasher);
            of["annotations"].to_string().hash(&mut hasher);
            service["spec"].to_string().hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Where an ingress is.
fn path(metadata: &Metadata) -> String {
    format!(
        "/apis/networking.k8s.io/v1/namespaces/{}/ingresses/{}",
        metadata.namespace, metadata.name
    )
}

impl<A: Aws + 'static> Controller<A> {
    /// Brings a group of ingresses to what it should be.
    pub(super) async fn group(&self, world: &World, group: &GroupId) -> Result<(), Failure> {
        let mut grouped = world.grouped(&self.options.ingress_class);
        let parts = grouped.groups.remove(group).unwrap_or_default();
        let (active, former): (Vec<Part>, Vec<Part>) =
            parts.into_iter().partition(|part| part.active);
        let finalizer = group.finalizer();
        for part in &active {
            let metadata = &part.ingress.metadata;
            if !metadata.held_by(&finalizer) {
                let mut all = metadata.finalizers.clone();
                all.push(finalizer.clone());
                let added = self.finalizers(metadata, &all).await;
                self.told(metadata, "FailedAddFinalizer", "add finalizer", added)
                    .await?;
            }
        }
        let name = self.stack(world, group, &active).await?;
        for part in &active {
            let metadata = &part.ingress.metadata;
            let set = self.status(&part.ingress, name.as_deref()).await;
            self.told(metadata, "FailedUpdateStatus", "update status", set)
                .await?;
        }
        for part in &former {
            let metadata = &part.ingress.metadata;
            let all = metadata.finalizers.iter();
            let left: Vec<String> = all.filter(|of| **of != finalizer).cloned().collect();
            let removed = self.finalizers(metadata, &left).await;
            self.told(
                metadata,
                "FailedRemoveFinalizer",
                "remove finalizer",
                removed,
            )
            .await?;
        }
        for part in &active {
            let about = About::ingress(&part.ingress.metadata);
            let (reason, words) = ("SuccessfullyReconciled", "Successfully reconciled");
            self.events.good(&about, reason, words).await;
        }
        Ok(())
    }

    /// Makes a group's stack and brings it there: the load balancer's DNS name.
    async fn stack(
        &self,
        world: &World,
        group: &GroupId,
        active: &[Part],
    ) -> Result<Option<String>, Failure> {
        let members = active.iter().map(|part| Member {
            ingress: &part.ingress,
            params: part.params.as_ref(),
        });
        let members: Vec<Member<'_>> = members.collect();
        let needs = surround::needs(&members, world);
        let stack = group.to_string();
        let modelled = match self.surroundings(Owner::Ingress, &stack, &needs).await {
            Ok(surround) => {
                let settings = self.options.settings();
                let built = build(&settings, group, &members, world, &surround);
                built.map_err(Failure::from)
            }
            Err(error) => Err(error),
        };
        let modelled = self.all_told(active, "FailedBuildModel", "build model", modelled);
        let stack = modelled.await?;
        if !active.is_empty() {
            tracing::info!(stack = stack.name, "successfully built model");
        }
        let deployed = self.deployer.deploy(&stack).await;
        let deployed = self.all_told(active, "FailedDeployModel", "deploy model", deployed);
        let name = deployed.await?;
        tracing::info!(stack = stack.name, "successfully deployed model");
        Ok(name)
    }

    async fn all_told<T>(
        &self,
        active: &[Part],
        reason: &str,
        doing: &str,
        outcome: Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Err(error) = &outcome
            && !matches!(error, Failure::Waiting(_))
            && !error.is_conflict()
        {
            let words = format!("Failed {doing} due to {error}");
            for part in active {
                let about = About::ingress(&part.ingress.metadata);
                self.events.bad(&about, reason, &words).await;
            }
        }
        outcome
    }

    async fn told(
        &self,
        metadata: &Metadata,
        reason: &str,
        doing: &str,
        outcome: Result<(), Failure>,
    ) -> Result<(), Failure> {
        if let Err(error) = &outcome
            && !error.is_conflict()
        {
            let words = format!("Failed {doing} due to {error}");
            self.events
                .bad(&About::ingress(metadata), reason, &words)
                .await;
        }
        outcome
    }

    async fn finalizers(&self, metadata: &Metadata, all: &[String]) -> Result<(), Failure> {
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

    async fn status(&self, ingress: &Ingress, name: Option<&str>) -> Result<(), Failure> {
        let Some(name) = name else { return Ok(()) };
        let wanted = json!([{"hostname": name.to_lowercase()}]);
        if ingress.status["loadBalancer"]["ingress"] == wanted {
            return Ok(());
        }
        let patch: Value = json!({"status": {"loadBalancer": {"ingress": wanted}}});
        let path = format!("{}/status", path(&ingress.metadata));
        let client = &self.deployer.kubernetes;
        match client.patch(&path, Patch::Merge, &patch).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }
}
