//! K8S-API: whatever is sent, it is answered: with an object or in Kubernetes' words.
#![allow(clippy::unwrap_used)]

mod bytes;

use super::*;
use serde_json::json;

/// A source of choices that a seed decides.
struct Choices(u64);

impl Choices {
    fn next(&mut self, below: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % below.max(1)
    }

    fn value(&mut self) -> Value {
        let odd = [
            json!(null),
            json!(true),
            json!(-1),
            json!(1.5),
            json!(i64::MAX),
            json!(""),
            json!("x"),
            json!("100%"),
            json!([]),
            json!([null, "a", {}]),
            json!({}),
            json!({"name": "a", "$patch": "delete"}),
        ];
        odd[self.next(odd.len())].clone()
    }

    /// Changes something somewhere in a value.
    fn disturb(&mut self, value: &mut Value) {
        if self.next(4) == 0 {
            *value = self.value();
            return;
        }
        match value {
            Value::Object(map) if !map.is_empty() => {
                let index = self.next(map.len());
                let key = map.keys().nth(index).unwrap().clone();
                match self.next(6) {
                    0 => drop(map.remove(&key)),
                    1 => drop(map.insert(format!("{key}x"), self.value())),
                    _ => self.disturb(map.get_mut(&key).unwrap()),
                }
            }
            Value::Array(items) if !items.is_empty() => {
                let index = self.next(items.len());
                self.disturb(&mut items[index]);
            }
            other => *other = self.value(),
        }
    }
}

fn samples() -> Vec<(&'static str, &'static str, Value)> {
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {
        "volumes": [{"name": "v", "configMap": {"name": "c"}}],
        "containers": [{
            "name": "c", "image": "i", "ports": [{"containerPort": 80, "name": "http"}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}},
            "readinessProbe": {"httpGet": {"port": 80}},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        }],
    }});
    let selector = json!({"matchLabels": {"a": "b"}});
    vec![
        (
            "/api/v1/namespaces/default/pods",
            "Pod",
            json!({"spec": template["spec"]}),
        ),
        (
            "/api/v1/namespaces/default/services",
            "Service",
            json!({"spec": {
                "type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": 80, "targetPort": "http"}],
            }}),
        ),
        (
            "/api/v1/namespaces/default/configmaps",
            "ConfigMap",
            json!({"data": {"a": "b"}}),
        ),
        ("/api/v1/namespaces", "Namespace", json!({})),
        (
            "/apis/apps/v1/namespaces/default/deployments",
            "Deployment",
            json!({"spec": {
                "selector": selector, "template": template, "strategy": {"rollingUpdate": {"maxSurge": 1}},
            }}),
        ),
        (
            "/apis/apps/v1/namespaces/default/statefulsets",
            "StatefulSet",
            json!({"spec": {
                "serviceName": "s", "selector": selector, "template": template,
                "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {}}],
            }}),
        ),
        (
            "/apis/batch/v1/namespaces/default/cronjobs",
            "CronJob",
            json!({"spec": {
                "schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}},
            }}),
        ),
        (
            "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
            "NetworkPolicy",
            json!({
                "spec": {"podSelector": selector, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]},
            }),
        ),
        (
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            "CustomResourceDefinition",
            json!({
                "spec": {
                    "group": "g.io", "scope": "Namespaced", "names": {"plural": "ks", "kind": "K"},
                    "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                        "openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}},
                    }}],
                },
            }),
        ),
        (
            "/apis/g.io/v1/namespaces/default/ks",
            "K",
            json!({"spec": {"a": 1}}),
        ),
    ]
}

fn version(path: &str) -> String {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts[0] {
        "api" => parts[1].to_owned(),
        _ => format!("{}/{}", parts[1], parts[2]),
    }
}

fn send(store: &mut Store, method: Method, path: &str, form: &str, body: &Value) -> Option<u16> {
    send_bytes(store, method, path, form, serde_json::to_vec(body).unwrap())
}

/// Sends a body as it is and gives the code of the refusal.
fn send_bytes(
    store: &mut Store,
    method: Method,
    path: &str,
    form: &str,
    body: Vec<u8>,
) -> Option<u16> {
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
        name: "fuzz".to_owned(),
        groups: vec![rbac::MASTERS.to_owned()],
        ..User::default()
    };
    let context = Context {
        user: &user,
        now: 1_000_000,
        entropy: [7; 32],
        settings: &settings,
        metrics: &crate::metrics::Metrics::default(),
        answers: &Answers::default(),
    };
    let request = Request {
        method,
        path: path.to_owned(),
        query: vec![("fieldManager".to_owned(), "fuzz".to_owned())],
        content_type: form.to_owned(),
        accept: "application/json;as=Table;v=v1;g=meta.k8s.io".to_owned(),
        user_agent: "fuzz".to_owned(),
        body,
    };
    match handle(store, &context, &request) {
        Ok(outcome) => {
            if let Some((changed, _)) = outcome.changed {
                *store = changed;
            }
            None
        }
        Err(status) => Some(status.code),
    }
}

const FORMS: [&str; 4] = [
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/json-patch+json",
];

fn small_cluster() -> Store {
    let mut store = Store::default();
    for name in ["default", "kube-system"] {
        let namespace = json!({"metadata": {"name": name}});
        store.put(Key::new("namespaces", "", name), namespace);
    }
    let account = json!({"metadata": {"name": "default", "namespace": "default"}});
    store.put(Key::new("serviceaccounts", "default", "default"), account);
    store
}

#[test]
fn every_body_is_answered() {
    let mut store = small_cluster();
    let mut choices = Choices(42);
    let samples = samples();
    let (mut taken, mut refused) = (0, 0);
    for round in 0..10_000 {
        let (path, kind, sample) = &samples[choices.next(samples.len())];
        let mut body = sample.clone();
        let name = if *kind == "CustomResourceDefinition" {
            "ks.g.io".to_owned()
        } else {
            format!("n{}", round % 5)
        };
        body["apiVersion"] = version(path).into();
        body["kind"] = (*kind).into();
        body["metadata"] = json!({"name": name, "labels": {"a": "b"}});
        for _ in 0..choices.next(4) {
            choices.disturb(&mut body);
        }
        let one = format!("{path}/{name}");
        let below = ["", "/status", "/scale"][choices.next(3)];
        let code = match choices.next(5) {
            0 | 1 => send(&mut store, Method::Post, path, "application/json", &body),
            2 => send(
                &mut store,
                Method::Put,
                &format!("{one}{below}"),
                "application/json",
                &body,
            ),
            3 => {
                let form = FORMS[choices.next(FORMS.len())];
                send(
                    &mut store,
                    Method::Patch,
                    &format!("{one}{below}"),
                    form,
                    &body,
                )
            }
            _ => send(
                &mut store,
                [Method::Get, Method::Delete][choices.next(2)],
                &one,
                "application/json",
                &Value::Null,
            ),
        };
        match code {
            None => taken += 1,
            Some(code) => {
                assert!(
                    (400..=501).contains(&code) && code != 500,
                    "{code} for {body}"
                );
                refused += 1;
            }
        }
    }
    // Neither a server that takes everything nor one that refuses everything would prove anything.
    assert!(
        taken > 400 && refused > 400,
        "{taken} taken, {refused} refused"
    );
}
