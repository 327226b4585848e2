//! What the specification leaves to CoreDNS.

use super::*;

/// K8S-NET: what there is nothing of, and what there is not.
#[test]
fn no_data_and_no_name() {
    for name in [
        "cluster.local.",
        "svc.cluster.local.",
        "pod.cluster.local.",
        "testns.svc.cluster.local.",
    ] {
        assert_nothing("NOERROR", name, A);
    }
    for name in ["svc.cluster.local.", "testns.svc.cluster.local."] {
        assert_nothing("NOERROR", name, NS);
    }
    for name in [
        "foo.cluster.local.",
        "foo.svc.cluster.local.",
        "svc0.testns.svc.cluster.local.",
        "svc0.no.svc.cluster.local.",
        "a.b.c.svc1.testns.svc.cluster.local.",
        "bogus.svc0.testns.svc.cluster.local.",
    ] {
        assert_nothing("NXDOMAIN", name, A);
        assert_nothing("NXDOMAIN", name, AAAA);
    }
    assert_nothing("NOERROR", "svc1.testns.svc.cluster.local.", RecordType::MX);
    let elsewhere = ask(&cluster(), &plugin(), "example.org.", A);
    assert_eq!(elsewhere, Found::Pass);
}

/// K8S-NET: names are found whatever their case, and come back in the case in which they were asked for.
#[test]
fn case_does_not_matter() {
    let name = "SVC1.TestNS.svc.CLUSTER.local.";
    assert_found(name, A, &[&format!("{name} 5 IN A 10.0.0.1")], &[]);
    let name = "_HTTP._TCP.svc1.testns.svc.cluster.local.";
    let (_, answers, ..) = told(ask(&cluster(), &plugin(), name, SRV));
    assert_eq!(answers.len(), 1);
}

/// K8S-NET: who serves the zone: the address itself, or the service that it belongs to.
#[test]
fn name_servers() {
    let own = "ns.dns.cluster.local. 5 IN A 172.0.0.53";
    assert_found("ns.dns.cluster.local.", A, &[own], &[]);
    let ns = "cluster.local. 5 IN NS ns.dns.cluster.local.";
    assert_found("cluster.local.", NS, &[ns], &[own]);
    let mut zone = cluster();
    service(&mut zone, "dns", json!({"clusterIP": "10.0.0.10"}));
    slice(
        &mut zone,
        "dns-a",
        "dns",
        json!([{"addresses": ["172.0.0.53"]}]),
        json!([]),
    );
    let (_, answers, _, beside) = told(ask(&zone, &plugin(), "cluster.local.", NS));
    assert_eq!(
        answers,
        ["cluster.local. 5 IN NS dns.testns.svc.cluster.local."]
    );
    assert_eq!(beside, ["dns.testns.svc.cluster.local. 5 IN A 10.0.0.10"]);
    assert_found("cluster.local.", RecordType::SOA, &[SOA], &[]);
}

/// K8S-NET: addresses that the cluster doesn't know may be known elsewhere.
#[test]
fn what_falls_through() {
    let asked = "9.9.9.9.in-addr.arpa.";
    let (code, _, authorities, _) = told(ask(&cluster(), &plugin(), asked, PTR));
    assert_eq!(code, "NXDOMAIN");
    assert!(authorities[0].starts_with("in-addr.arpa. 5 IN SOA ns.dns.in-addr.arpa. "));
    let mut plugin = plugin();
    plugin.fallthrough = Fallthrough::Zones(vec!["in-addr.arpa.".into()]);
    assert_eq!(ask(&cluster(), &plugin, asked, PTR), Found::Pass);
    let (code, ..) = told(ask(
        &cluster(),
        &plugin,
        "svc0.testns.svc.cluster.local.",
        A,
    ));
    assert_eq!(code, "NXDOMAIN");
    plugin.fallthrough = Fallthrough::All;
    assert_eq!(
        ask(&cluster(), &plugin, "svc0.testns.svc.cluster.local.", A),
        Found::Pass
    );
}

