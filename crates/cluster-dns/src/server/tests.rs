//! Whole servers on loopback, one forwarding to another.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::corefile::tests::parse;
use crate::message::question;
use crate::zone::Kind;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::Name;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// A port that nobody listens at.
async fn port() -> u16 {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = udp.local_addr().unwrap().port();
        if TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return port;
        }
    }
}

/// A zone with one service, which is another name.
fn zone() -> Arc<RwLock<Zone>> {
    let mut zone = Zone::default();
    zone.apply(Kind::Namespace, "default", Some(&json!({})), 1);
    let spec = json!({"type": "ExternalName", "externalName": "www.example.com"});
    zone.apply(
        Kind::Service,
        "default/www",
        Some(&json!({"spec": spec})),
        1,
    );
    let spec = json!({"clusterIP": "10.96.0.1"});
    zone.apply(
        Kind::Service,
        "default/kubernetes",
        Some(&json!({"spec": spec})),
        1,
    );
    zone.complete();
    Arc::new(RwLock::new(zone))
}

async fn start(corefile: &str) -> Running {
    Running::start(parse(corefile).unwrap(), zone())
        .await
        .unwrap()
}

/// A resolver that knows a few names.
async fn upstream(hosts: &str) -> (Running, u16) {
    let port = port().await;
    let text =
        format!(".:{port} {{\nbind 127.0.0.1\nhosts /nowhere {{\n{hosts}\nttl 100\n}}\n}}\n");
    (start(&text).await, port)
}

async fn ask_by(carrier: Carrier, port: u16, name: &str, kind: RecordType) -> io::Result<Message> {
    let asked = Asked {
        id: 0,
        question: Question::new(Name::from_ascii(name).unwrap(), kind),
        carrier,
        recursion_desired: true,
        checking_disabled: false,
        edns: None,
        size: 0,
    };
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    upstream::exchange(address, &question(&asked), carrier).await
}

async fn ask(port: u16, name: &str) -> Message {
    let asked = ask_by(Carrier::Udp, port, name, RecordType::A).await;
    asked.unwrap()
}

fn lines(message: &Message) -> Vec<String> {
    message.answers.iter().map(ToString::to_string).collect()
}

