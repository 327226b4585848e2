//! Carrying out what controllers ask for.

use super::events;
use crate::api::Status;
use crate::client::{self, Client};
use serde_json::{Value, json};
use workloads::{Action, Resource};

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
