//! The names of a set's pods and claims, and the pods themselves.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity>

use serde_json::{Value, json};

use super::Run;
use crate::history::without_directive;
use crate::{Resource, claim, object, template};

/// The label that has a pod's name.
pub(super) const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// The label that has a pod's ordinal.
pub(super) const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// A pod's ordinal, if its name is one of the set's.
pub(super) fn ordinal(set: &Value, pod: &Value) -> Option<i64> {
    let rest = object::name(pod).strip_prefix(object::name(set))?;
    let ordinal: u32 = rest.strip_prefix('-')?.parse().ok()?;
    let plain = ordinal.to_string().len() + 1 == rest.len();
    plain.then_some(i64::from(ordinal))
}

/// A pod's name.
pub(super) fn pod_name(set: &Value, ordinal: i64) -> String {
    format!("{}-{ordinal}", object::name(set))
}

/// The claims of a pod: the templates with their names, such as `data-web-0`.
pub(super) fn claims(set: &Value, ordinal: i64) -> Vec<Value> {
    let resource = Resource::PersistentVolumeClaims;
    let pod = pod_name(set, ordinal);
    object::list(set, "/spec/volumeClaimTemplates")
        .iter()
        .map(|template| {
            let mut labels = object::map(template, "/metadata/labels");
            labels.extend(object::map(set, "/spec/selector/matchLabels"));
            json!({
                "apiVersion": resource.api_version(),
                "kind": resource.kind(),
                "metadata": {
                    "name": format!("{}-{pod}", object::name(template)),
                    "namespace": object::namespace(set),
                    "labels": labels,
                    "annotations": object::map(template, "/metadata/annotations"),
                },
                "spec": template.get("spec").cloned().unwrap_or_else(|| json!({})),
            })
        })
        .collect()
}

/// A new pod of an ordinal, of the revision that the ordinal is to have.
pub(super) fn pod(run: &Run, ordinal: i64) -> Value {
    let old = run.rolling() && ordinal < run.partition();
    let revision = if old { &run.current } else { &run.latest.name };
    let stored = run.history.template(revision).cloned();
    let template = match stored.filter(|_| old) {
        Some(stored) => without_directive(stored),
        None => template::of(run.set).clone(),
    };
    let mut pod = template::pod(&template, Resource::StatefulSets, run.set);
    let name = pod_name(run.set, ordinal);
    object::put(&mut pod, &["metadata", "name"], name.as_str().into());
    for (label, value) in [
        (POD_NAME, name.as_str()),
        (POD_INDEX, &ordinal.to_string()),
        (template::REVISION_LABEL, revision),
    ] {
        object::put(&mut pod, &["metadata", "labels", label], value.into());
    }
    object::put(&mut pod, &["spec", "hostname"], name.as_str().into());
    let subdomain = object::text(run.set, "/spec/serviceName");
    if !subdomain.is_empty() {
        object::put(&mut pod, &["spec", "subdomain"], subdomain.into());
    }
    mount_claims(&mut pod, run.set, &name);
    pod
}

/// Adds a volume for each claim, in place of one of the same name in the template.
fn mount_claims(pod: &mut Value, set: &Value, pod_name: &str) {
    let templates = object::list(set, "/spec/volumeClaimTemplates");
    if templates.is_empty() {
        return;
    }
    let mut volumes: Vec<Value> = templates
        .iter()
        .map(|template| {
            let name = object::name(template);
            let claim = json!({"claimName": format!("{name}-{pod_name}")});
            json!({"name": name, "persistentVolumeClaim": claim})
        })
        .collect();
    let own = object::list(pod, "/spec/volumes").iter();
    let own = own.filter(|v| {
        let name = object::text(v, "/name");
        templates.iter().all(|t| object::name(t) != name)
    });
    volumes.extend(own.cloned().collect::<Vec<_>>());
    object::put(pod, &["spec", "volumes"], volumes.into());
}

/// An owner reference that does not make the owner the controller.
pub(super) fn owner(resource: Resource, owner: &Value) -> Value {
    let mut reference = claim::reference(resource, owner);
    if let Some(map) = reference.as_object_mut() {
        map.remove("controller");
        map.remove("blockOwnerDeletion");
    }
    reference
}
