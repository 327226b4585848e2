use super::*;
use crate::api::{Answer, Answers, Context, Outcome, Pace, Request, Settings, User, handle};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::cell::RefCell;

/// A cluster with a kind in two versions: `v1` has `spec.host` as `name:port`, `v2` has two fields.
struct World {
    store: Store,
    /// What the webhook was asked: the version, and how many objects.
    asked: RefCell<Vec<(String, usize)>>,
    /// What the webhook makes of an answer that would be right.
    spoil: fn(Value) -> Result<Value, String>,
}

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const V1: &str = "/apis/g.io/v1/namespaces/default/ks";
const V2: &str = "/apis/g.io/v2/namespaces/default/ks";

fn definition(stored: &str) -> Value {
    let version = |name: &str, spec: Value| {
        json!({
            "name": name, "served": true, "storage": name == stored, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": spec},
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            }}},
        })
    };
    let text = json!({"type": "string"});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "ks.g.io"}, "spec": {
            "group": "g.io", "scope": "Namespaced", "names": {"plural": "ks", "singular": "k", "kind": "K"},
            "conversion": {"strategy": "Webhook", "webhook": {
                "conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://converter/convert"},
            }},
            "versions": [
                version("v1", json!({"host": text})),
                version("v2", json!({
                    "name": text, "port": text, "level": {"type": "string", "default": "low"},
                })),
            ],
        },
    })
}

/// What the webhook does to an object.
fn converted(mut object: Value, version: &str) -> Value {
    object["apiVersion"] = version.into();
    let spec = object["spec"].clone();
    object["spec"] = if version == "g.io/v2" {
        let host = spec["host"].as_str().unwrap_or_default();
        let (name, port) = host.split_once(':').unwrap_or((host, "80"));
        json!({"name": name, "port": port, "unknown": 1})
    } else {
        let text = |field: &str| spec[field].as_str().unwrap_or_default();
        json!({"host": format!("{}:{}", text("name"), text("port"))})
    };
    object
}

/// What an admission webhook that knows `v2` alone makes of an object: all have the port 7.
fn admitted(request: &Value) -> Value {
    assert_eq!(request["object"]["apiVersion"], "g.io/v2");
    assert_eq!(request["requestResource"]["version"], "v1");
    let patch = json!([{"op": "replace", "path": "/spec/port", "value": "7"}]);
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {
            "uid": request["uid"], "allowed": true,
            "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string()),
        },
    })
}

impl World {
    fn new() -> Self {
        let mut store = Store::default();
        let namespace = json!({"metadata": {"name": "default"}});
        store.put(Key::new("namespaces", "", "default"), namespace);
        let mut world = Self {
            store,
            asked: RefCell::default(),
            spoil: Ok,
        };
        world
            .send(Method::Post, DEFINITIONS, &definition("v1"))
            .unwrap();
        world
    }

