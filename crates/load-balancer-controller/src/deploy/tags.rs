//! Tags: those that every resource has, and the difference to what one has.

use super::Deployer;
use crate::calls::Calls;
use crate::failure::Failure;
use crate::model::stack::{CLUSTER_TAG, Pairs, Stack};
use aws_client::Aws;
use serde_json::{Value, json};

/// Tags as requests have them.
pub(super) fn wire(tags: &Pairs) -> Value {
    let all = tags.iter();
    all.map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect()
}

/// Pairs of a key and a value as attributes in requests.
pub(super) fn attributes(pairs: &Pairs) -> Value {
    wire(pairs)
}

impl<A: Aws> Deployer<A> {
    /// The tags of a resource of a stack.
    pub(super) fn tags(&self, stack: &Stack, resource: &str, own: &Pairs) -> Pairs {
        let mut tags = own.clone();
        tags.insert(CLUSTER_TAG.to_owned(), self.place.cluster.clone());
        tags.insert(stack.owner.stack_tag(), stack.name.clone());
        tags.insert(stack.owner.resource_tag(), resource.to_owned());
        tags
    }
}

/// Gives a load balancer, a target group, a listener or a rule its tags; whether something had to be done. Tags that
/// others gave stay, as far as they are the cloud's or a user's own: only keys that were the controller's go.
pub(super) async fn bring<A: Aws>(
    calls: &Calls<A>,
    arn: &str,
    has: &Pairs,
    wanted: &Pairs,
) -> Result<bool, Failure> {
    let new: Pairs = wanted
        .iter()
        .filter(|(key, value)| has.get(*key) != Some(*value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let gone: Vec<&String> = has
        .keys()
        .filter(|key| !wanted.contains_key(*key) && !key.starts_with("aws:"))
        .collect();
    if !new.is_empty() {
        let asked = json!({"ResourceArns": [arn], "Tags": wire(&new)});
        calls.elb("AddTags", asked).await?;
    }
    if !gone.is_empty() {
        let asked = json!({"ResourceArns": [arn], "TagKeys": gone});
        calls.elb("RemoveTags", asked).await?;
    }
    Ok(!new.is_empty() || !gone.is_empty())
}
