use crate::api::rbac::{Access, allows};
use crate::api::{Method, Outcome, Pace, Request, Settings, Status, User, handle};
use crate::store::{Key, Store};
use serde_json::{Value, json};

fn node(name: &str) -> User {
    User {
        name: format!("system:node:{name}"),
        groups: vec!["system:nodes".to_owned()],
        ..User::default()
    }
}

fn store() -> Store {
    let mut store = Store::default();
    let mut put = |resource: &str, name: &str, mut object: Value| {
        let plain = ["nodes", "namespaces", "persistentvolumes"].contains(&resource);
        let namespace = if plain { "" } else { "default" };
        object["metadata"]["name"] = json!(name);
        object["metadata"]["uid"] = json!(name);
        if !plain {
            object["metadata"]["namespace"] = json!("default");
        }
        let kind = crate::client::resource(resource).unwrap();
        object["kind"] = json!(kind.kind);
        object["apiVersion"] = json!(kind.api_version());
        store.put(Key::new(resource, namespace, name), object);
    };
    put("namespaces", "default", json!({}));
    put("namespaces", "kube-node-lease", json!({}));
    for name in ["n1", "n2"] {
        put(
            "nodes",
            name,
            json!({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}),
        );
        put(
            "pods",
            &format!("on-{name}"),
            json!({"spec": {
                "nodeName": name,
                "serviceAccountName": format!("account-{name}"),
                "imagePullSecrets": [{"name": format!("pull-{name}")}],
                "containers": [{"name": "c", "image": "i", "env": [
                    {"name": "A", "valueFrom": {"secretKeyRef": {"name": format!("env-{name}"), "key": "k"}}},
                ]}],
                "volumes": [
                    {"name": "v", "configMap": {"name": format!("config-{name}")}},
                    {"name": "w", "persistentVolumeClaim": {"claimName": format!("claim-{name}")}},
                ],
            }}),
        );
        put(
            "persistentvolumeclaims",
            &format!("claim-{name}"),
            json!({
                "spec": {"volumeName": format!("volume-{name}")}, "status": {"phase": "Bound"},
            }),
        );
        put("serviceaccounts", &format!("account-{name}"), json!({}));
    }
    store
}

/// K8S-API: a node reads what its pods refer to, and nothing of others'.
#[test]
fn nodes_read_what_their_pods_need() {
    let store = store();
    let may = |verb: &str, what: &str, name: &str, fields: &str| {
        let (group, resource) = what.split_once(':').unwrap_or(("", what));
        let plain = resource.starts_with("nodes") || resource == "persistentvolumes";
        let namespace = match resource {
            "leases" => "kube-node-lease",
            _ if plain => "",
            _ => "default",
        };
        let access = Access {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            fields: fields.to_owned(),
            ..Access::default()
        };
        allows(&store, &node("n1"), &access)
    };
    for (verb, resource, own, other) in [
        ("get", "secrets", "pull-n1", "pull-n2"),
        ("watch", "secrets", "env-n1", "env-n2"),
        ("list", "configmaps", "config-n1", "config-n2"),
        ("get", "persistentvolumeclaims", "claim-n1", "claim-n2"),
        ("get", "persistentvolumes", "volume-n1", "volume-n2"),
        (
            "create",
            "serviceaccounts/token",
            "account-n1",
            "account-n2",
        ),
        ("get", "pods", "on-n1", "on-n2"),
        ("get", "nodes", "n1", "n2"),
        ("update", "coordination.k8s.io:leases", "n1", "n2"),
    ] {
        assert!(may(verb, resource, own, ""), "{verb} {resource} {own}");
        assert!(!may(verb, resource, other, ""), "{verb} {resource} {other}");
        assert!(!may("deletecollection", resource, own, ""));
    }
    assert!(may("watch", "pods", "", "spec.nodeName=n1"));
    for fields in [
        "",
        "spec.nodeName=n2",
        "spec.nodeName!=n1",
        "status.phase=n1",
    ] {
        assert!(!may("watch", "pods", "", fields), "{fields}");
    }
    assert!(!may("list", "secrets", "", ""));
    assert!(!may("update", "secrets", "pull-n1", ""));
    assert!(may("list", "services", "", ""));
    assert!(may("create", "events", "", ""));
    assert!(!may("create", "pods/exec", "on-n1", ""));
    assert!(!may("list", "apps:deployments", "", ""));
}

