mod odd;

use super::*;
use crate::api::{Answer, Context, Method, Outcome, Pace, Request, Settings, User, handle};
use crate::store::{Key, Store};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// What a webhook answers to a review.
type Hook<'a> = dyn Fn(&str, &Value) -> Result<Value, String> + 'a;

struct World {
    store: Store,
    /// The names of the webhooks asked, and what they were shown.
    asked: Vec<(String, Value)>,
}

fn settings() -> Settings {
    Settings {
        service_cidr: (std::net::Ipv4Addr::new(10, 96, 0, 0), 24),
        node_ports: 30_000..=30_100,
        authority: String::new(),
        version: "1.32".to_owned(),
        pace: Pace::Real,
        pod_range: None,
        api_endpoints: Vec::new(),
    }
}

impl World {
    fn new() -> Self {
        let mut store = Store::default();
        for (name, labels) in [("default", json!({})), ("other", json!({"team": "red"}))] {
            let namespace = json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": name, "labels": labels, "uid": name},
            });
            store.put(Key::new("namespaces", "", name), namespace);
        }
        Self {
            store,
            asked: Vec::new(),
        }
    }

    /// Makes a webhook: its name, what it does not leave at its defaults.
    fn hook(&mut self, kind: &str, name: &str, more: &Value) {
        let mut hook = json!({
            "name": name, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": format!("https://{name}/x")},
            "rules": [{
                "operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["configmaps"],
            }],
        });
        json_patch::merge(&mut hook, more);
        let plural = format!("{}webhookconfigurations", kind.to_lowercase());
        let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
        let object = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": format!("{kind}WebhookConfiguration"),
            "metadata": {"name": name}, "webhooks": [hook],
        });
        let before = self.asked.len();
        let made = self.send(
            Method::Post,
            &path,
            &object,
            &|_, _| Err("never".to_owned()),
        );
        // Webhooks are not asked about webhooks.
        made.unwrap();
        assert_eq!(self.asked.len(), before);
    }

    fn send(
        &mut self,
        method: Method,
        path: &str,
        body: &Value,
        hook: &Hook<'_>,
    ) -> Result<Outcome, Status> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let request = Request {
            method,
            path: path.to_owned(),
            query: pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            content_type: match method {
                Method::Patch => "application/merge-patch+json".to_owned(),
                _ => "application/json".to_owned(),
            },
            accept: String::new(),
            user_agent: String::new(),
            body: serde_json::to_vec(body).unwrap(),
        };
        let user = User {
            name: "ann".to_owned(),
            groups: vec!["system:masters".to_owned()],
            ..User::default()
        };
        let settings = settings();
        let mut answers = Answers::default();
        loop {
            let context = Context {
                user: &user,
                now: 0,
                entropy: [7; 32],
                settings: &settings,
                metrics: &crate::metrics::Metrics::default(),
                answers: &answers,
            };
            let outcome = handle(&self.store, &context, &request)?;
            let Answer::Questions(questions) = outcome.answer else {
                if let Some((store, _)) = &outcome.changed {
                    self.store = store.clone();
                }
                return Ok(outcome);
            };
            assert!(!questions.is_empty() && answers.len() < 50);
            for question in questions {
                let asked = question.review["request"].clone();
                self.asked.push((question.at.name.clone(), asked.clone()));
                let answer = hook(&question.at.name, &asked);
                answers.note(question.id, answer);
            }
        }
    }

    fn config_map(&mut self, name: &str, hook: &Hook<'_>) -> Result<Value, Status> {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {"a": "b"},
        });
        let path = "/api/v1/namespaces/default/configmaps";
        let outcome = self.send(Method::Post, path, &object, hook)?;
        let Answer::Document { body, .. } = outcome.answer else {
            panic!("{:?}", outcome.answer);
        };
        Ok(body)
    }

    fn names(&self) -> Vec<&str> {
        self.asked.iter().map(|(name, _)| name.as_str()).collect()
    }
}

fn said(request: &Value, mut response: Value) -> Result<Value, String> {
    response["uid"] = request["uid"].clone();
    Ok(json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
    }))
}

fn yes(_: &str, request: &Value) -> Result<Value, String> {
    said(request, json!({"allowed": true}))
}

fn patch(request: &Value, patch: &Value) -> Result<Value, String> {
    let patch = STANDARD.encode(patch.to_string());
    said(
        request,
        json!({"allowed": true, "patchType": "JSONPatch", "patch": patch}),
    )
}

