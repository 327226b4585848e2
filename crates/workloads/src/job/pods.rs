//! The pods of a Job.

use serde_json::{Value, json};

use crate::{Resource, object, template};

/// The label by which a Job selects its pods.
pub(super) const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";
/// The label and annotation that has a pod's completion index.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// A pod's completion index.
pub(super) fn index(pod: &Value) -> Option<i64> {
    object::annotation_int(pod, INDEX)
}

/// A new pod. The labels are those that the API server puts on the template, where it does.
pub(super) fn new(job: &Value, index: Option<i64>) -> Value {
    let mut pod = template::generated_pod(template::of(job), Resource::Jobs, job);
    for (key, value) in [
        ("batch.kubernetes.io/job-name", object::name(job)),
        ("job-name", object::name(job)),
        (CONTROLLER_UID, object::uid(job)),
        ("controller-uid", object::uid(job)),
    ] {
        if object::label(&pod, key).is_none() {
            object::put(&mut pod, &["metadata", "labels", key], value.into());
        }
    }
    if let Some(index) = index {
        give_index(&mut pod, object::name(job), index);
    }
    pod
}

/// <https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode>
fn give_index(pod: &mut Value, job: &str, index: i64) {
    object::annotate(pod, INDEX, index.to_string());
    object::put(
        pod,
        &["metadata", "labels", INDEX],
        index.to_string().into(),
    );
    object::put(
        pod,
        &["metadata", "generateName"],
        format!("{job}-{index}-").into(),
    );
    object::put(pod, &["spec", "hostname"], format!("{job}-{index}").into());
    let field = format!("metadata.labels['{INDEX}']");
    let variable = json!({"name": INDEX_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": field}}});
    for kind in ["/spec/containers", "/spec/initContainers"] {
        let containers = pod.pointer_mut(kind).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let mut env = object::list(container, "/env").to_vec();
            if env
                .iter()
                .all(|e| object::text(e, "/name") != INDEX_VARIABLE)
            {
                env.push(variable.clone());
                object::put(container, &["env"], env.into());
            }
        }
    }
}
