use super::*;
use crate::api::{Answers, Context, Pace, Request, Settings, User, handle};
use crate::store::Store;

fn settings() -> Settings {
    Settings {
        service_cidr: (std::net::Ipv4Addr::new(10, 96, 0, 0), 12),
        node_ports: 30_000..=32_767,
        authority: String::new(),
        version: "1.32".to_owned(),
        pace: Pace::Real,
        pod_range: None,
        api_endpoints: Vec::new(),
    }
}

fn store() -> Store {
    let mut store = Store::default();
    let mut put = |resource: &str, namespace: &str, name: &str, mut object: Value| {
        object["metadata"] = json!({"name": name, "namespace": namespace, "uid": name});
        store.put(Key::new(resource, namespace, name), object);
    };
    let addresses = json!([
        {"type": "Hostname", "address": "n1"}, {"type": "InternalIP", "address": "10.0.0.3"},
    ]);
    put(
        "nodes",
        "",
        "n1",
        json!({"status": {"addresses": addresses}}),
    );
    let addresses = json!([{"type": "Hostname", "address": "n2"}]);
    put(
        "nodes",
        "",
        "n2",
        json!({"status": {"addresses": addresses}}),
    );
    let one = json!([{"name": "c", "ports": [{"containerPort": 8080}]}]);
    let two = json!([{"name": "a"}, {"name": "b"}]);
    let init = json!([{"name": "i"}]);
    put(
        "pods",
        "default",
        "p",
        json!({
            "spec": {"nodeName": "n1", "containers": one}, "status": {"podIP": "10.0.1.7"},
        }),
    );
    put(
        "pods",
        "default",
        "two",
        json!({
            "spec": {"nodeName": "n1", "containers": two, "initContainers": init},
            "status": {"podIP": "127.0.0.1"},
        }),
    );
    put(
        "pods",
        "default",
        "new",
        json!({"spec": {"containers": one}}),
    );
    put(
        "pods",
        "default",
        "lost",
        json!({"spec": {"nodeName": "n9", "containers": one}}),
    );
    put(
        "pods",
        "default",
        "dark",
        json!({"spec": {"nodeName": "n2", "containers": one}}),
    );
    put(
        "services",
        "default",
        "web",
        json!({"spec": {"ports": [{"name": "http", "port": 80}]}}),
    );
    put(
        "services",
        "default",
        "idle",
        json!({"spec": {"ports": [{"port": 80}]}}),
    );
    put(
        "endpoints",
        "default",
        "web",
        json!({"subsets": [
            {"notReadyAddresses": [{"ip": "10.0.1.9"}], "ports": [{"name": "http", "port": 8080}]},
            {"addresses": [{"ip": "10.0.1.7"}], "ports": [{"name": "http", "port": 8080}]},
        ]}),
    );
    put("endpoints", "default", "idle", json!({"subsets": []}));
    store
}

