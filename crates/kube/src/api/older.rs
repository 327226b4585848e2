//! Kinds that are served in two versions whose fields differ: `autoscaling/v1` beside `v2`.
//!
//! Objects are kept in the newer version. What the older one has no fields for stands in annotations, as
//! upstream has it. <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v1/>

use super::status::Status;
use super::{Answer, Call, Method, Target, body, patch, read};
use crate::object;
use crate::resource::Resource;
use serde_json::{Map, Value, json};

/// Metrics that are not the processors' utilization.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
/// How fast to scale.
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
/// The status' conditions.
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
/// What the metrics are now.
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";

/// The kind in the version that its objects are kept in, if this is another.
pub(super) fn newer(resource: &Resource) -> Option<&'static Resource> {
    let older = resource.group == "autoscaling" && resource.version == "v1";
    older.then(|| {
        crate::resource::built_in()
            .iter()
            .map(AsRef::as_ref)
            .find(|other| other.kind == resource.kind && other.version == "v2")
    })?
}

/// Carries out a change that comes in the older version.
pub(super) fn answer(
    call: &mut Call<'_>,
    resource: &Resource,
    newer: &Resource,
    target: Target,
) -> Result<Answer, Status> {
    let mut request = call.request.clone();
    let form = request.content_type.split(';').next().unwrap_or_default();
    let applies = form == "application/apply-patch+yaml";
    let changed = match (request.method, &target.name) {
        (Method::Patch, Some(name)) if !applies => {
            let live = read::find(call, newer, &target, name)?;
            let shown = std::sync::Arc::new(older(&live));
            let patched = patch::patched(call, resource, &shown)?;
            request.method = Method::Put;
            Some(body::checked(call, resource, &patched)?)
        }
        (Method::Patch, _) => {
            let applied = body::parse("application/yaml", &request.body)?;
            body::expect_kind(&applied, resource)?;
            Some(body::checked(call, resource, &applied)?)
        }
        (Method::Post | Method::Put, _) => Some(body::object_of(call, resource)?),
        (Method::Get | Method::Delete, _) => None,
    };
    if let Some(changed) = changed {
        request.body = serde_json::to_vec(&kept(&changed)).map_err(Status::internal)?;
        if !applies {
            request.content_type = "application/json".to_owned();
        }
    }
    let mut inner = Call {
        store: call.store.clone(),
        context: call.context,
        request: &request,
        warnings: std::mem::take(&mut call.warnings),
        annotations: std::mem::take(&mut call.annotations),
        questions: Vec::new(),
        made: call.made,
    };
    let answered = super::dispatch(&mut inner, newer, target);
    let Call {
        store,
        warnings,
        annotations,
        questions,
        made,
        ..
    } = inner;
    (call.store, call.warnings, call.made) = (store, warnings, made);
    (call.annotations, call.questions) = (annotations, questions);
    Ok(match answered? {
        Answer::Document {
            code,
            body,
            content_type,
        } if body["kind"] == *resource.kind => Answer::Document {
            code,
            body: older(&body),
            content_type,
        },
        other => other,
    })
}

