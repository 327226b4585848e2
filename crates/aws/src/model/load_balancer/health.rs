//! A target's health as a state machine without I/O: whoever probes says what came back.
//!
//! A new target is `initial` until one good answer makes it healthy. Then so many bad answers in a row make it
//! unhealthy and so many good ones healthy again. What a target's place in the account says (its group is used by
//! no balancer, its instance is stopped) comes before what probes say.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html>

use super::*;
use crate::model::instance::InstanceState;

/// What a health check met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A good answer.
    Passed,
    /// No answer in time.
    TimedOut,
    /// No connection, or an answer that makes no sense.
    Failed,
    /// An answer with another code than the good ones.
    Code(u16),
}

/// Why a check failed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// No answer in time.
    TimedOut,
    /// No connection, or an answer that makes no sense.
    Failed,
    /// Another code than the good ones.
    Code(u16),
}

/// What checks have found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthState {
    /// Not enough checks yet.
    Initial,
    /// Gets traffic.
    Healthy,
    /// Gets none, unless all are.
    Unhealthy(Failure),
}

/// A target's health, as checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What they have found.
    pub state: HealthState,
    /// Good answers in a row that speak against it.
    pub good: u32,
    /// Bad answers in a row that speak against it.
    pub bad: u32,
    /// Since when it is in its state, in seconds since 1970.
    pub since: i64,
}

/// How many checks in a row change a target's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Good ones that make a new target healthy.
    pub first: u32,
    /// Good ones that make an unhealthy target healthy.
    pub healthy: u32,
    /// Bad ones that make a target unhealthy.
    pub unhealthy: u32,
}

impl From<&HealthCheck> for Thresholds {
    fn from(check: &HealthCheck) -> Self {
        Self {
            first: 1,
            healthy: check.healthy,
            unhealthy: check.unhealthy,
        }
    }
}

impl Probe {
    fn failure(self) -> Option<Failure> {
        match self {
            Self::Passed => None,
            Self::TimedOut => Some(Failure::TimedOut),
            Self::Failed => Some(Failure::Failed),
            Self::Code(code) => Some(Failure::Code(code)),
        }
    }
}

impl Health {
    /// A target's health before the first check.
    pub fn new(now: i64) -> Self {
        Self {
            state: HealthState::Initial,
            good: 0,
            bad: 0,
            since: now,
        }
    }

    /// Its health after a check. What a check confirms is not changed by it, so a target whose answers stay as they
    /// are costs nothing.
    pub fn observe(self, probe: Probe, thresholds: Thresholds, now: i64) -> Self {
        let counted = |good, bad| Self { good, bad, ..self };
        let turned = |state| Self {
            state,
            good: 0,
            bad: 0,
            since: now,
        };
        let needed = match self.state {
            HealthState::Initial => thresholds.first,
            HealthState::Healthy | HealthState::Unhealthy(_) => thresholds.healthy,
        };
        match (self.state, probe.failure()) {
            (HealthState::Healthy, None) => counted(0, 0),
            (_, None) if self.good + 1 >= needed => turned(HealthState::Healthy),
            (_, None) => counted(self.good + 1, 0),
            (HealthState::Unhealthy(_), Some(failure)) => Self {
                state: HealthState::Unhealthy(failure),
                ..counted(0, 0)
            },
            (_, Some(failure)) if self.bad + 1 >= thresholds.unhealthy => {
                turned(HealthState::Unhealthy(failure))
            }
            (_, Some(_)) => counted(0, self.bad + 1),
        }
    }
}

/// Why a target is as it is, in AWS's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Being registered: its balancer isn't active yet.
    RegistrationInProgress,
    /// Not enough checks yet.
    InitialHealthChecking,
    /// Another code than the good ones.
    ResponseCodeMismatch(u16),
    /// No answer in time.
    Timeout,
    /// No connection, or an answer that makes no sense.
    FailedHealthChecks,
    /// Not in the group.
    NotRegistered,
    /// No balancer uses the group.
    NotInUse,
    /// Its zone is not one of the balancer's.
    ZoneNotEnabled,
    /// Leaving.
    DeregistrationInProgress,
    /// Its instance is not running.
    InvalidState(&'static str),
    /// The address is a balancer's own.
    IpUnusable,
    /// The group's targets are not checked.
    HealthCheckDisabled,
}

/// A target's health as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// `healthy`, `unhealthy`, `initial`, `unused`, `draining` or `unavailable`.
    pub state: &'static str,
    /// Why, unless it is healthy.
    pub reason: Option<Reason>,
}

