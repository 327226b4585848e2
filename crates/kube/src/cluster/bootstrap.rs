//! What every cluster has from the beginning: namespaces, roles, classes, its own service.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings>

use crate::api::Settings;
use crate::schema::rfc3339;
use crate::store::{Key, Store};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io;
use std::net::Ipv4Addr;

/// The namespaces of a new cluster.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Fills a store with what it lacks of this. What users took away stays away.
pub(super) fn fill(
    store: &mut Store,
    settings: &Settings,
    now: i64,
    entropy: [u8; 32],
) -> io::Result<()> {
    if store.revision() > 0 {
        return Ok(());
    }
    let mut made = 0_u32;
    let mut put = |resource: &str, mut object: Value| {
        let mut hash = Sha256::new();
        hash.update(entropy);
        hash.update(made.to_be_bytes());
        made += 1;
        let hex: String = hash.finalize()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let uid = format!(
            "{}-{}-4{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        );
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["creationTimestamp"] = json!(rfc3339(now));
        let namespace = crate::object::namespace(&object).to_owned();
        let name = crate::object::name(&object).to_owned();
        store.put(Key::new(resource, &namespace, &name), object);
    };
    for name in NAMESPACES {
        put("namespaces", namespace(name));
    }
    put("services", service(settings));
    for (name, value) in [
        ("system-cluster-critical", 2_000_000_000),
        ("system-node-critical", 2_000_001_000),
    ] {
        put(
            "priorityclasses.scheduling.k8s.io",
            json!({
                "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
                "metadata": {"name": name, "generation": 1},
                "value": value, "preemptionPolicy": "PreemptLowerPriority",
            }),
        );
    }
    for (name, rules) in roles() {
        put("clusterroles.rbac.authorization.k8s.io", role(name, &rules));
    }
    for (name, role, kind, subject) in BINDINGS {
        put(
            "clusterrolebindings.rbac.authorization.k8s.io",
            binding(name, role, kind, subject),
        );
    }
    Ok(())
}

fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}

/// The API's own service has the first address of the range.
fn service(settings: &Settings) -> Value {
    let address = Ipv4Addr::from(u32::from(settings.service_cidr.0) + 1).to_string();
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "kubernetes", "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "type": "ClusterIP", "clusterIP": address, "clusterIPs": [address],
            "ports": [{"name": "https", "port": 443, "targetPort": 6443, "protocol": "TCP"}],
            "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        },
        "status": {"loadBalancer": {}},
    })
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": groups, "resources": resources, "verbs": verbs})
}

const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

/// What people who work in namespaces work on, by group.
fn work() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        (
            "",
            vec![
                "configmaps",
                "endpoints",
                "events",
                "persistentvolumeclaims",
                "pods",
                "pods/log",
                "pods/status",
                "replicationcontrollers",
                "replicationcontrollers/scale",
                "serviceaccounts",
                "services",
                "limitranges",
                "resourcequotas",
                "namespaces",
            ],
        ),
        (
            "apps",
            vec![
                "controllerrevisions",
                "daemonsets",
                "deployments",
                "deployments/scale",
                "replicasets",
                "replicasets/scale",
                "statefulsets",
                "statefulsets/scale",
            ],
        ),
        ("autoscaling", vec!["horizontalpodautoscalers"]),
        ("batch", vec!["cronjobs", "jobs"]),
        ("discovery.k8s.io", vec!["endpointslices"]),
        ("networking.k8s.io", vec!["ingresses", "networkpolicies"]),
        ("policy", vec!["poddisruptionbudgets"]),
    ]
}

fn over_work(verbs: &[&str]) -> Vec<Value> {
    work()
        .iter()
        .map(|(group, resources)| rule(&[group], resources, verbs))
        .collect()
}

