//! Workloads.

use super::super::status::Cause;
use super::pod;
use crate::object::{self, text};
use crate::selector::Selector;
use serde_json::{Value, json};

pub(super) fn check(kind: &str, object: &Value, causes: &mut Vec<Cause>) {
    if kind == "CronJob" {
        return cron_job(object, causes);
    }
    let spec = &object["spec"];
    let claims = object::list(spec, &["volumeClaimTemplates"]);
    pod::spec_with_claims(
        &spec["template"]["spec"],
        claims,
        "spec.template.spec",
        causes,
    );
    template_metadata(spec, causes);
    for field in [
        "replicas",
        "minReadySeconds",
        "revisionHistoryLimit",
        "completions",
        "parallelism",
        "backoffLimit",
    ] {
        if let Some(number) = spec[field].as_i64().filter(|number| *number < 0) {
            let detail = "must be greater than or equal to 0";
            causes.push(Cause::invalid(
                format!("spec.{field}"),
                &json!(number),
                detail,
            ));
        }
    }
    restart_policy(kind, spec, "spec.template.spec.restartPolicy", causes);
    if kind == "Job" {
        return unimplemented(spec, "spec", causes);
    }
    let Some(selector) = Selector::of_labels(&spec["selector"]) else {
        return;
    };
    if selector.0.is_empty() {
        let detail = format!("empty selector is invalid for {}", kind.to_lowercase());
        causes.push(Cause::invalid("spec.selector", &spec["selector"], detail));
    } else if !selector.selects(&spec["template"]) {
        let labels = &spec["template"]["metadata"]["labels"];
        let detail = "`selector` does not match template `labels`";
        causes.push(Cause::invalid(
            "spec.template.metadata.labels",
            labels,
            detail,
        ));
    }
    if kind == "Deployment" {
        rolling(spec, causes);
    }
}

/// What is wrong with a replication controller.
pub(super) fn replication_controller(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    pod::spec(&spec["template"]["spec"], "spec.template.spec", causes);
    template_metadata(spec, causes);
    if let Some(number) = spec["replicas"].as_i64().filter(|number| *number < 0) {
        let detail = "must be greater than or equal to 0";
        causes.push(Cause::invalid("spec.replicas", &json!(number), detail));
    }
    restart_policy(
        "ReplicationController",
        spec,
        "spec.template.spec.restartPolicy",
        causes,
    );
    match Selector::of_map(&spec["selector"]).filter(|selector| !selector.0.is_empty()) {
        None => causes.push(Cause::required("spec.selector", "")),
        Some(selector) if !selector.selects(&spec["template"]) => {
            let labels = &spec["template"]["metadata"]["labels"];
            let detail = "`selector` does not match template `labels`";
            causes.push(Cause::invalid(
                "spec.template.metadata.labels",
                labels,
                detail,
            ));
        }
        Some(_) => {}
    }
}

/// Fields of jobs that the job controller doesn't know yet: better refused than without effect.
fn unimplemented(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    for field in [
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
        "successPolicy",
    ] {
        if !spec[field].is_null() {
            let field = format!("{path}.{field}");
            causes.push(Cause::forbidden(field, "not implemented by Skylab"));
        }
    }
}

fn template_metadata(spec: &Value, causes: &mut Vec<Cause>) {
    let labels = &spec["template"]["metadata"]["labels"];
    super::metadata::labels(labels, "spec.template.labels", causes);
}

fn restart_policy(kind: &str, spec: &Value, field: &str, causes: &mut Vec<Cause>) {
    let policy = &spec["template"]["spec"]["restartPolicy"];
    let supported: &[&str] = if kind == "Job" {
        &["OnFailure", "Never"]
    } else {
        &["Always"]
    };
    if policy
        .as_str()
        .is_some_and(|policy| !supported.contains(&policy))
    {
        causes.push(Cause::unsupported(field, policy, supported));
    }
}

fn rolling(spec: &Value, causes: &mut Vec<Cause>) {
    let strategy = &spec["strategy"];
    if text(strategy, &["type"]) == "Recreate" && !strategy["rollingUpdate"].is_null() {
        causes.push(Cause::forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        ));
    }
    let zero = |value: &Value| *value == 0 || *value == "0%";
    let rolling = &strategy["rollingUpdate"];
    if zero(&rolling["maxUnavailable"]) && zero(&rolling["maxSurge"]) {
        causes.push(Cause::invalid(
            "spec.strategy.rollingUpdate.maxUnavailable",
            &rolling["maxUnavailable"],
            "may not be 0 when `maxSurge` is 0",
        ));
    }
}

fn cron_job(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    let job = &spec["jobTemplate"]["spec"];
    pod::spec(
        &job["template"]["spec"],
        "spec.jobTemplate.spec.template.spec",
        causes,
    );
    let field = "spec.jobTemplate.spec.template.spec.restartPolicy";
    restart_policy("Job", job, field, causes);
    unimplemented(job, "spec.jobTemplate.spec", causes);
    let schedule = text(spec, &["schedule"]);
    let fields = schedule
        .split_whitespace()
        .filter(|word| !word.contains('='))
        .count();
    if !schedule.is_empty() && fields != 5 && !schedule.starts_with('@') {
        let detail = format!("expected exactly 5 fields, found {fields}: {schedule:?}");
        causes.push(Cause::invalid("spec.schedule", &json!(schedule), detail));
    }
}

/// What is wrong with an autoscaler's spec.
pub(super) fn autoscaler(spec: &Value, causes: &mut Vec<Cause>) {
    for part in ["kind", "name"] {
        if text(spec, &["scaleTargetRef", part]).is_empty() {
            causes.push(Cause::required(format!("spec.scaleTargetRef.{part}"), ""));
        }
    }
    let (least, most) = (
        spec["minReplicas"].as_i64(),
        spec["maxReplicas"].as_i64().unwrap_or(0),
    );
    if let Some(least) = least.filter(|least| *least < 1) {
        let detail = "must be greater than or equal to 1";
        causes.push(Cause::invalid("spec.minReplicas", &json!(least), detail));
    }
    if most < 1 {
        let detail = "must be greater than 0";
        causes.push(Cause::invalid("spec.maxReplicas", &json!(most), detail));
    }
    if least.is_some_and(|least| most < least) {
        let detail = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid("spec.maxReplicas", &json!(most), detail));
    }
}

/// Of a stateful set's spec only a few fields may change.
pub(super) fn stateful_set_update(live: &Value, object: &Value, causes: &mut Vec<Cause>) {
    const MUTABLE: [&str; 8] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
        "status",
    ];
    let fixed = |object: &Value| -> Vec<(String, Value)> {
        object::entries(object, &["spec"])
            .filter(|(name, _)| !MUTABLE.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    if fixed(live) != fixed(object) {
        causes.push(Cause::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K8S-API: containers of a stateful set mount the volumes that its claims become, and no others.
    #[test]
    fn claims_of_stateful_sets_are_volumes() {
        let with = |mounted: &str| {
            let set = json!({"spec": {
                "selector": {"matchLabels": {"app": "db"}},
                "template": {
                    "metadata": {"labels": {"app": "db"}},
                    "spec": {"containers": [{
                        "name": "db", "image": "db",
                        "volumeMounts": [{"name": mounted, "mountPath": "/data"}],
                    }]},
                },
                "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
            }});
            let mut causes = Vec::new();
            check("StatefulSet", &set, &mut causes);
            causes.len()
        };
        assert_eq!(with("data") + 1, with("else"));
    }
}
