//! `metrics.k8s.io`: what pods and nodes use, made when it is asked for.
//!
//! <https://kubernetes.io/docs/reference/external-api/metrics.v1beta1/>

use super::read::{Form, Selection};
use super::status::Status;
use super::{Answer, Call, Method, Target, table};
use crate::metrics::Usage;
use crate::object;
use crate::resource::Resource;
use crate::schema::rfc3339;
use serde_json::{Value, json};

/// The group.
pub(crate) const GROUP: &str = "metrics.k8s.io";

pub(super) fn answer(
    call: &Call<'_>,
    resource: &Resource,
    target: &Target,
) -> Result<Answer, Status> {
    if call.request.method != Method::Get || call.request.flag("watch") {
        return Err(Status::method_not_allowed());
    }
    let selection = Selection::read(call, resource, target)?;
    let measured: Vec<Value> = all(call, resource)
        .into_iter()
        .filter(|object| selection.includes(object))
        .collect();
    let meta = json!({});
    let form = Form::wanted(&call.request.accept);
    if form == Form::Table {
        let objects: Vec<&Value> = measured.iter().collect();
        let wanted = table::Wanted::of(call.request);
        let body = table::table(resource, &objects, &meta, wanted, call.context.now);
        return Ok(Answer::document(200, body));
    }
    if let Some(name) = &target.name {
        let found = measured.into_iter().next();
        let found = found.ok_or_else(|| Status::not_found(resource, name))?;
        return Ok(Answer::document(200, found));
    }
    let body = json!({
        "kind": format!("{}List", resource.kind),
        "apiVersion": resource.api_version(),
        "metadata": meta,
        "items": measured,
    });
    Ok(Answer::document(200, body))
}

/// What is measured of the nodes or pods there are.
fn all(call: &Call<'_>, resource: &Resource) -> Vec<Value> {
    let metrics = call.context.metrics;
    let of = |object: &Value| -> Option<Value> {
        let name = object::name(object);
        if resource.kind == "NodeMetrics" {
            let usage = metrics.node(name)?;
            return Some(json!({"usage": amounts(usage), "of": [usage.at, usage.window]}));
        }
        let node = object::text(object, &["spec", "nodeName"]);
        let used = metrics.pod(node, object::namespace(object), name);
        let named = object::list(object, &["spec", "containers"]).iter();
        // A pod of which a part is not known would look smaller than it is.
        let whole = named
            .clone()
            .all(|c| used.contains_key(object::text(c, &["name"])));
        let first = used.values().next().filter(|_| whole)?;
        let containers: Vec<Value> = used
            .iter()
            .map(|(name, usage)| json!({"name": name, "usage": amounts(*usage)}))
            .collect();
        Some(json!({"containers": containers, "of": [first.at, first.window]}))
    };
    call.store
        .list(&resource.plural, None)
        .filter_map(|(_, object)| {
            let mut measured = of(object)?;
            let of = object::object_mut(&mut measured).remove("of")?;
            measured["kind"] = json!(resource.kind);
            measured["apiVersion"] = resource.api_version().into();
            measured["metadata"] = json!({
                "name": object::name(object), "creationTimestamp": call.now(),
            });
            if resource.namespaced {
                measured["metadata"]["namespace"] = json!(object::namespace(object));
            }
            if !object["metadata"]["labels"].is_null() {
                measured["metadata"]["labels"] = object["metadata"]["labels"].clone();
            }
            measured["timestamp"] = rfc3339(of[0].as_i64()?).into();
            measured["window"] = duration(of[1].as_f64()?).into();
            Some(measured)
        })
        .collect()
}

/// Amounts as upstream's metrics-server writes them.
fn amounts(usage: Usage) -> Value {
    json!({
        "cpu": format!("{}n", usage.cpu),
        "memory": format!("{}Ki", usage.memory / 1024),
    })
}

/// A length of time as Go writes it: `15.03s`, `1m5s`.
#[allow(clippy::cast_possible_truncation)] // some minutes
fn duration(seconds: f64) -> String {
    let milli = (seconds * 1000.0).round() as i64;
    let (minutes, rest) = (milli / 60_000, milli % 60_000);
    let fraction = format!("{:03}", rest % 1000);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    let seconds = format!("{}{dot}{fraction}s", rest / 1000);
    if minutes > 0 {
        format!("{minutes}m{seconds}")
    } else {
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    /// K8S-API: lengths of time as clients parse them.
    #[test]
    fn lengths_of_time_are_gos() {
        assert_eq!(
            [15.0, 15.032, 65.5].map(duration),
            ["15s", "15.032s", "1m5.5s"]
        );
    }
}
