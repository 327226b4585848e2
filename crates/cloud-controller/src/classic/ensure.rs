//! Bringing a service's load balancer there, or up to date.

use super::Classic;
use crate::aws::{Aws, filter, list, tag, text};
use crate::failure::Failure;
use crate::health::health_check;
use crate::listener::listeners;
use crate::node::{Node, instances};
use crate::service::Service;
use crate::settings::Settings;
use crate::subnet::choose;
use serde_json::{Value, json};

impl<A: Aws> Classic<'_, A> {
    /// Makes a service's load balancer be as the service asks for; its DNS name.
    ///
    /// # Errors
    /// The service can't be served, or AWS refuses.
    pub(crate) async fn ensure(
        &self,
        service: &Service,
        nodes: &[Node],
    ) -> Result<String, Failure> {
        let settings = Settings::of(service)?;
        if !["", "None"].contains(&service.session_affinity.as_str()) {
            return Err(Failure::service(format!(
                "unsupported load balancer affinity: {}",
                service.session_affinity
            )));
        }
        let listeners = listeners(service, &settings)?;
        if !service.load_balancer_ip.is_empty() {
            let why = "LoadBalancerIP cannot be specified for AWS ELB";
            return Err(Failure::service(why));
        }
        let check = health_check(service, &settings, &listeners)?;
        let subnets = self.subnets(&settings).await?;
        let name = service.balancer();
        let groups = self.own_groups(service, &settings, &listeners).await?;
        let balancer = self
            .balancer(service, &settings, &listeners, &subnets, &groups)
            .await?;
        if !check.is(&balancer["HealthCheck"]) {
            let asked = json!({"LoadBalancerName": name, "HealthCheck": check.wire()});
            let doing = "error configuring load balancer health check";
            self.calls
                .classic(doing, "ConfigureHealthCheck", asked)
                .await?;
        }
        let wanted = instances(nodes, &settings.node_labels);
        let found = self.instances(&wanted).await?;
        self.open_nodes(&balancer, &found).await?;
        self.register(&balancer, &found).await?;
        Ok(text(&balancer, "DNSName").to_owned())
    }

    /// Makes the nodes behind a load balancer those that there are now.
    ///
    /// # Errors
    /// AWS refuses, or the load balancer is gone.
    pub(crate) async fn update_nodes(
        &self,
        service: &Service,
        nodes: &[Node],
    ) -> Result<(), Failure> {
        let settings = Settings::of(service)?;
        let Some(balancer) = self.find(&service.balancer()).await? else {
            return Err(Failure::service("Load balancer not found"));
        };
        let wanted = instances(nodes, &settings.node_labels);
        let found = self.instances(&wanted).await?;
        self.register(&balancer, &found).await?;
        self.open_nodes(&balancer, &found).await
    }

    /// The subnets for a load balancer.
    async fn subnets(&self, settings: &Settings) -> Result<Vec<String>, Failure> {
        let of_vpc = json!({"Filter": [filter("vpc-id", &self.home.vpc)]});
        let doing = "error querying for subnets";
        let answer = self
            .calls
            .ec2(doing, "DescribeSubnets", of_vpc.clone())
            .await?;
        let all = list(&answer, "subnetSet");
        if !settings.subnets.is_empty() {
            return named(all, &settings.subnets);
        }
        let doing = "error querying for route tables";
        let answer = self.calls.ec2(doing, "DescribeRouteTables", of_vpc).await?;
        let tables = list(&answer, "routeTableSet");
        let chosen = choose(self.home, all, tables, settings.internal);
        if chosen.is_empty() {
            let why = "could not find any suitable subnets for creating the ELB";
            return Err(Failure::service(why));
        }
        Ok(chosen)
    }
}

/// Subnets that are called by their ids or names.
fn named(subnets: &[Value], wanted: &[String]) -> Result<Vec<String>, Failure> {
    let find = |called: &String| {
        subnets.iter().find(|subnet| {
            text(subnet, "subnetId") == called || tag(subnet, "Name") == Some(called.as_str())
        })
    };
    let found: Vec<String> = wanted
        .iter()
        .filter_map(find)
        .map(|subnet| text(subnet, "subnetId").to_owned())
        .collect();
    if found.len() == wanted.len() {
        return Ok(found);
    }
    Err(Failure::service(format!(
        "expected to find {}, but found {} subnets",
        wanted.len(),
        found.len()
    )))
}
