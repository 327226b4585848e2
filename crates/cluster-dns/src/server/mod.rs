//! A configuration at work: its sockets, and what is behind them.

mod chain;
mod listen;
mod pages;
#[cfg(test)]
mod tests;
mod upstream;

use crate::corefile::Config;
use crate::message::{self, Asked, Carrier};
use crate::metrics::{Family, Metrics};
use crate::question::Question;
use crate::zone::Zone;
use chain::Server;
use hickory_proto::rr::RecordType;
use listen::{Sockets, server_name};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};

/// A server asks itself so many times whether it goes round, and so long lies between.
const PROBES: u32 = 15;
const PROBE_PAUSE: Duration = Duration::from_secs(2);

/// A server that answers until it is dropped.
pub(crate) struct Running {
    current: watch::Sender<Arc<Server>>,
    zone: Arc<RwLock<Zone>>,
    metrics: Arc<Metrics>,
    names: HashMap<SocketAddr, Guard>,
    pages: HashMap<SocketAddr, Guard>,
    /// What ends with the configuration.
    beside: Vec<Guard>,
    troubled: mpsc::Sender<Trouble>,
    trouble: mpsc::Receiver<Trouble>,
}

/// A task that ends with whoever holds this.
struct Guard(JoinHandle<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What ends a server.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A socket is gone.
    Socket(io::Error),
    /// Questions go round: one of its own came back.
    Loop(String),
}

/// Sockets that are bound but don't answer yet.
struct Bound {
    names: Vec<(SocketAddr, Sockets)>,
    pages: Vec<(SocketAddr, TcpListener)>,
}

impl Running {
    /// Begins to answer.
    ///
    /// # Errors
    /// An address can't be listened at, or name servers can't be found.
    pub(crate) async fn start(config: Config, zone: Arc<RwLock<Zone>>) -> io::Result<Self> {
        let metrics = Arc::new(Metrics::default());
        metrics.set(
            Family::BuildInfo,
            &[("version", env!("CARGO_PKG_VERSION"))],
            1.0,
        );
        let (troubled, trouble) = mpsc::channel(1);
        let server = Server::new(config, zone.clone(), metrics.clone(), troubled.clone())?;
        let (current, _) = watch::channel(Arc::new(server));
        let mut running = Self {
            current,
            zone,
            metrics,
            names: HashMap::new(),
            pages: HashMap::new(),
            beside: Vec::new(),
            troubled,
            trouble,
        };
        let server = running.current.borrow().clone();
        let bound = running.bind(&server).await?;
        running.put(server, bound);
        Ok(running)
    }

    /// Answers by another configuration from now on. Sockets that both have stay open.
    ///
    /// # Errors
    /// As in [`Running::start`]; then the old configuration holds.
    pub(crate) async fn change(&mut self, config: Config) -> io::Result<()> {
        let (zone, metrics) = (self.zone.clone(), self.metrics.clone());
        let server = Server::new(config, zone, metrics, self.troubled.clone())?;
        let bound = self.bind(&server).await?;
        self.put(Arc::new(server), bound);
        Ok(())
    }

    /// Counts a configuration that can't be used.
    pub(crate) fn count_failed_reload(&self) {
        self.metrics.count(Family::ReloadFailed, &[]);
    }

    /// Waits for what ends the server.
    pub(crate) async fn trouble(&mut self) -> Trouble {
        match self.trouble.recv().await {
            Some(trouble) => trouble,
            // This holds a sender itself.
            None => std::future::pending().await,
        }
    }

    /// Listens where nobody does yet.
    async fn bind(&self, server: &Server) -> io::Result<Bound> {
        let named = |address, error: io::Error| {
            io::Error::new(error.kind(), format!("listen at {address}: {error}"))
        };
        let mut bound = Bound {
            names: Vec::new(),
            pages: Vec::new(),
        };
        for address in name_places(server) {
            if !self.names.contains_key(&address) {
                let sockets = Sockets::bind(address).await;
                let sockets = sockets.map_err(|error| named(address, error))?;
                bound.names.push((address, sockets));
            }
        }
        for address in page_places(server) {
            if !self.pages.contains_key(&address) {
                let listener = TcpListener::bind(address).await;
                let listener = listener.map_err(|error| named(address, error))?;
                bound.pages.push((address, listener));
            }
        }
        Ok(bound)
    }

