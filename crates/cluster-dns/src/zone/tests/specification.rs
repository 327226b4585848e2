//! The specification's records, section by section.

use super::*;

/// K8S-NET: 2.2, the version of the schema.
#[test]
fn schema_version() {
    let expected = "dns-version.cluster.local. 28800 IN TXT 1.1.0";
    assert_found("dns-version.cluster.local.", TXT, &[expected], &[]);
}

/// K8S-NET: 2.3, a service with an address; with several ports there is one record all the same.
#[test]
fn services_with_an_address() {
    let name = "svc1.testns.svc.cluster.local.";
    let a = format!("{name} 5 IN A 10.0.0.1");
    assert_found(name, A, &[&a], &[]);
    let srv = format!("_http._tcp.{name} 5 IN SRV 0 100 80 {name}");
    assert_found(&format!("_http._tcp.{name}"), SRV, &[&srv], &[&a]);
    let srv = format!("{name} 5 IN SRV 0 100 80 {name}");
    assert_found(name, SRV, &[&srv], &[&a]);
    assert_nothing("NXDOMAIN", &format!("_https._tcp.{name}"), SRV);
    assert_nothing("NXDOMAIN", &format!("_http._udp.{name}"), SRV);
    let ptr = format!("1.0.0.10.in-addr.arpa. 5 IN PTR {name}");
    assert_found("1.0.0.10.in-addr.arpa.", PTR, &[&ptr], &[]);
    let endpoint = format!("172-0-0-30.{name}");
    assert_found(
        &endpoint,
        A,
        &[&format!("{endpoint} 5 IN A 172.0.0.30")],
        &[],
    );
}

/// K8S-NET: a service of two families has records of both.
#[test]
fn services_of_two_families() {
    let name = "dual.testns.svc.cluster.local.";
    let (a, aaaa) = (
        format!("{name} 5 IN A 10.0.0.3"),
        format!("{name} 5 IN AAAA 10::3"),
    );
    assert_found(name, A, &[&a], &[]);
    assert_found(name, AAAA, &[&aaaa], &[]);
    let srv = format!("{name} 5 IN SRV 0 50 80 {name}");
    assert_found(name, SRV, &[&srv], &[&a, &aaaa]);
    let six = "svc6.testns.svc.cluster.local.";
    assert_found(six, AAAA, &[&format!("{six} 5 IN AAAA 1234:abcd::1")], &[]);
    assert_nothing("NOERROR", six, A);
    assert_nothing("NOERROR", "svc1.testns.svc.cluster.local.", AAAA);
}

/// K8S-NET: 2.4, a headless service has a record for each endpoint that is ready, by its hostname too.
#[test]
fn headless_services() {
    let name = "hdls1.testns.svc.cluster.local.";
    let a = [2, 3, 4, 5].map(|last| format!("{name} 5 IN A 172.0.0.{last}"));
    assert_found(name, A, &a.each_ref().map(String::as_str), &[]);
    let endpoint = |own: &str, rest: &str| format!("{own}.{name} 5 IN {rest}");
    let beside = [
        endpoint("172-0-0-2", "A 172.0.0.2"),
        endpoint("172-0-0-3", "A 172.0.0.3"),
        endpoint("dup-name", "A 172.0.0.4"),
        endpoint("dup-name", "A 172.0.0.5"),
        endpoint("5678-abcd--1", "AAAA 5678:abcd::1"),
        endpoint("5678-abcd--2", "AAAA 5678:abcd::2"),
    ];
    let own = [
        "172-0-0-2",
        "172-0-0-3",
        "dup-name",
        "5678-abcd--1",
        "5678-abcd--2",
    ];
    let srv = own.map(|own| format!("_http._tcp.{name} 5 IN SRV 0 16 80 {own}.{name}"));
    let asked = format!("_http._tcp.{name}");
    assert_found(
        &asked,
        SRV,
        &srv.each_ref().map(String::as_str),
        &beside.each_ref().map(String::as_str),
    );
    let duplicates = [&beside[2], &beside[3]].map(String::as_str);
    assert_found(&format!("dup-name.{name}"), A, &duplicates, &[]);
    assert_found(&format!("5678-abcd--2.{name}"), AAAA, &[&beside[5]], &[]);
    let ptr = format!("4.0.0.172.in-addr.arpa. 5 IN PTR dup-name.{name}");
    assert_found("4.0.0.172.in-addr.arpa.", PTR, &[&ptr], &[]);
    assert_nothing("NXDOMAIN", &format!("172-0-0-9.{name}"), A);
    assert_nothing("NXDOMAIN", &format!("bogus.{name}"), A);
}

/// K8S-NET: without ports there are addresses and no services; without endpoints there is nothing.
#[test]
fn headless_services_without_something() {
    let name = "portless.testns.svc.cluster.local.";
    assert_found(name, A, &[&format!("{name} 5 IN A 172.0.0.20")], &[]);
    assert_nothing("NOERROR", name, SRV);
    assert_nothing("NXDOMAIN", "empty.testns.svc.cluster.local.", A);
}

/// K8S-NET: 2.5, a service that is another name.
#[test]
fn external_names() {
    let name = "external.testns.svc.cluster.local.";
    let cname = format!("{name} 5 IN CNAME ext.interwebs.test.");
    assert_found(name, CNAME, &[&cname], &[]);
    let Found::Alias(answer, target) = ask(&cluster(), &plugin(), name, A) else {
        panic!("the other name isn't the cluster's");
    };
    assert_eq!(answer.answers[0].to_string(), cname);
    assert_eq!(target.to_ascii(), "ext.interwebs.test.");
    assert_nothing("NXDOMAIN", &format!("endpoint.{name}"), CNAME);
    assert_nothing("NOERROR", name, SRV);
    let inside = "external-to-service.testns.svc.cluster.local.";
    let service = "svc1.testns.svc.cluster.local.";
    let cname = format!("{inside} 5 IN CNAME {service}");
    assert_found(
        inside,
        A,
        &[&cname, &format!("{service} 5 IN A 10.0.0.1")],
        &[],
    );
    assert_nothing("NOERROR", "round.testns.svc.cluster.local.", A);
}

/// K8S-NET: 2.6, the names of pods, in a namespace that there is.
#[test]
fn pods() {
    let name = "10-20-0-101.testns.pod.cluster.local.";
    assert_found(name, A, &[&format!("{name} 5 IN A 10.20.0.101")], &[]);
    assert_nothing("NOERROR", name, AAAA);
    assert_nothing("NXDOMAIN", "10-20-0-101.no.pod.cluster.local.", A);
    assert_nothing("NXDOMAIN", "web.testns.pod.cluster.local.", A);
    let mut disabled = plugin();
    disabled.pods = Pods::Disabled;
    assert_eq!(told(ask(&cluster(), &disabled, name, A)).0, "NXDOMAIN");
    let (mut zone, mut verified) = (cluster(), plugin());
    verified.pods = Pods::Verified;
    assert_eq!(told(ask(&zone, &verified, name, A)).0, "NXDOMAIN");
    let pod = json!({"status": {"podIP": "10.20.0.101", "phase": "Running"}});
    zone.apply(Kind::Pod, "testns/web", Some(&pod), 8);
    assert_eq!(told(ask(&zone, &verified, name, A)).1.len(), 1);
    zone.apply(Kind::Pod, "testns/web", None, 9);
    assert_eq!(told(ask(&zone, &verified, name, A)).0, "NXDOMAIN");
}
