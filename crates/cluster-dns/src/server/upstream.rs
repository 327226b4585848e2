//! Other resolvers.

use crate::answer::Answer;
use crate::message::{self, Asked, Carrier};
use crate::metrics::{Family, Metrics};
use crate::plugin::forward::{Forward, Policy, Upstream};
use crate::plugin::{resolv, template};
use crate::question::Question;
use crate::random;
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, sleep, timeout};

/// So long all upstreams together may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long one may take.
const READ: Duration = Duration::from_secs(2);

/// Where questions below a name go.
pub(crate) struct Upstreams {
    pub(crate) settings: Forward,
    all: Vec<Arc<Server>>,
    turn: AtomicUsize,
    under_way: AtomicUsize,
    metrics: Arc<Metrics>,
}

/// A resolver and its health.
struct Server {
    address: SocketAddr,
    fails: AtomicU32,
    checked: AtomicBool,
}

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No upstream answered.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// None is thought to be able to.
    #[error("no healthy proxies")]
    NoneHealthy,
    /// Too many questions are under way.
    #[error("concurrent queries exceeded maximum {0}")]
    TooMany(usize),
}

/// One question more under way, until this is dropped.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Upstreams {
    /// Finds out where questions go.
    ///
    /// # Errors
    /// A file with name servers can't be read, or has none.
    pub(crate) fn new(settings: Forward, metrics: Arc<Metrics>) -> io::Result<Self> {
        let mut addresses = Vec::new();
        for upstream in &settings.to {
            match upstream {
                Upstream::Address(address) => addresses.push(*address),
                Upstream::File(file) => {
                    let named = |error: &dyn std::fmt::Display| {
                        io::Error::other(format!("{}: {error}", file.display()))
                    };
                    let text = std::fs::read_to_string(file).map_err(|error| named(&error))?;
                    let servers = resolv::servers(&text);
                    if servers.is_empty() {
                        return Err(named(&"no nameservers found"));
                    }
                    addresses.extend(servers);
                }
            }
        }
        let server = |address| {
            Arc::new(Server {
                address,
                fails: AtomicU32::new(0),
                checked: AtomicBool::new(false),
            })
        };
        Ok(Self {
            settings,
            all: addresses.into_iter().map(server).collect(),
            turn: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            metrics,
        })
    }

    /// Asks until one answers.
    pub(crate) async fn ask(&self, asked: &Asked) -> Result<Answer, Failure> {
        let place = self.under_way.fetch_add(1, Ordering::Relaxed);
        let _place = Place(&self.under_way);
        if let Some(limit) = self.settings.max_concurrent.filter(|limit| place >= *limit) {
            self.metrics.count(Family::ConcurrentRejects, &[]);
            return Err(Failure::TooMany(limit));
        }
        let start = Instant::now();
        let list = self.list();
        let mut last = Failure::NoneHealthy;
        let (mut at, mut tried) = (0, 0);
        while start.elapsed() < PATIENCE && tried < 2 * list.len() {
            let server = self.next(&list, &mut at);
            tried += 1;
            match self.exchange(server, asked).await {
                Ok(answer) => {
                    let again = self.settings.failover.contains(&answer.code);
                    if !again || tried >= list.len() {
                        return Ok(answer);
                    }
                }
                Err(error) => {
                    last = Failure::Io(error);
                    self.check(server);
                }
            }
        }
        Err(last)
    }

    /// In which order upstreams are asked.
    fn list(&self) -> Vec<Arc<Server>> {
        let mut list = self.all.clone();
        match self.settings.policy {
            Policy::Sequential => {}
            Policy::Random => random::shuffle(&mut list),
            Policy::RoundRobin => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                let length = list.len().max(1);
                list.rotate_left(turn % length);
            }
        }
        list
    }

    /// The next that is up; any, if none is.
    fn next<'a>(&self, list: &'a [Arc<Server>], at: &mut usize) -> &'a Arc<Server> {
        for _ in 0..list.len() {
            let server = &list[*at % list.len()];
            *at += 1;
            let fails = server.fails.load(Ordering::Relaxed);
            if self.settings.max_fails == 0 || fails < self.settings.max_fails {
                return server;
            }
        }
        self.metrics.count(Family::HealthcheckBroken, &[]);
        &list[random::below(list.len())]
    }

    async fn exchange(&self, server: &Server, asked: &Asked) -> io::Result<Answer> {
        let start = Instant::now();
        let question = message::question(asked);
        let carrier = match asked.carrier {
            _ if self.settings.force_tcp => Carrier::Tcp,
            _ if self.settings.prefer_udp => Carrier::Udp,
            carrier => carrier,
        };
        let mut reply = exchange(server.address, &question, carrier).await?;
        let preferred = self.settings.prefer_udp && !self.settings.force_tcp;
        if preferred && reply.metadata.truncation {
            reply = exchange(server.address, &question, Carrier::Tcp).await?;
        }
        let code = template::code_name(reply.metadata.response_code);
        let to = server.address.to_string();
        let labels = [("proxy_name", "forward"), ("rcode", &code), ("to", &to)];
        let seconds = start.elapsed().as_secs_f64();
        self.metrics
            .observe(Family::ProxyDuration, &labels, seconds);
        Ok(Answer {
            code: reply.metadata.response_code,
            authoritative: reply.metadata.authoritative,
            recursive: reply.metadata.recursion_available,
            truncated: reply.metadata.truncation,
            answers: reply.answers,
            authorities: reply.authorities,
            additionals: reply.additionals,
            plugin: "forward",
        })
    }

    /// Looks at an upstream's health until it is well.
    fn check(&self, server: &Arc<Server>) {
        if self.settings.max_fails == 0 || server.checked.swap(true, Ordering::Relaxed) {
            return;
        }
        let (weak, metrics) = (Arc::downgrade(server), self.metrics.clone());
        let interval = self.settings.health_check;
        tokio::spawn(async move {
            // Whoever reads the configuration anew forgets the upstream.
            while let Some(server) = weak.upgrade() {
                if is_well(server.address).await {
                    server.fails.store(0, Ordering::Relaxed);
                    server.checked.store(false, Ordering::Relaxed);
                    return;
                }
                let to = server.address.to_string();
                let labels = [("proxy_name", "forward"), ("to", to.as_str())];
                metrics.count(Family::HealthcheckFailures, &labels);
                server.fails.fetch_add(1, Ordering::Relaxed);
                drop(server);
                sleep(interval).await;
            }
        });
    }
}

