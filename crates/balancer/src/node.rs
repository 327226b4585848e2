//! A balancer's node: its listeners, open as long as the words say so.

use crate::front::{Front, HttpWords, ListenerWords, Pools, Service, serve};
use crate::live::Pool;
use crate::matcher::Matcher;
use crate::means::Means;
use crate::tls::{Listening, TlsError};
use crate::workers::Workers;
use fabric::balancer::{self as words, Balancer, Listener};
use fabric::id::{HostId, ListenerId};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Mutex as AsyncMutex;

/// How often idle connections to members are looked through.
const SWEEP: Duration = Duration::from_secs(1);
/// How long a listener waits when it can take no connection for want of descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// A balancer's node. When it is dropped its listeners close, and requests under way are answered.
pub struct Node {
    host: HostId,
    means: Means,
    workers: Workers,
    open: AsyncMutex<BTreeMap<(ListenerId, u16), Arc<Front>>>,
    pools: Arc<Mutex<Arc<Pools>>>,
}

/// A listener isn't open.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// There is no socket.
    #[error("no socket at port {0}: {1}")]
    Socket(u16, io::Error),
    /// It can't speak TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Node {
    /// Starts the node of a host, without listeners.
    pub fn start(host: HostId, means: Means, workers: Workers) -> Self {
        let pools = Arc::new(Mutex::new(Arc::new(Pools::new())));
        for worker in 0..workers.count() {
            workers.spawn(worker, sweep(Arc::downgrade(&pools)));
        }
        Self {
            host,
            means,
            workers,
            open: AsyncMutex::new(BTreeMap::new()),
            pools,
        }
    }

    /// Does as the words say from now on: when this returns, listeners are open and closed, and every
    /// request that comes next, on old connections too, goes the new way. Tells which listeners can't be
    /// opened.
    pub async fn apply(&self, balancer: &Balancer) -> Vec<(ListenerId, ListenError)> {
        let mut open = self.open.lock().await;
        let pools = self.next_pools(balancer);
        let mut failures = Vec::new();
        let mut wanted = BTreeMap::new();
        for listener in &balancer.listeners {
            match self.listener_words(balancer, listener, &pools) {
                Ok(Some(words)) => {
                    // A node that ends connections listens at one port.
                    wanted.insert((listener.id.clone(), listener.ports.low), Arc::new(words));
                }
                Ok(None) => {}
                Err(error) => failures.push((listener.id.clone(), error.into())),
            }
        }
        open.retain(|at, front| {
            let stays = wanted.contains_key(at);
            if !stays {
                front.close();
            }
            stays
        });
        for ((id, port), words) in wanted {
            if let Some(front) = open.get(&(id.clone(), port)) {
                front.say(words);
                continue;
            }
            let front = Arc::new(Front::new(port, self.means.clone(), words));
            match self.listen(&front).await {
                Ok(()) => {
                    open.insert((id, port), front);
                }
                Err(error) => {
                    front.close();
                    failures.push((id, ListenError::Socket(port, error)));
                }
            }
        }
        failures
    }

    /// Pools by new words.
    fn next_pools(&self, balancer: &Balancer) -> Arc<Pools> {
        let zone = balancer
            .nodes
            .get(&self.host)
            .map(|node| node.zone.as_str());
        let mut current = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = |(id, words): (&fabric::id::PoolId, &Arc<words::Pool>)| {
            let old = current.get(id).map(Arc::as_ref);
            let pool = Pool::new(words.clone(), zone, old, self.workers.count());
            (id.clone(), Arc::new(pool))
        };
        let next: Pools = balancer.pools.iter().map(pool).collect();
        for (id, pool) in current.iter() {
            if !next.contains_key(id) {
                pool.leave();
            }
        }
        *current = Arc::new(next);
        current.clone()
    }

    /// What is said of a listener, ready for use; nothing, if packets are passed on by others.
    fn listener_words(
        &self,
        balancer: &Balancer,
        listener: &Arc<Listener>,
        pools: &Arc<Pools>,
    ) -> Result<Option<ListenerWords>, TlsError> {
        let (service, tls) = match &listener.service {
            words::Service::Forward(_) => return Ok(None),
            words::Service::Stream(stream) => (Service::Stream(stream.clone()), stream.tls.clone()),
            words::Service::Http(http) => {
                let compiled = HttpWords {
                    http: http.clone(),
                    matcher: Matcher::new(http),
                };
                (Service::Http(Arc::new(compiled)), with_alpn(http))
            }
        };
        let vault = self.means.vault.as_ref();
        let tls = tls.map(|tls| Listening::new(&tls, vault)).transpose()?;
        Ok(Some(ListenerWords {
            balancer: balancer.id.clone(),
            listener: listener.clone(),
            service,
            tls,
            pools: pools.clone(),
        }))
    }

    /// Opens a listener: a socket a worker.
    async fn listen(&self, front: &Arc<Front>) -> io::Result<()> {
        for worker in 0..self.workers.count() {
            let socket = self.means.network.listen(front.port).await?;
            socket.set_nonblocking(true)?;
            let (front, workers) = (front.clone(), self.workers.clone());
            self.workers.spawn(worker, async move {
                accept(socket, front, &workers, worker).await;
            });
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for front in self.open.get_mut().values() {
            front.close();
        }
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        for pool in pools.values() {
            pool.leave();
        }
    }
}

/// The TLS of a listener for requests: what clients may speak in it is known.
fn with_alpn(http: &words::http::Http) -> Option<words::Tls> {
    let mut tls = http.tls.clone()?;
    if tls.alpn.is_empty() {
        let http2 = http.http2 && http.dialect != words::http::Dialect::AwsClassic;
        let offered = if http2 {
            &["h2", "http/1.1"][..]
        } else {
            &["http/1.1"]
        };
        tls.alpn = offered.iter().map(|name| (*name).to_owned()).collect();
    }
    Some(tls)
}

/// Takes connections until the listener closes.
async fn accept(
    socket: std::net::TcpListener,
    front: Arc<Front>,
    workers: &Workers,
    worker: usize,
) {
    let Ok(listener) = TcpListener::from_std(socket) else {
        tracing::warn!(port = front.port, "a listener can't be used");
        return;
    };
    let mut closing = front.closing();
    loop {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            _ = closing.wait_for(|closing| *closing) => return,
        };
        match taken {
            Ok((tcp, peer)) => workers.spawn(worker, serve(front.clone(), tcp, peer)),
            Err(error) => {
                tracing::warn!(port = front.port, %error, "a connection can't be taken");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

/// Closes idle connections to members that nobody needs, until the node is gone.
async fn sweep(pools: std::sync::Weak<Mutex<Arc<Pools>>>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(pools) = pools.upgrade() else {
            return;
        };
        let now = pools.lock().unwrap_or_else(PoisonError::into_inner).clone();
        poll_fn(|context| {
            for member in now.values().flat_map(|pool| pool.members()) {
                member.sweep(context);
            }
            Poll::Ready(())
        })
        .await;
    }
}