    fn put(&mut self, server: Arc<Server>, bound: Bound) {
        let (names, pages) = (name_places(&server), page_places(&server));
        self.describe(&server);
        self.beside = beside(&server);
        self.current.send_replace(server);
        self.names.retain(|address, _| names.contains(address));
        self.pages.retain(|address, _| pages.contains(address));
        for (address, sockets) in bound.names {
            let (current, troubled) = (self.current.subscribe(), self.troubled.clone());
            let task = tokio::spawn(async move {
                let error = sockets.serve(address, current).await;
                let _ = troubled.send(Trouble::Socket(error)).await;
            });
            self.names.insert(address, Guard(task));
        }
        for (address, listener) in bound.pages {
            let (current, troubled) = (self.current.subscribe(), self.troubled.clone());
            let task = tokio::spawn(async move {
                let error = pages::serve(listener, address, current).await;
                let _ = troubled.send(Trouble::Socket(error)).await;
            });
            self.pages.insert(address, Guard(task));
        }
    }

    /// Says which plugins there are.
    fn describe(&self, server: &Server) {
        self.metrics.forget(Family::PluginEnabled);
        for block in server.blocks.iter().map(|serving| &serving.block) {
            let plugins = [
                ("errors", block.errors),
                ("log", block.log.is_some()),
                ("prometheus", block.prometheus.is_some()),
                ("loadbalance", block.loadbalance),
                ("cache", block.cache.is_some()),
                ("rewrite", !block.rewrites.is_empty()),
                ("template", !block.templates.is_empty()),
                ("hosts", block.hosts.is_some()),
                ("kubernetes", block.kubernetes.is_some()),
                ("loop", block.detects_loops),
                ("forward", !block.forwards.is_empty()),
            ];
            for (zone, port) in &block.served {
                for at in block.addresses(*port) {
                    let server = server_name(at);
                    for (name, _) in plugins.iter().filter(|(_, enabled)| *enabled) {
                        let labels = [
                            ("server", &*server),
                            ("zone", zone),
                            ("view", ""),
                            ("name", name),
                        ];
                        self.metrics.set(Family::PluginEnabled, &labels, 1.0);
                    }
                }
            }
        }
    }
}

fn name_places(server: &Server) -> BTreeSet<SocketAddr> {
    let blocks = server.blocks.iter().map(|serving| &serving.block);
    blocks
        .flat_map(|block| {
            let ports = block.served.iter().map(|(_, port)| *port);
            ports.flat_map(|port| block.addresses(port))
        })
        .collect()
}

fn page_places(server: &Server) -> BTreeSet<SocketAddr> {
    let blocks = server.blocks.iter().map(|serving| &serving.block);
    blocks
        .flat_map(|block| {
            let health = block.health.map(|health| health.address);
            [health, block.ready, block.prometheus]
        })
        .flatten()
        .collect()
}

/// What a configuration does by itself: it reads hosts again, and looks whether its questions go round.
fn beside(server: &Arc<Server>) -> Vec<Guard> {
    let mut guards = Vec::new();
    for (index, serving) in server.blocks.iter().enumerate() {
        let hosts = serving.block.hosts.as_ref();
        if let Some(pause) = hosts.and_then(|hosts| hosts.reload) {
            let server = server.clone();
            let task = tokio::spawn(async move {
                let mut ticks = interval(pause);
                loop {
                    ticks.tick().await;
                    server.blocks[index].read_hosts(&server.metrics);
                }
            });
            guards.push(Guard(task));
        }
        if serving.probe.is_some() {
            let server = server.clone();
            guards.push(Guard(tokio::spawn(async move {
                probe(&server, index).await;
            })));
        }
    }
    guards
}

/// Asks oneself for a name that nobody knows, until there was an answer.
async fn probe(server: &Server, index: usize) {
    let serving = &server.blocks[index];
    let Some((_, port)) = serving.block.served.first() else {
        return;
    };
    let (Some(at), Some(name)) = (serving.block.addresses(*port).pop(), &serving.probe) else {
        return;
    };
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let asked = Asked {
        id: 0,
        question: Question::new(name.clone(), RecordType::HINFO),
        carrier: Carrier::Udp,
        recursion_desired: true,
        checking_disabled: false,
        edns: None,
        size: 0,
    };
    for _ in 0..PROBES {
        let question = message::question(&asked);
        let address = SocketAddr::new(ip, at.port());
        if upstream::exchange(address, &question, Carrier::Udp)
            .await
            .is_ok()
        {
            return;
        }
        sleep(PROBE_PAUSE).await;
    }
}
