//! Quotas, limit ranges, and what pods get without asking.

use super::*;
use crate::object;

impl<const N: usize> World<N> {
    /// What making an object is refused with.
    fn refused(&self, kind: &str, object: &Value) -> String {
        let kind = resource(kind).unwrap();
        let mut object = object.clone();
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = json!(kind.kind);
        if kind.namespaced {
            object["metadata"]["namespace"] = json!("default");
        }
        let made = self.client.create(kind, &object);
        self.runtime.block_on(made).unwrap_err().message
    }
}

fn pod(name: &str, resources: &Value) -> Value {
    json!({"metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}]}})
}

/// K8S-API: a quota refuses what would exceed it, in upstream's words, and tells what is used.
#[test]
fn quotas_hold() {
    let world = World::<9>::new();
    let hard = json!({"pods": "2", "requests.cpu": "1", "count/deployments.apps": "1", "services.nodeports": "0"});
    world.create(
        "resourcequotas",
        &json!({"metadata": {"name": "small"}, "spec": {"hard": hard}}),
    );
    let said = world.refused("pods", &pod("p", &json!({})));
    assert_eq!(
        said,
        "pods \"p\" is forbidden: failed quota: small: must specify requests.cpu for: c"
    );
    world.create("pods", &pod("a", &json!({"requests": {"cpu": "600m"}})));
    let said = world.refused("pods", &pod("b", &json!({"requests": {"cpu": "500m"}})));
    assert_eq!(
        said,
        "pods \"b\" is forbidden: exceeded quota: small, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1"
    );
    world.create("pods", &pod("b", &json!({"requests": {"cpu": "400m"}})));
    let used = |name: &str, amount: &str| {
        world.find("resourcequotas", "small").unwrap()["status"]["used"][name] == amount
    };
    world.until("told", |_| used("pods", "2") && used("requests.cpu", "1"));
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let web = |name: &str| {
        json!({"metadata": {"name": name}, "spec": {"replicas": 1,
            "selector": {"matchLabels": {"a": "b"}}, "template": template}})
    };
    world.create("deployments.apps", &web("web"));
    assert!(
        world
            .refused("deployments.apps", &web("more"))
            .contains("count/deployments.apps=1")
    );
    let service =
        json!({"metadata": {"name": "s"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}});
    assert!(
        world
            .refused("services", &service)
            .contains("services.nodeports=1")
    );
    // The set can't make its pod, and says so.
    world.until("a failure", |store| {
        let mut sets = store.list("replicasets.apps", Some("default"));
        sets.any(|(_, set)| {
            object::list(set, &["status", "conditions"])
                .iter()
                .any(|c| {
                    c["type"] == "ReplicaFailure"
                        && object::text(c, &["message"]).contains("exceeded quota")
                        || object::text(c, &["message"]).contains("failed quota")
                })
        })
    });
    world.delete("pods", "a");
    world.until("freed", |_| used("pods", "1"));
}

/// K8S-API: a limit range fills in what containers leave out and refuses what is too little or too much.
#[test]
fn limit_ranges_hold() {
    let world = World::<10>::new();
    let limits = json!([
        {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"},
            "max": {"cpu": "1"}, "min": {"cpu": "50m"}, "maxLimitRequestRatio": {"cpu": "10"}},
        {"type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}},
    ]);
    world.create(
        "limitranges",
        &json!({"metadata": {"name": "l"}, "spec": {"limits": limits}}),
    );
    let made = world.create("pods", &pod("p", &json!({})));
    let resources = &made["spec"]["containers"][0]["resources"];
    assert_eq!(resources["limits"]["cpu"], "500m");
    assert_eq!(resources["requests"]["cpu"], "100m");
    assert_eq!(made["status"]["qosClass"], "Burstable");
    assert_eq!(
        made["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    );
    let said = world.refused(
        "pods",
        &pod(
            "q",
            &json!({"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}),
        ),
    );
    assert_eq!(
        said,
        "pods \"q\" is forbidden: maximum cpu usage per Container is 1, but limit is 2"
    );
    let said = world.refused(
        "pods",
        &pod(
            "q",
            &json!({"limits": {"cpu": "600m"}, "requests": {"cpu": "50m"}}),
        ),
    );
    assert_eq!(
        said,
        "pods \"q\" is forbidden: cpu max limit to request ratio per Container is 10, but provided ratio is 12.000000"
    );
    let claim = json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "3Gi"}}}});
    let said = world.refused("persistentvolumeclaims", &claim);
    assert!(
        said.ends_with(
            "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"
        ),
        "{said}"
    );
}

/// K8S-API: accounts, priorities, runtimes and default classes shape what is made.
#[test]
fn what_is_left_out_follows_from_the_cluster() {
    let world = World::<11>::new();
    world.patch(
        "serviceaccounts",
        "default",
        "",
        &json!({"imagePullSecrets": [{"name": "registry"}]}),
    );
    let class = json!({"metadata": {"name": "usual"}, "value": 7, "globalDefault": true});
    world.create("priorityclasses.scheduling.k8s.io", &class);
    let runtime = json!({"metadata": {"name": "vm"}, "handler": "vm",
        "overhead": {"podFixed": {"cpu": "250m"}}, "scheduling": {"nodeSelector": {"kvm": "yes"}}});
    world.create("runtimeclasses.node.k8s.io", &runtime);
    let ingress = json!({"metadata": {"name": "nginx",
        "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": "example.com/nginx"}});
    world.create("ingressclasses.networking.k8s.io", &ingress);
    let mut object = pod("p", &json!({}));
    object["spec"]["runtimeClassName"] = json!("vm");
    let made = world.create("pods", &object);
    assert_eq!(made["spec"]["imagePullSecrets"][0]["name"], "registry");
    assert_eq!(made["spec"]["priorityClassName"], "usual");
    assert_eq!(made["spec"]["priority"], 7);
    assert_eq!(made["spec"]["overhead"]["cpu"], "250m");
    assert_eq!(made["spec"]["nodeSelector"]["kvm"], "yes");
    let sources = &made["spec"]["volumes"][0]["projected"]["sources"];
    assert_eq!(sources[0]["serviceAccountToken"]["expirationSeconds"], 3607);
    object["metadata"]["name"] = json!("q");
    object["spec"]["runtimeClassName"] = json!("other");
    let said = world.refused("pods", &object);
    assert_eq!(
        said,
        "pods \"q\" is forbidden: pod rejected: RuntimeClass \"other\" not found"
    );
    let second = json!({"metadata": {"name": "second"}, "value": 8, "globalDefault": true});
    assert!(
        world
            .refused("priorityclasses.scheduling.k8s.io", &second)
            .contains("usual is already marked as default")
    );
    let own = json!({"metadata": {"name": "system-mine"}, "value": 8});
    assert!(
        world
            .refused("priorityclasses.scheduling.k8s.io", &own)
            .contains("reserved for system use only")
    );
    let web = json!({"metadata": {"name": "web"}, "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}});
    let made = world.create("ingresses.networking.k8s.io", &web);
    assert_eq!(made["spec"]["ingressClassName"], "nginx");
}

/// K8S-RUN: a replication controller keeps its pods, and is scaled.
#[test]
fn replication_controllers_keep_their_pods() {
    let world = World::<12>::new();
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let made = world.create(
        "replicationcontrollers",
        &json!({"metadata": {"name": "old"}, "spec": {"replicas": 2, "template": template}}),
    );
    assert_eq!(made["spec"]["selector"]["a"], "b");
    let pods = |store: &Store| store.list("pods", Some("default")).count();
    world.until("two", |store| pods(store) == 2);
    let scale = world
        .get("/api/v1/namespaces/default/replicationcontrollers/old/scale")
        .unwrap();
    assert_eq!(scale["status"]["selector"], "a=b");
    world.patch(
        "replicationcontrollers",
        "old",
        "scale",
        &json!({"spec": {"replicas": 1}}),
    );
    world.until("one", |store| pods(store) == 1);
    world.delete("replicationcontrollers", "old");
    world.until("none", |store| pods(store) == 0);
}
