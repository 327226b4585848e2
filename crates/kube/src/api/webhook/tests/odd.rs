//! What lies below objects, webhooks that can't be, and answers that make no sense.

use super::*;

/// K8S-API: a dry run tells its webhooks so, and status, scale and connections are asked about as what they are.
#[test]
fn what_lies_below_objects_is_shown() {
    let mut world = World::new();
    let rules = json!({"rules": [{
        "operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"],
    }]});
    let path = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    });
    world.send(Method::Post, path, &deployment, &yes).unwrap();
    let pod = json!({
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"nodeName": "n", "containers": [{"name": "c"}]},
    });
    world.store.put(Key::new("pods", "default", "p"), pod);
    let node = json!({"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.3"}]}});
    world.store.put(Key::new("nodes", "", "n"), node);
    world.hook("Validating", "a.x.io", &rules);
    let scale = format!("{path}/d/scale?dryRun=All");
    world
        .send(
            Method::Patch,
            &scale,
            &json!({"spec": {"replicas": 3}}),
            &yes,
        )
        .unwrap();
    let asked = &world.asked[0].1;
    assert_eq!(asked["kind"]["kind"], "Scale");
    assert_eq!(
        (&asked["subResource"], &asked["dryRun"]),
        (&json!("scale"), &json!(true))
    );
    assert_eq!(asked["object"]["spec"]["replicas"], 3);
    let status = format!("{path}/d/status");
    let ready = json!({"status": {"replicas": 1}});
    world.send(Method::Patch, &status, &ready, &yes).unwrap();
    assert_eq!(world.asked[1].1["requestSubResource"], "status");
    let exec = "/api/v1/namespaces/default/pods/p/exec?command=sh&stdin=true";
    let refused = world.send(Method::Get, exec, &json!(null), &|_, request| {
        assert_eq!(request["operation"], "CONNECT");
        assert_eq!(request["object"]["command"], json!(["sh"]));
        said(
            request,
            json!({"allowed": false, "status": {"message": "no shells"}}),
        )
    });
    let told = "admission webhook \"a.x.io\" denied the request: no shells";
    assert_eq!(refused.unwrap_err().message, told);
}

/// K8S-API: a webhook that can't be is refused in upstream's words.
#[test]
fn webhooks_that_cant_be_are_refused() {
    let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    let good = json!({
        "name": "a.x.io", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://a/x"},
    });
    for (more, told) in [
        (
            json!({"name": "short"}),
            "webhooks[0].name: Invalid value: \"short\": should be a domain with at least three segments separated by dots",
        ),
        (
            json!({"sideEffects": null}),
            "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
        ),
        (
            json!({"sideEffects": "Some"}),
            "webhooks[0].sideEffects: Unsupported value: \"Some\"",
        ),
        (
            json!({"timeoutSeconds": 31}),
            "the timeout value must be between 1 and 30 seconds",
        ),
        (
            json!({"clientConfig": {"url": "http://a"}}),
            "'https' is the only allowed URL scheme",
        ),
        (
            json!({"clientConfig": {"url": null}}),
            "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
        ),
        (
            json!({"rules": [{"operations": ["*", "CREATE"]}]}),
            "if '*' is present, must not specify other operations",
        ),
        (
            json!({"matchConditions": [{"name": "m", "expression": "object.x >"}]}),
            "webhooks[0].matchConditions[0].expression: Invalid value",
        ),
        (
            json!({"admissionReviewVersions": ["v1beta1"]}),
            "must include at least one of v1",
        ),
    ] {
        let mut hook = good.clone();
        json_patch::merge(&mut hook, &more);
        let object = json!({"metadata": {"name": "w"}, "webhooks": [hook]});
        let status = World::new()
            .send(Method::Post, path, &object, &yes)
            .unwrap_err();
        assert_eq!(status.code, 422);
        assert!(status.message.contains(told), "{}", status.message);
    }
}

/// K8S-API: whatever a webhook answers, the request is answered.
#[test]
fn nonsense_is_answered() {
    let odd = [
        json!(null),
        json!([]),
        json!("x"),
        json!({"response": {}}),
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": []}),
    ];
    let patches = [
        json!(null),
        json!({}),
        json!([{"op": "add"}]),
        json!([{"op": "remove", "path": "/nowhere"}]),
        json!([{"op": "replace", "path": "", "value": 7}]),
        json!([{"op": "replace", "path": "", "value": {}}]),
        json!([{"op": "replace", "path": "/metadata", "value": null}]),
        json!([{"op": "replace", "path": "/metadata/name", "value": ""}]),
        json!([{"op": "replace", "path": "/kind", "value": "Secret"}]),
        json!([{"op": "add", "path": "/data", "value": [1]}]),
        json!([{"op": "test", "path": "/data", "value": 1}]),
    ];
    for kind in ["Mutating", "Validating"] {
        let mut world = World::new();
        world.hook(kind, "a.x.io", &json!({}));
        for answer in &odd {
            assert!(world.config_map("m", &|_, _| Ok(answer.clone())).is_err());
        }
        for (index, with) in patches.iter().enumerate() {
            let made = world.config_map(&format!("m{index}"), &|_, request| patch(request, with));
            if let Ok(made) = made {
                assert_eq!(
                    (&made["kind"], &made["metadata"]["name"]),
                    (&json!("ConfigMap"), &json!(format!("m{index}")))
                );
            }
        }
        let raw = |_: &str, request: &Value| {
            said(
                request,
                json!({"allowed": true, "patchType": "JSONPatch", "patch": "!"}),
            )
        };
        assert!(world.config_map("n", &raw).is_err());
    }
}

/// K8S-API: a webhook is asked about requests alone of which its conditions hold; one that has no value counts as
/// the webhook's failure policy says.
#[test]
fn conditions_say_what_a_webhook_is_asked_about() {
    let allowed = |_: &str, asked: &Value| {
        Ok(json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {"uid": asked["uid"], "allowed": true},
        }))
    };
    let condition = |expression: &str| json!([{"name": "m", "expression": expression}]);
    let mut world = World::new();
    let by_name =
        condition("object.metadata.name.startsWith('a') && request.userInfo.username == 'ann'");
    world.hook(
        "Validating",
        "by-name.x.io",
        &json!({"matchConditions": by_name}),
    );
    let odd = condition("object.none == 1");
    let open = json!({"matchConditions": odd, "failurePolicy": "Ignore"});
    world.hook("Validating", "open.x.io", &open);
    world.config_map("b", &allowed).unwrap();
    assert!(world.asked.is_empty());
    world.config_map("a", &allowed).unwrap();
    assert_eq!(world.asked.len(), 1);
    world.hook(
        "Validating",
        "closed.x.io",
        &json!({"matchConditions": odd}),
    );
    let refused = world.config_map("c", &allowed).unwrap_err();
    assert_eq!(refused.code, 403);
    assert!(
        refused.message.contains("no such key: none"),
        "{}",
        refused.message
    );
}
