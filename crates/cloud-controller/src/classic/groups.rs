//! The security group of a load balancer.

use super::Classic;
use crate::aws::{Aws, filter, list, text};
use crate::failure::Failure;
use crate::group::{Permission, present, wanted};
use crate::listener::Listener;
use crate::service::Service;
use crate::settings::Settings;
use serde_json::{Value, json};

/// What names of groups of load balancers begin with.
pub(super) const GROUP: &str = "k8s-elb-";

impl<A: Aws> Classic<'_, A> {
    /// The groups of a service's load balancer: those that are asked for, or one of its own that lets callers in.
    pub(super) async fn own_groups(
        &self,
        service: &Service,
        settings: &Settings,
        listeners: &[Listener],
    ) -> Result<Vec<String>, Failure> {
        let mut groups = settings.groups.clone();
        if groups.is_empty() {
            let group = self.own_group(service, settings).await?;
            groups.push(text(&group, "groupId").to_owned());
            self.let_callers_in(&group, listeners, &settings.source_ranges)
                .await?;
        }
        groups.extend(settings.extra_groups.iter().cloned());
        Ok(groups)
    }

    /// The group of a load balancer, made if it isn't there.
    async fn own_group(&self, service: &Service, settings: &Settings) -> Result<Value, Failure> {
        let balancer = service.balancer();
        let name = format!("{GROUP}{balancer}");
        let find = json!({"Filter": [
            filter("group-name", &name), filter("vpc-id", &self.home.vpc),
        ]});
        let doing = "error querying security groups";
        let operation = "DescribeSecurityGroups";
        let answer = self.calls.ec2(doing, operation, find).await?;
        if let Some(found) = list(&answer, "securityGroupInfo").first() {
            return Ok(found.clone());
        }
        let tags = settings.tags.iter();
        let mut tags: Vec<Value> = tags
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        tags.push(json!({"Key": self.home.tag(), "Value": "owned"}));
        let description = format!(
            "Security group for Kubernetes ELB {balancer} ({})",
            service.path()
        );
        let make = json!({
            "GroupName": name, "GroupDescription": description, "VpcId": self.home.vpc,
            "TagSpecification": [{"ResourceType": "security-group", "Tag": tags}],
        });
        let doing = "error creating security group";
        let made = self.calls.ec2(doing, "CreateSecurityGroup", make).await?;
        Ok(json!({"groupId": text(&made, "groupId")}))
    }

    /// Makes a group let in callers to the listeners, and nobody else.
    async fn let_callers_in(
        &self,
        group: &Value,
        listeners: &[Listener],
        ranges: &[String],
    ) -> Result<(), Failure> {
        let (has, wanted) = (present(group), wanted(listeners, ranges));
        let wire = |all: Vec<&Permission>| {
            let all = all.into_iter().map(Permission::wire);
            json!({"GroupId": text(group, "groupId"), "IpPermissions": all.collect::<Vec<_>>()})
        };
        let new: Vec<&Permission> = wanted.difference(&has).collect();
        if !new.is_empty() {
            let doing = "error authorizing security group ingress";
            let operation = "AuthorizeSecurityGroupIngress";
            self.calls.ec2(doing, operation, wire(new)).await?;
        }
        let gone: Vec<&Permission> = has.difference(&wanted).collect();
        if !gone.is_empty() {
            let doing = "error revoking security group ingress";
            let operation = "RevokeSecurityGroupIngress";
            self.calls.ec2(doing, operation, wire(gone)).await?;
        }
        Ok(())
    }
}