impl Reason {
    /// AWS's code.
    pub fn code(self) -> &'static str {
        match self {
            Self::RegistrationInProgress => "Elb.RegistrationInProgress",
            Self::InitialHealthChecking => "Elb.InitialHealthChecking",
            Self::ResponseCodeMismatch(_) => "Target.ResponseCodeMismatch",
            Self::Timeout => "Target.Timeout",
            Self::FailedHealthChecks => "Target.FailedHealthChecks",
            Self::NotRegistered => "Target.NotRegistered",
            Self::NotInUse | Self::ZoneNotEnabled => "Target.NotInUse",
            Self::DeregistrationInProgress => "Target.DeregistrationInProgress",
            Self::InvalidState(_) => "Target.InvalidState",
            Self::IpUnusable => "Target.IpUnusable",
            Self::HealthCheckDisabled => "Target.HealthCheckDisabled",
        }
    }

    /// AWS's words.
    pub fn description(self) -> String {
        let text = match self {
            Self::RegistrationInProgress => "Target registration is in progress",
            Self::InitialHealthChecking => "Initial health checks in progress",
            Self::ResponseCodeMismatch(code) => {
                return format!("Health checks failed with these codes: [{code}]");
            }
            Self::Timeout => "Request timed out",
            Self::FailedHealthChecks => "Health checks failed",
            Self::NotRegistered => "Target is not registered to the target group",
            Self::NotInUse => {
                "Target group is not configured to receive traffic from the load balancer"
            }
            Self::ZoneNotEnabled => {
                "Target is in an Availability Zone that is not enabled for the load balancer"
            }
            Self::DeregistrationInProgress => "Target deregistration is in progress",
            Self::InvalidState(state) => return format!("Target is in the {state} state"),
            Self::IpUnusable => "Target IP address is reserved for use by a load balancer",
            Self::HealthCheckDisabled => "Health checks are disabled for this target group",
        };
        text.to_owned()
    }
}

fn status(state: &'static str, reason: Reason) -> Status {
    Status {
        state,
        reason: Some(reason),
    }
}

impl Status {
    /// What is shown of a target that is not in the group.
    pub fn not_registered() -> Self {
        status("unused", Reason::NotRegistered)
    }

    /// Whether a balancer sends it traffic or would check its health.
    pub fn is_used(self) -> bool {
        !matches!(self.state, "unused" | "draining")
    }
}

/// The state of an instance that isn't running, in AWS's words.
pub(crate) fn halted(state: InstanceState) -> Option<&'static str> {
    match state {
        InstanceState::Pending | InstanceState::Running => None,
        InstanceState::Stopping | InstanceState::Stopped => Some("stopped"),
        InstanceState::ShuttingDown | InstanceState::Terminated => Some("terminated"),
    }
}

/// A target's health as it is shown.
pub fn of(state: &State, group: &TargetGroup, target: &Target) -> Status {
    if target.leaves.is_some() {
        return status("draining", Reason::DeregistrationInProgress);
    }
    if let Some(unused) = unused(state, group, target) {
        return status("unused", unused);
    }
    if !group.health_check.enabled {
        return status("unavailable", Reason::HealthCheckDisabled);
    }
    match target.health.state {
        HealthState::Healthy => Status {
            state: "healthy",
            reason: None,
        },
        HealthState::Initial if !has_active_balancer(state, group) => {
            status("initial", Reason::RegistrationInProgress)
        }
        HealthState::Initial => status("initial", Reason::InitialHealthChecking),
        HealthState::Unhealthy(failure) => status(
            "unhealthy",
            match failure {
                Failure::TimedOut => Reason::Timeout,
                Failure::Failed => Reason::FailedHealthChecks,
                Failure::Code(code) => Reason::ResponseCodeMismatch(code),
            },
        ),
    }
}

fn has_active_balancer(state: &State, group: &TargetGroup) -> bool {
    rule::balancers_of(state, &group.arn)
        .iter()
        .filter_map(|arn| state.load_balancers.get(arn))
        .any(|balancer| balancer.state == BalancerState::Active)
}

/// Why a target gets neither traffic nor checks.
fn unused(state: &State, group: &TargetGroup, target: &Target) -> Option<Reason> {
    let balancers = rule::balancers_of(state, &group.arn);
    if balancers.is_empty() {
        return Some(Reason::NotInUse);
    }
    if group.target_type == TargetType::Instance {
        let instance = state.instances.get(target.key.id.as_str());
        let halted = instance.map_or(Some("terminated"), |instance| halted(instance.state));
        if let Some(halted) = halted {
            return Some(Reason::InvalidState(halted));
        }
    }
    if group.target_type == TargetType::Ip && target::is_of_balancer(state, group, &target.key.id) {
        return Some(Reason::IpUnusable);
    }
    let zone = target::zone(state, group, target)?;
    let enabled = balancers
        .iter()
        .filter_map(|arn| state.load_balancers.get(arn))
        .any(|balancer| balancer.zones().any(|of| of == zone));
    (!enabled).then_some(Reason::ZoneNotEnabled)
}

