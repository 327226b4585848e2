//! Webhooks over TLS.

use crate::wire::{Wire, acceptor};
use crate::world::{ADMIN, World, issue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::certificates::Usage;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What a webhook sends for a review; nothing is a connection that stays open without an answer.
type Answer = fn(&Value) -> Option<Vec<u8>>;

/// A webhook behind a service that is asked about config maps.
async fn hook(world: &World, answer: Answer) {
    serve(world, "/check?timeout=2s", answer).await;
    let configuration = json!({"metadata": {"name": "hook"}, "webhooks": [{
        "name": "hook.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 2,
        "clientConfig": client(world, "/check"),
        "rules": [{
            "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"],
            "resources": ["configmaps"],
        }],
    }]});
    let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
    world.create(path, &configuration).await;
}

/// How the API server finds it.
fn client(world: &World, path: &str) -> Value {
    json!({
        "caBundle": STANDARD.encode(&world.trusted),
        "service": {"namespace": "default", "name": "hook", "path": path},
    })
}

/// A server behind a service, called at one path.
async fn serve(world: &World, path: &'static str, answer: Answer) {
    let own = issue(&world.authority, "hook", "", Usage::Server);
    let tls = acceptor(&own, None);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let Ok(stream) = tls.accept(stream).await else {
                    return;
                };
                let mut wire = Wire::new(stream);
                let asked = wire.message().await;
                assert_eq!(asked.first, format!("POST {path} HTTP/1.1"));
                assert_eq!(asked.header("host"), Some("hook.default.svc:443"));
                match answer(&asked.document()) {
                    Some(bytes) => wire.send(&bytes).await,
                    None => std::future::pending().await,
                }
            });
        }
    });
    let service = json!({
        "metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443, "targetPort": 8443}]},
    });
    world
        .create("/api/v1/namespaces/default/services", &service)
        .await;
    let endpoints = json!({
        "metadata": {"name": "hook"},
        "subsets": [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": port}]}],
    });
    world
        .create("/api/v1/namespaces/default/endpoints", &endpoints)
        .await;
}

fn whole(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// K8S-API: a webhook behind a service changes objects, those of several callers at once.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_behind_services_are_asked() {
    let world = World::new().await;
    hook(&world, |review| {
        let name = review["request"]["name"].as_str().unwrap();
        let patch = json!([{"op": "add", "path": "/data", "value": {"seen": name}}]);
        let response = json!({
            "uid": review["request"]["uid"], "allowed": name != "bad",
            "status": {"message": "bad is bad"},
            "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string()),
        });
        let answer = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
        });
        Some(whole(&answer.to_string()))
    })
    .await;
    let names: Vec<String> = (0..20).map(|n| format!("m{n}")).collect();
    let objects: Vec<Value> = names
        .iter()
        .map(|name| json!({"metadata": {"name": name}}))
        .collect();
    let making = objects.iter().map(|object| world.ask("POST", MAPS, object));
    for (name, made) in names.iter().zip(join(making).await) {
        assert_eq!((made.0, &made.1["data"]["seen"]), (201, &json!(name)));
    }
    let (code, status) = world
        .ask("POST", MAPS, &json!({"metadata": {"name": "bad"}}))
        .await;
    let told = "admission webhook \"hook.example.com\" denied the request: bad is bad";
    assert_eq!((code, &status["message"]), (400, &json!(told)));
    let events = world.events.0.lock().unwrap();
    assert!(
        events
            .iter()
            .any(|event| event["responseStatus"]["message"] == told)
    );
}

