//! Auto Scaling groups: so many instances of a launch template, spread over subnets.
//!
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-groups.html>

mod activity;
mod balancing;
mod choice;
mod group;
mod member;

pub(crate) use activity::uuid;
pub use activity::{Activity, Outcome, activities_of, begin, finish, forget_activities};
pub use balancing::{Balancers, attach_balancers, detach_balancers, verdict};
pub(crate) use balancing::{join, leave};
pub use choice::{Policy, emptiest, surplus};
pub use group::{Bounds, Changes, create, set_desired, update};
pub use member::{Member, Stage, attach, detach, protect, set_health, terminate};

use super::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A group's key: names are unique in a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct GroupKey {
    /// The region.
    pub region: String,
    /// The group's name.
    pub name: String,
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.region, self.name)
    }
}

impl From<String> for GroupKey {
    fn from(text: String) -> Self {
        let (region, name) = text.split_once('/').unwrap_or(("", &text));
        Self {
            region: region.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl From<GroupKey> for String {
    fn from(key: GroupKey) -> Self {
        key.to_string()
    }
}

/// An Auto Scaling group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutoScalingGroup {
    /// Its region and name.
    pub key: GroupKey,
    /// The unique part of its ARN.
    pub uuid: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// What it launches.
    pub template: Template,
    /// The fewest instances.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// So many there shall be.
    pub desired: u32,
    /// Seconds between scaling activities that respect it.
    pub cooldown: u32,
    /// Where it launches: a subnet each zone at least.
    pub subnets: Vec<SubnetId>,
    /// Zones asked for by name; their default subnets are used.
    pub zones: Vec<String>,
    /// `EC2`, or `ELB` besides.
    pub health_check: String,
    /// Seconds after launch in which health checks beside EC2's own are ignored.
    pub grace: u32,
    /// Which instances go first, in order of precedence.
    pub policies: Vec<Policy>,
    /// Whether instances begin protected from scale-in.
    pub protect_new: bool,
    /// Its tags by key: the value, and whether instances get it.
    pub tags: BTreeMap<String, GroupTag>,
    /// The target groups that its instances are in, by ARN.
    #[serde(default)]
    pub target_groups: Vec<String>,
    /// The classic load balancers that its instances are in, by name.
    #[serde(default)]
    pub load_balancers: Vec<String>,
    /// What it does not do at present.
    pub suspended: Vec<Process>,
    /// Its instances by id.
    pub members: BTreeMap<InstanceId, Member>,
    /// Whether it goes when its last instance is gone.
    pub deleting: bool,
    /// Whether an instance was launched only to balance the zones.
    pub rebalancing: bool,
    /// When launching is tried again after it failed, in seconds since 1970.
    pub retry: Option<i64>,
    /// How often in a row launching has failed.
    pub failures: u32,
    /// When the last scaling activity ended, in seconds since 1970.
    pub scaled: Option<i64>,
    /// Why the next activity happens, in AWS's words.
    pub cause: String,
}

/// A launch template as a group refers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its id.
    pub id: LaunchTemplateId,
    /// Its name.
    pub name: String,
    /// The version's number, `$Latest` or `$Default`.
    pub version: String,
}

/// A tag of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTag {
    /// Its value.
    pub value: String,
    /// Whether instances launched from now on get it.
    pub propagate: bool,
}

macro_rules! processes {
    ($($name:ident),*) => {
        /// What a group does; each can be suspended.
        /// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html>
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs)] // AWS's own names
        pub enum Process { $($name),* }

        impl Process {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// AWS's name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

processes!(
    AZRebalance,
    AddToLoadBalancer,
    AlarmNotification,
    HealthCheck,
    InstanceRefresh,
    Launch,
    ReplaceUnhealthy,
    ScheduledActions,
    Terminate
);

impl FromStr for Process {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::ALL
            .iter()
            .copied()
            .find(|process| process.as_str() == text)
            .ok_or_else(|| invalid(format!("Invalid process type: {text}")))
    }
}

impl AutoScalingGroup {
    /// Its ARN.
    pub fn arn(&self, account: &str) -> String {
        let GroupKey { region, name } = &self.key;
        let uuid = &self.uuid;
        format!(
            "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:{uuid}:autoScalingGroupName/{name}"
        )
    }

