//! What the account has with the cluster's tag: asked for as a whole, kept up to date with what the controller does
//! itself, and asked for again when it is old.

use crate::calls::Calls;
use crate::failure::Failure;
use crate::model::stack::{CLUSTER_TAG, Owner, Pairs};
use aws_client::Aws;
use aws_client::answer::{filter, list, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// What is known is good so long.
const FRESH: Duration = Duration::from_secs(2);
/// The tags of so many resources are told at once.
const TAGGED: usize = 20;

/// Something that carries the cluster's tag.
#[derive(Clone, Debug)]
pub(crate) struct Thing {
    /// As it was described.
    pub(crate) described: Value,
    /// Its tags.
    pub(crate) tags: Pairs,
}

impl Thing {
    pub(crate) fn text(&self, name: &str) -> &str {
        text(&self.described, name)
    }

    /// What it is in its stack.
    pub(crate) fn resource(&self, owner: Owner) -> &str {
        let tag = self.tags.get(&owner.resource_tag());
        tag.map_or("", String::as_str)
    }
}

/// Things by their ARNs or ids.
pub(crate) type Things = BTreeMap<String, Thing>;

/// What there is.
#[derive(Debug, Default)]
struct Known {
    balancers: Things,
    target_groups: Things,
    groups: Things,
    at: Option<Instant>,
}

/// What the account has with the cluster's tag.
#[derive(Debug)]
pub(crate) struct Inventory {
    cluster: String,
    vpc: String,
    known: Mutex<Known>,
}

/// The kinds of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Balancer,
    TargetGroup,
    SecurityGroup,
}

impl Known {
    fn of(&mut self, kind: Kind) -> &mut Things {
        match kind {
            Kind::Balancer => &mut self.balancers,
            Kind::TargetGroup => &mut self.target_groups,
            Kind::SecurityGroup => &mut self.groups,
        }
    }
}

/// What one stack has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) balancers: Things,
    pub(crate) target_groups: Things,
    pub(crate) groups: Things,
}

impl Inventory {
    pub(crate) fn new(cluster: &str, vpc: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            vpc: vpc.to_owned(),
            known: Mutex::default(),
        }
    }

    /// What a stack has.
    pub(crate) async fn of_stack<A: Aws>(
        &self,
        calls: &Calls<A>,
        owner: Owner,
        stack: &str,
    ) -> Result<Standing, Failure> {
        let mut known = self.known.lock().await;
        self.refresh(calls, &mut known).await?;
        let tag = owner.stack_tag();
        let own = |things: &Things| {
            let own = things
                .iter()
                .filter(|(_, of)| of.tags.get(&tag).is_some_and(|value| value == stack));
            own.map(|(id, of)| (id.clone(), of.clone())).collect()
        };
        Ok(Standing {
            balancers: own(&known.balancers),
            target_groups: own(&known.target_groups),
            groups: own(&known.groups),
        })
    }

    /// The cluster's security group that is this in the cluster.
    pub(crate) async fn group<A: Aws>(
        &self,
        calls: &Calls<A>,
        fits: impl Fn(&Thing) -> bool,
    ) -> Result<Option<String>, Failure> {
        let mut known = self.known.lock().await;
        self.refresh(calls, &mut known).await?;
        let found = known.groups.iter().find(|(_, of)| fits(of));
        Ok(found.map(|(id, _)| id.clone()))
    }

    /// Takes over what the controller has made or changed.
    pub(crate) async fn put(&self, kind: Kind, id: &str, described: Value, tags: Pairs) {
        let mut known = self.known.lock().await;
        known
            .of(kind)
            .insert(id.to_owned(), Thing { described, tags });
    }

    /// Forgets what the controller has deleted.
    pub(crate) async fn remove(&self, kind: Kind, id: &str) {
        self.known.lock().await.of(kind).remove(id);
    }

    /// What is known is asked for again next time.
    pub(crate) async fn expire(&self) {
        self.known.lock().await.at = None;
    }

    async fn refresh<A: Aws>(&self, calls: &Calls<A>, known: &mut Known) -> Result<(), Failure> {
        if known.at.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        let at = Instant::now();
        let balancers = calls
            .all("DescribeLoadBalancers", json!({}), "LoadBalancers")
            .await?;
        let target_groups = calls
            .all("DescribeTargetGroups", json!({}), "TargetGroups")
            .await?;
        let balancers = self.tagged(calls, balancers, "LoadBalancerArn").await?;
        let target_groups = self.tagged(calls, target_groups, "TargetGroupArn").await?;
        let asked = json!({"Filter": [
            filter("vpc-id", &self.vpc), filter(&format!("tag:{CLUSTER_TAG}"), &self.cluster),
        ]});
        let answer = calls.ec2("DescribeSecurityGroups", asked).await?;
        let groups = list(&answer, "securityGroupInfo").iter();
        let groups = groups.map(|of| {
            let tags = list(of, "tagSet").iter();
            let tags = tags.map(|tag| (text(tag, "key").to_owned(), text(tag, "value").to_owned()));
            let thing = Thing {
                described: of.clone(),
                tags: tags.collect(),
            };
            (text(of, "groupId").to_owned(), thing)
        });
        *known = Known {
            balancers,
            target_groups,
            groups: groups.collect(),
            at: Some(at),
        };
        Ok(())
    }

    /// Those of things that carry the cluster's tag, in the cluster's VPC.
    async fn tagged<A: Aws>(
        &self,
        calls: &Calls<A>,
        all: Vec<Value>,
        arn: &str,
    ) -> Result<Things, Failure> {
        let here = all.into_iter().filter(|of| text(of, "VpcId") == self.vpc);
        let here: BTreeMap<String, Value> =
            here.map(|of| (text(&of, arn).to_owned(), of)).collect();
        let arns: Vec<&String> = here.keys().collect();
        let mut things = Things::new();
        for some in arns.chunks(TAGGED) {
            let answer = calls
                .elb("DescribeTags", json!({"ResourceArns": some}))
                .await?;
            for told in list(&answer, "TagDescriptions") {
                let tags = list(told, "Tags").iter();
                let tags: Pairs = tags
                    .map(|tag| (text(tag, "Key").to_owned(), text(tag, "Value").to_owned()))
                    .collect();
                let arn = text(told, "ResourceArn");
                let own = tags.get(CLUSTER_TAG).is_some_and(|of| *of == self.cluster);
                if let Some(described) = here.get(arn).filter(|_| own) {
                    let described = described.clone();
                    things.insert(arn.to_owned(), Thing { described, tags });
                }
            }
        }
        Ok(things)
    }
}
