//! Whether a daemon belongs on a node.

use serde_json::Value;

use crate::object;

/// Whether a daemon belongs on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    /// A new one does.
    pub run: bool,
    /// One that runs there may stay.
    pub keep: bool,
}

/// Compares a pod's node name, node selector, node affinity and tolerations with a node
/// (`nodeShouldRunDaemonPod`).
pub(super) fn of(pod: &Value, node: &Value) -> Fit {
    let named = object::text(pod, "/spec/nodeName");
    let here = named.is_empty() || named == object::name(node);
    if !here || !selected(pod, node) || !affine(pod, node) {
        return Fit {
            run: false,
            keep: false,
        };
    }
    let tolerations = object::list(pod, "/spec/tolerations");
    let tolerates = |effects: &[&str]| {
        object::list(node, "/spec/taints")
            .iter()
            .filter(|taint| effects.contains(&object::text(taint, "/effect")))
            .all(|taint| tolerations.iter().any(|t| tolerated(t, taint)))
    };
    Fit {
        run: tolerates(&["NoSchedule", "NoExecute"]),
        keep: tolerates(&["NoExecute"]),
    }
}

/// `spec.nodeSelector`.
fn selected(pod: &Value, node: &Value) -> bool {
    let Some(selector) = pod.pointer("/spec/nodeSelector").and_then(Value::as_object) else {
        return true;
    };
    selector
        .iter()
        .all(|(key, value)| object::label(node, key) == value.as_str())
}

/// `requiredDuringSchedulingIgnoredDuringExecution`: one of the terms has to match; a term
/// without requirements matches nothing.
fn affine(pod: &Value, node: &Value) -> bool {
    let path = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    let Some(required) = pod.pointer(path).filter(|r| r.is_object()) else {
        return true;
    };
    object::list(required, "/nodeSelectorTerms")
        .iter()
        .any(|term| term_holds(term, node))
}

/// Whether a node selector term holds of a node.
pub(crate) fn term_holds(term: &Value, node: &Value) -> bool {
    let expressions = object::list(term, "/matchExpressions");
    let fields = object::list(term, "/matchFields");
    let some = !expressions.is_empty() || !fields.is_empty();
    let by_label = |e: &Value| required_of(e, object::label(node, object::text(e, "/key")));
    let by_field = |e: &Value| {
        let name = object::text(e, "/key") == "metadata.name";
        required_of(e, name.then(|| object::name(node)))
    };
    some && expressions.iter().all(by_label) && fields.iter().all(by_field)
}

/// One requirement on the value of a label or field.
fn required_of(requirement: &Value, value: Option<&str>) -> bool {
    let values = object::list(requirement, "/values");
    let among = |value: &str| values.iter().any(|v| v.as_str() == Some(value));
    let compared = || -> Option<std::cmp::Ordering> {
        let limit: i64 = values.first()?.as_str()?.parse().ok()?;
        Some(value?.parse::<i64>().ok()?.cmp(&limit))
    };
    match object::text(requirement, "/operator") {
        "In" => value.is_some_and(among),
        "NotIn" => !value.is_some_and(among),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared().is_some_and(std::cmp::Ordering::is_gt),
        "Lt" => compared().is_some_and(std::cmp::Ordering::is_lt),
        _ => false,
    }
}

/// Whether a toleration tolerates a taint.
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#concepts>
pub(crate) fn tolerated(toleration: &Value, taint: &Value) -> bool {
    let (key, effect) = (
        object::text(toleration, "/key"),
        object::text(toleration, "/effect"),
    );
    let effect_matches = effect.is_empty() || effect == object::text(taint, "/effect");
    let key_matches = key.is_empty() || key == object::text(taint, "/key");
    let value_matches = match object::text(toleration, "/operator") {
        "Exists" => true,
        "" | "Equal" => {
            !key.is_empty() && object::text(toleration, "/value") == object::text(taint, "/value")
        }
        _ => false,
    };
    effect_matches && key_matches && value_matches
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node() -> Value {
        json!({"metadata": {"name": "n1", "labels": {"disk": "ssd", "cpus": "8"}}})
    }

    #[test]
    fn taints_keep_new_pods_off_and_no_execute_old_ones_too() {
        let mut tainted = node();
        let pod = json!({"spec": {}});
        for (effect, keep) in [("NoSchedule", true), ("NoExecute", false)] {
            tainted["spec"] = json!({"taints": [{"key": "k", "value": "v", "effect": effect}]});
            assert_eq!(of(&pod, &tainted), Fit { run: false, keep });
            let tolerant = json!({"spec": {"tolerations": [{"key": "k", "value": "v"}]}});
            assert!(of(&tolerant, &tainted).run);
            let exists = json!({"spec": {"tolerations": [{"operator": "Exists"}]}});
            assert!(of(&exists, &tainted).run);
            let other = json!({"spec": {"tolerations": [{"key": "k", "value": "w"}]}});
            assert!(!of(&other, &tainted).run);
        }
    }

    #[test]
    fn selectors_and_affinity_choose_nodes() {
        let run = |spec: Value| of(&json!({"spec": spec}), &node()).run;
        assert!(run(json!({"nodeSelector": {"disk": "ssd"}})));
        assert!(!run(json!({"nodeSelector": {"disk": "hdd"}})));
        assert!(!run(json!({"nodeName": "n2"})));
        let affinity = |operator: &str, key: &str, values: Value| {
            let term = json!({"matchExpressions": [
                {"key": key, "operator": operator, "values": values}]});
            run(json!({"affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}}))
        };
        assert!(affinity("In", "disk", json!(["ssd", "nvme"])));
        assert!(!affinity("NotIn", "disk", json!(["ssd"])));
        assert!(affinity("Gt", "cpus", json!(["4"])));
        assert!(!affinity("Lt", "cpus", json!(["4"])));
        assert!(!affinity("Exists", "gpu", json!(null)));
    }
}