/// K8S-API: webhooks change objects one after another, and those that refuse see what became of them.
#[test]
fn webhooks_change_and_refuse() {
    let mut world = World::new();
    world.hook("Mutating", "a.x.io", &json!({}));
    world.hook("Mutating", "b.x.io", &json!({}));
    world.hook("Validating", "c.x.io", &json!({}));
    let made = world.config_map("m", &|name, request| match name {
        "a.x.io" => patch(
            request,
            &json!([{"op": "add", "path": "/data/one", "value": "1"}]),
        ),
        "b.x.io" => {
            assert_eq!(request["object"]["data"]["one"], "1");
            assert!(request["object"]["metadata"]["uid"].is_null());
            patch(request, &json!([{"op": "remove", "path": "/data/a"}]))
        }
        _ => {
            assert_eq!(request["object"]["data"], json!({"one": "1"}));
            assert_eq!(
                request["object"]["metadata"]["uid"].as_str().map(str::len),
                Some(36)
            );
            assert_eq!(
                (&request["operation"], &request["name"]),
                (&json!("CREATE"), &json!("m"))
            );
            assert_eq!(request["userInfo"]["username"], "ann");
            assert_eq!(request["resource"]["resource"], "configmaps");
            assert_eq!(request["kind"]["kind"], "ConfigMap");
            assert_eq!(
                (&request["oldObject"], &request["dryRun"]),
                (&json!(null), &json!(false))
            );
            said(
                request,
                json!({"allowed": true, "warnings": ["careful"], "auditAnnotations": {"k": "v"}}),
            )
        }
    });
    assert_eq!(made.unwrap()["data"], json!({"one": "1"}));
    assert_eq!(world.names(), ["a.x.io", "b.x.io", "c.x.io"]);
    let denied = |response: Value| {
        move |name: &str, request: &Value| match name {
            "c.x.io" => said(request, response.clone()),
            _ => yes(name, request),
        }
    };
    for (response, code, message) in [
        (
            json!({"allowed": false}),
            400,
            "admission webhook \"c.x.io\" denied the request without explanation",
        ),
        (
            json!({"allowed": false, "status": {"code": 403, "message": "no", "reason": "Forbidden"}}),
            403,
            "admission webhook \"c.x.io\" denied the request: no",
        ),
        (
            json!({"allowed": false, "status": {"code": 200, "reason": "Odd"}}),
            400,
            "admission webhook \"c.x.io\" denied the request: Odd",
        ),
    ] {
        let status = world.config_map("n", &denied(response)).unwrap_err();
        assert_eq!((status.code, status.message.as_str()), (code, message));
        assert!(
            world
                .store
                .get(&Key::new("configmaps", "default", "n"))
                .is_none()
        );
    }
    // Their warnings and annotations come with the answer.
    let path = "/api/v1/namespaces/default/configmaps/m";
    let outcome = world.send(Method::Delete, path, &json!({}), &|name, request| {
        assert_eq!(request["operation"], "DELETE");
        assert_eq!(request["oldObject"]["data"]["one"], "1");
        match name {
            "c.x.io" => said(
                request,
                json!({
                    "allowed": true, "warnings": ["careful"], "auditAnnotations": {"k": "v"},
                }),
            ),
            _ => yes(name, request),
        }
    });
    let outcome = outcome.unwrap();
    assert_eq!(outcome.warnings, ["careful"]);
    assert_eq!(
        outcome.annotations,
        [("c.x.io/k".to_owned(), "v".to_owned())]
    );
}

/// K8S-API: what a webhook's failure means, its failure policy says; what it says is upstream's.
#[test]
fn failures_are_told_or_passed() {
    let mut world = World::new();
    world.hook("Validating", "shut.x.io", &json!({}));
    let failing = |answer: Result<Value, String>| move |_: &str, _: &Value| answer.clone();
    let mut told = |answer| world.config_map("m", &failing(answer)).unwrap_err();
    let status = told(Err(
        "Post \"https://shut.x.io/x?timeout=10s\": context deadline exceeded".to_owned(),
    ));
    assert_eq!(
        (status.code, status.message.as_str()),
        (
            500,
            "Internal error occurred: failed calling webhook \"shut.x.io\": failed to call webhook: Post \"https://shut.x.io/x?timeout=10s\": context deadline exceeded"
        )
    );
    let review = |response: Value| {
        Ok(json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
        }))
    };
    for (answer, why) in [
        (
            Ok(json!({})),
            "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got , Kind=",
        ),
        (review(json!(null)), "webhook response was absent"),
        (
            review(json!({"uid": "x", "allowed": true})),
            "expected response.uid=",
        ),
    ] {
        let message = told(answer).message;
        let begins = "Internal error occurred: failed calling webhook \"shut.x.io\": received invalid webhook response: ";
        assert!(
            message.starts_with(begins) && message.contains(why),
            "{message}"
        );
    }
    let mut world = World::new();
    world.hook("Mutating", "open.x.io", &json!({"failurePolicy": "Ignore"}));
    assert!(
        world
            .config_map("m", &failing(Err("dead".to_owned())))
            .is_ok()
    );
    // A service that isn't there is nobody to ask.
    let service =
        json!({"url": null, "service": {"namespace": "default", "name": "s", "path": "/v"}});
    world.hook("Validating", "in.x.io", &json!({"clientConfig": service}));
    let status = world
        .config_map("n", &failing(Err("dead".to_owned())))
        .unwrap_err();
    assert!(
        status.message.ends_with("failed to call webhook: Post \"https://s.default.svc:443/v?timeout=10s\": service \"s\" not found"),
        "{}",
        status.message
    );
}

