//! What time brings by itself: states that end, and what AWS's own services do about it.

use crate::api::{auto_scaling, eks};
use crate::model::{Context, Pace, State, transitions};

/// How often states may bring each other about in one moment; more wait for the next.
const ROUNDS: usize = 8;

/// A moment at which the clouds' own services act.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Now, in seconds since 1970.
    pub now: i64,
    /// The lab's pace.
    pub pace: Pace,
    /// Whether the cloud's default quotas hold.
    pub quotas: bool,
}

impl Moment {
    /// The context of a call that an AWS service makes for the customer.
    pub(crate) fn context(&self, region: &str) -> Context {
        Context {
            region: region.to_owned(),
            now: self.now,
            pace: self.pace,
            quotas: self.quotas,
            caller: "autoscaling.amazonaws.com".to_owned(),
            // Services make no keys.
            entropy: [0; 32],
        }
    }

    /// Ends every state that is over by now, lets Auto Scaling act, and says when there is more to
    /// do, in seconds since 1970.
    pub fn advance(&self, state: &mut State) -> Option<i64> {
        let mut next = None;
        for _ in 0..ROUNDS {
            let before = state.ids_made;
            let ends = transitions::advance(state, self.now);
            let retry = auto_scaling::advance(state, self);
            let replaced = eks::advance(state, self);
            next = ends.into_iter().chain(retry).chain(replaced).min();
            let settled = before == state.ids_made
                && transitions::next(state).is_none_or(|next| next > self.now);
            if settled {
                return next;
            }
        }
        Some(next.map_or(self.now + 1, |next| next.max(self.now + 1)))
    }
}
