//! What regions can launch, shown and set.

use super::protocol::{CapacityChange, Refusal, RefusalKind};
use super::server::{Service, refuse};
use aws::model::capacity::{self, Capacity};
use aws::model::{self, State};
use std::collections::BTreeMap;

/// Makes a change, if there is one to make, and gives what is set by region.
pub(super) fn answer(
    service: &Service,
    change: Option<CapacityChange>,
) -> Result<BTreeMap<String, Capacity>, Refusal> {
    if let Some(change) = change {
        let changed = service.cloud.change("capacity", move |state| {
            let mut state = state.clone();
            match apply(&mut state, change) {
                Ok(()) => (Some(state), Ok(())),
                Err(refusal) => (None, Err(refusal)),
            }
        });
        service
            .runtime
            .block_on(changed)
            .map_err(|failure| refuse(RefusalKind::Failed, failure))?
            .map_err(|refusal| refuse(RefusalKind::Invalid, refusal.message))?;
    }
    let snapshot = service.cloud.snapshot();
    let set = snapshot.state.capacity.iter();
    Ok(set
        .map(|(region, capacity)| (region.clone(), Capacity::clone(capacity)))
        .collect())
}

fn apply(state: &mut State, change: CapacityChange) -> Result<(), model::Refusal> {
    match change {
        CapacityChange::Vcpus { region, vcpus } => capacity::set_vcpus(state, &region, vcpus),
        CapacityChange::Limit { region, limit } => capacity::limit_type(state, &region, limit),
        CapacityChange::Reset { region } => capacity::reset(state, region.as_deref()),
    }?;
    // Groups that wait after a failed launch see the change at once.
    model::auto_scaling::retry_all(state);
    Ok(())
}
