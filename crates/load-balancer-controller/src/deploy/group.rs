//! Security groups: a load balancer's own, and the one that all of the cluster's share.

use super::inventory::{Kind, Thing};
use super::{Deployer, tags};
use crate::failure::Failure;
use crate::model::name;
use crate::model::stack::{
    CLUSTER_TAG, MANAGED_GROUP, Pairs, Permission, SecurityGroup, Source, Stack,
};
use aws_client::Aws;
use aws_client::answer::{list, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MANAGED: &str = "[k8s] Managed SecurityGroup for LoadBalancer";
const SHARED: &str = "[k8s] Shared Backend SecurityGroup for LoadBalancer";
/// The tag with what a group is in the cluster, and what the shared one is.
const RESOURCE_TAG: &str = "elbv2.k8s.aws/resource";
const BACKEND: &str = "backend-sg";

/// A permission as requests have it.
fn wire(of: &Permission) -> Value {
    let mut permission = json!({
        "IpProtocol": of.protocol, "FromPort": of.port, "ToPort": of.port,
    });
    match &of.from {
        Source::Range(range) if range.contains(':') => {
            permission["Ipv6Ranges"] = json!([{"CidrIpv6": range, "Description": ""}]);
        }
        Source::Range(range) => {
            permission["IpRanges"] = json!([{"CidrIp": range, "Description": ""}]);
        }
        Source::PrefixList(list) => {
            permission["PrefixListIds"] = json!([{"PrefixListId": list, "Description": ""}]);
        }
    }
    permission
}

/// What a group lets in, as far as it is ranges and prefix lists.
fn present(group: &Value) -> Vec<(Permission, Value)> {
    let mut all = Vec::new();
    for of in list(group, "ipPermissions") {
        let number = |name: &str| text(of, name).parse::<u16>().ok();
        let (from, to) = (number("fromPort"), number("toPort"));
        let protocol = match text(of, "ipProtocol") {
            "tcp" => "tcp",
            "udp" => "udp",
            _ => "",
        };
        let ranges = list(of, "ipRanges").iter().map(|of| ("cidrIp", of));
        let ranges = ranges.chain(list(of, "ipv6Ranges").iter().map(|of| ("cidrIpv6", of)));
        let ranges = ranges.map(|(name, of)| Source::Range(text(of, name).to_owned()));
        let lists = list(of, "prefixListIds").iter();
        let lists = lists.map(|of| Source::PrefixList(text(of, "prefixListId").to_owned()));
        for source in ranges.chain(lists) {
            let port = from.filter(|from| Some(*from) == to).unwrap_or(0);
            let permission = Permission {
                protocol,
                port,
                from: source,
            };
            let mut asked = wire(&permission);
            asked["IpProtocol"] = of["ipProtocol"].clone();
            asked["FromPort"] = of["fromPort"].clone();
            asked["ToPort"] = of["toPort"].clone();
            for kind in ["IpRanges", "Ipv6Ranges", "PrefixListIds"] {
                if let Some(first) = asked[kind].get_mut(0) {
                    first["Description"] = Value::Null;
                }
            }
            all.push((permission, asked));
        }
    }
    all
}

impl<A: Aws> Deployer<A> {
    /// Makes a load balancer's own group as it should be; its id.
    pub(super) async fn managed_group(
        &self,
        stack: &Stack,
        wanted: &SecurityGroup,
        standing: &super::inventory::Standing,
    ) -> Result<String, Failure> {
        let tags = self.tags(stack, MANAGED_GROUP, &wanted.tags);
        let found = standing
            .groups
            .iter()
            .find(|(_, of)| of.resource(stack.owner) == MANAGED_GROUP);
        let (id, has) = match found {
            Some((id, thing)) => {
                self.group_tags(id, thing, &tags).await?;
                (id.clone(), present(&thing.described))
            }
            None => (
                self.make_group(&wanted.name, MANAGED, &tags).await?,
                Vec::new(),
            ),
        };
        let there: BTreeSet<&Permission> = has.iter().map(|(of, _)| of).collect();
        let new = wanted.permissions.iter().filter(|of| !there.contains(of));
        let new: Vec<Value> = new.map(wire).collect();
        let gone = has
            .iter()
            .filter(|(of, _)| !wanted.permissions.contains(of));
        let gone: Vec<Value> = gone.map(|(_, asked)| asked.clone()).collect();
        for (operation, all) in [
            ("RevokeSecurityGroupIngress", &gone),
            ("AuthorizeSecurityGroupIngress", &new),
        ] {
            if !all.is_empty() {
                let asked = json!({"GroupId": id, "IpPermissions": all});
                self.calls.ec2(operation, asked).await?;
            }
        }
        if !new.is_empty() || !gone.is_empty() {
            // What it lets in now is asked for when it matters again.
            self.inventory.expire().await;
        }
        Ok(id)
    }

    async fn group_tags(&self, id: &str, thing: &Thing, wanted: &Pairs) -> Result<(), Failure> {
        let new = wanted
            .iter()
            .filter(|(key, value)| thing.tags.get(*key) != Some(*value));
        let new: Pairs = new
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let asked = json!({"ResourceId": [id], "Tag": tags::wire(&new)});
        self.calls.ec2("CreateTags", asked).await?;
        let described = thing.described.clone();
        let kind = Kind::SecurityGroup;
        self.inventory
            .put(kind, id, described, wanted.clone())
            .await;
        Ok(())
    }

    async fn make_group(
        &self,
        name: &str,
        description: &str,
        tags: &Pairs,
    ) -> Result<String, Failure> {
        let asked = json!({
            "GroupName": name, "GroupDescription": description, "VpcId": self.place.vpc,
            "TagSpecification": [{"ResourceType": "security-group", "Tag": tags::wire(tags)}],
        });
        let made = self.calls.ec2("CreateSecurityGroup", asked).await?;
        let id = text(&made, "groupId").to_owned();
        tracing::info!(name, id, "created securityGroup");
        let described = json!({"groupId": id, "groupName": name});
        let kind = Kind::SecurityGroup;
        self.inventory.put(kind, &id, described, tags.clone()).await;
        Ok(id)
    }

    /// Deletes a group; one that is still in use stays for the next time.
    pub(super) async fn delete_group(&self, id: &str) -> Result<(), Failure> {
        let asked = json!({"GroupId": id});
        match self.calls.ec2("DeleteSecurityGroup", asked).await {
            Err(error) if error.code() == Some("DependencyViolation") => {
                return Err(Failure::Waiting(error.to_string()));
            }
            Err(error) if error.code() != Some("InvalidGroup.NotFound") => return Err(error),
            _ => {}
        }
        tracing::info!(id, "deleted securityGroup");
        self.inventory.remove(Kind::SecurityGroup, id).await;
        Ok(())
    }

    fn is_backend(thing: &Thing) -> bool {
        thing.tags.get(RESOURCE_TAG).is_some_and(|of| of == BACKEND)
    }

    /// The group that all load balancers of the cluster share, made if it isn't there.
    pub(crate) async fn backend_group(&self) -> Result<String, Failure> {
        if let Some(given) = &self.place.backend_group {
            return Ok(given.clone());
        }
        // Two stacks at once make one group.
        let _one = self.backend.lock().await;
        if let Some(found) = self.inventory.group(&self.calls, Self::is_backend).await? {
            return Ok(found);
        }
        let name = name::backend_group(&self.place.cluster);
        let tags = Pairs::from([
            (CLUSTER_TAG.to_owned(), self.place.cluster.clone()),
            (RESOURCE_TAG.to_owned(), BACKEND.to_owned()),
        ]);
        self.make_group(&name, SHARED, &tags).await
    }

    /// Deletes the shared group, which nobody needs; whether it is gone.
    pub(crate) async fn release_backend_group(
        &self,
        needed: impl Fn() -> bool,
    ) -> Result<bool, Failure> {
        if self.place.backend_group.is_some() {
            return Ok(true);
        }
        let _one = self.backend.lock().await;
        let found = self.inventory.group(&self.calls, Self::is_backend).await?;
        let Some(id) = found.filter(|_| !needed()) else {
            return Ok(true);
        };
        match self.delete_group(&id).await {
            Ok(()) => Ok(true),
            Err(Failure::Waiting(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
