//! One client's connection, from its first byte to its end.

use super::line::Line;
use super::words::{HttpWords, ListenerWords, Service};
use super::{Client, Front, TlsFacts};
use crate::activity::Activity;
use crate::wire::Wire;
use crate::{front, stream};
use fabric::balancer::http::Dialect;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// How long the head of a request may be: 64 KB.
const HEAD: usize = 64 * 1024;
/// How long a connection has no request before it rests.
const REST: Duration = Duration::from_secs(1);

/// Serves a client's connection.
pub(crate) async fn serve(front: Arc<Front>, tcp: TcpStream, peer: SocketAddr) {
    let words = front.words();
    // A connection that can't do without delay does with it.
    let _ = tcp.set_nodelay(true);
    let Ok(local) = tcp.local_addr() else {
        return;
    };
    match words.service.clone() {
        Service::Stream(stream) => {
            Box::pin(stream::serve(front, words, stream, tcp, peer, local)).await;
        }
        Service::Http(http) => serve_http(front, &words, &http, tcp, (peer, local)).await,
    }
}

async fn serve_http(
    front: Arc<Front>,
    words: &Arc<ListenerWords>,
    http: &Arc<HttpWords>,
    tcp: TcpStream,
    (peer, local): (SocketAddr, SocketAddr),
) {
    let idle = Duration::from_secs(http.http.idle_timeout.into());
    let mut client = Client::new(front, peer, local);
    let Some(tls) = &words.tls else {
        // Nothing is set up for a client that says nothing.
        if timeout(idle, tcp.ready(Interest::READABLE)).await.is_ok() {
            Box::pin(serve_http1(Wire::Plain(tcp), client, idle)).await;
        }
        return;
    };
    let begin = Instant::now();
    let accepting = TlsAcceptor::from(tls.config.clone()).accept(tcp);
    let Ok(Ok(accepted)) = timeout(idle, Box::pin(accepting)).await else {
        return;
    };
    let facts = TlsFacts::of(accepted.get_ref().1, begin.elapsed(), tls);
    let http2 = facts.alpn.as_deref() == Some(b"h2");
    client.tls = Some(facts);
    let wire = Wire::Tls(Box::new(accepted.into()));
    if http2 && http.http.dialect != Dialect::AwsClassic {
        Box::pin(serve_http2(wire, client, idle)).await;
    } else {
        Box::pin(serve_http1(wire, client, idle)).await;
    }
}

async fn serve_http1(wire: Wire, client: Client, idle: Duration) {
    let client = Arc::new(client);
    let mut line = Line::new(wire, client.clone());
    let mut builder = http1::Builder::new();
    builder
        .auto_date_header(false)
        .title_case_headers(true)
        .max_header_size(HEAD)
        .max_buf_size(4 * HEAD);
    loop {
        let of_requests = client.clone();
        let service = service_fn(move |request| front::handle(of_requests.clone(), request));
        let connection = builder.serve_connection(TokioIo::new(line), service);
        let mut connection = connection.with_upgrades();
        let close = |connection: Pin<&mut _>| {
            http1::UpgradeableConnection::graceful_shutdown(connection);
        };
        let watched = Watched {
            activity: &client.activity,
            closing: client.front.closing(),
            idle,
            may_rest: true,
        };
        match watched.drive(Pin::new(&mut connection), close).await {
            Pause::Ended => return,
            Pause::Rests => {}
        }
        // A connection that carries something else by now has ended for us.
        let Some(parts) = connection.into_parts() else {
            return;
        };
        line = parts.io.into_inner();
        drop(parts.service);
        line.unread(parts.read_buf);
        let spoken = timeout(
            idle.saturating_sub(client.activity.silent_for()),
            line.readable(),
        );
        let mut closing = client.front.closing();
        let goes_on = tokio::select! {
            spoken = spoken => spoken.is_ok(),
            _ = closing.wait_for(|closing| *closing) => false,
        };
        if !goes_on {
            return;
        }
    }
}

async fn serve_http2(wire: Wire, client: Client, idle: Duration) {
    let client = Arc::new(client);
    let line = Line::new(wire, client.clone());
    let of_requests = client.clone();
    let service = service_fn(move |request| front::handle(of_requests.clone(), request));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    // 128 streams at once, as AWS documents.
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(128)
        .max_header_list_size(HEAD as u32);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(line), service));
    let close = |connection: Pin<&mut _>| http2::Connection::graceful_shutdown(connection);
    let watched = Watched {
        activity: &client.activity,
        closing: client.front.closing(),
        idle,
        may_rest: false,
    };
    watched.drive(connection.as_mut(), close).await;
}

/// How a connection is carried on.
struct Watched<'a> {
    activity: &'a Activity,
    closing: watch::Receiver<bool>,
    /// After what silence it ends.
    idle: Duration,
    /// Whether what it needs to understand requests may be put away while there are none.
    may_rest: bool,
}

/// Why a connection isn't carried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// It has ended, or is to.
    Ended,
    /// It has no request, for a time now.
    Rests,
}

impl Watched<'_> {
    /// Carries a connection on until it ends, was silent for too long, rests, or its listener closes and
    /// the requests under way are answered.
    async fn drive<C: Future>(
        mut self,
        mut connection: Pin<&mut C>,
        close: impl Fn(Pin<&mut C>),
    ) -> Pause {
        let activity = self.activity;
        let step = if self.may_rest {
            REST.min(self.idle)
        } else {
            self.idle
        };
        let mut timer = pin!(sleep(step));
        let mut closed = pin!(self.closing.wait_for(|closing| *closing));
        let mut told = false;
        poll_fn(|context| {
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(Pause::Ended);
            }
            if !told && closed.as_mut().poll(context).is_ready() {
                told = true;
                close(connection.as_mut());
                if connection.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Pause::Ended);
                }
            }
            while timer.as_mut().poll(context).is_ready() {
                let silent = activity.silent_for();
                if silent >= self.idle && !activity.is_waiting() {
                    return Poll::Ready(Pause::Ended);
                }
                if self.may_rest && silent >= step && !told && activity.is_quiet() {
                    return Poll::Ready(Pause::Rests);
                }
                let left = step.saturating_sub(silent).max(Duration::from_millis(100));
                timer.as_mut().reset(tokio::time::Instant::now() + left);
            }
            Poll::Pending
        })
        .await
    }
}