/// Forgets what checks found of targets that are not checked any more: when they are used again, they begin anew.
pub(crate) fn settle(state: &mut State) {
    let stale: Vec<TargetKey> = state
        .targets
        .values()
        .filter(|target| target.health.state != HealthState::Initial && target.leaves.is_none())
        .filter(|target| {
            let group = state.target_groups.get(&target.key.group);
            group.is_none_or(|group| unused(state, group, target).is_some())
        })
        .map(|target| target.key.clone())
        .collect();
    for key in stale {
        target::edit(state, &key, |target| {
            target.health = Health::new(target.health.since);
        });
    }
}

/// Takes in what a check of a target met; whether anything changed. Targets that are gone or not used are left as
/// they are.
pub fn observe(state: &mut State, key: &TargetKey, probe: Probe, now: i64) -> bool {
    let Some(target) = state.targets.get(key) else {
        return false;
    };
    let Some(group) = state.target_groups.get(&key.group) else {
        return false;
    };
    let after = target
        .health
        .observe(probe, Thresholds::from(&group.health_check), now);
    if after == target.health || !of(state, group, target).is_used() {
        return false;
    }
    target::edit(state, key, |target| target.health = after);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: Thresholds = Thresholds {
        first: 1,
        healthy: 3,
        unhealthy: 2,
    };

    fn after(probes: &[Probe]) -> HealthState {
        let observe = |health: Health, (now, probe): (usize, &Probe)| {
            health.observe(*probe, THRESHOLDS, now as i64)
        };
        probes
            .iter()
            .enumerate()
            .fold(Health::new(0), observe)
            .state
    }

    /// AWS-ALB: thresholds count checks in a row, and a new target needs one good answer.
    #[test]
    fn thresholds_count_in_a_row() {
        use Probe::{Code, Passed, TimedOut};
        let ill = HealthState::Unhealthy(Failure::TimedOut);
        assert_eq!(after(&[Passed]), HealthState::Healthy);
        assert_eq!(after(&[TimedOut]), HealthState::Initial);
        assert_eq!(after(&[TimedOut, TimedOut]), ill);
        assert_eq!(after(&[Passed, TimedOut]), HealthState::Healthy);
        assert_eq!(
            after(&[Passed, TimedOut, Passed, TimedOut]),
            HealthState::Healthy
        );
        assert_eq!(after(&[Passed, TimedOut, TimedOut]), ill);
        let down = [Passed, TimedOut, TimedOut];
        let back = |more: &[Probe]| after(&[&down, more].concat());
        assert_eq!(back(&[Passed, Passed]), ill);
        assert_eq!(back(&[Passed, Passed, Passed]), HealthState::Healthy);
        assert_eq!(
            back(&[Passed, Passed, Code(503), Passed]),
            HealthState::Unhealthy(Failure::Code(503))
        );
    }

    /// What a check confirms changes nothing, so that a quiet account writes nothing.
    #[test]
    fn a_confirmed_state_is_the_same_value() {
        let healthy = Health::new(0).observe(Probe::Passed, THRESHOLDS, 1);
        assert_eq!(healthy.observe(Probe::Passed, THRESHOLDS, 2), healthy);
        let ill =
            healthy
                .observe(Probe::Failed, THRESHOLDS, 3)
                .observe(Probe::Failed, THRESHOLDS, 4);
        assert_eq!(ill.observe(Probe::Failed, THRESHOLDS, 5), ill);
    }

    /// A classic balancer's new instance needs as many good answers as any other.
    #[test]
    fn the_first_state_counts_both_ways() {
        let classic = Thresholds {
            first: 2,
            ..THRESHOLDS
        };
        let once = Health::new(0).observe(Probe::Passed, classic, 1);
        assert_eq!(once.state, HealthState::Initial);
        let broken = once.observe(Probe::Failed, classic, 2);
        let again = broken.observe(Probe::Passed, classic, 3);
        assert_eq!(again.state, HealthState::Initial);
        assert_eq!(
            again.observe(Probe::Passed, classic, 4).state,
            HealthState::Healthy
        );
    }
}
