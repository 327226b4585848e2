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
    let line = Line::new(wire, client.clone());
    let of_requests = client.clone();
    let service = service_fn(move |request| front::handle(of_requests.clone(), request));
    let mut builder = http1::Builder::new();
    builder
        .auto_date_header(false)
        .preserve_header_case(true)
        .title_case_headers(true)
        .max_header_size(HEAD)
        .max_buf_size(4 * HEAD);
    let connection = builder.serve_connection(TokioIo::new(line), service);
    let mut connection = pin!(connection.with_upgrades());
    let closing = client.front.closing();
    let close = |connection: Pin<&mut _>| {
        http1::UpgradeableConnection::graceful_shutdown(connection);
    };
    drive(connection.as_mut(), &client.activity, idle, closing, close).await;
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
    let closing = client.front.closing();
    let close = |connection: Pin<&mut _>| http2::Connection::graceful_shutdown(connection);
    drive(connection.as_mut(), &client.activity, idle, closing, close).await;
}

/// Carries a connection on until it ends, was silent for too long, or its listener closes and the
/// requests under way are answered.
async fn drive<C: Future>(
    mut connection: Pin<&mut C>,
    activity: &Activity,
    idle: Duration,
    mut closing: watch::Receiver<bool>,
    close: impl Fn(Pin<&mut C>),
) {
    let mut timer = pin!(sleep(idle));
    let mut closed = pin!(closing.wait_for(|closing| *closing));
    let mut told = false;
    poll_fn(|context| {
        if connection.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if !told && closed.as_mut().poll(context).is_ready() {
            told = true;
            close(connection.as_mut());
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
        }
        while timer.as_mut().poll(context).is_ready() {
            let silent = activity.silent_for();
            if silent >= idle && !activity.is_waiting() {
                return Poll::Ready(());
            }
            let left = idle.saturating_sub(silent).max(Duration::from_millis(100));
            timer.as_mut().reset(tokio::time::Instant::now() + left);
        }
        Poll::Pending
    })
    .await;
}
