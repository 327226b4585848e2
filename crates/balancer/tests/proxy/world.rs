//! A node on loopback, its members and its clients.

use balancer::means::{
    FetchError, Functions, InvokeError, Journal, Later, Means, Network, SigningKey, Vault,
};
use balancer::{Node, Workers};
use bytes::Bytes;
use fabric::balancer::http::{
    Action, Desync, Dialect, Forward, HeaderConduct, Http, Outcome, Rule,
};
use fabric::balancer::{
    Balancer, Conduct, Listener, Member, MemberState, Pool, Service, SourceSeen, Speech, Transport,
};
use fabric::filter::NumberRange;
use fabric::id::{CertificateId, HostId};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

pub type Fetch = dyn Fn(http::Request<Bytes>) -> http::Response<Bytes> + Send + Sync;
pub type Invoke = dyn Fn(&str, Bytes) -> Result<Bytes, InvokeError> + Send + Sync;

/// What the node has on loopback. A listener's port becomes another that is free.
pub struct Loopback {
    ports: Mutex<HashMap<u16, SocketAddr>>,
    pub lines: Mutex<Vec<String>>,
    pub certificates: Mutex<HashMap<CertificateId, Arc<CertifiedKey>>>,
    pub fetch: Mutex<Option<Arc<Fetch>>>,
    pub invoke: Mutex<Option<Arc<Invoke>>>,
    pub key: SigningKey,
}

impl Loopback {
    fn bind(&self, port: u16) -> io::Result<std::net::TcpListener> {
        let mut ports = self.ports.lock().unwrap();
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(
            ports
                .get(&port)
                .copied()
                .unwrap_or((Ipv4Addr::LOCALHOST, 0).into()),
        )?;
        let listener = socket.listen(64)?;
        ports.insert(port, listener.local_addr()?);
        listener.into_std()
    }
}

/// The trait's implementations are on this, because the traits are not ours nor is `Arc`.
#[derive(Clone)]
pub struct Here(pub Arc<Loopback>);

impl Network for Here {
    fn listen(&self, port: u16) -> Later<'_, io::Result<std::net::TcpListener>> {
        Box::pin(async move { self.0.bind(port) })
    }
    fn connect(&self, to: SocketAddr, _: Option<SocketAddr>) -> Later<'_, io::Result<TcpStream>> {
        Box::pin(TcpStream::connect(to))
    }
    fn fetch(
        &self,
        request: http::Request<Bytes>,
    ) -> Later<'_, Result<http::Response<Bytes>, FetchError>> {
        let fetch = self.0.fetch.lock().unwrap().clone();
        let answer = fetch.map(|fetch| fetch(request));
        let answer = answer.ok_or(FetchError("no way".into()));
        Box::pin(std::future::ready(answer))
    }
}

impl Vault for Here {
    fn certificate(&self, id: &CertificateId) -> Option<Arc<CertifiedKey>> {
        self.0.certificates.lock().unwrap().get(id).cloned()
    }
    fn secret(&self, name: &str) -> Option<String> {
        Some(format!("secret of {name}"))
    }
    fn cookie_key(&self) -> [u8; 32] {
        [9; 32]
    }
    fn signing_key(&self) -> Option<SigningKey> {
        Some(self.0.key.clone())
    }
}

impl Functions for Here {
    fn invoke(&self, name: &str, event: Bytes) -> Later<'_, Result<Bytes, InvokeError>> {
        let invoke = self.0.invoke.lock().unwrap().clone();
        let answer = match invoke {
            Some(invoke) => invoke(name, event),
            None => Err(InvokeError::NotCalled(name.into())),
        };
        Box::pin(std::future::ready(answer))
    }
}

impl Journal for Here {
    fn write(&self, line: String) {
        self.0.lines.lock().unwrap().push(line);
    }
}

/// A node and its words.
pub struct World {
    pub node: Node,
    pub here: Here,
    pub words: Balancer,
}

/// The port that listeners have by their words.
pub const PORT: u16 = 80;