/// K8S-API: rules and selectors say which requests a webhook is asked about.
#[test]
fn rules_and_selectors_choose() {
    let labelled = json!({"matchLabels": {"team": "red"}});
    for (more, path, asked) in [
        (json!({}), "/api/v1/namespaces/default/configmaps", true),
        (json!({}), "/api/v1/namespaces/default/secrets", false),
        (
            json!({"rules": [{
                "operations": ["UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["*"],
            }]}),
            "/api/v1/namespaces/default/configmaps",
            false,
        ),
        (
            json!({"rules": [{
                "operations": ["CREATE"], "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["*"],
            }]}),
            "/api/v1/namespaces/default/configmaps",
            false,
        ),
        (
            json!({"rules": [{
                "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["*"],
                "scope": "Cluster",
            }]}),
            "/api/v1/namespaces/default/configmaps",
            false,
        ),
        (
            json!({"namespaceSelector": labelled}),
            "/api/v1/namespaces/default/configmaps",
            false,
        ),
        (
            json!({"namespaceSelector": labelled}),
            "/api/v1/namespaces/other/configmaps",
            true,
        ),
        (
            json!({"objectSelector": labelled}),
            "/api/v1/namespaces/default/configmaps",
            false,
        ),
        (
            json!({"objectSelector": {"matchLabels": {"a": "b"}}}),
            "/api/v1/namespaces/default/configmaps",
            true,
        ),
    ] {
        let mut world = World::new();
        world.hook("Validating", "a.x.io", &more);
        let kind = if path.ends_with("secrets") {
            "Secret"
        } else {
            "ConfigMap"
        };
        let object = json!({
            "apiVersion": "v1", "kind": kind, "metadata": {"name": "m", "labels": {"a": "b"}},
        });
        world.send(Method::Post, path, &object, &yes).unwrap();
        assert_eq!(!world.asked.is_empty(), asked, "{more} {path}");
    }
}

/// K8S-API: a webhook that wants to is asked again about an object that others changed, once.
#[test]
fn webhooks_are_asked_again() {
    for (policy, order) in [
        ("Never", &["a.x.io", "b.x.io"][..]),
        ("IfNeeded", &["a.x.io", "b.x.io", "a.x.io"]),
    ] {
        let mut world = World::new();
        world.hook("Mutating", "a.x.io", &json!({"reinvocationPolicy": policy}));
        world.hook("Mutating", "b.x.io", &json!({"reinvocationPolicy": policy}));
        let made = world.config_map("m", &|name, request| {
            let data = request["object"]["data"].as_object().unwrap().len();
            let path = format!("/data/{}{data}", &name[..1]);
            match name {
                "b.x.io" => patch(request, &json!([{"op": "add", "path": path, "value": "1"}])),
                _ => yes(name, request),
            }
        });
        assert_eq!(made.unwrap()["data"], json!({"a": "b", "b1": "1"}));
        assert_eq!(world.names(), order, "{policy}");
    }
}

/// K8S-API: what is stored is what webhooks have seen: an object that changed meanwhile is shown again.
#[test]
fn answers_are_for_what_was_shown() {
    let mut world = World::new();
    world.config_map("m", &yes).unwrap();
    world.hook("Validating", "a.x.io", &json!({}));
    let settings = settings();
    let user = User {
        groups: vec!["system:masters".to_owned()],
        ..User::default()
    };
    let request = Request {
        method: Method::Patch,
        path: "/api/v1/namespaces/default/configmaps/m".to_owned(),
        query: Vec::new(),
        content_type: "application/merge-patch+json".to_owned(),
        accept: String::new(),
        user_agent: String::new(),
        body: br#"{"data": {"x": "y"}}"#.to_vec(),
    };
    let mut answers = Answers::default();
    let carry_out = |store: &Store, answers: &Answers| {
        let context = Context {
            user: &user,
            now: 0,
            entropy: [0; 32],
            settings: &settings,
            metrics: &crate::metrics::Metrics::default(),
            answers,
        };
        handle(store, &context, &request).unwrap()
    };
    let Answer::Questions(first) = carry_out(&world.store, &answers).answer else {
        panic!("nobody was asked");
    };
    let allowed = |question: &Question| said(&question.review["request"], json!({"allowed": true}));
    answers.note(first[0].id, allowed(&first[0]));
    // Meanwhile somebody else changes the object.
    let key = Key::new("configmaps", "default", "m");
    let mut changed = world.store.clone();
    let mut object = changed.get(&key).unwrap().as_ref().clone();
    object["data"]["a"] = json!("c");
    changed.put(key, object);
    let Answer::Questions(second) = carry_out(&changed, &answers).answer else {
        panic!("an answer was taken for another question's");
    };
    assert_ne!(first[0].id, second[0].id);
    assert_eq!(second[0].review["request"]["oldObject"]["data"]["a"], "c");
    // Where nothing changed, the answer holds.
    let done = carry_out(&world.store, &answers);
    assert!(matches!(done.answer, Answer::Document { .. }));
}
