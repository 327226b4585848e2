//! Claims, volumes and the pods that use them.

use super::*;
use crate::object;

/// A world with the class of volumes that plain clusters begin with.
fn world<const N: usize>() -> World<N> {
    let world = World::new();
    let class = json!({
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "skylab.local/host-path", "volumeBindingMode": "WaitForFirstConsumer",
    });
    world.create("storageclasses.storage.k8s.io", &class);
    world
}

fn claim(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
}

fn pod(name: &str, claim: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]}})
}

/// K8S-RUN: a claim of the default class gets a directory on the node of its first pod, pods that use
/// it are placed there, and it goes when nobody uses it.
#[test]
fn a_claim_follows_its_pod_and_pods_follow_their_claim() {
    let world = world::<2>();
    world.node("n1");
    world.node("n2");
    let made = world.create("persistentvolumeclaims", &claim("data"));
    assert_eq!(made["spec"]["storageClassName"], "standard");
    assert_eq!(
        made["metadata"]["finalizers"][0],
        "kubernetes.io/pvc-protection"
    );
    world.until("a word", |_| world.told("WaitForFirstConsumer", "data"));
    world.create("pods", &pod("p", "data"));
    let bound = |store: &Store| {
        let key = Key::new("persistentvolumeclaims", "default", "data");
        store
            .get(&key)
            .is_some_and(|claim| claim["status"]["phase"] == "Bound")
    };
    let node = |name: &str| {
        let pod = world.find("pods", name).unwrap();
        object::text(&pod, &["spec", "nodeName"]).to_owned()
    };
    world.until("bound and placed", |store| {
        bound(store) && !node("p").is_empty()
    });
    let data = world.find("persistentvolumeclaims", "data").unwrap();
    let volume = object::text(&data, &["spec", "volumeName"]).to_owned();
    let at = world.find("persistentvolumes", &volume).unwrap();
    let path = object::text(&at, &["spec", "hostPath", "path"]).to_owned();
    assert_eq!(path, format!("/var/lib/skylab/volumes/{volume}"));
    // The other node would be better if it could have the volume.
    world.create("pods", &pod("q", "data"));
    world.until("placed beside", |_| !node("q").is_empty());
    assert_eq!(node("p"), node("q"));
    world.until("phase", |_| {
        world.find("persistentvolumes", &volume).unwrap()["status"]["phase"] == "Bound"
    });
    world.delete("persistentvolumeclaims", "data");
    world.turn();
    assert!(world.find("persistentvolumeclaims", "data").is_some());
    for name in ["p", "q"] {
        let pods = resource("pods").unwrap();
        let now = json!({"gracePeriodSeconds": 0});
        let gone = world.client.delete(pods, "default", name, &now);
        world.runtime.block_on(gone).unwrap();
    }
    world.until("all gone", |store| {
        store.list("persistentvolumeclaims", None).next().is_none()
            && store.list("persistentvolumes", None).next().is_none()
    });
}

/// K8S-RUN: a pod waits for its claims, and a volume that people made is found for a class that waits.
#[test]
fn pods_wait_for_claims_and_take_what_is_there() {
    let world = world::<3>();
    world.node("n1");
    world.node("n2");
    world.create("pods", &pod("p", "data"));
    let why = |name: &str| {
        let pod = world.find("pods", name).unwrap();
        pod["status"]["conditions"][0]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    world.until("a reason", |_| {
        why("p").contains("persistentvolumeclaim \"data\" not found")
    });
    let class = json!({"metadata": {"name": "local"}, "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer"});
    world.create("storageclasses.storage.k8s.io", &class);
    let mut data = claim("data");
    data["spec"]["storageClassName"] = json!("local");
    world.create("persistentvolumeclaims", &data);
    world.until("another reason", |_| {
        why("p").contains("2 node(s) didn't find available persistent volumes to bind")
    });
    world.create(
        "persistentvolumes",
        &json!({"metadata": {"name": "disk"}, "spec": {
            "capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"],
            "storageClassName": "local", "local": {"path": "/mnt/disk"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["n2"]}]}]}}}}),
    );
    world.until("placed", |_| {
        world.find("pods", "p").unwrap()["spec"]["nodeName"] == "n2"
    });
    assert_eq!(
        world.find("persistentvolumeclaims", "data").unwrap()["spec"]["volumeName"],
        "disk"
    );
}

/// K8S-RUN: a stateful set's pods each get a claim and a volume.
#[test]
fn stateful_pods_have_volumes_of_their_own() {
    let world = world::<4>();
    world.node("n1");
    let template = claim("data");
    world.create(
        "statefulsets.apps",
        &json!({"metadata": {"name": "db"}, "spec": {
            "replicas": 2, "serviceName": "db", "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]}},
            "volumeClaimTemplates": [template]}}),
    );
    world.until("placed", |store| {
        let pods = store.list("pods", None);
        pods.filter(|(_, pod)| pod["spec"]["nodeName"] == "n1")
            .count()
            == 2
    });
    let volume = |name| {
        let claim = world.find("persistentvolumeclaims", name).unwrap();
        object::text(&claim, &["spec", "volumeName"]).to_owned()
    };
    assert_ne!(volume("data-db-0"), volume("data-db-1"));
}

/// K8S-API: claims and volumes that can't be are refused in upstream's words.
#[test]
fn what_cannot_be_is_refused() {
    let world = world::<5>();
    let refused = |kind: &str, object: Value| {
        let kind = resource(kind).unwrap();
        let mut object = object;
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = json!(kind.kind);
        object["metadata"]["namespace"] = json!("default");
        let made = world.client.create(kind, &object);
        world.runtime.block_on(made).unwrap_err().message
    };
    let named = json!({"name": "x"});
    let said = refused(
        "persistentvolumeclaims",
        json!({"metadata": named, "spec": {}}),
    );
    assert!(said.contains("spec.accessModes: Required value: at least 1 access mode is required"));
    let mut odd = claim("x");
    odd["spec"]["accessModes"] = json!(["Sometimes"]);
    assert!(refused("persistentvolumeclaims", odd).contains("Unsupported value: \"Sometimes\""));
    let said = refused("persistentvolumes", json!({"metadata": named, "spec": {}}));
    assert!(
        said.contains("spec: Required value: must specify a volume type"),
        "{said}"
    );
    world.create("persistentvolumeclaims", &claim("data"));
    let claims = resource("persistentvolumeclaims").unwrap();
    let patch = json!({"spec": {"accessModes": ["ReadWriteMany"]}});
    let changed = world.client.patch(claims, "default", "data", &patch);
    let said = world.runtime.block_on(changed).unwrap_err().message;
    assert!(said.contains("spec is immutable after creation"), "{said}");
}
