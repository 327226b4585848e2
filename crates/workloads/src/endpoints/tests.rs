use serde_json::{Value, json};

use crate::testing::Cluster;
use crate::{Resource, object};

const SLICES: Resource = Resource::EndpointSlices;

fn service() -> Value {
    json!({"metadata": {"name": "web", "namespace": "a", "labels": {"team": "x"}}, "spec": {
        "clusterIP": "10.96.0.10", "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]}})
}

fn add_pod(cluster: &mut Cluster, name: &str, port: i64) {
    cluster.create(Resource::Pods, json!({
        "metadata": {"name": name, "namespace": "a", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": port}]}]}}));
}

fn with_pods(count: usize) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.create(
        Resource::Nodes,
        json!({"metadata": {"name": "n1",
        "labels": {"topology.kubernetes.io/zone": "z1"}}}),
    );
    cluster.create(Resource::Services, service());
    for n in 0..count {
        add_pod(&mut cluster, &format!("web-{n:03}"), 8080);
    }
    cluster.settle();
    cluster
}

fn sizes(cluster: &Cluster) -> Vec<usize> {
    let slices = cluster.stored(SLICES);
    let mut sizes: Vec<_> = slices
        .iter()
        .map(|s| object::list(s, "/endpoints").len())
        .collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn ready_pods_are_endpoints_with_their_node_zone_and_named_port() {
    let cluster = with_pods(2);
    let slices = cluster.stored(SLICES);
    let [slice] = slices.as_slice() else {
        panic!("{slices:?}")
    };
    assert!(object::name(slice).starts_with("web-"));
    assert_eq!(
        object::label(slice, "kubernetes.io/service-name"),
        Some("web")
    );
    assert_eq!(object::label(slice, "team"), Some("x"));
    assert_eq!(slice["addressType"], "IPv4");
    assert_eq!(
        slice["ports"],
        json!([{"name": "http", "port": 8080, "protocol": "TCP"}])
    );
    let endpoint = &slice["endpoints"][0];
    let conditions = json!({"ready": true, "serving": true, "terminating": false});
    assert_eq!(endpoint["conditions"], conditions);
    assert_eq!(
        (&endpoint["nodeName"], &endpoint["zone"]),
        (&json!("n1"), &json!("z1"))
    );
    assert_eq!(endpoint["targetRef"]["name"], "web-000");
    let endpoints = cluster.object(Resource::Endpoints, "web");
    assert_eq!(object::list(&endpoints, "/subsets/0/addresses").len(), 2);
    assert_eq!(endpoints["subsets"][0]["ports"][0]["port"], 8080);
}

#[test]
fn a_terminating_pod_serves_but_is_not_ready() {
    let mut cluster = with_pods(1);
    cluster.delete(Resource::Pods, "web-000");
    cluster.sync();
    cluster.run(Resource::Services, "web");
    let slice = cluster.stored(SLICES)[0].clone();
    let conditions = json!({"ready": false, "serving": true, "terminating": true});
    assert_eq!(slice["endpoints"][0]["conditions"], conditions);
    assert_eq!(
        cluster.object(Resource::Endpoints, "web")["subsets"],
        json!([])
    );
}

#[test]
fn unready_pods_count_where_the_service_says_so() {
    let mut cluster = Cluster::new();
    cluster.healthy = false;
    cluster.create(Resource::Services, service());
    add_pod(&mut cluster, "web-0", 80);
    cluster.settle();
    assert_eq!(
        cluster.stored(SLICES)[0]["endpoints"][0]["conditions"]["ready"],
        false
    );
    let endpoints = cluster.object(Resource::Endpoints, "web");
    assert_eq!(
        object::list(&endpoints, "/subsets/0/notReadyAddresses").len(),
        1
    );
    cluster.edit(Resource::Services, "web", |s| {
        s["spec"]["publishNotReadyAddresses"] = json!(true);
    });
    cluster.settle();
    assert_eq!(
        cluster.stored(SLICES)[0]["endpoints"][0]["conditions"]["ready"],
        true
    );
    let endpoints = cluster.object(Resource::Endpoints, "web");
    assert_eq!(object::list(&endpoints, "/subsets/0/addresses").len(), 1);
}

#[test]
fn slices_hold_a_hundred_endpoints_and_stay_when_others_change() {
    let mut cluster = with_pods(250);
    assert_eq!(sizes(&cluster), [50, 100, 100]);
    let before = cluster.stored(SLICES);
    cluster.delete(Resource::Pods, "web-000");
    add_pod(&mut cluster, "web-new", 8080);
    cluster.settle();
    assert_eq!(sizes(&cluster), [50, 100, 100]);
    let after = cluster.stored(SLICES);
    let changed = before
        .iter()
        .zip(&after)
        .filter(|(a, b)| a["endpoints"] != b["endpoints"]);
    assert_eq!(changed.count(), 1);
}

#[test]
fn pods_with_other_numbers_for_a_name_are_in_other_slices() {
    let mut cluster = with_pods(2);
    add_pod(&mut cluster, "web-odd", 9090);
    cluster.settle();
    assert_eq!(sizes(&cluster), [1, 2]);
    assert_eq!(
        object::list(&cluster.object(Resource::Endpoints, "web"), "/subsets").len(),
        2
    );
}

#[test]
fn a_service_without_pods_has_an_empty_slice() {
    let mut cluster = with_pods(0);
    assert_eq!(sizes(&cluster), [0]);
    add_pod(&mut cluster, "web-0", 80);
    cluster.settle();
    assert_eq!(sizes(&cluster), [1]);
    cluster.delete(Resource::Pods, "web-0");
    cluster.settle();
    assert_eq!(sizes(&cluster), [0]);
    cluster.delete(Resource::Services, "web");
    cluster.settle();
    assert!(cluster.stored(SLICES).is_empty());
    cluster.sync();
    cluster.run(Resource::Services, "web");
    assert!(cluster.stored(Resource::Endpoints).is_empty());
}

#[test]
fn services_without_selector_or_with_a_name_are_left_alone() {
    for spec in [
        json!({}),
        json!({"selector": {}}),
        json!(null),
        json!({"selector": {"app": "web"}, "type": "ExternalName"}),
    ] {
        let mut cluster = Cluster::new();
        cluster.create(
            Resource::Services,
            json!({"metadata": {"name": "web", "namespace": "a"},
            "spec": spec}),
        );
        cluster.settle();
        assert!(cluster.stored(SLICES).is_empty());
    }
}

#[test]
fn a_headless_service_is_labelled_and_may_have_no_ports() {
    let mut cluster = Cluster::new();
    cluster.create(
        Resource::Services,
        json!({"metadata": {"name": "db", "namespace": "a"},
        "spec": {"clusterIP": "None", "selector": {"app": "web"}}}),
    );
    cluster.create(
        Resource::Pods,
        json!({
        "metadata": {"name": "db-0", "namespace": "a", "labels": {"app": "web"}},
        "spec": {"hostname": "db-0", "subdomain": "db"}}),
    );
    cluster.settle();
    let slice = cluster.stored(SLICES)[0].clone();
    assert_eq!(
        object::label(&slice, "service.kubernetes.io/headless"),
        Some("")
    );
    assert_eq!(slice["endpoints"][0]["hostname"], "db-0");
}

#[test]
fn a_cache_that_is_behind_makes_no_second_slice() {
    let mut cluster = Cluster::new();
    cluster.pace = 1;
    cluster.create(Resource::Services, service());
    for n in 0..5 {
        add_pod(&mut cluster, &format!("web-{n}"), 80);
    }
    cluster.settle();
    assert_eq!(sizes(&cluster), [5]);
}

/// K8S-NET: Endpoints that people write lead somewhere too.
#[test]
fn endpoints_of_services_without_a_selector_are_mirrored() {
    let mut cluster = Cluster::new();
    let mut outside = service();
    outside["spec"].as_object_mut().unwrap().remove("selector");
    cluster.create(Resource::Services, outside);
    cluster.create(
        Resource::Endpoints,
        json!({"metadata": {"name": "web", "namespace": "a"}, "subsets": [{
            "addresses": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}],
            "notReadyAddresses": [{"ip": "192.0.2.2", "hostname": "h"}],
            "ports": [{"port": 9000, "protocol": "TCP"}]}]}),
    );
    cluster.settle();
    assert_eq!(sizes(&cluster), [1, 2]);
    let slices = cluster.stored(SLICES);
    let four = slices.iter().find(|s| s["addressType"] == "IPv4").unwrap();
    assert_eq!(four["endpoints"][0]["conditions"]["ready"], true);
    assert_eq!(four["endpoints"][1]["conditions"]["ready"], false);
    assert_eq!(four["endpoints"][1]["hostname"], "h");
    assert_eq!(
        four["ports"],
        json!([{"name": "", "port": 9000, "protocol": "TCP"}])
    );
    cluster.edit(Resource::Endpoints, "web", |endpoints| {
        endpoints["subsets"] = json!([{"addresses": [{"ip": "192.0.2.9"}], "ports": [{"port": 9000, "protocol": "TCP"}]}]);
    });
    cluster.settle();
    assert_eq!(sizes(&cluster), [1]);
    cluster.edit(Resource::Endpoints, "web", |endpoints| {
        object::put(
            endpoints,
            &[
                "metadata",
                "labels",
                "endpointslice.kubernetes.io/skip-mirror",
            ],
            json!("true"),
        );
    });
    cluster.settle();
    assert!(sizes(&cluster).is_empty());
}

/// K8S-NET: the API's own service leads to the API, and comes back when it is taken away.
#[test]
fn the_apis_service_leads_to_the_api() {
    let mut cluster = Cluster::new();
    let front = crate::ApiFront {
        service: [10, 96, 0, 1].into(),
        addresses: vec![[172, 18, 0, 2].into()],
        port: 6443,
    };
    let run = |cluster: &mut Cluster| {
        let outcome = crate::api_service(cluster, &front);
        let count = outcome.actions.len();
        assert!(cluster.perform(outcome.actions));
        cluster.sync();
        count
    };
    assert_eq!((run(&mut cluster), run(&mut cluster)), (3, 0));
    let slices = cluster.stored(SLICES);
    assert_eq!(slices[0]["endpoints"][0]["addresses"][0], "172.18.0.2");
    let mut moved = (*slices[0]).clone();
    moved["endpoints"] = json!([]);
    cluster.force(SLICES, moved);
    cluster.sync();
    assert_eq!((run(&mut cluster), run(&mut cluster)), (1, 0));
}