fn send(user: &User, method: Method, path: &str, body: &Value) -> Result<Outcome, Status> {
    let settings = Settings {
        service_cidr: (std::net::Ipv4Addr::new(10, 96, 0, 0), 24),
        node_ports: 30_000..=30_100,
        authority: String::new(),
        version: "1.32".to_owned(),
        pace: Pace::Real,
        pod_range: None,
        api_endpoints: Vec::new(),
    };
    let context = crate::api::Context {
        user,
        now: 0,
        entropy: [0; 32],
        settings: &settings,
        metrics: &crate::metrics::Metrics::default(),
        answers: &crate::api::Answers::default(),
    };
    let content_type = match method {
        Method::Patch => "application/merge-patch+json",
        _ => "application/json",
    };
    let request = Request {
        method,
        path: path.to_owned(),
        query: Vec::new(),
        content_type: content_type.to_owned(),
        accept: String::new(),
        user_agent: String::new(),
        body: serde_json::to_vec(body).unwrap(),
    };
    handle(&store(), &context, &request)
}

/// K8S-API: a node changes itself and its pods' status, and nothing of others'.
#[test]
fn nodes_change_what_is_theirs() {
    let n1 = node("n1");
    let refused = |method, path: &str, body: Value| {
        let status = send(&n1, method, path, &body).unwrap_err();
        assert_eq!(status.code, 403, "{path}: {}", status.message);
        status.message
    };
    let accepted = |method, path: &str, body: Value| {
        let sent = send(&n1, method, path, &body);
        assert!(sent.is_ok(), "{path}: {}", sent.unwrap_err().message);
    };
    let ready = json!({"status": {"phase": "Running"}});
    let pods = "/api/v1/namespaces/default/pods";
    accepted(
        Method::Patch,
        &format!("{pods}/on-n1/status"),
        ready.clone(),
    );
    assert_eq!(
        refused(Method::Patch, &format!("{pods}/on-n2/status"), ready),
        "pods \"on-n2\" is forbidden: node \"n1\" can only update pod status for pods with spec.nodeName set to itself"
    );
    accepted(Method::Delete, &format!("{pods}/on-n1"), json!({}));
    let told = refused(Method::Delete, &format!("{pods}/on-n2"), json!({}));
    assert!(told.ends_with("node \"n1\" can only delete pods with spec.nodeName set to itself"));
    let told = refused(Method::Post, &format!("{pods}/on-n2/eviction"), json!({}));
    assert!(told.ends_with("node n1 can only evict pods with spec.nodeName set to itself"));
    let label = |name: &str| json!({"metadata": {"labels": {name: "x"}}});
    accepted(Method::Patch, "/api/v1/nodes/n1", label("mine"));
    accepted(
        Method::Patch,
        "/api/v1/nodes/n1",
        label("topology.kubernetes.io/zone"),
    );
    assert_eq!(
        refused(Method::Patch, "/api/v1/nodes/n2", label("mine")),
        "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\""
    );
    let own = label("node-restriction.kubernetes.io/team");
    let told = refused(Method::Patch, "/api/v1/nodes/n1", own);
    assert!(told.ends_with("is not allowed to modify labels: node-restriction.kubernetes.io/team"));
    refused(
        Method::Patch,
        "/api/v1/nodes/n1",
        label("node-role.kubernetes.io/control-plane"),
    );
    let told = refused(
        Method::Patch,
        "/api/v1/nodes/n1",
        json!({"spec": {"taints": null}}),
    );
    assert!(told.ends_with("node \"n1\" is not allowed to modify taints"));
    let lease = |name: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": {},
        })
    };
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
    accepted(Method::Post, leases, lease("n1"));
    refused(Method::Post, leases, lease("n2"));
    let pod = |annotations: Value, owners: Value| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "m", "annotations": annotations, "ownerReferences": owners},
            "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
        })
    };
    let mirror = json!({"kubernetes.io/config.mirror": "x"});
    let owner = json!([{
        "apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "n1", "controller": true,
    }]);
    accepted(Method::Post, pods, pod(mirror.clone(), owner.clone()));
    refused(Method::Post, pods, pod(mirror, json!([])));
    let told = refused(Method::Post, pods, {
        let mut pod = pod(json!({}), owner);
        pod["spec"]["serviceAccountName"] = json!("account-n1");
        pod
    });
    assert!(told.contains("can only create mirror pods"), "{told}");
}

/// K8S-API: a node gets tokens of its pods' accounts, bound to these pods.
#[test]
fn nodes_get_tokens_for_their_pods() {
    let ask = |account: &str, bound: Value| {
        let path = format!("/api/v1/namespaces/default/serviceaccounts/{account}/token");
        let body = json!({"spec": {"boundObjectRef": bound}});
        send(&node("n1"), Method::Post, &path, &body).map_err(|status| status.message)
    };
    let pod = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": name});
    assert!(ask("account-n1", pod("on-n1")).is_ok());
    let told = ask("account-n1", Value::Null).unwrap_err();
    assert!(told.ends_with("node requested token not bound to a pod"));
    let told = ask("account-n1", pod("on-n2")).unwrap_err();
    assert!(told.ends_with("node requested token bound to a pod scheduled on a different node"));
    assert!(
        ask("account-n2", pod("on-n2"))
            .unwrap_err()
            .contains("cannot create resource")
    );
}