fn roles() -> Vec<(&'static str, Vec<Value>)> {
    let mut view = over_work(&READ);
    view.push(rule(&["metrics.k8s.io"], &["nodes", "pods"], &READ));
    let mut edit = view.clone();
    edit.extend(over_work(&WRITE));
    edit.push(rule(
        &[""],
        &[
            "secrets",
            "pods/attach",
            "pods/exec",
            "pods/portforward",
            "pods/proxy",
            "services/proxy",
        ],
        &[&READ[..], &WRITE[..]].concat(),
    ));
    edit.push(rule(&[""], &["pods/eviction"], &["create"]));
    let mut admin = edit.clone();
    admin.push(rule(
        &["rbac.authorization.k8s.io"],
        &["roles", "rolebindings"],
        &[&READ[..], &WRITE[..]].concat(),
    ));
    admin.push(rule(
        &["authorization.k8s.io"],
        &["localsubjectaccessreviews"],
        &["create"],
    ));
    let paths = |paths: &[&str]| json!({"nonResourceURLs": paths, "verbs": ["get"]});
    vec![
        ("admin", admin),
        (
            "cluster-admin",
            vec![
                rule(&["*"], &["*"], &["*"]),
                json!({"nonResourceURLs": ["*"], "verbs": ["*"]}),
            ],
        ),
        ("edit", edit),
        (
            "system:basic-user",
            vec![
                rule(
                    &["authorization.k8s.io"],
                    &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
                    &["create"],
                ),
                rule(
                    &["authentication.k8s.io"],
                    &["selfsubjectreviews"],
                    &["create"],
                ),
            ],
        ),
        (
            "system:discovery",
            vec![paths(&[
                "/api",
                "/api/*",
                "/apis",
                "/apis/*",
                "/healthz",
                "/livez",
                "/openapi",
                "/openapi/*",
                "/readyz",
                "/version",
                "/version/",
            ])],
        ),
        (
            "system:public-info-viewer",
            vec![paths(&[
                "/healthz",
                "/livez",
                "/readyz",
                "/version",
                "/version/",
            ])],
        ),
        // Nodes have these by the node authorizer, and more or less by what they are.
        ("system:node", crate::api::node_rules().to_vec()),
        ("system:node-proxier", proxier()),
        ("system:auth-delegator", delegator()),
        (
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
            vec![requester("nodeclient")],
        ),
        (
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            vec![requester("selfnodeclient")],
        ),
        ("view", view),
    ]
}

/// What service proxies read.
fn proxier() -> Vec<Value> {
    vec![
        rule(&[""], &["services", "endpoints"], &["list", "watch"]),
        rule(
            &["discovery.k8s.io"],
            &["endpointslices"],
            &["list", "watch"],
        ),
        rule(&[""], &["nodes"], &READ),
        rule(
            &["", "events.k8s.io"],
            &["events"],
            &["create", "patch", "update"],
        ),
    ]
}

/// What those ask who let the API say who may do what.
fn delegator() -> Vec<Value> {
    vec![
        rule(&["authentication.k8s.io"], &["tokenreviews"], &["create"]),
        rule(
            &["authorization.k8s.io"],
            &["subjectaccessreviews"],
            &["create"],
        ),
    ]
}

/// Whose requests for a node's certificate are approved without anybody's looking.
fn requester(what: &str) -> Value {
    let resource = format!("certificatesigningrequests/{what}");
    rule(&["certificates.k8s.io"], &[&resource], &["create"])
}

/// Bindings: their name, the role, the kind of subject and its name.
const BINDINGS: [(&str, &str, &str, &str); 6] = [
    ("cluster-admin", "cluster-admin", "Group", "system:masters"),
    (
        "system:basic-user",
        "system:basic-user",
        "Group",
        "system:authenticated",
    ),
    (
        "system:discovery",
        "system:discovery",
        "Group",
        "system:authenticated",
    ),
    (
        "system:public-info-viewer",
        "system:public-info-viewer",
        "Group",
        "system:unauthenticated",
    ),
    (
        "system:node-proxier",
        "system:node-proxier",
        "User",
        "system:kube-proxy",
    ),
    // As kubeadm has it.
    (
        "kubeadm:node-autoapprove-certificate-rotation",
        "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        "Group",
        "system:nodes",
    ),
];

fn role(name: &str, rules: &[Value]) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        },
        "rules": rules,
    })
}

fn binding(name: &str, role: &str, kind: &str, subject: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        },
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": subject}],
    })
}
