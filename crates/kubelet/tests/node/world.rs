//! A cluster whose API is served on loopback, with its controllers and scheduler, and a node.

use crate::fake::{Fake, FakeImages};
use kube::api::{Pace as ClusterPace, Settings};
use kube::certificates::{AlternativeName, Authority, Issued, Profile, Subject, Usage};
use kube::cluster::{Cluster, Journal, Parts};
use kube::outward::{Identity, Outward};
use kube::serve::{Authenticator, Keys, Server};
use kube::store::{Change, Store};
use kube_client::{Client, Config, Credential, Direct};
use kubelet::{
    Capacity, Eviction, FileKind, Here, Kubelet, KubeletConfig, Machine, Means, Memory, NodeFiles,
    Pace,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

pub(crate) const ADMIN: &str = "secret";
/// What takes longer doesn't come.
const PATIENCE: Duration = Duration::from_secs(60);

struct Nowhere;

impl Journal for Nowhere {
    fn commit(&self, _: &[Change]) -> io::Result<()> {
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

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

/// The machine's own files stand for the node's.
struct Files;

impl NodeFiles for Files {
    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        Ok(match fs::metadata(path) {
            Ok(found) if found.is_dir() => Some(FileKind::Directory),
            Ok(found) if found.is_file() => Some(FileKind::File),
            Ok(_) => Some(FileKind::Other),
            Err(_) => None,
        })
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn make_file(&self, path: &Path) -> io::Result<()> {
        fs::write(path, "")
    }

    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(b"127.0.0.1 node\n".to_vec())
    }
}

/// Memory that is a directory like any other: where it is mounted and how much it holds.
#[derive(Debug, Default)]
pub(crate) struct FakeMemory(pub(crate) Mutex<BTreeMap<PathBuf, u64>>);

impl Memory for FakeMemory {
    fn mount(&self, at: &Path, size: u64) -> io::Result<()> {
        self.0.lock().unwrap().insert(at.to_owned(), size);
        Ok(())
    }

    fn unmount(&self, at: &Path) -> io::Result<()> {
        self.0.lock().unwrap().remove(at);
        Ok(())
    }
}

pub(crate) struct World {
    authority: Authority,
    trusted: String,
    address: SocketAddr,
    pub(crate) admin: Client,
    pub(crate) runtime: Arc<Fake>,
    pub(crate) memory: Arc<FakeMemory>,
    pub(crate) folder: PathBuf,
    pub(crate) kubelet: Option<Kubelet>,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn authority() -> (String, Authority) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let certificate = params.self_signed(&key).unwrap().pem();
    let authority = Authority::from_pem(&certificate, &key.serialize_pem()).unwrap();
    (certificate, authority)
}

fn issue(authority: &Authority, user: &str, group: &str, usage: Usage) -> Issued {
    let subject = Subject {
        user: user.to_owned(),
        groups: vec![group.to_owned()],
    };
    let names = [AlternativeName::Address(Ipv4Addr::LOCALHOST.into())];
    let profile = Profile {
        usages: &[usage],
        names: &names,
        now: now(),
        lifetime: 3600,
    };
    authority.issue(&subject, profile).unwrap()
}

impl World {
    /// A cluster and no node.
    pub(crate) async fn empty() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
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
        let outward = Outward::new(Arc::new(Direct), identity).unwrap();
        let parts = Parts {
            settings: Settings {
                service_cidr: (Ipv4Addr::new(10, 96, 0, 0), 12),
                node_ports: 30_000..=32_767,
                authority: trusted.clone(),
                version: "1.32".to_owned(),
                pace: ClusterPace::Real,
                pod_range: None,
                api_endpoints: Vec::new(),
            },
            store: Store::default(),
            journal: Box::new(Nowhere),
            entropy,
            clock: now,
            outward: Arc::new(outward.patience(Duration::from_secs(3))),
            audit: Arc::new(kube::audit::Unrecorded),
        };
        let (cluster, _thread) = Cluster::start(parts).unwrap();
        let address = serve(&cluster, &authority, &trusted).await;
        tokio::spawn(kube::controllers::run(cluster.clone()));
        tokio::spawn(kube::scheduler::run(cluster));
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = format!("skylab-kubelet-node-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let _ = fs::remove_dir_all(&folder);
        let admin = client(address, &trusted, Credential::Token(ADMIN.to_owned()));
        let world = Self {
            authority,
            trusted,
            address,
            admin,
            runtime: Arc::default(),
            memory: Arc::default(),
            folder,
            kubelet: None,
        };
        world
            .until("the default account", async || {
                let path = "/api/v1/namespaces/default/serviceaccounts/default";
                world.admin.get(path).await.ok()
            })
            .await;
        world
    }

    /// A cluster with the node `n1`, which is ready.
    pub(crate) async fn new() -> Self {
        let mut world = Self::empty().await;
        world.start();
        world
            .until("the node", async || {
                world.condition().await.filter(|c| c["status"] == "True")
            })
            .await;
        world
    }

    /// Starts the node's kubelet.
    pub(crate) fn start(&mut self) {
        let own = issue(
            &self.authority,
            "system:node:n1",
            "system:nodes",
            Usage::Client,
        );
        let credential = Credential::Certificate {
            certificate: own.certificate,
            key: own.key,
        };
        let serving = issue(
            &self.authority,
            "system:node:n1",
            "system:nodes",
            Usage::Server,
        );
        let means = Means {
            runtime: self.runtime.clone(),
            images: Arc::new(FakeImages::default()),
            client: client(self.address, &self.trusted, credential),
            place: Arc::new(Here),
            files: Arc::new(Files),
            memory: self.memory.clone(),
        };
        let capacity = Capacity {
            cpu_millis: 2000,
            memory: 4 << 30,
            storage: 20 << 30,
            pods: 20,
        };
        let config = KubeletConfig {
            name: "n1".to_owned(),
            hostname: "n1".to_owned(),
            address: Ipv4Addr::LOCALHOST,
            addresses: Vec::new(),
            labels: [("disk".to_owned(), "ssd".to_owned())].into(),
            annotations: [].into(),
            taints: Vec::new(),
            provider_id: Some("skylab:///n1".to_owned()),
            capacity,
            allocatable: capacity,
            machine: Machine {
                architecture: "amd64".to_owned(),
                kubelet_version: "v1.32.0".to_owned(),
                ..Machine::default()
            },
            cluster_dns: vec![Ipv4Addr::new(10, 96, 0, 10)],
            cluster_domain: "cluster.local".to_owned(),
            node_dns: cri::Dns::default(),
            directory: self.folder.join("kubelet"),
            logs: self.folder.join("logs"),
            volumes: self.folder.join("volumes"),
            disks: self.folder.join("disks"),
            pace: Pace {
                timers: 10,
                probes: 1,
            },
            identity: Some(kubelet::Identity {
                certificate: serving.certificate,
                key: serving.key,
                authority: self.trusted.clone(),
            }),
            port: free_port(),
            eviction: Eviction::default(),
        };
        self.kubelet = Some(Kubelet::start(config, means));
    }

    /// A client of the kubelet's own server.
    pub(crate) async fn kubelet_client(&self, credential: Credential) -> Client {
        let at = self.kubelet.as_ref().unwrap().served_at().await;
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, at.port()));
        client(at, &self.trusted, credential)
    }

    /// A `kubeconfig` of the administrator's.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        let authority = self.folder.join("ca.crt");
        fs::create_dir_all(&self.folder).unwrap();
        fs::write(&authority, &self.trusted).unwrap();
        let config = json!({
            "kind": "Config", "apiVersion": "v1", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": format!("https://{}", self.address), "certificate-authority": authority}}],
            "users": [{"name": "test", "user": {"token": ADMIN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        });
        let path = self.folder.join("config");
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// The node's readiness.
    pub(crate) async fn condition(&self) -> Option<Value> {
        let node = self.admin.get("/api/v1/nodes/n1").await.ok()?;
        let conditions = node["status"]["conditions"].as_array()?;
        conditions.iter().find(|c| c["type"] == "Ready").cloned()
    }

    /// Waits until something is there.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{what} doesn't come: {}",
                self.state().await
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What there is, for messages.
    async fn state(&self) -> String {
        let pods = self.admin.get("/api/v1/pods").await.unwrap_or_default();
        let events = self.admin.get("/api/v1/events").await.unwrap_or_default();
        let events: Vec<String> = events["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|event| format!("{}: {}", event["reason"], event["message"]))
            .collect();
        format!("{:#}\n{}", pods["items"], events.join("\n"))
    }

    /// Makes an object.
    pub(crate) async fn create(&self, path: &str, object: Value) -> Value {
        self.admin.create(path, &object).await.unwrap()
    }

    /// Makes a pod in the default namespace.
    pub(crate) async fn pod(&self, name: &str, spec: Value) -> Value {
        let pod = json!({
            "kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "labels": {"app": name}},
            "spec": spec,
        });
        self.create("/api/v1/namespaces/default/pods", pod).await
    }

    /// Waits until a pod's status is as it should be.
    pub(crate) async fn until_pod(&self, name: &str, good: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/v1/namespaces/default/pods/{name}");
        let what = format!("what is expected of {name}");
        self.until(&what, async || {
            let pod = self.admin.get(&path).await.ok()?;
            good(&pod["status"]).then_some(pod)
        })
        .await
    }

    /// Waits until a pod is gone.
    pub(crate) async fn until_gone(&self, name: &str) {
        let path = format!("/api/v1/namespaces/default/pods/{name}");
        self.until("its end", async || {
            let found = self.admin.get(&path).await;
            found.is_err_and(|error| error.is_not_found()).then_some(())
        })
        .await;
    }

    /// The events about an object: their reasons and messages.
    pub(crate) async fn events(&self, name: &str) -> Vec<(String, String)> {
        let list = self.admin.get("/api/v1/events").await.unwrap();
        let items = list["items"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        items
            .iter()
            .filter(|event| event["involvedObject"]["name"] == name)
            .map(|event| (text(&event["reason"]), text(&event["message"])))
            .collect()
    }
}

/// A port that nobody listens on for now.
fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

fn client(address: SocketAddr, authority: &str, credential: Credential) -> Client {
    let config = Config {
        host: address.ip().to_string(),
        port: address.port(),
        authority: authority.to_owned(),
        credential,
        agent: "test".to_owned(),
        dial: Arc::new(Direct),
    };
    Client::new(config).unwrap()
}

async fn serve(cluster: &Cluster, authority: &Authority, trusted: &str) -> SocketAddr {
    let keys = Keys {
        admin: Some(ADMIN.to_owned()),
        signing: Keys::new_signing().unwrap(),
        issuer: "https://kubernetes.default.svc".to_owned(),
        authority: trusted.to_owned(),
        others: None,
    };
    let server = Arc::new(Server {
        cluster: cluster.clone(),
        authenticator: Authenticator::new(keys).unwrap(),
    });
    let own = issue(authority, "kube-apiserver", "", Usage::Server);
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
    address
}
