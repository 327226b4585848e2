//! Carrying out what controllers ask for.

use super::events;
use crate::api::Status;
use crate::client::{self, Client};
use serde_json::{Value, json};
use workloads::{Action, Controller, Resource, View};

fn resource(of: Resource) -> Result<&'static crate::resource::Resource, Status> {
    client::resource(&super::view::qualified(of)).ok_or_else(Status::no_such_path)
}

/// Carries out actions in their order, up to the first that fails.
pub(super) async fn perform(client: &Client, actions: Vec<Action>) -> Result<(), Status> {
    for action in actions {
        one(client, action).await?;
    }
    Ok(())
}

async fn one(client: &Client, action: Action) -> Result<(), Status> {
    match action {
        Action::Create {
            resource: of,
            object,
        } => create(client, resource(of)?, &object).await,
        Action::Update {
            resource: of,
            object,
        } => done(client.replace(resource(of)?, "", &object).await),
        Action::UpdateStatus {
            resource: of,
            object,
        } => done(client.replace(resource(of)?, "status", &object).await),
        Action::Patch {
            resource: of,
            namespace,
            name,
            patch,
        } => done(client.patch(resource(of)?, &namespace, &name, &patch).await),
        Action::Delete {
            resource: of,
            namespace,
            name,
            uid,
            propagation,
            grace,
        } => {
            let mut options = json!({
                "preconditions": {"uid": uid}, "propagationPolicy": propagation.as_str(),
            });
            if let Some(seconds) = grace {
                options["gracePeriodSeconds"] = seconds.into();
            }
            match client
                .delete(resource(of)?, &namespace, &name, &options)
                .await
            {
                // It is gone: that was the wish.
                Err(status) if status.reason == "NotFound" => Ok(()),
                other => done(other),
            }
        }
        Action::Event {
            about,
            kind,
            reason,
            message,
        } => events::record(client, &about, kind.as_str(), reason, &message).await,
    }
}

fn done(outcome: Result<Value, Status>) -> Result<(), Status> {
    outcome.map(drop)
}

async fn create(
    client: &Client,
    resource: &crate::resource::Resource,
    object: &Value,
) -> Result<(), Status> {
    let (told, outcome) = match client.create(resource, object).await {
        Ok(made) => (workloads::created(&made), Ok(())),
        Err(status) => {
            let message = status.message.clone();
            fail(client, object, &message).await;
            (workloads::create_failed(object, &message), Err(status))
        }
    };
    if let Some(Action::Event {
        about,
        kind,
        reason,
        message,
    }) = told
    {
        events::record(client, &about, kind.as_str(), reason, &message).await?;
    }
    outcome
}

/// Says in the status of a pod's replica set that the pod could not be made. What matters is told by the
/// event too, so a conflict is let pass.
async fn fail(client: &Client, pod: &Value, message: &str) {
    let Some(owner) = Controller::of(pod) else {
        return;
    };
    let sets = [Resource::ReplicaSets, Resource::ReplicationControllers];
    if !sets.contains(&owner.resource) {
        return;
    }
    let cluster = client.cluster();
    let published = cluster.now();
    let view = super::view::Objects(&published.store);
    let Some(set) = view.get(owner.resource, &owner.namespace, &owner.name) else {
        return;
    };
    let now = cluster.clock();
    let write = workloads::replica_failure(owner.resource, &set, "FailedCreate", message, now);
    if let Some(Action::UpdateStatus {
        resource: of,
        object,
    }) = write
        && let Ok(of) = resource(of)
    {
        let _ = client.replace(of, "status", &object).await;
    }
}