    fn answer(&self, question: &Question) -> Result<Value, String> {
        let request = &question.review["request"];
        if question.review["kind"] == "AdmissionReview" {
            return Ok(admitted(request));
        }
        assert_eq!(question.url, "https://converter/convert?timeout=30s");
        let version = request["desiredAPIVersion"].as_str().unwrap();
        let objects = request["objects"].as_array().unwrap();
        self.asked
            .borrow_mut()
            .push((version.to_owned(), objects.len()));
        let objects = objects
            .iter()
            .map(|object| converted(object.clone(), version));
        (self.spoil)(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": {
                "uid": request["uid"], "result": {"status": "Success"},
                "convertedObjects": objects.collect::<Vec<_>>(),
            },
        }))
    }

    fn outcome(&self, method: Method, path: &str, body: &Value) -> Result<Outcome, Status> {
        let settings = Settings {
            service_cidr: (std::net::Ipv4Addr::new(10, 96, 0, 0), 24),
            node_ports: 30_000..=30_100,
            authority: String::new(),
            version: "1.32".to_owned(),
            pace: Pace::Real,
            pod_range: None,
            api_endpoints: Vec::new(),
        };
        let user = User {
            name: "tester".to_owned(),
            groups: vec![crate::api::rbac::MASTERS.to_owned()],
            ..User::default()
        };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        let request = Request {
            method,
            path: path.to_owned(),
            query: query
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            content_type: match method {
                Method::Patch => "application/merge-patch+json".to_owned(),
                _ => "application/json".to_owned(),
            },
            accept: "application/json".to_owned(),
            user_agent: "test".to_owned(),
            body: match method {
                Method::Get => Vec::new(),
                _ => body.to_string().into_bytes(),
            },
        };
        let mut answers = Answers::default();
        loop {
            let context = Context {
                user: &user,
                now: 1_000_000,
                entropy: [7; 32],
                settings: &settings,
                metrics: &crate::metrics::Metrics::default(),
                answers: &answers,
            };
            let outcome = handle(&self.store, &context, &request)?;
            let Answer::Questions(questions) = &outcome.answer else {
                return Ok(outcome);
            };
            for question in questions {
                answers.note(question.id, self.answer(question));
            }
        }
    }

    fn send(&mut self, method: Method, path: &str, body: &Value) -> Result<Value, Status> {
        let outcome = self.outcome(method, path, body)?;
        if let Some((store, changes)) = outcome.changed {
            for change in &changes {
                let held = store.get(&change.key);
                assert_eq!(
                    held,
                    change.after.as_ref(),
                    "what is stored is what is kept"
                );
            }
            self.store = store;
        }
        match outcome.answer {
            Answer::Document { body, .. } => Ok(body),
            other => panic!("{other:?}"),
        }
    }

    fn stored(&self, name: &str) -> &Value {
        self.store
            .get(&Key::new("ks.g.io", "default", name))
            .unwrap()
    }

    fn asked(&self) -> Vec<(String, usize)> {
        self.asked.take()
    }
}

fn first(name: &str, host: &str) -> Value {
    json!({"apiVersion": "g.io/v1", "kind": "K", "metadata": {"name": name}, "spec": {"host": host}})
}

fn second(name: &str) -> Value {
    json!({
        "apiVersion": "g.io/v2", "kind": "K", "metadata": {"name": name}, "spec": {"name": "b", "port": "8"},
    })
}

/// K8S-API: every version is served, one is stored, and what is asked for in it needs no webhook.
#[test]
fn every_version_is_served() {
    let mut world = World::new();
    world.send(Method::Post, V1, &first("a", "a:9")).unwrap();
    world
        .send(Method::Get, &format!("{V1}/a"), &Value::Null)
        .unwrap();
    assert!(world.asked().is_empty());
    let shown = world
        .send(Method::Get, &format!("{V2}/a"), &Value::Null)
        .unwrap();
    // What the schema doesn't know is dropped, what it has defaults for is filled in.
    assert_eq!(
        shown["spec"],
        json!({"name": "a", "port": "9", "level": "low"})
    );
    assert_eq!(shown["apiVersion"], "g.io/v2");
    assert_eq!(world.asked(), [("g.io/v2".to_owned(), 1)]);

    world.send(Method::Post, V2, &second("b")).unwrap();
    assert_eq!(world.asked(), [("g.io/v1".to_owned(), 1)]);
    assert_eq!(world.stored("b")["spec"], json!({"host": "b:8"}));
    let all = world.send(Method::Get, V2, &Value::Null).unwrap();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    assert_eq!(all["items"][1]["spec"]["port"], "8");
    // All of a list are one question.
    assert_eq!(world.asked(), [("g.io/v2".to_owned(), 2)]);
}

