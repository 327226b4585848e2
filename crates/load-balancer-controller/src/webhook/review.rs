//! What new and changed objects are told, without any connection.
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/>

use crate::binding::GATE;
use crate::events::said;
use crate::model::class::{Params, ParamsObject, group_of, order_of};
use crate::model::object::{Ingress, read};
use crate::model::service::CLASS;
use crate::world::World;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A webhook that answers at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// New pods get the gates of the bindings that take them.
    Pod,
    /// New services of type LoadBalancer get this controller's class.
    Service,
    /// New bindings say what they leave to be found out.
    BindingDefaults,
    /// Bindings whose target group changes are refused.
    Binding,
    /// Parameters that can't be are refused.
    Params,
    /// Ingresses that can't be in a group are refused.
    Ingress,
}

/// What a webhook makes of an object.
#[derive(Debug, PartialEq)]
enum Answer {
    Unchanged,
    /// A patch, in JSON patch's words.
    Patch(Value),
    Refused(String),
}

impl Hook {
    /// The one that answers at a path.
    pub(super) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/mutate-v1-pod" => Self::Pod,
            "/mutate-v1-service" => Self::Service,
            "/mutate-elbv2-k8s-aws-v1beta1-targetgroupbinding" => Self::BindingDefaults,
            "/validate-elbv2-k8s-aws-v1beta1-targetgroupbinding" => Self::Binding,
            "/validate-elbv2-k8s-aws-v1beta1-ingressclassparams" => Self::Params,
            "/validate-networking-v1-ingress" => Self::Ingress,
            _ => return None,
        })
    }

    /// Answers a review. `by_class` says whether services get this controller's class.
    pub(super) fn answer(self, world: &World, review: &Value, by_class: bool) -> Value {
        let request = &review["request"];
        let answer = match self {
            Self::Pod => pod(world, request),
            Self::Service if by_class => service(request),
            Self::Service => Answer::Unchanged,
            Self::BindingDefaults => defaults(request),
            Self::Binding => binding(request),
            Self::Params => params(request),
            Self::Ingress => ingress(world, request),
        };
        let mut response = json!({"uid": request["uid"], "allowed": true});
        match answer {
            Answer::Unchanged => {}
            Answer::Patch(patch) => {
                response["patchType"] = json!("JSONPatch");
                response["patch"] = json!(STANDARD.encode(patch.to_string()));
            }
            Answer::Refused(words) => {
                response["allowed"] = json!(false);
                response["status"] = json!({
                    "code": 403, "message": words, "reason": "Forbidden", "status": "Failure",
                });
            }
        }
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
    }
}

/// The gates of the bindings in a pod's namespace whose service selects it.
fn pod(world: &World, request: &Value) -> Answer {
    let namespace = said(request, &["namespace"]);
    let object = &request["object"];
    let labels = &object["metadata"]["labels"];
    let prefix = format!("{namespace}/");
    let bindings = world.bindings.range(prefix.clone()..);
    let bindings = bindings.take_while(|(key, _)| key.starts_with(&prefix));
    let takes = |binding: &Value| {
        let service = said(binding, &["spec", "serviceRef", "name"]);
        let service = world.services.get(&format!("{prefix}{service}"));
        let selector = service.and_then(|of| of["spec"]["selector"].as_object());
        let ip = binding["spec"]["targetType"] == "ip";
        ip && selector.is_some_and(|of| {
            !of.is_empty() && of.iter().all(|(key, value)| labels[key.as_str()] == *value)
        })
    };
    let gates = bindings
        .filter(|(_, of)| takes(of) && of["metadata"]["deletionTimestamp"].is_null())
        .map(|(_, of)| format!("{GATE}{}", said(of, &["metadata", "name"])));
    let has = object["spec"]["readinessGates"].as_array();
    let has: BTreeSet<&str> = has
        .into_iter()
        .flatten()
        .map(|of| said(of, &["conditionType"]))
        .collect();
    let new: Vec<Value> = gates
        .filter(|gate| !has.contains(gate.as_str()))
        .map(|gate| json!({"conditionType": gate}))
        .collect();
    match (new.is_empty(), has.is_empty()) {
        (true, _) => Answer::Unchanged,
        (_, true) => Answer::Patch(json!([
            {"op": "add", "path": "/spec/readinessGates", "value": new},
        ])),
        _ => {
            let all = new
                .into_iter()
                .map(|gate| json!({"op": "add", "path": "/spec/readinessGates/-", "value": gate}));
            Answer::Patch(all.collect())
        }
    }
}

/// A service of type LoadBalancer that has no class gets this controller's, as long as its type is new.
fn service(request: &Value) -> Answer {
    let (object, before) = (&request["object"], &request["oldObject"]);
    let kind = |of: &Value| of["spec"]["type"] == "LoadBalancer";
    let classed = object["spec"]["loadBalancerClass"].is_string();
    if !kind(object) || classed || kind(before) {
        return Answer::Unchanged;
    }
    // One that names another controller by the older annotation stays that one's.
    let annotations = &object["metadata"]["annotations"];
    let named = annotations["service.beta.kubernetes.io/aws-load-balancer-type"].as_str();
    if named.is_some_and(|of| !["external", "nlb-ip"].contains(&of)) {
        return Answer::Unchanged;
    }
    Answer::Patch(json!([
        {"op": "add", "path": "/spec/loadBalancerClass", "value": CLASS},
    ]))
}

/// What a binding leaves to be found out.
fn defaults(request: &Value) -> Answer {
    let spec = &request["object"]["spec"];
    let mut patch = Vec::new();
    if spec["targetType"].is_null() {
        patch.push(json!({"op": "add", "path": "/spec/targetType", "value": "instance"}));
    }
    if spec["ipAddressType"].is_null() {
        patch.push(json!({"op": "add", "path": "/spec/ipAddressType", "value": "ipv4"}));
    }
    if patch.is_empty() {
        return Answer::Unchanged;
    }
    Answer::Patch(Value::Array(patch))
}