/// An object of the newer version as the older one shows it.
pub(super) fn older(object: &Value) -> Value {
    let mut shown = object.clone();
    shown["apiVersion"] = json!("autoscaling/v1");
    let mut notes = Map::new();
    let spec = object::map_mut(&mut shown, "spec");
    let metrics = spec.remove("metrics").unwrap_or_default();
    let (of_cpu, others): (Vec<_>, Vec<_>) = metrics
        .as_array()
        .into_iter()
        .flatten()
        .partition(|metric| utilization(metric).is_some());
    if let Some(percent) = of_cpu.first().and_then(|metric| utilization(metric)) {
        spec.insert("targetCPUUtilizationPercentage".to_owned(), percent.into());
    }
    let note = |notes: &mut Map<String, Value>, name: &str, value: &Value| {
        let empty = value.as_array().is_some_and(Vec::is_empty);
        if !value.is_null() && !empty {
            notes.insert(name.to_owned(), value.to_string().into());
        }
    };
    note(&mut notes, METRICS, &json!(others));
    note(
        &mut notes,
        BEHAVIOR,
        &spec.remove("behavior").unwrap_or_default(),
    );
    if let Some(status) = shown.get_mut("status").and_then(Value::as_object_mut) {
        note(
            &mut notes,
            CONDITIONS,
            &status.remove("conditions").unwrap_or_default(),
        );
        let current = status.remove("currentMetrics").unwrap_or_default();
        let now = object::list(&current, &[]).iter();
        let percent = now
            .filter(|metric| metric["resource"]["name"] == "cpu")
            .find_map(|metric| metric["resource"]["current"]["averageUtilization"].as_i64());
        if let Some(percent) = percent {
            status.insert("currentCPUUtilizationPercentage".to_owned(), percent.into());
        }
        note(&mut notes, CURRENT, &current);
    }
    if !notes.is_empty() {
        object::map_mut(&mut shown["metadata"], "annotations").extend(notes);
    }
    shown
}

/// The percentage of a metric that the older version has a field for.
fn utilization(metric: &Value) -> Option<i64> {
    let cpu = metric["type"] == "Resource" && metric["resource"]["name"] == "cpu";
    let percent = metric["resource"]["target"]["averageUtilization"].as_i64();
    percent.filter(|_| cpu)
}

/// An object of the older version as it is kept.
fn kept(object: &Value) -> Value {
    let mut kept = object.clone();
    kept["apiVersion"] = json!("autoscaling/v2");
    let mut noted = Notes::default();
    if let Some(notes) = kept["metadata"]
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
    {
        for (name, place) in [
            (METRICS, &mut noted.metrics),
            (BEHAVIOR, &mut noted.behavior),
            (CONDITIONS, &mut noted.conditions),
            (CURRENT, &mut noted.current),
        ] {
            let text = notes.remove(name);
            let text = text.as_ref().and_then(Value::as_str);
            *place = text
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default();
        }
    }
    let spec = object::map_mut(&mut kept, "spec");
    let mut metrics = noted.metrics.as_array().cloned().unwrap_or_default();
    if let Some(percent) = spec.remove("targetCPUUtilizationPercentage") {
        let target = json!({"type": "Utilization", "averageUtilization": percent});
        let of_cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        metrics.insert(0, of_cpu);
    }
    if !metrics.is_empty() {
        spec.insert("metrics".to_owned(), metrics.into());
    }
    if !noted.behavior.is_null() {
        spec.insert("behavior".to_owned(), noted.behavior);
    }
    if let Some(status) = kept.get_mut("status").and_then(Value::as_object_mut) {
        status.remove("currentCPUUtilizationPercentage");
        for (field, value) in [
            ("conditions", noted.conditions),
            ("currentMetrics", noted.current),
        ] {
            if !value.is_null() {
                status.insert(field.to_owned(), value);
            }
        }
    }
    kept
}

/// What stood in annotations.
#[derive(Default)]
struct Notes {
    metrics: Value,
    behavior: Value,
    conditions: Value,
    current: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K8S-API: nothing is lost between the versions.
    #[test]
    fn both_versions_say_the_same() {
        let object = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "annotations": {"a": "b"}},
            "spec": {
                "maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                "metrics": [
                    {"type": "Resource", "resource": {"name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 60}}},
                    {"type": "Resource", "resource": {"name": "memory",
                        "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
                ],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 10}},
            },
            "status": {"currentReplicas": 2, "conditions": [{"type": "AbleToScale"}],
                "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "current": {"averageUtilization": 30}}}]},
        });
        let shown = older(&object);
        assert_eq!(shown["spec"]["targetCPUUtilizationPercentage"], 60);
        assert_eq!(shown["status"]["currentCPUUtilizationPercentage"], 30);
        assert_eq!(shown["metadata"]["annotations"]["a"], "b");
        assert!(shown["spec"]["metrics"].is_null());
        assert_eq!(kept(&shown), object);
    }
}