/// K8S-API: changes in one version of what is stored in another keep who an object is, and count as changes.
#[test]
fn objects_are_changed_in_any_version() {
    let mut world = World::new();
    world.send(Method::Post, V1, &first("a", "a:9")).unwrap();
    let one = format!("{V2}/a");
    let shown = world
        .send(Method::Patch, &one, &json!({"spec": {"port": "1"}}))
        .unwrap();
    assert_eq!(
        shown["spec"],
        json!({"name": "a", "port": "1", "level": "low"})
    );
    assert_eq!(shown["metadata"]["generation"], 2);
    assert_eq!(world.stored("a")["spec"], json!({"host": "a:1"}));
    assert_eq!(
        world.stored("a")["metadata"]["uid"],
        shown["metadata"]["uid"]
    );
    let revision = &world.stored("a")["metadata"]["resourceVersion"];
    assert_eq!(*revision, shown["metadata"]["resourceVersion"]);

    let nothing = world
        .outcome(Method::Patch, &one, &json!({"spec": {"port": "1"}}))
        .unwrap();
    assert!(nothing.changed.is_none());
    let dry = format!("{one}?dryRun=All");
    world
        .send(Method::Patch, &dry, &json!({"spec": {"port": "2"}}))
        .unwrap();
    assert_eq!(world.stored("a")["spec"]["host"], "a:1");
    let status = json!({"status": {"ready": true}});
    world
        .send(Method::Patch, &format!("{one}/status"), &status)
        .unwrap();
    assert_eq!(world.stored("a")["status"], json!({"ready": true}));
    let wrong = world
        .send(Method::Patch, &one, &json!({"spec": {"port": 7}}))
        .unwrap_err();
    assert!(wrong.message.contains("spec.port"), "{}", wrong.message);
    world
        .send(Method::Post, V1, &first("other", "x:1"))
        .unwrap();
    world.send(Method::Delete, &one, &json!({})).unwrap();
    assert!(
        world
            .store
            .get(&Key::new("ks.g.io", "default", "a"))
            .is_none()
    );
    assert_eq!(world.stored("other")["apiVersion"], "g.io/v1");
}

/// K8S-API: another version is stored from now on; what is there is converted when it is written again.
#[test]
fn the_stored_version_changes() {
    let mut world = World::new();
    world.send(Method::Post, V1, &first("a", "a:9")).unwrap();
    let path = format!("{DEFINITIONS}/ks.g.io");
    let versions = definition("v2")["spec"]["versions"].clone();
    let changed = world
        .send(
            Method::Patch,
            &path,
            &json!({"spec": {"versions": versions}}),
        )
        .unwrap();
    assert_eq!(changed["status"]["storedVersions"], json!(["v1", "v2"]));
    assert_eq!(world.stored("a")["apiVersion"], "g.io/v1");
    assert_eq!(
        world
            .send(Method::Get, &format!("{V2}/a"), &Value::Null)
            .unwrap()["spec"]["port"],
        "9"
    );
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    world
        .send(Method::Patch, &format!("{V1}/a"), &label)
        .unwrap();
    assert_eq!(world.stored("a")["apiVersion"], "g.io/v2");
    assert_eq!(world.stored("a")["metadata"]["labels"]["a"], "b");
    assert_eq!(
        world
            .send(Method::Get, &format!("{V1}/a"), &Value::Null)
            .unwrap()["spec"],
        json!({"host": "a:9"})
    );
}

