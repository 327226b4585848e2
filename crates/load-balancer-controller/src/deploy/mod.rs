//! Brings a stack there: what differs from what AWS and Kubernetes describe is made, changed and deleted, in an order
//! in which everything has what it needs.

mod balancer;
pub(crate) mod binding;
mod group;
pub(crate) mod inventory;
mod listener;
mod rule;
mod tags;
mod target_group;

use crate::calls::Calls;
use crate::failure::Failure;
use crate::model::stack::{MANAGED_GROUP, Pairs, Stack};
use aws_client::Aws;
use aws_client::answer::text;
use balancer::Groups;
use inventory::{Inventory, Standing};
use serde_json::Value;
use tokio::sync::Mutex;

/// Where the controller works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The cluster's name.
    pub(crate) cluster: String,
    /// Its VPC.
    pub(crate) vpc: String,
    /// The security group to be shared, where one is given.
    pub(crate) backend_group: Option<String>,
}

/// Brings stacks there.
#[derive(Debug)]
pub(crate) struct Deployer<A> {
    pub(crate) place: Place,
    pub(crate) calls: Calls<A>,
    pub(crate) kubernetes: kube_client::Client,
    pub(crate) inventory: Inventory,
    /// Held while the shared group is made or deleted.
    backend: Mutex<()>,
}

impl<A: Aws> Deployer<A> {
    pub(crate) fn new(place: Place, calls: Calls<A>, kubernetes: kube_client::Client) -> Self {
        Self {
            inventory: Inventory::new(&place.cluster, &place.vpc),
            place,
            calls,
            kubernetes,
            backend: Mutex::default(),
        }
    }

    /// Brings a stack there: the load balancer's DNS name.
    pub(crate) async fn deploy(&self, stack: &Stack) -> Result<Option<String>, Failure> {
        let found = self
            .inventory
            .of_stack(&self.calls, stack.owner, &stack.name);
        let standing = found.await?;
        let mut groups = Groups::default();
        if let Some(wanted) = &stack.managed_group {
            groups.managed = self.managed_group(stack, wanted, &standing).await?;
        }
        if stack.has_backend_group() {
            groups.backend = self.backend_group().await?;
        }
        let arns = self.target_groups(stack, &standing).await?;
        let mut name = None;
        match &stack.balancer {
            Some(wanted) => {
                let made = self.balancer(stack, wanted, &groups, &standing).await?;
                let fresh = !standing.balancers.contains_key(&made.0);
                let of = (made.0.as_str(), wanted);
                self.listeners(stack, of, &arns, fresh).await?;
                name = Some(made.1);
            }
            None => {
                for arn in standing.balancers.keys() {
                    self.delete_balancer(arn).await?;
                }
            }
        }
        self.bindings(stack, &arns, &groups.backend).await?;
        self.delete_bindings(stack).await?;
        self.delete_target_groups(&standing, &arns).await?;
        self.delete_groups(stack, &standing, &groups.managed)
            .await?;
        Ok(name)
    }

    /// Deletes the security groups that the stack has no more.
    async fn delete_groups(
        &self,
        stack: &Stack,
        standing: &Standing,
        kept: &str,
    ) -> Result<(), Failure> {
        for (id, thing) in &standing.groups {
            if id != kept && thing.resource(stack.owner) == MANAGED_GROUP {
                self.delete_group(id).await?;
            }
        }
        Ok(())
    }
}

/// Those of wanted attributes that are otherwise in what was described.
fn differing(wanted: &Pairs, described: &[Value]) -> Option<Pairs> {
    let has = |key: &str| described.iter().find(|of| text(of, "Key") == key);
    let differing = wanted
        .iter()
        .filter(|(key, value)| has(key).is_none_or(|of| text(of, "Value") != value.as_str()));
    let differing: Pairs = differing
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    (!differing.is_empty()).then_some(differing)
}
