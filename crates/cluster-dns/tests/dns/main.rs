//! A name server beside an API, asked by `dig` and `nslookup`.
#![allow(clippy::unwrap_used)]

mod api;

use api::Api;
use cluster_dns::{RunError, Settings, run};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::sleep;

const NAMESPACES: &str = "/api/v1/namespaces";
const SERVICES: &str = "/api/v1/services";
const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";

/// A running name server, and a Corefile of its own.
struct World {
    api: Api,
    port: u16,
    directory: PathBuf,
    server: JoinHandle<Result<(), RunError>>,
}

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

impl World {
    async fn start(lines: &str) -> Self {
        let api = Api::start().await;
        api.put(NAMESPACES, "", "default", json!({}));
        let spec = json!({"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443}]});
        api.put(SERVICES, "default", "kubernetes", json!({"spec": spec}));
        let spec = json!({"clusterIP": "None", "ports": [{"name": "http", "port": 80}]});
        api.put(SERVICES, "default", "web", json!({"spec": spec}));
        api.put(
            SLICES,
            "default",
            "web-1",
            slice(&["10.244.0.5", "10.244.0.6"]),
        );
        let port = port().await;
        let directory = std::env::temp_dir().join(format!("skylab-cluster-dns-{port}"));
        fs::create_dir_all(&directory).unwrap();
        let corefile = directory.join("Corefile");
        write(&corefile, port, lines);
        let settings = Settings {
            corefile,
            api: api.config.clone(),
        };
        let server = tokio::spawn(run(settings));
        let world = Self {
            api,
            port,
            directory,
            server,
        };
        world
            .until("kubernetes.default.svc.cluster.local.", "A", "10.96.0.1")
            .await;
        world
    }

    /// What `dig` says, without its own remarks.
    fn dig(&self, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("dig")
            .args([
                "@127.0.0.1",
                "-p",
                &port,
                "+noall",
                "+answer",
                "+time=2",
                "+tries=1",
            ])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn short(&self, name: &str, kind: &str) -> Vec<String> {
        let said = self.dig(&["+short", name, kind]);
        let mut lines: Vec<_> = said.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Waits until a name stands for this.
    async fn until(&self, name: &str, kind: &str, expected: &str) {
        for _ in 0..300 {
            assert!(!self.server.is_finished(), "the server ended");
            if self.short(name, kind).join(" ") == expected {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "{name} {kind}: {:?}, not {expected}",
            self.short(name, kind)
        );
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn write(corefile: &PathBuf, port: u16, lines: &str) {
    let text = format!(".:{port} {{\nbind 127.0.0.1\n{lines}\n}}\n");
    fs::write(corefile, text).unwrap();
}

fn slice(addresses: &[&str]) -> Value {
    let endpoints: Vec<_> = addresses
        .iter()
        .map(|address| json!({"addresses": [address]}))
        .collect();
    json!({
        "metadata": {"labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": endpoints,
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    })
}

fn has(tool: &str) -> bool {
    let found = Command::new(tool).arg("-v").output().is_ok();
    if !found {
        eprintln!("skipped: {tool} is not installed");
    }
    found
}

const KUBERNETES: &str = "kubernetes cluster.local in-addr.arpa {\npods insecure\nttl 30\n}";

/// K8S-NET: names follow the API's objects as they come, change and go.
#[tokio::test(flavor = "multi_thread")]
async fn names_follow_the_api() {
    if !has("dig") {
        return;
    }
    let world = World::start(KUBERNETES).await;
    let web = "web.default.svc.cluster.local.";
    world.until(web, "A", "10.244.0.5 10.244.0.6").await;
    world.api.put(
        SLICES,
        "default",
        "web-1",
        slice(&["10.244.0.6", "10.244.0.7"]),
    );
    world.until(web, "A", "10.244.0.6 10.244.0.7").await;
    world.until("5.0.244.10.in-addr.arpa.", "PTR", "").await;
    let pointer = "10-244-0-7.web.default.svc.cluster.local.";
    world
        .until("7.0.244.10.in-addr.arpa.", "PTR", pointer)
        .await;
    world.api.put(NAMESPACES, "", "shop", json!({}));
    world.api.put(
        SERVICES,
        "shop",
        "cart",
        json!({"spec": {"clusterIP": "10.96.7.7"}}),
    );
    world
        .until("cart.shop.svc.cluster.local.", "A", "10.96.7.7")
        .await;
    world.api.delete(SERVICES, "shop", "cart");
    world.until("cart.shop.svc.cluster.local.", "A", "").await;
}

/// K8S-NET: answers are as `dig` expects them: flags, lifetimes, the authority of what isn't there, EDNS.
#[tokio::test(flavor = "multi_thread")]
async fn dig_understands() {
    if !has("dig") {
        return;
    }
    let world = World::start(KUBERNETES).await;
    let said = world.dig(&[
        "+comments",
        "+authority",
        "KUBERNETES.default.svc.cluster.local.",
        "A",
    ]);
    assert!(said.contains("status: NOERROR"), "{said}");
    assert!(
        said.contains("flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0"),
        "{said}"
    );
    assert!(
        said.contains("; EDNS: version: 0, flags:; udp: 1232"),
        "{said}"
    );
    let line = "KUBERNETES.default.svc.cluster.local. 30 IN A 10.96.0.1";
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&said).contains(line), "{said}");
    let said = world.dig(&[
        "+comments",
        "+authority",
        "no.default.svc.cluster.local.",
        "AAAA",
    ]);
    assert!(said.contains("status: NXDOMAIN"), "{said}");
    let line = "cluster.local. 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. ";
    assert!(words(&said).contains(line), "{said}");
    let said = world.dig(&["+comments", "kubernetes.default.svc.cluster.local.", "AAAA"]);
    assert!(
        said.contains("status: NOERROR") && said.contains("ANSWER: 0, AUTHORITY: 1"),
        "{said}"
    );
    let asked = "_http._tcp.web.default.svc.cluster.local.";
    let services =
        [5, 6].map(|last| format!("0 50 8080 10-244-0-{last}.web.default.svc.cluster.local."));
    assert_eq!(world.short(asked, "SRV"), services);
    assert_eq!(
        world.short("10-1-2-3.default.pod.cluster.local.", "A"),
        ["10.1.2.3"]
    );
    assert_eq!(
        world.short("dns-version.cluster.local.", "TXT"),
        ["\"1.1.0\""]
    );
    let said = world.dig(&[
        "+comments",
        "+edns=1",
        "+noednsneg",
        "cluster.local.",
        "SOA",
    ]);
    assert!(said.contains("status: BADVERS"), "{said}");
    let said = world.dig(&["+comments", "version.bind.", "TXT", "CH"]);
    assert!(said.contains("status: REFUSED"), "{said}");
}

/// K8S-NET: what doesn't fit is told so by UDP, and is whole by TCP.
#[tokio::test(flavor = "multi_thread")]
async fn many_endpoints() {
    if !has("dig") {
        return;
    }
    let world = World::start(KUBERNETES).await;
    let addresses: Vec<_> = (0..=255).map(|last| format!("10.244.1.{last}")).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    world.api.put(SLICES, "default", "web-1", slice(&addresses));
    let web = "web.default.svc.cluster.local.";
    for _ in 0..100 {
        if world.short(web, "A").len() == 256 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    // Truncated, `dig` asks again by TCP.
    assert_eq!(world.short(web, "A").len(), 256);
    let cut = world.dig(&["+comments", "+ignore", "+noedns", web, "A"]);
    assert!(cut.contains("flags: qr aa tc rd"), "{cut}");
    assert!(world.dig(&["+tcp", "+short", web, "A"]).lines().count() == 256);
}

/// K8S-NET: `nslookup`, which most pods have, finds names and addresses.
#[tokio::test(flavor = "multi_thread")]
async fn nslookup_understands() {
    if !has("dig") || !has("nslookup") {
        return;
    }
    let world = World::start(KUBERNETES).await;
    let ask = |name: &str| {
        let port = format!("-port={}", world.port);
        let output = Command::new("nslookup")
            .args([&port, name, "127.0.0.1"])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let said = ask("kubernetes.default.svc.cluster.local");
    assert!(said.contains("Address: 10.96.0.1"), "{said}");
    let said = ask("10.96.0.1");
    assert!(
        said.contains("name = kubernetes.default.svc.cluster.local."),
        "{said}"
    );
    let said = ask("no.default.svc.cluster.local");
    assert!(said.contains("NXDOMAIN"), "{said}");
}

/// K8S-NET: a ConfigMap's change holds without a restart; one that is wrong changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_corefile_is_read_again() {
    if !has("dig") {
        return;
    }
    let lines = |host: &str| {
        format!("{KUBERNETES}\nreload 2s 0s\nhosts /nowhere {{\n{host}\nfallthrough\n}}")
    };
    let world = World::start(&lines("10.1.1.1 www.example")).await;
    let corefile = world.directory.join("Corefile");
    world.until("www.example.", "A", "10.1.1.1").await;
    write(&corefile, world.port, "no_such_plugin");
    sleep(Duration::from_secs(3)).await;
    world.until("www.example.", "A", "10.1.1.1").await;
    write(&corefile, world.port, &lines("10.1.1.2 www.example"));
    world.until("www.example.", "A", "10.1.1.2").await;
}

/// K8S-NET: what a server can't serve ends it, and is named.
#[tokio::test]
async fn a_corefile_that_is_wrong() {
    let directory = std::env::temp_dir().join(format!("skylab-cluster-dns-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let corefile = directory.join("Corefile");
    fs::write(&corefile, ".:53 {\n  autopath @kubernetes\n}\n").unwrap();
    let api = Api::start().await.config;
    let settings = Settings {
        corefile: corefile.clone(),
        api,
    };
    let error = run(settings).await.unwrap_err().to_string();
    let expected =
        ":2 - Error during parsing: plugin 'autopath' is CoreDNS's, but is not served here";
    assert_eq!(error, format!("{}{expected}", corefile.display()));
    fs::remove_dir_all(directory).unwrap();
}
