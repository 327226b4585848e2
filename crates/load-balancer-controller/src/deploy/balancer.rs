//! Load balancers.

use super::inventory::{Kind, Standing, Thing};
use super::{Deployer, tags};
use crate::failure::Failure;
use crate::model::stack::{BALANCER, Balancer, GroupRef, Stack, SubnetMapping};
use aws_client::Aws;
use aws_client::answer::{list, text, texts};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The groups that references stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    pub(super) managed: String,
    pub(super) backend: String,
}

impl Groups {
    fn ids(&self, wanted: &[GroupRef]) -> Vec<String> {
        let ids = wanted.iter().map(|of| match of {
            GroupRef::Id(id) => id.clone(),
            GroupRef::Managed => self.managed.clone(),
            GroupRef::Backend => self.backend.clone(),
        });
        ids.collect()
    }
}

fn mapping(of: &SubnetMapping) -> Value {
    json!({
        "SubnetId": of.subnet, "AllocationId": of.allocation, "PrivateIPv4Address": of.private_ip,
    })
}

impl<A: Aws> Deployer<A> {
    /// Makes the load balancer as it should be: its ARN and DNS name. Others of the stack go, and so does one that
    /// can't be changed into what it should be.
    pub(super) async fn balancer(
        &self,
        stack: &Stack,
        wanted: &Balancer,
        groups: &Groups,
        standing: &Standing,
    ) -> Result<(String, String), Failure> {
        let fits = |thing: &Thing| {
            thing.text("Scheme") == wanted.scheme
                && thing.text("Type") == wanted.kind
                && (wanted.kind != "network"
                    || list(&thing.described, "SecurityGroups").is_empty()
                        == wanted.groups.is_empty())
        };
        let found = standing.balancers.iter().find(|(_, of)| fits(of));
        for arn in standing.balancers.keys() {
            if found.is_none_or(|(kept, _)| kept != arn) {
                self.delete_balancer(arn).await?;
            }
        }
        let all = self.tags(stack, BALANCER, &wanted.tags);
        let described = match found {
            Some((arn, thing)) => {
                self.change_balancer(arn, thing, wanted, groups).await?;
                if tags::bring(&self.calls, arn, &thing.tags, &all).await? {
                    let described = thing.described.clone();
                    let kind = Kind::Balancer;
                    self.inventory.put(kind, arn, described, all).await;
                }
                thing.described.clone()
            }
            None => {
                let described = self
                    .make_balancer(wanted, groups, &tags::wire(&all))
                    .await?;
                let arn = text(&described, "LoadBalancerArn").to_owned();
                let kind = Kind::Balancer;
                self.inventory.put(kind, &arn, described.clone(), all).await;
                described
            }
        };
        let arn = text(&described, "LoadBalancerArn").to_owned();
        self.balancer_attributes(&arn, wanted).await?;
        Ok((arn, text(&described, "DNSName").to_owned()))
    }

    async fn make_balancer(
        &self,
        wanted: &Balancer,
        groups: &Groups,
        tags: &Value,
    ) -> Result<Value, Failure> {
        let asked = json!({
            "Name": wanted.name, "Type": wanted.kind, "Scheme": wanted.scheme,
            "IpAddressType": "ipv4",
            "SubnetMappings": wanted.subnets.iter().map(mapping).collect::<Vec<_>>(),
            "SecurityGroups": groups.ids(&wanted.groups), "Tags": tags,
        });
        let made = self.calls.elb("CreateLoadBalancer", asked).await?;
        let described = list(&made, "LoadBalancers").first().cloned();
        let arn = described
            .as_ref()
            .map(|of| text(of, "LoadBalancerArn").to_owned());
        tracing::info!(name = wanted.name, arn, "created loadBalancer");
        described.ok_or_else(|| Failure::Other("CreateLoadBalancer told of none".to_owned()))
    }

    async fn change_balancer(
        &self,
        arn: &str,
        thing: &Thing,
        wanted: &Balancer,
        groups: &Groups,
    ) -> Result<(), Failure> {
        let zones = list(&thing.described, "AvailabilityZones").iter();
        let has: BTreeSet<&str> = zones.map(|zone| text(zone, "SubnetId")).collect();
        let subnets: BTreeSet<&str> = wanted.subnets.iter().map(|of| of.subnet.as_str()).collect();
        if has != subnets {
            let all: Vec<Value> = wanted.subnets.iter().map(mapping).collect();
            let asked = json!({"LoadBalancerArn": arn, "SubnetMappings": all});
            self.calls.elb("SetSubnets", asked).await?;
            self.inventory.expire().await;
        }
        let has: BTreeSet<String> = texts(&thing.described, "SecurityGroups")
            .into_iter()
            .collect();
        let ids = groups.ids(&wanted.groups);
        if has != ids.iter().cloned().collect() {
            let asked = json!({"LoadBalancerArn": arn, "SecurityGroups": ids});
            self.calls.elb("SetSecurityGroups", asked).await?;
            self.inventory.expire().await;
        }
        Ok(())
    }

    async fn balancer_attributes(&self, arn: &str, wanted: &Balancer) -> Result<(), Failure> {
        if wanted.attributes.is_empty() {
            return Ok(());
        }
        let asked = json!({"LoadBalancerArn": arn});
        let operation = "DescribeLoadBalancerAttributes";
        let answer = self.calls.elb(operation, asked).await?;
        if let Some(changed) = super::differing(&wanted.attributes, list(&answer, "Attributes")) {
            let asked = json!({"LoadBalancerArn": arn, "Attributes": tags::attributes(&changed)});
            self.calls
                .elb("ModifyLoadBalancerAttributes", asked)
                .await?;
        }
        Ok(())
    }

    /// Deletes a load balancer.
    pub(super) async fn delete_balancer(&self, arn: &str) -> Result<(), Failure> {
        let asked = json!({"LoadBalancerArn": arn});
        self.calls.elb("DeleteLoadBalancer", asked).await?;
        tracing::info!(arn, "deleted loadBalancer");
        self.inventory.remove(Kind::Balancer, arn).await;
        Ok(())
    }
}
