//! Why members get no flows.

use super::{Member, MemberState, Pool};
use std::fmt;
use std::net::SocketAddrV4;

/// A member that a node gives no new flows to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// Who it is, by the cloud's id.
    pub name: String,
    /// Where it takes flows.
    pub place: SocketAddrV4,
    /// Why it gets none.
    pub cause: Cause,
    /// Why that is, by the cloud's code, where there is a reason.
    pub reason: Option<String>,
}

/// Why a member gets no new flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was not yet found healthy, and others are.
    Initial,
    /// Its checks fail, and others' succeed.
    Unhealthy,
    /// It was taken out of the pool.
    Draining,
    /// It can get no flows.
    Unused,
    /// It is in another zone than the node, and the pool keeps flows in their zones.
    OtherZone {
        /// The member's zone.
        zone: String,
    },
}

impl Member {
    /// Where it takes flows.
    pub fn place(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, self.port)
    }

    /// Why a node in a zone may give it no flows at all, however healthy it is.
    pub(super) fn out_of_reach(&self, cross_zone: bool, zone: Option<&str>) -> Option<Cause> {
        match (self.state, &self.zone, zone) {
            (MemberState::Draining, ..) => Some(Cause::Draining),
            (MemberState::Unused, ..) => Some(Cause::Unused),
            (_, Some(own), Some(of_node)) if !cross_zone && own != of_node => {
                Some(Cause::OtherZone { zone: own.clone() })
            }
            _ => None,
        }
    }

    /// Why it gets none though it may.
    fn passed_over(&self, fails_open: bool) -> Option<Cause> {
        match self.state {
            _ if fails_open => None,
            MemberState::Initial => Some(Cause::Initial),
            MemberState::Unhealthy => Some(Cause::Unhealthy),
            MemberState::Healthy | MemberState::Draining | MemberState::Unused => None,
        }
    }
}

impl Pool {
    /// The members that a node in a zone gives no new flows to.
    pub fn exclusions(&self, zone: Option<&str>) -> impl Iterator<Item = Exclusion> + use<'_> {
        let zone = zone.map(str::to_owned);
        let reach = move |member: &Member| member.out_of_reach(self.cross_zone, zone.as_deref());
        let takes =
            |member: &Member| member.state == MemberState::Healthy && reach(member).is_none();
        let fails_open = !self.members.iter().any(takes);
        self.members.iter().filter_map(move |member| {
            let cause = reach(member).or_else(|| member.passed_over(fails_open))?;
            Some(Exclusion {
                name: member.name.clone(),
                place: member.place(),
                cause,
                reason: member.reason.clone(),
            })
        })
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        if !self.name.is_empty() {
            write!(f, " ({})", self.name)?;
        }
        match &self.cause {
            Cause::Initial => f.write_str(" is not yet healthy")?,
            Cause::Unhealthy => f.write_str(" is unhealthy")?,
            Cause::Draining => f.write_str(" is draining")?,
            Cause::Unused => f.write_str(" is unused")?,
            Cause::OtherZone { zone } => write!(f, " is in {zone}")?,
        }
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(last: u8, zone: &str, state: MemberState) -> Member {
        Member {
            zone: Some(zone.to_owned()),
            state,
            ..Member::healthy(format!("i-{last}"), [10, 0, 0, last].into(), 80)
        }
    }

    fn pool(members: Vec<Member>) -> Pool {
        Pool {
            cross_zone: false,
            ..Pool::of("tg".into(), members)
        }
    }

    /// Every member either gets flows or is told why not: AWS-NLB.
    #[test]
    fn every_member_is_chosen_or_excluded() {
        let states = [
            MemberState::Initial,
            MemberState::Healthy,
            MemberState::Unhealthy,
            MemberState::Draining,
            MemberState::Unused,
        ];
        let all: Vec<Member> = (0u8..)
            .zip(states)
            .flat_map(|(last, state)| [member(last, "a", state), member(last + 100, "b", state)])
            .collect();
        for without in states {
            let some = all.iter().filter(|member| member.state != without);
            let pool = pool(some.cloned().collect());
            for zone in [None, Some("a"), Some("c")] {
                let chosen = pool.selection(zone).members().len();
                let excluded = pool.exclusions(zone).count();
                assert_eq!(
                    chosen + excluded,
                    pool.members.len(),
                    "{without:?} {zone:?}"
                );
            }
        }
    }

    #[test]
    fn exclusions_in_words() {
        let mut failing = member(1, "a", MemberState::Unhealthy);
        failing.reason = Some("Target.FailedHealthChecks".to_owned());
        let pool = pool(vec![
            failing,
            member(2, "a", MemberState::Healthy),
            member(3, "b", MemberState::Healthy),
        ]);
        let words: Vec<String> = pool
            .exclusions(Some("a"))
            .map(|one| one.to_string())
            .collect();
        assert_eq!(
            words,
            [
                "10.0.0.1:80 (i-1) is unhealthy: Target.FailedHealthChecks",
                "10.0.0.3:80 (i-3) is in b"
            ]
        );
    }
}
