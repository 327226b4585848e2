//! The fields that objects of a kind can be selected by.
//!
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/#list-of-supported-fields>

use super::status::Status;
use crate::resource::Resource;
use crate::selector::{Requirement, Selector};

/// Those of a kind, besides an object's name and namespace.
fn of(resource: &Resource) -> &'static [&'static str] {
    match (&*resource.group, &*resource.kind) {
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "type",
        ],
        ("", "Namespace") => &["status.phase"],
        ("", "Node") => &["spec.unschedulable"],
        ("", "ReplicationController") => &["status.replicas"],
        ("", "Secret") => &["type"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("batch", "Job") => &["status.successful"],
        ("certificates.k8s.io", "CertificateSigningRequest") => &["spec.signerName"],
        _ => &[],
    }
}

/// Refuses a selector by other fields.
pub(super) fn check(resource: &Resource, selector: &Selector) -> Result<(), Status> {
    let chosen = resource.custom.as_ref().map(|custom| &custom.selectable);
    for requirement in &selector.0 {
        let (Requirement::In(key, _) | Requirement::NotIn(key, _)) = requirement else {
            return Err(Status::bad_request("invalid field selector"));
        };
        let known = ["metadata.name", "metadata.namespace"].contains(&key.as_str())
            || of(resource).contains(&key.as_str())
            || chosen.is_some_and(|chosen| chosen.contains(key));
        if !known {
            let told = match resource.custom {
                None => format!("field label not supported: {key}"),
                Some(_) => format!(
                    "{key:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                ),
            };
            return Err(Status::bad_request(told));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// K8S-API: each kind has its fields, and other ones are refused.
    #[test]
    fn kinds_have_their_fields() {
        let refused = |kind: &str, text: &str| {
            let all = crate::resource::built_in();
            let resource = all.iter().find(|resource| resource.kind == kind).unwrap();
            check(resource, &Selector::parse(text).unwrap()).err()
        };
        for (kind, text) in [
            (
                "Pod",
                "spec.nodeName=a,status.phase!=Failed,metadata.name=x",
            ),
            ("Event", "involvedObject.name=a,type=Warning"),
            ("ConfigMap", "metadata.namespace=a"),
        ] {
            assert_eq!(refused(kind, text), None);
        }
        for (kind, text) in [
            ("ConfigMap", "spec.nodeName=a"),
            ("Pod", "a=b"),
            ("Pod", "spec.nodeName"),
        ] {
            assert_eq!(refused(kind, text).unwrap().code, 400);
        }
    }
}
