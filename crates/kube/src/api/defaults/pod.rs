//! Pods.

use super::{below, each, there};
use crate::object::default;
use serde_json::{Map, Value, json};

/// A pod spec's defaults.
pub(super) fn spec(spec: &mut Map<String, Value>) {
    default(spec, "restartPolicy", "Always");
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "schedulerName", "default-scheduler");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "securityContext", json!({}));
    default(spec, "enableServiceLinks", true);
    // Both names of the account are kept alike.
    match (
        spec.get("serviceAccountName").cloned(),
        spec.get("serviceAccount").cloned(),
    ) {
        (Some(name), None) => default(spec, "serviceAccount", name),
        (None, Some(name)) => default(spec, "serviceAccountName", name),
        _ => {}
    }
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for kind in ["containers", "initContainers", "ephemeralContainers"] {
        for container in each(spec, kind) {
            self::container(container, host_network);
        }
    }
    for volume in each(spec, "volumes") {
        self::volume(volume);
    }
}

fn container(container: &mut Map<String, Value>, host_network: bool) {
    let image = container
        .get("image")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let policy = if is_latest(image) {
        "Always"
    } else {
        "IfNotPresent"
    };
    default(container, "imagePullPolicy", policy);
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    default(container, "resources", json!({}));
    // What is limited and not requested is requested as much as it is limited.
    let resources = below(container, "resources");
    if let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() {
        let requests = below(resources, "requests");
        for (name, limit) in limits {
            default(requests, &name, limit);
        }
    }
    for port in each(container, "ports") {
        default(port, "protocol", "TCP");
        if host_network && let Some(number) = port.get("containerPort").cloned() {
            default(port, "hostPort", number);
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = there(container, probe) {
            self::probe(probe);
        }
    }
    if let Some(lifecycle) = there(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(get) = there(lifecycle, hook).and_then(|hook| there(hook, "httpGet")) {
                http_get(get);
            }
        }
    }
    for variable in each(container, "env") {
        if let Some(from) = there(variable, "valueFrom").and_then(|from| there(from, "fieldRef")) {
            default(from, "apiVersion", "v1");
        }
    }
}

/// Whether an image's name has the tag `latest`, or none and no digest.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn probe(probe: &mut Map<String, Value>) {
    default(probe, "timeoutSeconds", 1);
    default(probe, "periodSeconds", 10);
    default(probe, "successThreshold", 1);
    default(probe, "failureThreshold", 3);
    if let Some(get) = there(probe, "httpGet") {
        http_get(get);
    }
    if let Some(grpc) = there(probe, "grpc") {
        default(grpc, "service", "");
    }
}

fn http_get(get: &mut Map<String, Value>) {
    default(get, "path", "/");
    default(get, "scheme", "HTTP");
}

/// A mode of 0644, as JSON writes it.
const MODE: i64 = 420;

fn volume(volume: &mut Map<String, Value>) {
    // A volume without a source is an empty directory.
    if volume.keys().all(|key| key == "name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for kind in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(source) = there(volume, kind) {
            default(source, "defaultMode", MODE);
        }
    }
    if let Some(path) = there(volume, "hostPath") {
        default(path, "type", "");
    }
    if let Some(projected) = there(volume, "projected") {
        for source in each(projected, "sources") {
            if let Some(token) = there(source, "serviceAccountToken") {
                default(token, "expirationSeconds", 3600);
            }
            downward(there(source, "downwardAPI"));
        }
    }
    downward(there(volume, "downwardAPI"));
    if let Some(claim) = there(volume, "ephemeral").and_then(|e| there(e, "volumeClaimTemplate")) {
        default(below(claim, "spec"), "volumeMode", "Filesystem");
    }
}

fn downward(source: Option<&mut Map<String, Value>>) {
    for item in source.into_iter().flat_map(|source| each(source, "items")) {
        if let Some(field) = there(item, "fieldRef") {
            default(field, "apiVersion", "v1");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_latest;

    /// K8S-API: `Always` is the policy of images whose tag moves.
    #[test]
    fn the_tag_decides_the_pull_policy() {
        for moving in ["web", "web:latest", "registry:5000/web", "a/b:latest"] {
            assert!(is_latest(moving), "{moving}");
        }
        for fixed in ["web:1", "registry:5000/web:1", "web@sha256:00"] {
            assert!(!is_latest(fixed), "{fixed}");
        }
    }
}
