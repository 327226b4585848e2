//! Where the next instance goes, and which one goes first.
//!
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html>

use super::*;
use crate::model::instance::Instance;

macro_rules! policies {
    ($($(#[$doc:meta])* $name:ident),*) => {
        /// Which instances go first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Policy { $($(#[$doc])* $name),* }

        impl Policy {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// AWS's name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

policies!(
    /// Those closest to On-Demand's allocation strategy; without a mixed instances policy, nothing.
    AllocationStrategy,
    /// Those closest to the end of a billing hour.
    ClosestToNextInstanceHour,
    /// The oldest template's, then those closest to the end of a billing hour.
    Default,
    /// The newest.
    NewestInstance,
    /// The oldest.
    OldestInstance,
    /// Those of launch configurations, which there are none of.
    OldestLaunchConfiguration,
    /// Those of the oldest version of the launch template.
    OldestLaunchTemplate
);

impl FromStr for Policy {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::ALL
            .iter()
            .copied()
            .find(|policy| policy.as_str() == text)
            .ok_or_else(|| invalid(format!("Invalid termination policy '{text}'")))
    }
}

/// A group's places, those first whose zone has the fewest of its instances.
pub fn emptiest(state: &State, group: &AutoScalingGroup) -> Vec<(SubnetId, String)> {
    let count = |zone: &str, subnet: &SubnetId| {
        let in_zone = group.present().filter(|(_, m)| m.zone == zone).count();
        let in_subnet = group
            .present()
            .filter(|(id, _)| {
                state
                    .instances
                    .get(*id)
                    .is_some_and(|i| i.subnet == *subnet)
            })
            .count();
        (in_zone, in_subnet)
    };
    let mut places = group.places(state);
    places.sort_by_key(|(subnet, zone)| count(zone, subnet));
    places
}

/// The instance to terminate next when there are too many; protected ones never are.
pub fn surplus(state: &State, group: &AutoScalingGroup, now: i64) -> Option<InstanceId> {
    let count = |zone: &str| group.present().filter(|(_, m)| m.zone == zone).count();
    let open = |(_, member): &(&InstanceId, &Member)| !member.protected;
    // Balance between zones comes before every policy.
    let fullest = group
        .present()
        .filter(open)
        .map(|(_, m)| count(&m.zone))
        .max()?;
    let mut candidates: Vec<(&InstanceId, &Member, &Instance)> = group
        .present()
        .filter(open)
        .filter(|(_, member)| count(&member.zone) == fullest)
        .filter_map(|(id, member)| Some((id, member, state.instances.get(id)?.as_ref())))
        .collect();
    for policy in &group.policies {
        match policy {
            Policy::OldestInstance => keep_least(&mut candidates, |(_, _, i)| i.launched),
            Policy::NewestInstance => keep_least(&mut candidates, |(_, _, i)| -i.launched),
            Policy::OldestLaunchTemplate => keep_least(&mut candidates, |(_, m, _)| m.version),
            Policy::ClosestToNextInstanceHour => {
                keep_least(&mut candidates, |(_, _, i)| -((now - i.launched) % 3600));
            }
            Policy::Default => {
                keep_least(&mut candidates, |(_, m, _)| m.version);
                keep_least(&mut candidates, |(_, _, i)| -((now - i.launched) % 3600));
            }
            Policy::AllocationStrategy | Policy::OldestLaunchConfiguration => {}
        }
    }
    candidates.first().map(|(id, _, _)| (*id).clone())
}

fn keep_least<T>(candidates: &mut Vec<T>, by: impl Fn(&T) -> i64) {
    let least = candidates.iter().map(&by).min();
    candidates.retain(|candidate| Some(by(candidate)) == least);
}
