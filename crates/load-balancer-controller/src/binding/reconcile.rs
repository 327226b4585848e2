//! One binding brought to what it should be.

use super::endpoints::{self, PodTarget, Target};
use super::networking::Needed;
use super::readiness::{self, Health};
use super::{Binding, FINALIZER, interfaces};
use crate::deploy::binding::collection;
use crate::events::{About, said};
use crate::failure::Failure;
use crate::run::Controller;
use crate::world::World;
use aws_client::Aws;
use aws_client::answer::{list, text};
use kube_client::Patch;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Targets that pods wait for are looked at again after so long.
const LOOK: Duration = Duration::from_secs(1);
/// So many targets are named in one call.
const AT_ONCE: usize = 200;

/// A target group's targets: how each is.
type Registered = BTreeMap<Target, Health>;

impl<A: Aws + 'static> Controller<A> {
    /// Brings a binding to what it should be; when it is to be looked at again.
    pub(crate) async fn binding(
        &self,
        world: &World,
        binding: &Binding,
    ) -> Result<Option<Duration>, Failure> {
        if binding.metadata.going() {
            if binding.metadata.held_by(FINALIZER) {
                self.let_go(world, binding).await?;
            }
            return Ok(None);
        }
        if !binding.metadata.held_by(FINALIZER) {
            let mut finalizers = binding.metadata.finalizers.clone();
            finalizers.push(FINALIZER.to_owned());
            self.binding_finalizers(binding, &finalizers).await?;
        }
        let about = About::binding(&binding.metadata);
        let (service, port) = match endpoints::service(world, binding) {
            Ok(found) => found,
            Err(missing) => {
                let words = format!("backend not found: {missing}");
                self.events.bad(&about, "BackendNotFound", &words).await;
                self.registration(binding, &BTreeSet::new()).await?;
                return Ok(None);
            }
        };
        if binding.spec.target_type == "ip" {
            let pods = endpoints::pods(world, binding, &port);
            let targets = pods.iter().map(|of| of.target.clone()).collect();
            self.network(world, binding, &targets).await?;
            let health = self.registration(binding, &targets).await?;
            return self.tell_pods(world, binding, &pods, &health).await;
        }
        if !service.has_node_ports() {
            return Err(Failure::Other(format!(
                "service type must be either 'NodePort' or 'LoadBalancer': {}",
                service.metadata.key()
            )));
        }
        let nodes = endpoints::nodes(world, binding);
        let targets = nodes.into_keys().map(|id| Target {
            id,
            port: port.node_port,
        });
        let targets = targets.collect();
        self.network(world, binding, &targets).await?;
        self.registration(binding, &targets).await?;
        Ok(None)
    }

    async fn tell_pods(
        &self,
        world: &World,
        binding: &Binding,
        pods: &[PodTarget],
        health: &Registered,
    ) -> Result<Option<Duration>, Failure> {
        let (client, name) = (&self.deployer.kubernetes, &binding.metadata.name);
        let all = readiness::tell(client, world, name, pods, health).await?;
        Ok((!all).then_some(LOOK))
    }

    /// Takes a binding's targets out and lets the binding go.
    async fn let_go(&self, world: &World, binding: &Binding) -> Result<(), Failure> {
        match self.registration(binding, &BTreeSet::new()).await {
            Err(error) if error.code() == Some("TargetGroupNotFound") => {}
            other => drop(other?),
        }
        self.rules(world, binding, None).await?;
        let finalizers = binding.metadata.finalizers.iter();
        let left: Vec<String> = finalizers.filter(|of| *of != FINALIZER).cloned().collect();
        self.binding_finalizers(binding, &left).await
    }

    async fn binding_finalizers(
        &self,
        binding: &Binding,
        finalizers: &[String],
    ) -> Result<(), Failure> {
        let metadata = &binding.metadata;
        let path = format!("{}/{}", collection(&metadata.namespace), metadata.name);
        let patch = json!({"metadata": {
            "finalizers": finalizers, "resourceVersion": metadata.resource_version,
        }});
        match self
            .deployer
            .kubernetes
            .patch(&path, Patch::Merge, &patch)
            .await
        {
            Err(error) if error.is_not_found() => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }

    /// Makes the target group's targets exactly these: how all of them are.
    async fn registration(
        &self,
        binding: &Binding,
        wanted: &BTreeSet<Target>,
    ) -> Result<Registered, Failure> {
        let calls = &self.deployer.calls;
        let group = &binding.spec.target_group_arn;
        let asked = json!({"TargetGroupArn": group});
        let answer = calls.elb("DescribeTargetHealth", asked).await?;
        let mut there = Registered::new();
        for told in list(&answer, "TargetHealthDescriptions") {
            let (target, health) = (&told["Target"], &told["TargetHealth"]);
            let key = Target {
                id: text(target, "Id").to_owned(),
                port: text(target, "Port").parse().unwrap_or_default(),
            };
            let health = Health {
                state: text(health, "State").to_owned(),
                reason: text(health, "Reason").to_owned(),
                words: text(health, "Description").to_owned(),
            };
            there.insert(key, health);
        }
        there.retain(|_, health| health.state != "draining");
        let has: BTreeSet<Target> = there.keys().cloned().collect();
        let vpc = self.vpc_ranges(wanted).await?;
        for (operation, targets) in [
            ("DeregisterTargets", &has - wanted),
            ("RegisterTargets", wanted - &has),
        ] {
            let targets: Vec<Value> = targets
                .iter()
                .map(|of| {
                    let zone = (operation == "RegisterTargets" && is_outside(&of.id, &vpc))
                        .then_some("all");
                    json!({"Id": of.id, "Port": of.port, "AvailabilityZone": zone})
                })
                .collect();
            for some in targets.chunks(AT_ONCE) {
                let asked = json!({"TargetGroupArn": group, "Targets": some});
                calls.elb(operation, asked).await?;
                tracing::info!(arn = group, count = some.len(), "{operation}");
            }
        }
        there.retain(|target, _| wanted.contains(target));
        Ok(there)
    }

    /// Makes the targets' security groups let load balancers in.
    async fn network(
        &self,
        world: &World,
        binding: &Binding,
        targets: &BTreeSet<Target>,
    ) -> Result<(), Failure> {
        if binding.spec.networking.is_none() {
            return Ok(());
        }
        let needed = self.needed(world, binding, targets).await;
        let done = match needed {
            Ok(needed) => self.rules(world, binding, Some(needed)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &done {
            let about = About::binding(&binding.metadata);
            let words = format!("Failed to reconcile network due to {error}");
            self.events
                .bad(&about, "FailedNetworkReconcile", &words)
                .await;
        }
        done
    }

    async fn needed(
        &self,
        world: &World,
        binding: &Binding,
        targets: &BTreeSet<Target>,
    ) -> Result<Needed, Failure> {
        let (calls, place) = (&self.deployer.calls, &self.deployer.place);
        let interfaces = if binding.spec.target_type == "ip" {
            let nodes = world.nodes.values().filter_map(|node| {
                let (_, id) = said(node, &["spec", "providerID"]).rsplit_once('/')?;
                id.starts_with("i-").then(|| id.to_owned())
            });
            let nodes: Vec<String> = nodes.collect();
            interfaces::of_addresses(calls, &nodes, &place.vpc, targets).await?
        } else {
            interfaces::of_instances(calls, targets).await?
        };
        let groups = interfaces::groups(calls, &place.cluster, &interfaces).await?;
        let numbers = |_: &str| targets.iter().map(|target| target.port).collect();
        Ok(Needed::of(&binding.spec, groups, numbers))
    }

    async fn rules(
        &self,
        world: &World,
        binding: &Binding,
        needed: Option<Needed>,
    ) -> Result<(), Failure> {
        let live = || {
            let with = world.bindings.iter();
            let with = with.filter(|(_, of)| !of["spec"]["networking"].is_null());
            with.map(|(key, _)| key.clone()).collect()
        };
        let (calls, place) = (&self.deployer.calls, &self.deployer.place);
        let of = (place.cluster.as_str(), place.vpc.as_str());
        let key = binding.metadata.key();
        self.networking.bring(calls, &key, needed, live, of).await
    }

    /// The VPC's ranges, where targets are addresses.
    async fn vpc_ranges(&self, targets: &BTreeSet<Target>) -> Result<Vec<ipnet::Ipv4Net>, Failure> {
        if targets.iter().all(|of| of.id.starts_with("i-")) {
            return Ok(Vec::new());
        }
        if let Some(known) = self.vpc.get() {
            return Ok(known.clone());
        }
        let place = &self.deployer.place;
        let asked = json!({"VpcId": [place.vpc]});
        let answer = self.deployer.calls.ec2("DescribeVpcs", asked).await?;
        let vpcs = list(&answer, "vpcSet").iter();
        let ranges = vpcs.flat_map(|vpc| list(vpc, "cidrBlockAssociationSet"));
        let ranges: Vec<ipnet::Ipv4Net> = ranges
            .filter_map(|of| text(of, "cidrBlock").parse().ok())
            .collect();
        Ok(self.vpc.get_or_init(|| ranges).clone())
    }
}

fn is_outside(id: &str, ranges: &[ipnet::Ipv4Net]) -> bool {
    let address: Result<std::net::Ipv4Addr, _> = id.parse();
    let inside = |address| ranges.iter().any(|range| range.contains(&address));
    address.is_ok_and(|address| !ranges.is_empty() && !inside(address))
}
