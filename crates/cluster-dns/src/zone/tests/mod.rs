//! The specification's examples, and the cases that CoreDNS tests its plugin with: a cluster, and how it is
//! asked.
#![allow(clippy::unwrap_used)]

mod plugin_cases;
mod specification;

use super::*;
use crate::plugin::Fallthrough;
use crate::plugin::kubernetes::{Kubernetes, Pods};
use crate::question::Question;
use hickory_proto::rr::{Name, RecordType};
use serde_json::json;

const SOA: &str =
    "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 7 7200 1800 86400 5";

fn ports(list: &[(&str, u16)]) -> Value {
    let port = |(name, port): &(&str, u16)| json!({"name": name, "port": port, "protocol": "TCP"});
    list.iter().map(port).collect()
}

fn service(zone: &mut Zone, name: &str, spec: Value) {
    let key = format!("testns/{name}");
    zone.apply(Kind::Service, &key, Some(&json!({"spec": spec})), 7);
}

fn slice(zone: &mut Zone, name: &str, service: &str, endpoints: Value, ports: Value) {
    let labels = json!({"kubernetes.io/service-name": service});
    let object = json!({
        "metadata": {"namespace": "testns", "name": name, "labels": labels},
        "endpoints": endpoints,
        "ports": ports,
    });
    let key = format!("testns/{name}");
    zone.apply(Kind::EndpointSlice, &key, Some(&object), 7);
}

/// The services of CoreDNS's test.
fn cluster() -> Zone {
    let mut zone = Zone::new(vec![[172, 0, 0, 53].into()]);
    let http = ports(&[("http", 80)]);
    zone.apply(Kind::Namespace, "testns", Some(&json!({})), 7);
    service(
        &mut zone,
        "svc1",
        json!({"clusterIP": "10.0.0.1", "ports": http}),
    );
    service(
        &mut zone,
        "svc6",
        json!({"clusterIP": "1234:abcd::1", "ports": http}),
    );
    let dual = json!({"clusterIP": "10.0.0.3", "clusterIPs": ["10.0.0.3", "10::3"], "ports": http});
    service(&mut zone, "dual", dual);
    service(
        &mut zone,
        "external",
        json!({"type": "ExternalName", "externalName": "ext.interwebs.test"}),
    );
    let inside = json!({"type": "ExternalName", "externalName": "svc1.testns.svc.cluster.local"});
    service(&mut zone, "external-to-service", inside);
    let round = json!({"type": "ExternalName", "externalName": "round.testns.svc.cluster.local"});
    service(&mut zone, "round", round);
    service(
        &mut zone,
        "hdls1",
        json!({"clusterIP": "None", "clusterIPs": ["None"], "ports": http}),
    );
    let endpoints = json!([
        {"addresses": ["172.0.0.2"]},
        {"addresses": ["172.0.0.3"], "conditions": {"ready": true}},
        {"addresses": ["172.0.0.4"], "hostname": "dup-name"},
        {"addresses": ["172.0.0.5"], "hostname": "dup-name", "targetRef": {"name": "web-0"}},
        {"addresses": ["172.0.0.9"], "conditions": {"ready": false}},
    ]);
    slice(&mut zone, "hdls1-4", "hdls1", endpoints, http.clone());
    let endpoints = json!([{"addresses": ["5678:abcd::1"]}, {"addresses": ["5678:abcd::2"]}]);
    slice(&mut zone, "hdls1-6", "hdls1", endpoints, http.clone());
    service(&mut zone, "portless", json!({"clusterIP": "None"}));
    slice(
        &mut zone,
        "portless-a",
        "portless",
        json!([{"addresses": ["172.0.0.20"]}]),
        json!([]),
    );
    service(
        &mut zone,
        "empty",
        json!({"clusterIP": "None", "ports": http}),
    );
    slice(
        &mut zone,
        "svc1-a",
        "svc1",
        json!([{"addresses": ["172.0.0.30"]}]),
        http,
    );
    zone.complete();
    zone
}

fn plugin() -> Kubernetes {
    let zones = ["cluster.local.", "in-addr.arpa.", "ip6.arpa."];
    let mut plugin = Kubernetes::new(zones.map(str::to_owned).to_vec());
    plugin.pods = Pods::Insecure;
    plugin
}

fn ask(zone: &Zone, plugin: &Kubernetes, name: &str, kind: RecordType) -> Found {
    zone.answer(
        plugin,
        &Question::new(Name::from_ascii(name).unwrap(), kind),
    )
}

/// An answer as text: the code, what is answered, who says so, and what is told beside.
fn told(found: Found) -> (String, Vec<String>, Vec<String>, Vec<String>) {
    let Found::Answer(answer) = found else {
        panic!("{found:?}");
    };
    assert!(answer.authoritative);
    let lines =
        |records: &[hickory_proto::rr::Record]| records.iter().map(ToString::to_string).collect();
    (
        crate::plugin::template::code_name(answer.code),
        lines(&answer.answers),
        lines(&answer.authorities),
        lines(&answer.additionals),
    )
}

/// Asserts that a question has these answers, and these told beside.
fn assert_found(name: &str, kind: RecordType, answers: &[&str], beside: &[&str]) {
    let (code, found, authorities, additionals) = told(ask(&cluster(), &plugin(), name, kind));
    assert_eq!(code, "NOERROR", "{name} {kind}");
    assert_eq!(found, answers, "{name} {kind}");
    assert!(authorities.is_empty(), "{name} {kind}: {authorities:?}");
    assert_eq!(additionals, beside, "{name} {kind}");
}

fn assert_nothing(code: &str, name: &str, kind: RecordType) {
    let (found, answers, authorities, additionals) = told(ask(&cluster(), &plugin(), name, kind));
    assert_eq!(found, code, "{name} {kind}");
    assert_eq!(answers, [""; 0], "{name} {kind}");
    assert_eq!(authorities, [SOA], "{name} {kind}");
    assert_eq!(additionals, [""; 0], "{name} {kind}");
}

use RecordType::{A, AAAA, CNAME, NS, PTR, SRV, TXT};
