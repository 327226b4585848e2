//! What the lab has at present.

use super::{Family, Labels, Page};
use crate::cloud::Cloud;
use crate::clusters::Clusters;
use crate::guests::Guests;

const VERSION: Family = Family {
    name: "skylab_build_info",
    help: "The lab's version, as a label.",
};
const STARTED: Family = Family {
    name: "skylab_start_time_seconds",
    help: "When the lab was started, in seconds since 1970.",
};
const RESOURCES: Family = Family {
    name: "skylab_resources",
    help: "Resources that the account has, by kind.",
};
const GUESTS: Family = Family {
    name: "skylab_guests",
    help: "Machines that are booted.",
};
const TROUBLES: Family = Family {
    name: "skylab_troubles",
    help: "Things that go wrong at present; skylab status tells which.",
};
const PODS: Family = Family {
    name: "skylab_kubernetes_pods",
    help: "Pods of a Kubernetes cluster.",
};

fn label(name: &'static str, value: impl Into<std::borrow::Cow<'static, str>>) -> Labels {
    vec![(name, value.into())]
}

/// Makes every page of the lab's metrics tell what there is.
pub fn provide(cloud: &Cloud, guests: Guests, clusters: Clusters, started: i64) {
    let lab = cloud.clone();
    cloud.metrics().provide(move |page| {
        page.family(VERSION, "gauge");
        page.sample("", &label("version", env!("CARGO_PKG_VERSION")), &1);
        page.gauge(STARTED, &started);
        resources(page, &lab);
        page.gauge(GUESTS, &guests.running());
        page.gauge(TROUBLES, &lab.health().troubles().len());
        page.family(PODS, "gauge");
        for cluster in clusters.list() {
            page.sample("", &label("cluster", cluster.name), &cluster.pods);
        }
    });
}

fn resources(page: &mut Page, cloud: &Cloud) {
    let snapshot = cloud.snapshot();
    let state = &snapshot.state;
    page.family(RESOURCES, "gauge");
    for (kind, count) in [
        ("auto_scaling_group", state.auto_scaling_groups.len()),
        ("elastic_ip", state.elastic_ips.len()),
        ("instance", state.instances.len()),
        ("internet_gateway", state.internet_gateways.len()),
        ("launch_template", state.launch_templates.len()),
        ("nat_gateway", state.nat_gateways.len()),
        ("network_acl", state.network_acls.len()),
        ("network_interface", state.network_interfaces.len()),
        ("route_table", state.route_tables.len()),
        ("security_group", state.security_groups.len()),
        ("subnet", state.subnets.len()),
        ("volume", state.volumes.len()),
        ("vpc", state.vpcs.len()),
    ] {
        page.sample("", &label("kind", kind), &count);
    }
}
