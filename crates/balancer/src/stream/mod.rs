//! Connections whose bytes are passed on as they are: TCP and TLS listeners.

mod preamble;
mod pump;

pub(crate) use pump::{Carried, pump};

use crate::front::{Client, Front, ListenerWords, TlsFacts};
use crate::journal::TlsConnection;
use crate::live::{Outstanding, Pool, open};
use crate::wire::Wire;
use fabric::balancer::{Preamble, SourceSeen, Stream};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Serves a client's connection.
pub(crate) async fn serve(
    front: Arc<Front>,
    words: Arc<ListenerWords>,
    stream: Stream,
    tcp: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
) {
    let mut client = Client::new(front, peer, local);
    let wire = match &words.tls {
        None => Wire::Plain(tcp),
        Some(tls) => {
            let begin = Instant::now();
            let accepting = TlsAcceptor::from(tls.config.clone()).accept(tcp);
            let Ok(Ok(accepted)) = timeout(HANDSHAKE, accepting).await else {
                return;
            };
            client.tls = Some(TlsFacts::of(accepted.get_ref().1, begin.elapsed(), tls));
            Wire::Tls(Box::new(accepted.into()))
        }
    };
    let (member, carried) = match words.pools.get(&stream.pool) {
        Some(pool) => carry(&client, &stream, pool, wire).await,
        None => (None, Carried::default()),
    };
    let Some(dialect) = stream.access_log else {
        return;
    };
    let connection = TlsConnection {
        balancer: &words.balancer,
        listener: &words.listener.id,
        client: &client,
        member,
        carried,
    };
    if let Some(line) = connection.line(dialect) {
        client.front.means.journal.write(line);
    }
}

/// Carries a connection's bytes to a member and back; tells which one, if there was a connection to it.
async fn carry(
    client: &Client,
    stream: &Stream,
    pool: &Pool,
    wire: Wire,
) -> (Option<SocketAddr>, Carried) {
    let Some(member) = pool.next().cloned() else {
        return (None, Carried::default());
    };
    let begin = Instant::now();
    let outstanding = Outstanding::with(member.clone());
    let Some(onward) = onward(client, pool, member.address).await else {
        return (None, Carried::default());
    };
    let connecting = begin.elapsed();
    let idle = Duration::from_secs(stream.idle_timeout.into());
    let cut = pool.words.conduct.cut_when_gone;
    let left = async {
        member.left().await;
        if !cut {
            std::future::pending::<()>().await;
        }
    };
    let carried = pump(wire, onward, idle, left).await;
    drop(outstanding);
    let carried = Carried {
        connecting,
        ..carried
    };
    (Some(member.address), carried)
}

/// A connection to a member, with the preamble said.
async fn onward(client: &Client, pool: &Pool, to: SocketAddr) -> Option<Wire> {
    let source = match pool.words.source {
        SourceSeen::Client => Some(client.peer),
        SourceSeen::Node => None,
    };
    let network = client.front.means.network.as_ref();
    let speech = pool.words.speech;
    let preamble = match pool.words.conduct.preamble {
        Some(Preamble::ProxyV1) => preamble::version1(client.peer, client.local),
        Some(Preamble::ProxyV2) => preamble::version2(client.peer, client.local),
        None => Vec::new(),
    };
    let opened = open(network, to, speech, source, &preamble).await;
    match opened {
        Ok(wire) => Some(wire),
        Err(error) => {
            tracing::debug!(%to, %error, "no connection to a member");
            None
        }
    }
}