    /// Whether it does something at present.
    pub fn does(&self, process: Process) -> bool {
        !self.suspended.contains(&process)
    }

    /// Members that count towards the desired capacity.
    pub fn present(&self) -> impl Iterator<Item = (&InstanceId, &Member)> {
        self.members
            .iter()
            .filter(|(_, member)| member.stage != Stage::Terminating)
    }

    /// Where it launches at present: its subnets, and the default ones of its zones.
    pub fn places(&self, state: &State) -> Vec<(SubnetId, String)> {
        if self.subnets.is_empty() {
            return self
                .zones
                .iter()
                .filter_map(|zone| {
                    let subnet = subnet::default_for(state, &self.key.region, Some(zone))?;
                    Some((subnet.id.clone(), zone.clone()))
                })
                .collect();
        }
        self.subnets
            .iter()
            .filter_map(|id| Some((id.clone(), state.subnets.get(id)?.zone.clone())))
            .collect()
    }

    /// The zones it spans.
    pub fn all_zones(&self, state: &State) -> Vec<String> {
        let mut zones = self.zones.clone();
        zones.extend(self.places(state).into_iter().map(|(_, zone)| zone));
        zones.sort();
        zones.dedup();
        zones
    }
}

/// Auto Scaling's word for a value that can't be.
pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

/// The group with a name.
///
/// # Errors
/// `ValidationError`: Auto Scaling has no code of its own for it.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    name: &str,
) -> Result<&'s AutoScalingGroup, Refusal> {
    state
        .auto_scaling_groups
        .get(&key(context, name))
        .map(Arc::as_ref)
        .ok_or_else(|| {
            invalid(format!(
                "AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
            ))
        })
}

fn key(context: &Context, name: &str) -> GroupKey {
    GroupKey {
        region: context.region.clone(),
        name: name.to_owned(),
    }
}

/// The group that an instance belongs to.
pub fn of_instance<'s>(
    state: &'s State,
    context: &Context,
    instance: &str,
) -> Option<&'s AutoScalingGroup> {
    state
        .auto_scaling_groups
        .values()
        .map(Arc::as_ref)
        .find(|group| group.key.region == context.region && group.members.contains_key(instance))
}

/// Changes a group.
pub fn edit(state: &mut State, key: &GroupKey, change: impl FnOnce(&mut AutoScalingGroup)) {
    if let Some(group) = state.auto_scaling_groups.get_mut(key) {
        change(Arc::make_mut(group));
    }
}

/// Lets every group that waits after a failed launch try again now.
pub fn retry_all(state: &mut State) {
    let waiting = state
        .auto_scaling_groups
        .values()
        .filter(|group| group.retry.is_some());
    let waiting: Vec<GroupKey> = waiting.map(|group| group.key.clone()).collect();
    for key in waiting {
        edit(state, &key, |group| {
            (group.retry, group.failures) = (None, 0);
        });
    }
}

/// Suspends or resumes processes, all of them for none named.
///
/// # Errors
/// No such group or process.
pub fn suspend(
    state: &mut State,
    context: &Context,
    name: &str,
    processes: &[String],
    suspended: bool,
) -> Result<(), Refusal> {
    let key = find(state, context, name)?.key.clone();
    let named: Vec<Process> = processes
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_, _>>()?;
    let named = if named.is_empty() {
        Process::ALL.to_vec()
    } else {
        named
    };
    edit(state, &key, |group| {
        group.suspended.retain(|process| !named.contains(process));
        if suspended {
            group.suspended.extend(named);
        }
    });
    Ok(())
}

/// Deletes a group. With instances it takes force, and they go first.
///
/// # Errors
/// `ResourceInUse`.
pub fn delete(
    state: &mut State,
    context: &Context,
    name: &str,
    force: bool,
) -> Result<(), Refusal> {
    let group = find(state, context, name)?;
    if !group.members.is_empty() && !force {
        return Err(Refusal::new(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.",
        ));
    }
    let key = group.key.clone();
    if group.members.is_empty() {
        forget(state, &key);
    } else {
        edit(state, &key, |group| {
            (group.min, group.max, group.desired) = (0, 0, 0);
            group.deleting = true;
        });
    }
    Ok(())
}

/// A group is no more.
pub fn forget(state: &mut State, key: &GroupKey) {
    forget_activities(state, key);
    state.auto_scaling_groups.remove(key);
}