/// A binding's target group is for ever.
fn binding(request: &Value) -> Answer {
    let (object, before) = (&request["object"]["spec"], &request["oldObject"]["spec"]);
    if object["targetGroupARN"].as_str().is_none_or(str::is_empty) {
        return Answer::Refused("TargetGroupBinding must specify a targetGroupARN".to_owned());
    }
    if object["targetType"] == "ip" && !object["nodeSelector"].is_null() {
        return Answer::Refused(
            "TargetGroupBinding cannot set NodeSelector when TargetType is ip".to_owned(),
        );
    }
    let fixed = ["targetGroupARN", "targetType", "ipAddressType", "vpcID"];
    let changed: Vec<String> = fixed
        .iter()
        .filter(|name| {
            !before.is_null() && !before[**name].is_null() && before[**name] != object[**name]
        })
        .map(|name| format!("spec.{name}"))
        .collect();
    if changed.is_empty() {
        return Answer::Unchanged;
    }
    Answer::Refused(format!(
        "TargetGroupBinding update may not change these fields: {}",
        changed.join(",")
    ))
}

fn params(request: &Value) -> Answer {
    let Some(object) = read::<ParamsObject>(&request["object"]) else {
        return Answer::Unchanged;
    };
    let spec: Params = object.spec;
    let Some(subnets) = &spec.subnets else {
        return Answer::Unchanged;
    };
    let why = match (subnets.ids.is_empty(), subnets.tags.is_empty()) {
        (false, false) => "may not have both `ids` and `tags` set",
        (true, true) => "must have either `ids` or `tags`",
        _ if subnets.ids.iter().collect::<BTreeSet<_>>().len() < subnets.ids.len() => {
            "has a duplicate value in `ids`"
        }
        _ => return Answer::Unchanged,
    };
    Answer::Refused(format!("spec.subnets: Invalid value: {why}"))
}

fn ingress(world: &World, request: &Value) -> Answer {
    let Some(ingress) = read::<Ingress>(&request["object"]) else {
        return Answer::Unchanged;
    };
    let book = world.classes("alb");
    let checked = match book.of().of(&ingress) {
        Ok(None) => return Answer::Unchanged,
        Ok(Some(params)) => group_of(&ingress, params).and_then(|_| order_of(&ingress)),
        Err(error) => Err(error),
    };
    match checked {
        Ok(_) => Answer::Unchanged,
        Err(error) => Answer::Refused(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube_client::Objects;
    use std::sync::Arc;

    fn world() -> World {
        let none = || Arc::new(Objects::new());
        let one =
            |key: &str, object: Value| Arc::new(Objects::unit(key.to_owned(), Arc::new(object)));
        let binding = json!({
            "metadata": {"name": "k8s-1"},
            "spec": {"targetType": "ip", "serviceRef": {"name": "web"}},
        });
        World {
            ingresses: none(),
            classes: none(),
            params: none(),
            services: one("a/web", json!({"spec": {"selector": {"app": "web"}}})),
            slices: none(),
            nodes: none(),
            pods: none(),
            bindings: one("a/k8s-1", binding),
            namespaces: none(),
        }
    }

    fn patch(hook: Hook, request: &Value) -> Option<Value> {
        let answer = hook.answer(&world(), &json!({"request": request}), true);
        let text = answer["response"]["patch"].as_str()?;
        let bytes = STANDARD.decode(text).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn refused(hook: Hook, request: &Value) -> bool {
        let answer = hook.answer(&world(), &json!({"request": request}), true);
        answer["response"]["allowed"] == false
    }

    /// AWS-LBC: a new pod that a binding's service selects gets its gate.
    #[test]
    fn pods_get_gates() {
        let pod = |label: &str| json!({"namespace": "a", "object": {"metadata": {"labels": {"app": label}}, "spec": {}}});
        let given = patch(Hook::Pod, &pod("web")).unwrap_or_default();
        assert_eq!(
            given[0]["value"][0]["conditionType"],
            "target-health.elbv2.k8s.aws/k8s-1"
        );
        assert_eq!(patch(Hook::Pod, &pod("db")), None);
    }

    /// AWS-LBC: new services of type LoadBalancer get the class; those that have one or were there stay.
    #[test]
    fn services_get_the_class() {
        let service =
            |spec: Value, before: Value| json!({"object": {"spec": spec}, "oldObject": before});
        let balanced = json!({"type": "LoadBalancer"});
        let given = patch(Hook::Service, &service(balanced.clone(), Value::Null));
        assert_eq!(given.unwrap_or_default()[0]["value"], CLASS);
        let classed = json!({"type": "LoadBalancer", "loadBalancerClass": "x"});
        assert_eq!(patch(Hook::Service, &service(classed, Value::Null)), None);
        let before = json!({"spec": balanced});
        assert_eq!(patch(Hook::Service, &service(balanced, before)), None);
    }

    /// AWS-LBC: a binding keeps its target group; parameters name subnets in one way.
    #[test]
    fn what_cant_be_is_refused() {
        let binding = |arn: &str| json!({"spec": {"targetGroupARN": arn, "targetType": "ip"}});
        let change = json!({"object": binding("b"), "oldObject": binding("a")});
        assert!(refused(Hook::Binding, &change));
        let same = json!({"object": binding("a"), "oldObject": binding("a")});
        assert!(!refused(Hook::Binding, &same));
        let subnets =
            json!({"object": {"spec": {"subnets": {"ids": ["a"], "tags": {"b": ["c"]}}}}});
        assert!(refused(Hook::Params, &subnets));
    }
}