/// K8S-API: a webhook that fails, or answers what is none, is told of in upstream's words; nothing changes.
#[test]
fn failures_are_told() {
    type Spoil = fn(Value) -> Result<Value, String>;
    const PREFIX: &str = "conversion webhook for g.io/v1, Kind=K ";
    let cases: [(Spoil, &str); 7] = [
        (
            |_| Err("Post \"x\": EOF".to_owned()),
            "failed: Post \"x\": EOF",
        ),
        (
            |mut answer| {
                answer["response"]["result"] = json!({"status": "Failed", "message": "no way"});
                Ok(answer)
            },
            "failed: no way",
        ),
        (
            |mut answer| {
                answer["response"]["uid"] = "other".into();
                Ok(answer)
            },
            "failed: expected response.uid=",
        ),
        (
            |_| Ok(json!({"kind": "AdmissionReview"})),
            "failed: expected webhook response of apiextensions.k8s.io/v1",
        ),
        (
            |mut answer| {
                answer["response"]["convertedObjects"] = json!([]);
                Ok(answer)
            },
            "returned 0 objects, expected 1",
        ),
        (
            |mut answer| {
                answer["response"]["convertedObjects"][0]["metadata"]["name"] = "other".into();
                Ok(answer)
            },
            "returned invalid converted object at index 0: must have the same name: a != other",
        ),
        (
            |mut answer| {
                answer["response"]["convertedObjects"][0]["apiVersion"] = "g.io/v1".into();
                Ok(answer)
            },
            "returned invalid converted object at index 0: invalid apiVersion: g.io/v1, expected g.io/v2",
        ),
    ];
    for (spoil, told) in cases {
        let mut world = World::new();
        world.send(Method::Post, V1, &first("a", "a:9")).unwrap();
        world.spoil = spoil;
        for (method, body) in [
            (Method::Get, Value::Null),
            (Method::Patch, json!({"spec": {"port": "1"}})),
        ] {
            let refused = world.send(method, &format!("{V2}/a"), &body).unwrap_err();
            assert_eq!(refused.code, 500);
            let wanted = format!("{PREFIX}{told}");
            assert!(
                refused.message.starts_with(&wanted),
                "{} / {wanted}",
                refused.message
            );
        }
        assert_eq!(world.stored("a")["spec"]["host"], "a:9");
    }
}

/// K8S-API: what a webhook may not change, it doesn't.
#[test]
fn metadata_stays() {
    let mut world = World::new();
    world.send(Method::Post, V1, &first("a", "a:9")).unwrap();
    world.spoil = |mut answer| {
        let metadata = &mut answer["response"]["convertedObjects"][0]["metadata"];
        metadata["creationTimestamp"] = "1999-01-01T00:00:00Z".into();
        metadata["labels"] = json!({"new": "one"});
        Ok(answer)
    };
    let shown = world
        .send(Method::Get, &format!("{V2}/a"), &Value::Null)
        .unwrap();
    let stored = world.stored("a");
    assert_eq!(
        shown["metadata"]["creationTimestamp"],
        stored["metadata"]["creationTimestamp"]
    );
    assert_eq!(shown["metadata"]["labels"], json!({"new": "one"}));
}

/// K8S-API: a definition names its webhook as it should.
#[test]
fn definitions_are_checked() {
    let mut world = World::new();
    for (conversion, told) in [
        (json!({"strategy": "Magic"}), "spec.conversion.strategy"),
        (
            json!({"strategy": "Webhook"}),
            "exactly one of url or service is required",
        ),
        (
            json!({"strategy": "None", "webhook": {}}),
            "should not be set",
        ),
        (
            json!({"strategy": "Webhook", "webhook": {
                "clientConfig": {"url": "http://x"}, "conversionReviewVersions": ["v1beta1"],
            }}),
            "must include v1",
        ),
    ] {
        let mut wrong = definition("v1");
        wrong["spec"]["conversion"] = conversion;
        wrong["metadata"]["name"] = "others.g.io".into();
        wrong["spec"]["names"] = json!({"plural": "others", "kind": "Other"});
        let refused = world.send(Method::Post, DEFINITIONS, &wrong).unwrap_err();
        assert!(refused.message.contains(told), "{}", refused.message);
    }
}

/// K8S-API: an admission webhook that knows another version is shown the object in that, and its patch is of that.
#[test]
fn admission_webhooks_see_the_version_they_know() {
    let mut world = World::new();
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "h"}, "webhooks": [{
            "name": "h.g.io", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": "https://h.g.io/x"}, "matchPolicy": "Equivalent",
            "rules": [{"operations": ["CREATE"], "apiGroups": ["g.io"], "apiVersions": ["v2"], "resources": ["ks"]}],
        }],
    });
    let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
    world.send(Method::Post, path, &configuration).unwrap();
    let made = world.send(Method::Post, V1, &first("a", "a:9")).unwrap();
    assert_eq!(
        (&made["apiVersion"], &made["spec"]),
        (&json!("g.io/v1"), &json!({"host": "a:7"}))
    );
    assert_eq!(world.stored("a")["spec"], json!({"host": "a:7"}));
}
