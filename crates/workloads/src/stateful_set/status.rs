//! A `StatefulSet`'s status.

use serde_json::{Value, json};

use super::{Run, running_and_ready};
use crate::object;

/// The numbers of pods and the two revisions. When all pods are of the latest revision it becomes
/// the current one.
pub(super) fn of(run: &Run) -> Value {
    let number = |test: &dyn Fn(&Value) -> bool| {
        object::len(&run.pods.iter().filter(|pod| test(pod)).collect::<Vec<_>>())
    };
    let live_of =
        |revision: &str| number(&|pod| !object::terminating(pod) && Run::is_of(pod, revision));
    let replicas = number(&|_| true);
    let ready = number(&running_and_ready);
    let updated = live_of(&run.latest.name);
    let mut current = (run.current.as_str(), live_of(&run.current));
    if run.rolling() && updated == replicas && ready == replicas {
        current = (&run.latest.name, updated);
    }
    let mut status = object::counts(&[
        ("observedGeneration", object::generation(run.set)),
        ("readyReplicas", ready),
        ("currentReplicas", current.1),
        ("updatedReplicas", updated),
    ]);
    for (field, value) in [
        ("replicas", json!(replicas)),
        (
            "availableReplicas",
            json!(number(&|pod| run.available(pod))),
        ),
        ("currentRevision", json!(current.0)),
        ("updateRevision", json!(run.latest.name)),
        ("collisionCount", json!(run.latest.collisions.unwrap_or(0))),
    ] {
        status.insert(field.to_owned(), value);
    }
    status.into()
}