/// Waits for all.
async fn join<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (one, done) in waiting.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = one.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// K8S-API: a webhook that answers nonsense, late or never is told of in upstream's words.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_fail_are_told_of() {
    const CALLING: &str = "Internal error occurred: failed calling webhook \"hook.example.com\": failed to call webhook: ";
    let answers: [(Answer, &str); 5] = [
        (
            |_| Some(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec()),
            "the server could not find the requested resource",
        ),
        (
            |_| Some(b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\nwhy?".to_vec()),
            "an error on the server (\"why?\") has prevented the request from succeeding",
        ),
        (
            |_| Some(whole("{")),
            "couldn't get version/kind; json parse error: ",
        ),
        (
            |_| Some(Vec::new()),
            "Post \"https://hook.default.svc:443/check?timeout=2s\": EOF",
        ),
        (
            |_| None,
            "Post \"https://hook.default.svc:443/check?timeout=2s\": context deadline exceeded",
        ),
    ];
    for (answer, told) in answers {
        let world = World::new().await;
        hook(&world, answer).await;
        let (code, status) = world
            .ask("POST", MAPS, &json!({"metadata": {"name": "m"}}))
            .await;
        let message = status["message"].as_str().unwrap();
        assert!(
            code == 500 && message.starts_with(&format!("{CALLING}{told}")),
            "{message}"
        );
    }
}

/// K8S-API: a webhook behind a service converts what is read, written, listed and watched.
#[tokio::test(flavor = "multi_thread")]
async fn objects_are_converted() {
    let world = World::new().await;
    serve(&world, "/convert?timeout=30s", |review| {
        let request = &review["request"];
        let objects = request["objects"].as_array().unwrap().iter().map(|object| {
            let mut object = object.clone();
            object["apiVersion"] = request["desiredAPIVersion"].clone();
            let (from, to) = match request["desiredAPIVersion"].as_str() {
                Some("g.io/v2") => ("old", "new"),
                _ => ("new", "old"),
            };
            let value = object["spec"][from].clone();
            object["spec"] = json!({to: value});
            object
        });
        let response = json!({
            "uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": objects.collect::<Vec<_>>(),
        });
        let answer = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response,
        });
        Some(whole(&answer.to_string()))
    })
    .await;
    let version = |name: &str, field: &str| {
        json!({
            "name": name, "served": true, "storage": name == "v1",
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": {field: {"type": "string"}}},
            }}},
        })
    };
    let definition = json!({
        "metadata": {"name": "ks.g.io"}, "spec": {
            "group": "g.io", "scope": "Namespaced", "names": {"plural": "ks", "singular": "k", "kind": "K"},
            "versions": [version("v1", "old"), version("v2", "new")],
            "conversion": {"strategy": "Webhook", "webhook": {
                "conversionReviewVersions": ["v1"], "clientConfig": client(&world, "/convert"),
            }},
        },
    });
    let made = world
        .create(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            &definition,
        )
        .await;
    let begun = made["metadata"]["resourceVersion"].as_str().unwrap();
    let (old, new) = (
        "/apis/g.io/v1/namespaces/default/ks",
        "/apis/g.io/v2/namespaces/default/ks",
    );
    let object = json!({"metadata": {"name": "a"}, "spec": {"new": "x"}});
    let (code, made) = world.ask("POST", new, &object).await;
    assert_eq!((code, &made["spec"]["new"]), (201, &json!("x")), "{made}");
    let (_, shown) = world.ask("GET", &format!("{old}/a"), &Value::Null).await;
    assert_eq!(shown["spec"], json!({"old": "x"}));
    let (_, listed) = world.ask("GET", new, &Value::Null).await;
    assert_eq!(listed["items"][0]["spec"], json!({"new": "x"}));
    // Both what is there and what changes.
    let changed = json!({"apiVersion": "g.io/v1", "metadata": {"name": "b"}, "spec": {"old": "y"}});
    world.create(old, &changed).await;
    for query in [String::new(), format!("&resourceVersion={begun}")] {
        let mut wire = world.connect(None).await;
        let path = format!("{new}?watch=true&timeoutSeconds=1{query}");
        let head = format!("authorization: Bearer {ADMIN}\r\n");
        let watched = wire.ask("GET", &path, &head, "").await.text();
        let events: Vec<Value> = watched
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let values: Vec<&Value> = events
            .iter()
            .map(|event| &event["object"]["spec"])
            .collect();
        assert_eq!(
            values,
            [&json!({"new": "x"}), &json!({"new": "y"})],
            "{watched}"
        );
    }
}
