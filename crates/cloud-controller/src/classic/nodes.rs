//! The nodes behind a load balancer: registered, and letting it in.

use super::Classic;
use crate::aws::{Aws, filter, list, tag, text, texts};
use crate::failure::Failure;
use crate::group::{from_group, lets_in, of_instance};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

impl<A: Aws> Classic<'_, A> {
    /// Those instances of a list that there are.
    pub(super) async fn instances(&self, wanted: &BTreeSet<String>) -> Result<Vec<Value>, Failure> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        // A filter, not ids: one that is gone is no error.
        let asked = json!({"Filter": [{"Name": "instance-id", "Value": wanted}]});
        let doing = "error querying instances";
        let answer = self.calls.ec2(doing, "DescribeInstances", asked).await?;
        let reservations = list(&answer, "reservationSet").iter();
        let all = reservations.flat_map(|of| list(of, "instancesSet"));
        let there = all.filter(|of| {
            let state = text(&of["instanceState"], "name");
            !["terminated", "shutting-down"].contains(&state)
        });
        Ok(there.cloned().collect())
    }

    /// Makes the load balancer's instances exactly these.
    pub(super) async fn register(
        &self,
        balancer: &Value,
        instances: &[Value],
    ) -> Result<(), Failure> {
        let name = text(balancer, "LoadBalancerName");
        let ids = |all: &[Value], key: &str| -> BTreeSet<String> {
            all.iter().map(|of| text(of, key).to_owned()).collect()
        };
        let has = ids(list(balancer, "Instances"), "InstanceId");
        let wanted = ids(instances, "instanceId");
        let asked = |all: Vec<&String>| {
            let all = all.into_iter().map(|id| json!({"InstanceId": id}));
            json!({"LoadBalancerName": name, "Instances": all.collect::<Vec<_>>()})
        };
        let new: Vec<&String> = wanted.difference(&has).collect();
        if !new.is_empty() {
            let doing = "error registering instances with the load balancer";
            let operation = "RegisterInstancesWithLoadBalancer";
            self.calls.classic(doing, operation, asked(new)).await?;
        }
        let gone: Vec<&String> = has.difference(&wanted).collect();
        if !gone.is_empty() {
            let doing = "error deregistering instances from the load balancer";
            let operation = "DeregisterInstancesFromLoadBalancer";
            self.calls.classic(doing, operation, asked(gone)).await?;
        }
        Ok(())
    }

    /// Makes the groups of these instances let the load balancer in, and no other groups of the cluster any longer.
    pub(super) async fn open_nodes(
        &self,
        balancer: &Value,
        instances: &[Value],
    ) -> Result<(), Failure> {
        let own = texts(balancer, "SecurityGroups");
        let own = own.first().ok_or_else(|| {
            let name = text(balancer, "LoadBalancerName");
            let why = format!("could not determine security group for load balancer: {name}");
            Failure::service(why)
        })?;
        let of_vpc = json!({"Filter": [filter("vpc-id", &self.home.vpc)]});
        let doing = "error querying security groups";
        let operation = "DescribeSecurityGroups";
        let answer = self.calls.ec2(doing, operation, of_vpc).await?;
        let groups = list(&answer, "securityGroupInfo");
        let groups: BTreeMap<&str, &Value> =
            groups.iter().map(|of| (text(of, "groupId"), of)).collect();
        let tagged: BTreeSet<String> = groups
            .iter()
            .filter(|(_, group)| tag(group, &self.home.tag()).is_some())
            .map(|(id, _)| (*id).to_owned())
            .collect();
        let mut open = BTreeSet::new();
        for instance in instances {
            open.extend(of_instance(instance, &tagged)?);
        }
        for (id, group) in &groups {
            let asked = json!({"GroupId": id, "IpPermissions": from_group(own)});
            let (wanted, is) = (open.contains(*id), lets_in(group, own));
            if wanted && !is {
                let doing = "error authorizing security group ingress";
                let operation = "AuthorizeSecurityGroupIngress";
                self.calls.ec2(doing, operation, asked).await?;
            } else if is && !wanted && tagged.contains(*id) {
                let doing = "error revoking security group ingress";
                let operation = "RevokeSecurityGroupIngress";
                self.calls.ec2(doing, operation, asked).await?;
            }
        }
        Ok(())
    }
}
