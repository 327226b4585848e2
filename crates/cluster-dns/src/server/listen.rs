//! Questions on sockets, by UDP and TCP.

use super::chain::Server;
use crate::answer::Answer;
use crate::message::{self, Asked, Carrier};
use crate::metrics::{Family, Metrics};
use crate::plugin::template::code_name;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// So many questions are under way by UDP at once; more wait in the socket.
const QUESTIONS: usize = 4096;
/// So many clients may be connected by TCP at once.
const CONNECTIONS: usize = 512;
/// A TCP client that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(10);

/// What answers, as it is configured now.
pub(crate) type Current = watch::Receiver<Arc<Server>>;

/// A place's sockets.
pub(crate) struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Sockets {
    /// Listens at an address.
    ///
    /// # Errors
    /// It can't.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            udp: UdpSocket::bind(address).await?,
            tcp: TcpListener::bind(address).await?,
        })
    }

    /// Answers until a socket fails. `at` is the address as it is configured.
    pub(crate) async fn serve(self, at: SocketAddr, current: Current) -> io::Error {
        let failed = tokio::select! {
            failed = serve_udp(self.udp, at, current.clone()) => failed,
            failed = serve_tcp(self.tcp, at, current) => failed,
        };
        match failed {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }
}

async fn serve_udp(
    socket: UdpSocket,
    at: SocketAddr,
    current: Current,
) -> io::Result<std::convert::Infallible> {
    let socket = Arc::new(socket);
    let places = Arc::new(Semaphore::new(QUESTIONS));
    let mut buffer = vec![0; 4096];
    loop {
        let place = places.clone().acquire_owned().await;
        let (length, peer) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // An earlier answer met a closed port.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(error),
        };
        let request = buffer[..length].to_vec();
        let (socket, server) = (socket.clone(), current.borrow().clone());
        tokio::spawn(async move {
            if let Some(reply) = reply(&server, at, peer, &request, Carrier::Udp).await {
                // One client that can't be answered is no reason to stop.
                let _ = socket.send_to(&reply, peer).await;
            }
            drop(place);
        });
    }
}

async fn serve_tcp(
    listener: TcpListener,
    at: SocketAddr,
    current: Current,
) -> io::Result<std::convert::Infallible> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let (stream, peer) = listener.accept().await?;
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue;
        };
        let current = current.clone();
        tokio::spawn(async move {
            // A client that breaks off is no news.
            let _ = converse(stream, at, peer, &current).await;
            drop(place);
        });
    }
}

async fn converse(
    mut stream: TcpStream,
    at: SocketAddr,
    peer: SocketAddr,
    current: &Current,
) -> io::Result<()> {
    loop {
        let length = timeout(PATIENCE, stream.read_u16()).await??;
        let mut request = vec![0; usize::from(length)];
        timeout(PATIENCE, stream.read_exact(&mut request)).await??;
        let server = current.borrow().clone();
        let Some(reply) = reply(&server, at, peer, &request, Carrier::Tcp).await else {
            return Ok(());
        };
        let Ok(length) = u16::try_from(reply.len()) else {
            return Ok(());
        };
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend(reply);
        stream.write_all(&framed).await?;
    }
}

/// Answers one request; nothing to what is no question.
pub(super) async fn reply(
    server: &Server,
    at: SocketAddr,
    peer: SocketAddr,
    request: &[u8],
    carrier: Carrier,
) -> Option<Vec<u8>> {
    let start = Instant::now();
    let asked = match message::read(request, carrier) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let server_name = server_name(at);
    let scope = server.scope(at, &server_name, &asked.question.text);
    let answer = match scope {
        Some(scope) => server.answer(at, scope, &asked, 0).await,
        None => Answer::empty(ResponseCode::Refused, ""),
    };
    let bytes = message::write(&asked, &answer)?;
    let exchange = Exchange {
        server: &server_name,
        zone: scope.map_or("dropped", |scope| scope.zone),
        peer,
        asked: &asked,
        answer: &answer,
        bytes: &bytes,
        elapsed: start.elapsed(),
    };
    exchange.count(&server.metrics);
    let log = scope.and_then(|scope| scope.serving.block.log.as_ref());
    if log.is_some_and(|log| log.wants(&asked.question.text, &answer)) {
        tracing::info!("{}", exchange.line());
    }
    Some(bytes)
}

/// What metrics call the server that listens at an address.
pub(crate) fn server_name(at: SocketAddr) -> String {
    if at.ip().is_unspecified() {
        format!("dns://:{}", at.port())
    } else {
        format!("dns://{at}")
    }
}

/// A question and its answer, to be counted and logged.
struct Exchange<'a> {
    server: &'a str,
    zone: &'a str,
    peer: SocketAddr,
    asked: &'a Asked,
    answer: &'a Answer,
    bytes: &'a [u8],
    elapsed: Duration,
}

impl Exchange<'_> {
    fn count(&self, metrics: &Metrics) {
        let Self { asked, answer, .. } = self;
        let family = if self.peer.is_ipv4() { "1" } else { "2" };
        let kind = kind_name(asked.question.kind);
        let code = code_name(answer.code);
        let proto = ("proto", asked.carrier.name());
        let [server, zone, view] = [("server", self.server), ("zone", self.zone), ("view", "")];
        let requests = [
            server,
            zone,
            view,
            proto,
            ("family", family),
            ("type", &kind),
        ];
        metrics.count(Family::Requests, &requests);
        let plugin = ("plugin", answer.plugin);
        metrics.count(
            Family::Responses,
            &[server, zone, view, ("rcode", &code), plugin],
        );
        if asked.signed() {
            metrics.count(Family::DoRequests, &[server, view, zone]);
        }
        let seconds = self.elapsed.as_secs_f64();
        metrics.observe(Family::Duration, &[server, zone, view], seconds);
        let length = |length: usize| f64::from(u32::try_from(length).unwrap_or(u32::MAX));
        let labels = [server, zone, view, proto];
        metrics.observe(Family::RequestSize, &labels, length(asked.size));
        metrics.observe(Family::ResponseSize, &labels, length(self.bytes.len()));
    }

    /// A line of the log, in CoreDNS's common format.
    fn line(&self) -> String {
        let Self {
            asked,
            answer,
            bytes,
            ..
        } = self;
        let flags = [
            (true, "qr"),
            (answer.authoritative, "aa"),
            (bytes.get(2).is_some_and(|byte| byte & 2 != 0), "tc"),
            (asked.recursion_desired, "rd"),
            (answer.recursive, "ra"),
            (asked.checking_disabled, "cd"),
        ];
        let set = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name);
        format!(
            "{} - {} \"{} IN {} {} {} {} {}\" {} {} {} {:.9}s",
            self.peer,
            asked.id,
            asked.question.kind,
            asked.question.name,
            asked.carrier.name(),
            asked.size,
            asked.signed(),
            asked.payload(),
            code_name(answer.code),
            set.collect::<Vec<_>>().join(","),
            bytes.len(),
            self.elapsed.as_secs_f64(),
        )
    }
}

/// A type's name in metrics; those that are rare are one.
fn kind_name(kind: RecordType) -> String {
    match kind {
        RecordType::A
        | RecordType::AAAA
        | RecordType::MX
        | RecordType::SOA
        | RecordType::CNAME
        | RecordType::PTR
        | RecordType::TXT
        | RecordType::NS
        | RecordType::SRV
        | RecordType::HTTPS
        | RecordType::ANY => kind.to_string(),
        _ => "other".to_owned(),
    }
}
