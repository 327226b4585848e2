//! States that end by themselves.

use super::{State, classic_load_balancer, eks, instance, load_balancer, nat_gateway};

/// Ends every state that is over by `now` and says when the next one ends, in seconds since 1970.
pub fn advance(state: &mut State, now: i64) -> Option<i64> {
    nat_gateway::finish_transitions(state, now);
    instance::finish_transitions(state, now);
    load_balancer::finish_transitions(state, now);
    classic_load_balancer::finish_transitions(state, now);
    eks::finish_transitions(state, now);
    next(state)
}

/// When the next state ends, in seconds since 1970.
pub fn next(state: &State) -> Option<i64> {
    [
        nat_gateway::next_transition(state),
        instance::next_transition(state),
        load_balancer::next_transition(state),
        classic_load_balancer::next_transition(state),
        eks::next_transition(state),
    ]
    .into_iter()
    .flatten()
    .min()
}