fn ask(path: &str) -> Result<Answer, Status> {
    let user = User {
        groups: vec![crate::api::rbac::MASTERS.to_owned()],
        ..User::default()
    };
    let settings = settings();
    let context = Context {
        user: &user,
        now: 0,
        entropy: [0; 32],
        settings: &settings,
        metrics: &crate::metrics::Metrics::default(),
        answers: &Answers::default(),
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let request = Request {
        method: Method::Get,
        path: format!("/api/v1/{path}"),
        query: pairs
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        content_type: String::new(),
        accept: String::new(),
        user_agent: String::new(),
        body: Vec::new(),
    };
    handle(&store(), &context, &request).map(|outcome| outcome.answer)
}

fn backend(path: &str) -> Backend {
    match ask(path) {
        Ok(Answer::Backend(backend)) => *backend,
        other => panic!("{path}: {other:?}"),
    }
}

fn refusal(path: &str) -> (u16, String) {
    let status = ask(path).unwrap_err();
    (status.code, status.message)
}

fn told(backend: &Backend) -> String {
    let Query::Of(query) = &backend.query else {
        panic!("{backend:?}");
    };
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!(
        "{}:{}{}?{}",
        backend.host,
        backend.port,
        backend.path,
        query.join("&")
    )
}

/// K8S-API: kubelets are asked as upstream asks them.
#[test]
fn kubelets_are_asked_as_upstream_asks_them() {
    let pod = "namespaces/default/pods/p";
    let log = backend(&format!(
        "{pod}/log?timestamps=true&tailLines=5&follow=true&sinceTime=2026-01-02T03:04:05Z&previous=false"
    ));
    assert_eq!(
        told(&log),
        "10.0.0.3:10250/containerLogs/default/p/c?follow=true&sinceTime=2026-01-02T03:04:05Z&tailLines=5&timestamps=true"
    );
    assert_eq!(log.peer, Peer::Kubelet);
    let exec = backend(&format!(
        "{pod}/exec?command=sh&command=-c&stdin=true&stdout=1&tty=true"
    ));
    assert_eq!(
        told(&exec),
        "10.0.0.3:10250/exec/default/p/c?command=sh&command=-c&input=1&output=1&tty=1"
    );
    let attach = backend("namespaces/default/pods/two/attach?container=b&stderr=true");
    assert_eq!(told(&attach), "10.0.0.3:10250/attach/default/two/b?error=1");
    let forward = backend(&format!("{pod}/portforward"));
    assert_eq!(told(&forward), "10.0.0.3:10250/portForward/default/p?");
}

/// K8S-API: what can't be asked is refused in upstream's words.
#[test]
fn what_cant_be_asked_is_refused() {
    let two = "namespaces/default/pods/two";
    let refused = "a container name must be specified for pod two, choose one of: [a b] or one of the init containers: [i]";
    assert_eq!(refusal(&format!("{two}/log")), (400, refused.to_owned()));
    let refused = "container x is not valid for pod two";
    assert_eq!(
        refusal(&format!("{two}/exec?container=x")),
        (400, refused.to_owned())
    );
    let refused = "pod new does not have a host assigned";
    assert_eq!(
        refusal("namespaces/default/pods/new/exec"),
        (400, refused.to_owned())
    );
    assert!(matches!(
        ask("namespaces/default/pods/new/log"),
        Ok(Answer::Nothing)
    ));
    assert_eq!(
        refusal("namespaces/default/pods/lost/log"),
        (404, "nodes \"n9\" not found".to_owned())
    );
    let refused = "no preferred addresses found; known addresses: [{Hostname n2}]";
    assert_eq!(
        refusal("namespaces/default/pods/dark/log"),
        (500, refused.to_owned())
    );
    let refused = "PodLogOptions \"p\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0";
    assert_eq!(
        refusal("namespaces/default/pods/p/log?tailLines=-1"),
        (422, refused.to_owned())
    );
    assert_eq!(
        refusal("namespaces/default/pods/p/log?sinceSeconds=5&sinceTime=2026-01-02T03:04:05Z").0,
        422
    );
    assert_eq!(
        refusal("namespaces/default/pods/p/log?sinceTime=now").0,
        400
    );
    assert_eq!(refusal("namespaces/default/pods/gone/log").0, 404);
}

/// K8S-API: proxies find a node's, a pod's and a service's address and port.
#[test]
fn proxies_find_whom_they_name() {
    let found = |path: &str| {
        let found = backend(path);
        (
            found.peer,
            format!("{}:{}{}", found.host, found.port, found.path),
        )
    };
    let at = |peer, address: &str| (peer, address.to_owned());
    assert_eq!(
        found("nodes/n1/proxy/stats/"),
        at(Peer::Kubelet, "10.0.0.3:10250/stats/")
    );
    assert_eq!(
        found("nodes/n1:10250/proxy/"),
        at(Peer::Kubelet, "10.0.0.3:10250/")
    );
    assert_eq!(
        found("nodes/https:n1:99/proxy/"),
        at(Peer::Https, "10.0.0.3:99/")
    );
    let pod = "namespaces/default/pods";
    assert_eq!(
        found(&format!("{pod}/p/proxy/a/../b")),
        at(Peer::Http, "10.0.1.7:8080/b")
    );
    assert_eq!(
        found(&format!("{pod}/https:p:1/proxy/")),
        at(Peer::Https, "10.0.1.7:1/")
    );
    assert_eq!(
        refusal(&format!("{pod}/two/proxy/")),
        (400, "address not allowed".to_owned())
    );
    let service = "namespaces/default/services";
    assert_eq!(
        found(&format!("{service}/web:80/proxy/x")),
        at(Peer::Http, "10.0.1.7:8080/x")
    );
    assert_eq!(
        found(&format!("{service}/web:http/proxy/")),
        at(Peer::Http, "10.0.1.7:8080/")
    );
    for (path, why) in [
        ("web:81", "no service port 81 found for service \"web\""),
        ("web:tls", "no endpoints available for service \"web:tls\""),
        ("idle", "no endpoints available for service \"idle\""),
    ] {
        let refused = refusal(&format!("{service}/{path}/proxy/"));
        assert_eq!(refused, (503, why.to_owned()));
    }
    assert_eq!(
        refusal(&format!("{service}/ftp:web:80/proxy/")),
        (400, "invalid service request \"ftp:web:80\"".to_owned())
    );
}
