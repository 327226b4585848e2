//! Ending containers: their hook, their turn, the signal, and in the end the kill.
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination>

use super::act::Work;
use crate::lifecycle::{Event, Outcome, Victim};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// However little time is left, a container has this much for its end.
const LEAST: Duration = Duration::from_secs(2);

/// Ends containers; all at once, but those that wait for others.
pub(super) async fn kill(work: &Work, victims: Vec<Victim>) -> Outcome {
    let ended = Arc::new(watch::Sender::new(BTreeSet::new()));
    let mut killing = JoinSet::new();
    for victim in victims {
        let (work, ended) = (work.clone(), ended.clone());
        killing.spawn(async move { one(&work, victim, &ended).await });
    }
    let mut outcome = Outcome::Done;
    while let Some(killed) = killing.join_next().await {
        match killed {
            Ok(None) => {}
            Ok(Some(error)) => outcome = Outcome::Failed(error),
            Err(error) => outcome = Outcome::Failed(error.to_string()),
        }
    }
    outcome
}

/// Ends one; gives what failed.
async fn one(
    work: &Work,
    victim: Victim,
    ended: &watch::Sender<BTreeSet<String>>,
) -> Option<String> {
    let deadline = Instant::now() + victim.grace;
    pre_stop(work, &victim, deadline).await;
    let mut others = ended.subscribe();
    let turn = others.wait_for(|ended| victim.after.iter().all(|name| ended.contains(name)));
    // When its time is over, it is its turn whatever the others do.
    let _ = timeout_at(deadline, turn).await;
    let left = deadline.saturating_duration_since(Instant::now());
    let grace = left.max(LEAST);
    let id = victim.id.clone();
    let stopped = work
        .shared
        .lasting(move |means| means.runtime.stop_container(&id, grace));
    let failure = match stopped.await {
        Some(Ok(()) | Err(cri::RuntimeError::NoContainer(_))) => None,
        Some(Err(error)) => Some(error.to_string()),
        None => Some("the runtime failed".to_owned()),
    };
    ended.send_modify(|ended| {
        ended.insert(victim.name);
    });
    failure
}

/// Runs a container's hook before its end, within its time.
async fn pre_stop(work: &Work, victim: &Victim, deadline: Instant) {
    let Some((role, container)) = work.pod.container(&victim.name) else {
        return;
    };
    let Some(handler) = &container.lifecycle.pre_stop else {
        return;
    };
    let hooked = timeout_at(deadline, work.hook(container, &victim.id, handler)).await;
    if let Ok(Err(error)) = hooked {
        tracing::debug!(pod = %work.pod, container = container.name, error, "preStop hook failed");
        let event = Event::warning("FailedPreStopHook", "PreStopHook failed");
        work.tell(event.of(role, &container.name));
    }
}
