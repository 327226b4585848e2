//! A cluster whose API is served on loopback, and who is around it.

use crate::wire::Wire;
use kube::api::{Pace, Settings};
use kube::audit::Audit;
use kube::certificates::{AlternativeName, Authority, Issued, Profile, Subject, Usage};
use kube::cluster::{Cluster, Journal, Parts};
use kube::outward::{Identity, Outward};
use kube::serve::{Authenticator, Keys, Server};
use kube::store::{Change, Store};
use rcgen::{BasicConstraints, CertificateParams, IsCa};
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;

/// The administrator's token.
pub(crate) const ADMIN: &str = "secret";

struct Nowhere;

impl Journal for Nowhere {
    fn commit(&self, _changes: &[Change]) -> io::Result<()> {
        Ok(())
    }
}

fn entropy() -> io::Result<[u8; 32]> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| io::Error::other("no randomness"))?;
    Ok(bytes)
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

/// Audit events, in their order.
#[derive(Default)]
pub(crate) struct Events(pub(crate) Mutex<Vec<Value>>);

impl Audit for Events {
    fn record(&self, event: &Value) {
        self.0.lock().unwrap().push(event.clone());
    }
}

pub(crate) struct World {
    /// The cluster behind the API.
    pub(crate) cluster: Cluster,
    pub(crate) events: Arc<Events>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) trusted: String,
    pub(crate) address: SocketAddr,
}

/// A certificate authority as a lab makes one.
pub(crate) fn authority() -> (String, Authority) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let certificate = params.self_signed(&key).unwrap().pem();
    let authority = Authority::from_pem(&certificate, &key.serialize_pem()).unwrap();
    (certificate, authority)
}

pub(crate) fn issue(authority: &Authority, user: &str, group: &str, usage: Usage) -> Issued {
    let subject = Subject {
        user: user.to_owned(),
        groups: vec![group.to_owned()],
    };
    let names = [
        AlternativeName::Address(Ipv4Addr::LOCALHOST.into()),
        AlternativeName::Dns("localhost".to_owned()),
        AlternativeName::Dns("hook.default.svc".to_owned()),
    ];
    let profile = Profile {
        usages: &[usage],
        names: &names,
        now: now(),
        lifetime: 3600,
    };
    authority.issue(&subject, profile).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let (trusted, authority) = authority();
        let own = issue(
            &authority,
            "kube-apiserver",
            "system:masters",
            Usage::Client,
        );
        let identity = Identity {
            authority: &trusted,
            certificate: &own.certificate,
            key: &own.key,
        };
        let events = Arc::new(Events::default());
        let outward = Outward::new(Arc::new(kube_client::Direct), identity).unwrap();
        let parts = Parts {
            settings: Settings {
                service_cidr: (Ipv4Addr::new(10, 96, 0, 0), 12),
                node_ports: 30_000..=32_767,
                authority: trusted.clone(),
                version: "1.32".to_owned(),
                pace: Pace::Real,
                pod_range: None,
                api_endpoints: Vec::new(),
            },
            store: Store::default(),
            journal: Box::new(Nowhere),
            entropy,
            clock: now,
            outward: Arc::new(outward.patience(Duration::from_secs(3))),
            audit: events.clone(),
        };
        let (cluster, _thread) = Cluster::start(parts).unwrap();
        let keys = Keys {
            admin: Some(ADMIN.to_owned()),
            signing: Keys::new_signing().unwrap(),
            issuer: "https://kubernetes.default.svc".to_owned(),
            authority: trusted.clone(),
            others: None,
        };
        let server = Arc::new(Server {
            cluster: cluster.clone(),
            authenticator: Authenticator::new(keys).unwrap(),
        });
        let own = issue(&authority, "kube-apiserver", "", Usage::Server);
        let tls = kube::serve::acceptor(&own.certificate, &own.key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, server) = (tls.clone(), server.clone());
                tokio::spawn(async move {
                    if let Ok((stream, peer)) = kube::serve::accept(&tls, stream).await {
                        let _ = kube::serve::converse(server, stream, peer).await;
                    }
                });
            }
        });
        Self {
            cluster,
            events,
            authority: Arc::new(authority),
            trusted,
            address,
        }
    }

    /// A connection to the API, with a certificate or without.
    pub(crate) async fn connect(&self, shown: Option<&Issued>) -> Wire {
        Wire::connect(self.address, &self.trusted, shown).await
    }

    /// An answer to the administrator: its status and document.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut wire = self.connect(None).await;
        let head = format!("authorization: Bearer {ADMIN}\r\n");
        let answer = wire.ask(method, path, &head, &body.to_string()).await;
        (answer.code, answer.document())
    }

    /// Makes an object as the administrator.
    pub(crate) async fn create(&self, path: &str, object: &Value) -> Value {
        let (code, made) = self.ask("POST", path, object).await;
        assert!((200..300).contains(&code), "{path}: {made}");
        made
    }

    /// A node whose kubelet listens on this port of loopback.
    pub(crate) async fn node(&self, name: &str, kubelet: u16) {
        let status = json!({
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet}},
        });
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}});
        self.create("/api/v1/nodes", &node).await;
        let patch = json!({"status": status});
        let path = format!("/api/v1/nodes/{name}/status");
        let mut wire = self.connect(None).await;
        let head = format!(
            "authorization: Bearer {ADMIN}\r\ncontent-type: application/merge-patch+json\r\n"
        );
        let answer = wire.ask("PATCH", &path, &head, &patch.to_string()).await;
        assert_eq!(answer.code, 200, "{}", answer.text());
    }

    /// A pod on a node, of an account of its own.
    pub(crate) async fn pod(&self, name: &str, node: &str) -> Value {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"},
        });
        let path = "/api/v1/namespaces/default/serviceaccounts";
        self.ask("POST", path, &account).await;
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]},
        });
        self.create("/api/v1/namespaces/default/pods", &pod).await
    }
}
