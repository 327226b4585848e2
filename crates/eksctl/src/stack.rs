//! Stacks: made, awaited, found, deleted.

use crate::{Error, Level, Means, VERSION};
use serde_json::{Value, json};
use std::time::Duration;
use wire::call::Service::CloudFormation;

/// How long anything is awaited, in seconds: eksctl's `--timeout`.
const TIMEOUT: i64 = 25 * 60;
/// How often it is asked.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often the user is told that it is awaited, in seconds.
const TOLD: i64 = 30;

/// The tag by which stacks belong to a cluster.
const CLUSTER: &str = "alpha.eksctl.io/cluster-name";

/// A stack as it is described.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) name: String,
    pub(crate) status: String,
    value: Value,
}

impl Stack {
    fn of(value: Value) -> Self {
        let text = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            name: text("StackName"),
            status: text("StackStatus"),
            value,
        }
    }

    /// One of its outputs.
    pub(crate) fn output(&self, key: &str) -> Option<String> {
        let outputs = self.value.get("Outputs")?.as_array()?;
        let found = outputs
            .iter()
            .find(|of| of.get("OutputKey").and_then(Value::as_str) == Some(key))?;
        Some(found.get("OutputValue")?.as_str()?.to_owned())
    }

    /// One of its tags.
    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        let tags = self.value.get("Tags")?.as_array()?;
        let found = tags
            .iter()
            .find(|of| of.get("Key").and_then(Value::as_str) == Some(key))?;
        found.get("Value")?.as_str()
    }

    /// The description as it came.
    pub(crate) fn value(&self) -> &Value {
        &self.value
    }
}

/// The stack of a name, if there is one.
pub(crate) fn find(means: &dyn Means, name: &str) -> Result<Option<Stack>, Error> {
    let given = json!({ "StackName": name });
    match means.call(CloudFormation, "DescribeStacks", given) {
        Ok(answer) => Ok(answer.pointer("/Stacks/0").cloned().map(Stack::of)),
        Err(error) if error.code() == Some("ValidationError") => Ok(None),
        Err(error) => Err(error),
    }
}

/// All stacks of a cluster.
pub(crate) fn of_cluster(means: &dyn Means, cluster: &str) -> Result<Vec<Stack>, Error> {
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let answer = means.call(
            CloudFormation,
            "DescribeStacks",
            json!({ "NextToken": token }),
        )?;
        let stacks = answer
            .get("Stacks")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let stacks = stacks.into_iter().map(Stack::of);
        found.extend(stacks.filter(|stack| stack.tag(CLUSTER) == Some(cluster)));
        token = answer.get("NextToken").cloned().unwrap_or(Value::Null);
        if token.as_str().is_none_or(str::is_empty) {
            return Ok(found);
        }
    }
}

/// Makes a stack and waits for it.
pub(crate) fn deploy(
    means: &dyn Means,
    cluster: &str,
    name: &str,
    template: &str,
    own: &[(&str, &str)],
) -> Result<Stack, Error> {
    begin(means, cluster, name, template, own)?;
    settle(means, name, &["CREATE_COMPLETE"])
}

/// Begins to make a stack.
pub(crate) fn begin(
    means: &dyn Means,
    cluster: &str,
    name: &str,
    template: &str,
    own: &[(&str, &str)],
) -> Result<(), Error> {
    let usual = [
        (CLUSTER, cluster),
        ("eksctl.cluster.k8s.io/v1alpha1/cluster-name", cluster),
        ("alpha.eksctl.io/eksctl-version", VERSION),
    ];
    let tags = usual
        .iter()
        .chain(own)
        .map(|(key, value)| json!({ "Key": key, "Value": value }));
    let given = json!({
        "StackName": name,
        "TemplateBody": template,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Tags": tags.collect::<Value>(),
    });
    means.call(CloudFormation, "CreateStack", given)?;
    means.say(Level::Info, &format!("deploying stack \"{name}\""));
    Ok(())
}

/// Waits for a stack; its end must be one of some.
pub(crate) fn settle(means: &dyn Means, name: &str, good: &[&str]) -> Result<Stack, Error> {
    let (begun, mut told) = (means.now(), i64::MIN);
    loop {
        let now = means.now();
        if told.saturating_add(TOLD) <= now {
            means.say(
                Level::Info,
                &format!("waiting for CloudFormation stack \"{name}\""),
            );
            told = now;
        }
        let Some(stack) = find(means, name)? else {
            let gone = good.contains(&"DELETE_COMPLETE");
            let stack = Stack::of(json!({ "StackName": name, "StackStatus": "DELETE_COMPLETE" }));
            return if gone {
                Ok(stack)
            } else {
                Err(failed(means, stack))
            };
        };
        if good.contains(&stack.status.as_str()) {
            return Ok(stack);
        }
        if !stack.status.ends_with("_IN_PROGRESS") || stack.status.contains("ROLLBACK") {
            return Err(failed(means, stack));
        }
        if now - begun > TIMEOUT {
            return Err(Error::TimedOut(format!("CloudFormation stack {name:?}")));
        }
        means.wait(INTERVAL);
    }
}

/// A stack's failure, with the first reason that its events tell.
fn failed(means: &dyn Means, stack: Stack) -> Error {
    let events = means.call(
        CloudFormation,
        "DescribeStackEvents",
        json!({ "StackName": stack.name }),
    );
    let events = events
        .ok()
        .and_then(|answer| answer.get("StackEvents")?.as_array().cloned());
    let text = |event: &Value, name: &str| {
        event
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let first = events
        .into_iter()
        .flatten()
        .rfind(|event| text(event, "ResourceStatus").ends_with("_FAILED"));
    let reason = first.map(|event| {
        let (logical, reason) = (
            text(&event, "LogicalResourceId"),
            text(&event, "ResourceStatusReason"),
        );
        format!("{logical}: {reason}")
    });
    Error::Stack {
        stack: stack.name,
        status: stack.status,
        reason: reason.unwrap_or_else(|| "its events tell no reason".to_owned()),
    }
}

/// Deletes a stack, and waits until it is gone if that is wanted.
pub(crate) fn delete(means: &dyn Means, name: &str, wait: bool) -> Result<(), Error> {
    means.call(CloudFormation, "DeleteStack", json!({ "StackName": name }))?;
    means.say(Level::Info, &format!("will delete stack \"{name}\""));
    if wait {
        means.say(
            Level::Info,
            &format!("waiting for stack \"{name}\" to get deleted"),
        );
        settle(means, name, &["DELETE_COMPLETE"])?;
    }
    Ok(())
}