#[test]
fn endpoints_may_go_by_their_pods() {
    let mut plugin = plugin();
    plugin.endpoint_pod_names = true;
    let mut zone = cluster();
    let endpoints = json!([{"addresses": ["172.0.0.2"], "targetRef": {"name": "web-0"}}]);
    slice(&mut zone, "hdls1-4", "hdls1", endpoints, json!([]));
    let name = "web-0.hdls1.testns.svc.cluster.local.";
    let (_, answers, ..) = told(ask(&zone, &plugin, name, A));
    assert_eq!(answers, [format!("{name} 5 IN A 172.0.0.2")]);
}

#[test]
fn namespaces_and_empty_services_may_be_hidden() {
    let mut plugin = plugin();
    plugin.ignore_empty_service = true;
    let (code, ..) = told(ask(
        &cluster(),
        &plugin,
        "dual.testns.svc.cluster.local.",
        A,
    ));
    assert_eq!(code, "NXDOMAIN");
    let (code, ..) = told(ask(
        &cluster(),
        &plugin,
        "svc1.testns.svc.cluster.local.",
        A,
    ));
    assert_eq!(code, "NOERROR");
    plugin.namespaces.insert("other".into());
    for (name, kind) in [
        ("svc1.testns.svc.cluster.local.", A),
        ("1.0.0.10.in-addr.arpa.", PTR),
    ] {
        assert_eq!(told(ask(&cluster(), &plugin, name, kind)).0, "NXDOMAIN");
    }
}

/// K8S-NET: names change with the objects, and nothing is left of what is gone.
#[test]
fn names_change_with_objects() {
    let mut zone = cluster();
    let code = |zone: &Zone, name: &str, kind| told(ask(zone, &plugin(), name, kind)).0;
    let name = "svc1.testns.svc.cluster.local.";
    service(&mut zone, "svc1", json!({"clusterIP": "10.0.0.99"}));
    assert_eq!(code(&zone, "1.0.0.10.in-addr.arpa.", PTR), "NXDOMAIN");
    assert_eq!(code(&zone, "99.0.0.10.in-addr.arpa.", PTR), "NOERROR");
    zone.apply(Kind::Service, "testns/svc1", None, 8);
    assert_eq!(code(&zone, name, A), "NXDOMAIN");
    zone.apply(Kind::EndpointSlice, "testns/hdls1-4", None, 9);
    zone.apply(Kind::EndpointSlice, "testns/hdls1-6", None, 9);
    assert_eq!(
        code(&zone, "hdls1.testns.svc.cluster.local.", A),
        "NXDOMAIN"
    );
    assert_eq!(code(&zone, "4.0.0.172.in-addr.arpa.", PTR), "NXDOMAIN");
    let (.., authorities, _) = told(ask(&zone, &plugin(), name, A));
    assert!(authorities[0].contains(" 9 7200 "), "{authorities:?}");
    zone.apply(Kind::Namespace, "testns", None, 10);
    assert_eq!(code(&zone, "dual.testns.svc.cluster.local.", A), "NXDOMAIN");
}

/// K8S-NET: before everything has been seen, what isn't there isn't denied.
#[test]
fn an_incomplete_zone_denies_nothing() {
    let zone = Zone::new(Vec::new());
    let (code, ..) = told(ask(&zone, &plugin(), "svc1.testns.svc.cluster.local.", A));
    assert_eq!(code, "SERVFAIL");
}

proptest::proptest! {
    #[test]
    fn any_name_is_asked_for(
        labels in proptest::collection::vec(
            proptest::sample::select(vec![
                "svc", "pod", "testns", "svc1", "hdls1", "external", "_http", "_tcp", "_", "dup-name", "ns", "dns",
                "10-0-0-1", "1", "in-addr", "arpa", "ip6", "cluster", "local", "no",
            ]),
            0..8,
        ),
        inside in proptest::prelude::any::<bool>(),
    ) {
        let suffix = if inside { "cluster.local." } else { "" };
        let name = labels.iter().map(|label| format!("{label}.")).collect::<String>() + suffix;
        let (zone, plugin) = (cluster(), plugin());
        if let Ok(name) = Name::from_ascii(&name) {
            for kind in [A, AAAA, CNAME, NS, PTR, SRV, TXT, RecordType::SOA, RecordType::ANY] {
                let _ = zone.answer(&plugin, &Question::new(name.clone(), kind));
            }
        }
    }
}
