//! Back from the fabric: what a pool's member is in the account.

use super::classic;
use crate::model::load_balancer::{Probe, TargetKey, health};
use crate::model::{State, classic_load_balancer};
use fabric::PoolId;

/// A health check's subject, so that the same one isn't counted twice: a classic balancer checks its
/// instances once, however many listeners it has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checked {
    /// A target of a target group.
    Target(TargetKey),
    /// An instance of a classic balancer.
    Instance {
        /// The balancer's key.
        balancer: String,
        /// The instance.
        instance: String,
    },
}

impl Checked {
    /// What a pool's member stands for.
    pub fn of(pool: &PoolId, member: &str, port: u16) -> Self {
        match classic::balancer_of(pool) {
            Some(balancer) => Self::Instance {
                balancer: balancer.to_owned(),
                instance: member.to_owned(),
            },
            None => Self::Target(TargetKey {
                group: pool.as_str().to_owned(),
                id: member.to_owned(),
                port,
            }),
        }
    }

    /// Takes in what a check met; whether anything changed.
    pub fn observe(&self, state: &mut State, probe: Probe, now: i64) -> bool {
        match self {
            Self::Target(key) => health::observe(state, key, probe, now),
            Self::Instance { balancer, instance } => {
                let instance = instance.as_str().into();
                classic_load_balancer::instance::observe(state, balancer, &instance, probe, now)
            }
        }
    }
}

/// The secret that a balancer has at an identity provider, by the name that the fabric has for it: the
/// rule's.
pub fn secret<'s>(state: &'s State, name: &str) -> Option<&'s str> {
    use crate::model::load_balancer::ActionKind;
    let rule = state.listener_rules.get(name)?;
    rule.actions.iter().find_map(|action| match &action.kind {
        ActionKind::AuthenticateOidc(oidc) => oidc.client_secret.as_deref(),
        _ => None,
    })
}
