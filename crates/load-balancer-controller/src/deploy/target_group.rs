//! Target groups.

use super::inventory::{Kind, Standing, Thing};
use super::{Deployer, tags};
use crate::failure::Failure;
use crate::model::stack::{Stack, TargetGroup};
use aws_client::Aws;
use aws_client::answer::{list, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So many target groups are seen to at once.
const AT_ONCE: usize = 8;

/// Whether a target group that is there can be made the wanted one.
fn fits(thing: &Thing, wanted: &TargetGroup) -> bool {
    thing.text("TargetType") == wanted.target_type
        && thing.text("Port") == wanted.port.to_string()
        && thing.text("Protocol") == wanted.protocol
        && wanted
            .version
            .as_ref()
            .is_none_or(|version| thing.text("ProtocolVersion") == version)
}

impl<A: Aws> Deployer<A> {
    /// Makes the target groups as they should be: their ARNs by name.
    pub(super) async fn target_groups(
        &self,
        stack: &Stack,
        standing: &Standing,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let mut arns = BTreeMap::new();
        for some in stack.target_groups.chunks(AT_ONCE) {
            let each = some
                .iter()
                .map(|wanted| self.target_group(stack, wanted, standing));
            for (wanted, arn) in some.iter().zip(crate::together::all(each).await) {
                arns.insert(wanted.name.clone(), arn?);
            }
        }
        Ok(arns)
    }

    /// Makes a target group as it should be: its ARN.
    async fn target_group(
        &self,
        stack: &Stack,
        wanted: &TargetGroup,
        standing: &Standing,
    ) -> Result<String, Failure> {
        let same =
            |thing: &Thing| thing.resource(stack.owner) == wanted.resource && fits(thing, wanted);
        let found = standing.target_groups.iter().find(|(_, of)| same(of));
        let all = self.tags(stack, &wanted.resource, &wanted.tags);
        let arn = match found {
            Some((arn, thing)) => {
                let changed = self.change_check(arn, thing, wanted).await?;
                let tagged = tags::bring(&self.calls, arn, &thing.tags, &all).await?;
                if changed.is_some() || tagged {
                    let described = changed.unwrap_or_else(|| thing.described.clone());
                    let kind = Kind::TargetGroup;
                    self.inventory.put(kind, arn, described, all).await;
                }
                arn.clone()
            }
            None => {
                let described = self.make_target_group(wanted, &tags::wire(&all)).await?;
                let arn = text(&described, "TargetGroupArn").to_owned();
                let kind = Kind::TargetGroup;
                self.inventory.put(kind, &arn, described, all).await;
                arn
            }
        };
        self.target_group_attributes(&arn, wanted).await?;
        Ok(arn)
    }

    async fn make_target_group(
        &self,
        wanted: &TargetGroup,
        tags: &Value,
    ) -> Result<Value, Failure> {
        let mut asked = wanted.check.wire();
        asked["Name"] = json!(wanted.name);
        asked["TargetType"] = json!(wanted.target_type);
        asked["Protocol"] = json!(wanted.protocol);
        asked["ProtocolVersion"] = json!(wanted.version);
        asked["Port"] = json!(wanted.port);
        asked["VpcId"] = json!(self.place.vpc);
        asked["Tags"] = tags.clone();
        let made = self.calls.elb("CreateTargetGroup", asked).await?;
        let described = list(&made, "TargetGroups").first().cloned();
        tracing::info!(name = wanted.name, "created targetGroup");
        described.ok_or_else(|| Failure::Other("CreateTargetGroup told of none".to_owned()))
    }

    /// Changes how targets are checked, if it differs: the group as it is then.
    async fn change_check(
        &self,
        arn: &str,
        thing: &Thing,
        wanted: &TargetGroup,
    ) -> Result<Option<Value>, Failure> {
        if wanted.check.is(&thing.described) {
            return Ok(None);
        }
        let mut asked = wanted.check.wire();
        asked["TargetGroupArn"] = json!(arn);
        let answer = self.calls.elb("ModifyTargetGroup", asked).await?;
        tracing::info!(arn, "modified targetGroup healthCheck");
        Ok(list(&answer, "TargetGroups").first().cloned())
    }

    async fn target_group_attributes(
        &self,
        arn: &str,
        wanted: &TargetGroup,
    ) -> Result<(), Failure> {
        if wanted.attributes.is_empty() {
            return Ok(());
        }
        let asked = json!({"TargetGroupArn": arn});
        let operation = "DescribeTargetGroupAttributes";
        let answer = self.calls.elb(operation, asked).await?;
        if let Some(changed) = super::differing(&wanted.attributes, list(&answer, "Attributes")) {
            let asked = json!({"TargetGroupArn": arn, "Attributes": tags::attributes(&changed)});
            self.calls.elb("ModifyTargetGroupAttributes", asked).await?;
        }
        Ok(())
    }

    /// Deletes the target groups that the stack has no more.
    pub(super) async fn delete_target_groups(
        &self,
        standing: &Standing,
        kept: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        for arn in standing.target_groups.keys() {
            if kept.values().any(|of| of == arn) {
                continue;
            }
            let asked = json!({"TargetGroupArn": arn});
            match self.calls.elb("DeleteTargetGroup", asked).await {
                Err(error) if error.code() == Some("ResourceInUse") => {
                    return Err(Failure::Waiting(error.to_string()));
                }
                other => drop(other?),
            }
            tracing::info!(arn, "deleted targetGroup");
            self.inventory.remove(Kind::TargetGroup, arn).await;
        }
        Ok(())
    }
}