/// Whether a resolver answers at all: any answer will do.
async fn is_well(address: SocketAddr) -> bool {
    let asked = Asked {
        id: 0,
        question: Question::new(Name::root(), RecordType::NS),
        carrier: Carrier::Udp,
        recursion_desired: true,
        checking_disabled: false,
        edns: None,
        size: 0,
    };
    let question = message::question(&asked);
    exchange(address, &question, Carrier::Udp).await.is_ok()
}

/// Sends a question and waits for its answer.
pub(super) async fn exchange(
    address: SocketAddr,
    question: &Message,
    carrier: Carrier,
) -> io::Result<Message> {
    let bytes = question.to_vec().map_err(io::Error::other)?;
    let answered = async {
        match carrier {
            Carrier::Udp => by_udp(address, question, &bytes).await,
            Carrier::Tcp => by_tcp(address, question, &bytes).await,
        }
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("{address}: i/o timeout"));
    timeout(READ, answered).await.map_err(late)?
}

async fn by_udp(address: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    socket.send(bytes).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // What answers something else isn't meant for us.
        if let Some(reply) = answering(question, &buffer[..length]) {
            return Ok(reply);
        }
    }
}

async fn by_tcp(address: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(address).await?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(bytes);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await?;
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "answers another question");
    answering(question, &buffer).ok_or_else(wrong)
}

fn answering(question: &Message, bytes: &[u8]) -> Option<Message> {
    let reply = Message::from_vec(bytes).ok()?;
    let told = &reply.metadata;
    let matches = told.id == question.metadata.id && told.message_type == MessageType::Response;
    // An error may come without the question.
    let bare = reply.queries.is_empty() && told.response_code != ResponseCode::NoError;
    (matches && (bare || reply.queries == question.queries)).then_some(reply)
}