/// K8S-NET: what isn't the cluster's is asked of others; an answer is kept, and outlives who gave it.
#[tokio::test]
async fn questions_are_forwarded_and_answers_kept() {
    let (other, to) = upstream("198.51.100.7 www.example.com").await;
    let port = port().await;
    let text = format!(
        ".:{port} {{\nbind 127.0.0.1\nkubernetes cluster.local\nforward . 127.0.0.1:{to}\ncache 30\n}}\n"
    );
    let own = start(&text).await;
    let first = ask(port, "www.example.com.").await;
    assert_eq!(lines(&first), ["www.example.com. 30 IN A 198.51.100.7"]);
    let failed = ask(port, "no.example.com.").await;
    assert_eq!(failed.metadata.response_code, ResponseCode::ServFail);
    drop(other);
    let again = ask(port, "WWW.example.com.").await;
    assert_eq!(again.answers.len(), 1);
    assert!(again.answers[0].ttl <= 30);
    let metrics = own.metrics.text();
    let server = format!("server=\"dns://127.0.0.1:{port}\"");
    for line in [
        format!("coredns_cache_hits_total{{{server},type=\"success\",zones=\".\",view=\"\"}} 1"),
        format!(
            "coredns_dns_requests_total{{{server},zone=\".\",view=\"\",proto=\"udp\",family=\"1\",type=\"A\"}} 3"
        ),
        format!(
            "coredns_dns_responses_total{{{server},zone=\".\",view=\"\",rcode=\"SERVFAIL\",plugin=\"forward\"}} 1"
        ),
    ] {
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
}

/// K8S-NET: a service that is another name leads to that name's addresses, wherever they are known.
#[tokio::test]
async fn aliases_are_followed() {
    let (_other, to) = upstream("198.51.100.7 www.example.com").await;
    let port = port().await;
    let text = format!(
        ".:{port} {{\nbind 127.0.0.1\nkubernetes cluster.local\nforward . 127.0.0.1:{to}\nloadbalance\n}}\n"
    );
    let _own = start(&text).await;
    let found = ask(port, "www.default.svc.cluster.local.").await;
    let expected = [
        "www.default.svc.cluster.local. 5 IN CNAME www.example.com.",
        "www.example.com. 100 IN A 198.51.100.7",
    ];
    assert_eq!(lines(&found), expected);
    assert!(found.metadata.authoritative);
}

/// K8S-NET: an upstream that doesn't answer is passed over; if none does, the question fails.
#[tokio::test]
async fn upstreams_that_are_down() {
    let (other, to) = upstream("198.51.100.7 www.example.com").await;
    let (port, dead) = (port().await, port().await);
    let text = format!(
        ".:{port} {{\nbind 127.0.0.1\nforward . 127.0.0.1:{dead} 127.0.0.1:{to} {{\npolicy sequential\n}}\n}}\n"
    );
    let _own = start(&text).await;
    assert_eq!(ask(port, "www.example.com.").await.answers.len(), 1);
    drop(other);
    let failed = ask(port, "www.example.com.").await;
    assert_eq!(failed.metadata.response_code, ResponseCode::ServFail);
}

/// K8S-NET: stub domains have resolvers of their own, as a server block or as a forward.
#[tokio::test]
async fn stub_domains() {
    let (_corp, corp) = upstream("10.1.0.1 www.corp.example").await;
    let (_lab, lab) = upstream("10.2.0.1 www.lab.example").await;
    let port = port().await;
    let text = format!(
        ".:{port} {{\nbind 127.0.0.1\nforward lab.example 127.0.0.1:{lab}\n}}\n\
         corp.example:{port} {{\nbind 127.0.0.1\nforward . 127.0.0.1:{corp}\n}}\n"
    );
    let _own = start(&text).await;
    assert_eq!(
        lines(&ask(port, "www.corp.example.").await),
        ["www.corp.example. 100 IN A 10.1.0.1"]
    );
    assert_eq!(
        lines(&ask(port, "www.lab.example.").await),
        ["www.lab.example. 100 IN A 10.2.0.1"]
    );
    let beyond = ask(port, "www.example.org.").await;
    assert_eq!(beyond.metadata.response_code, ResponseCode::ServFail);
}

/// K8S-NET: a server refuses what no block of it serves.
#[tokio::test]
async fn what_is_not_served_is_refused() {
    let port = port().await;
    let _own = start(&format!(
        "cluster.local:{port} {{\nbind 127.0.0.1\nkubernetes\n}}\n"
    ))
    .await;
    let code = |message: Message| message.metadata.response_code;
    assert_eq!(code(ask(port, "example.org.").await), ResponseCode::Refused);
    let own = "kubernetes.default.svc.cluster.local.";
    assert_eq!(code(ask(port, own).await), ResponseCode::NoError);
}

/// K8S-NET: what doesn't fit UDP is there by TCP, from upstream too.
#[tokio::test]
async fn much_comes_by_tcp() {
    let hosts: String = (0..200)
        .map(|last| format!("10.3.0.{last} many.example\n"))
        .collect();
    let (_other, to) = upstream(&hosts).await;
    let port = port().await;
    let text = format!(".:{port} {{\nbind 127.0.0.1\nforward . 127.0.0.1:{to}\ncache\n}}\n");
    let _own = start(&text).await;
    let some = ask(port, "many.example.").await;
    assert!(some.metadata.truncation && some.answers.len() < 200);
    let all = ask_by(Carrier::Tcp, port, "many.example.", RecordType::A).await;
    assert_eq!(all.unwrap().answers.len(), 200);
    // What is kept by now is enough for both.
    assert!(ask(port, "many.example.").await.metadata.truncation);
}

/// K8S-NET: a server that forwards to itself ends, and says why.
#[tokio::test]
async fn loops_are_noticed() {
    let port = port().await;
    let text = format!(".:{port} {{\nbind 127.0.0.1\nloop\nforward . 127.0.0.1:{port}\n}}\n");
    let mut own = start(&text).await;
    let Trouble::Loop(told) = own.trouble().await else {
        panic!("another trouble");
    };
    assert!(told.starts_with("HINFO IN "), "{told}");
}

/// K8S-NET: a server that doesn't go round goes on.
#[tokio::test]
async fn what_is_no_loop_goes_on() {
    let (_other, to) = upstream("198.51.100.7 www.example.com").await;
    let port = port().await;
    let text = format!(".:{port} {{\nbind 127.0.0.1\nloop\nforward . 127.0.0.1:{to}\n}}\n");
    let mut own = start(&text).await;
    for _ in 0..20 {
        assert_eq!(ask(port, "www.example.com.").await.answers.len(), 1);
    }
    let pause = Duration::from_millis(100);
    let trouble = tokio::time::timeout(pause, own.trouble()).await;
    assert!(trouble.is_err(), "{trouble:?}");
}

/// K8S-NET: another Corefile holds from then on; one that can't hold changes nothing.
#[tokio::test]
async fn a_configuration_changes() {
    let (first, second, taken) = (port().await, port().await, port().await);
    let block = |port, address| {
        parse(&format!(
            ".:{port} {{\nbind 127.0.0.1\nhosts /nowhere {{\n{address} www.example\n}}\n}}\n"
        ))
        .unwrap()
    };
    let mut own = Running::start(block(first, "10.0.0.1"), zone())
        .await
        .unwrap();
    assert_eq!(
        lines(&ask(first, "www.example.").await),
        ["www.example. 3600 IN A 10.0.0.1"]
    );
    own.change(block(first, "10.0.0.2")).await.unwrap();
    assert_eq!(
        lines(&ask(first, "www.example.").await),
        ["www.example. 3600 IN A 10.0.0.2"]
    );
    let _holder = TcpListener::bind(("127.0.0.1", taken)).await.unwrap();
    own.change(block(taken, "10.0.0.3")).await.unwrap_err();
    assert_eq!(ask(first, "www.example.").await.answers.len(), 1);
    own.change(block(second, "10.0.0.4")).await.unwrap();
    assert_eq!(
        lines(&ask(second, "www.example.").await),
        ["www.example. 3600 IN A 10.0.0.4"]
    );
    let gone = ask_by(Carrier::Udp, first, "www.example.", RecordType::A).await;
    assert!(gone.is_err(), "{gone:?}");
}

async fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// K8S-NET: probes and Prometheus find what they look for; a server isn't ready before it knows the cluster.
#[tokio::test]
async fn pages() {
    let (port, health, ready, metrics) = (port().await, port().await, port().await, port().await);
    let text = format!(
        ".:{port} {{\nbind 127.0.0.1\nkubernetes cluster.local\nhealth localhost:{health}\n\
         ready localhost:{ready}\nprometheus localhost:{metrics}\n}}\n"
    );
    let empty = Arc::new(RwLock::new(Zone::default()));
    let _own = Running::start(parse(&text).unwrap(), empty.clone())
        .await
        .unwrap();
    assert!(
        get(health, "/health")
            .await
            .starts_with("HTTP/1.1 200 OK\r\n")
    );
    let answer = get(ready, "/ready").await;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("kubernetes"),
        "{answer}"
    );
    let unknown = ask(port, "www.default.svc.cluster.local.").await;
    assert_eq!(unknown.metadata.response_code, ResponseCode::ServFail);
    empty.write().unwrap().complete();
    let answer = get(ready, "/ready").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("OK"),
        "{answer}"
    );
    let answer = get(metrics, "/metrics").await;
    let line = format!(
        "coredns_plugin_enabled{{server=\"dns://127.0.0.1:{port}\",zone=\".\",view=\"\",name=\"kubernetes\"}} 1"
    );
    assert!(answer.contains(&line), "{answer}");
    assert!(get(metrics, "/health").await.starts_with("HTTP/1.1 404 "));
}