impl World {
    /// A node without listeners.
    pub fn new() -> Self {
        let here = Here(Arc::new(Loopback {
            ports: Mutex::default(),
            lines: Mutex::default(),
            certificates: Mutex::default(),
            fetch: Mutex::default(),
            invoke: Mutex::default(),
            key: balancer::auth::signing_key("k1").unwrap(),
        }));
        let part = Arc::new(here.clone());
        let means = Means {
            network: part.clone(),
            vault: part.clone(),
            functions: part.clone(),
            journal: part,
        };
        let workers = Workers::start(2).unwrap();
        let host = HostId::new("node");
        let words = Balancer {
            id: "arn:aws:elasticloadbalancing:us-west-2:1:loadbalancer/app/web/50dc".into(),
            nodes: [(host.clone(), fabric::balancer::Node { zone: "a".into() })]
                .into_iter()
                .collect(),
            listeners: Vec::new(),
            pools: imbl::OrdMap::new(),
        };
        Self {
            node: Node::start(host, means, workers),
            here,
            words,
        }
    }

    /// A node with one listener for requests and its pools.
    pub async fn http(http: Http, pools: Vec<Pool>) -> Self {
        let mut world = Self::new();
        world.listen(PORT, Service::Http(http));
        world.pools(pools);
        world.apply().await;
        world
    }

    /// Has one more listener in the words.
    pub fn listen(&mut self, port: u16, service: Service) {
        self.words
            .listeners
            .retain(|listener| !listener.ports.contains(port));
        self.words.listeners.push(Arc::new(Listener {
            id: format!("arn:listener/{port}").as_str().into(),
            transports: vec![Transport::Tcp],
            ports: NumberRange::one(port),
            service,
        }));
    }

    /// Has pools in the words.
    pub fn pools(&mut self, pools: Vec<Pool>) {
        for pool in pools {
            self.words.pools.insert(pool.id.clone(), Arc::new(pool));
        }
    }

    /// Has the node do as the words say.
    pub async fn apply(&self) {
        let failures = self.node.apply(&self.words).await;
        assert!(failures.is_empty(), "{failures:?}");
    }

    /// Where a listener really is.
    pub fn at(&self, port: u16) -> SocketAddr {
        self.here.0.ports.lock().unwrap()[&port]
    }

    /// What comes back for some bytes, until the end.
    pub async fn say(&self, text: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.at(PORT)).await.unwrap();
        stream.write_all(text.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        // A reset ends it too.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What comes back for a GET with more headers.
    pub async fn get(&self, path: &str, headers: &str) -> String {
        let text = format!(
            "GET {path} HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n{headers}\r\n"
        );
        self.say(text).await
    }

    /// The log's lines, once there are so many.
    pub async fn lines(&self, count: usize) -> Vec<String> {
        loop {
            let lines = self.here.0.lines.lock().unwrap().clone();
            if lines.len() >= count {
                return lines;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// A listener that gives everything to a pool.
pub fn http(pool: &str) -> Http {
    Http {
        tls: None,
        http2: true,
        dialect: Dialect::AwsApplication,
        rules: Vec::new(),
        default: rule(0, Vec::new(), Outcome::Forward(Forward::to(pool.into()))),
        idle_timeout: 60,
        client_keep_alive: 3600,
        headers: HeaderConduct::default(),
        desync: Desync::Defensive,
        access_log: false,
    }
}

/// A rule.
pub fn rule(
    priority: u32,
    conditions: Vec<fabric::balancer::http::Condition>,
    outcome: Outcome,
) -> Arc<Rule> {
    Arc::new(Rule {
        id: format!("rule-{priority}").as_str().into(),
        priority,
        conditions,
        action: Action::plain(outcome),
    })
}

/// A pool with healthy members.
pub fn pool(id: &str, members: &[SocketAddr]) -> Pool {
    Pool {
        id: id.into(),
        speech: Speech::Http1,
        members: members.iter().map(member).collect(),
        cross_zone: true,
        source: SourceSeen::Node,
        affinity: None,
        health_check: None,
        conduct: Conduct::default(),
    }
}

/// A healthy member.
pub fn member(at: &SocketAddr) -> Member {
    Member {
        name: at.to_string(),
        address: Ipv4Addr::LOCALHOST,
        port: at.port(),
        check_port: at.port(),
        zone: None,
        state: MemberState::Healthy,
        reason: None,
    }
}

/// The status, the headers in lower case and the body of an answer.
pub fn parts(answer: &str) -> (u16, String, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (
        status.unwrap_or(0),
        head.to_ascii_lowercase(),
        body.to_owned(),
    )
}

/// The values that an answer has of a header.
pub fn values(answer: &str, name: &str) -> Vec<String> {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let named = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.to_owned()).collect()
}
