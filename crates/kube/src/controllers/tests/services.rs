//! Services and where they lead.

use super::*;

/// K8S-NET: `default/kubernetes` leads to the API, whatever people do to it; Endpoints that people write
/// are mirrored.
#[test]
fn services_lead_where_they_should() {
    let world = World::<6>::with(|settings| {
        settings.api_endpoints = vec!["172.18.0.2:6443".parse().unwrap()];
    });
    let leads = |store: &Store| {
        let endpoints = store.get(&Key::new("endpoints", "default", "kubernetes"));
        let slice = Key::new("endpointslices.discovery.k8s.io", "default", "kubernetes");
        let slice = store.get(&slice);
        endpoints.is_some_and(|e| e["subsets"][0]["addresses"][0]["ip"] == "172.18.0.2")
            && slice.is_some_and(|s| s["endpoints"][0]["addresses"][0] == "172.18.0.2")
    };
    world.until("the API's endpoints", leads);
    world.delete("endpoints", "kubernetes");
    world.delete("services", "kubernetes");
    world.until("all of it again", |store| {
        let service = store.get(&Key::new("services", "default", "kubernetes"));
        leads(store) && service.is_some_and(|s| s["spec"]["clusterIP"] == "10.96.0.1")
    });
    let ports = json!([{"port": 80}]);
    world.create(
        "services",
        &json!({"metadata": {"name": "db"}, "spec": {"ports": ports}}),
    );
    world.create(
        "endpoints",
        &json!({"metadata": {"name": "db"},
            "subsets": [{"addresses": [{"ip": "192.0.2.7"}], "ports": ports}]}),
    );
    world.until("a mirrored slice", |store| {
        let mut slices = store.list("endpointslices.discovery.k8s.io", Some("default"));
        slices.any(|(_, slice)| slice["endpoints"][0]["addresses"][0] == "192.0.2.7")
    });
}
