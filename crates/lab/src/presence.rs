//! The lab's presence in its networks: resolver, metadata and time in each VPC, resolver and the
//! clouds' endpoints on the internet. They come and go with their networks.

use crate::authority::Authority;
use crate::cloud::{Cloud, Snapshot};
use crate::http::Api;
use crate::names::{self, Asker, Question};
use crate::{clock, http, internet, metadata, socket};
use aws::compile::{METADATA, TIME};
use aws::model::VpcId;
use fabric::NetworkId;
use kernel::NetNs;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long after a failure a network is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How long a booting guest waits for its networks' services at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which networks have their services, for guests that need them when they boot.
#[derive(Clone)]
pub struct Served(watch::Receiver<HashSet<NetworkId>>);

/// Tells which networks have their services.
pub struct Serving(watch::Sender<HashSet<NetworkId>>);

/// The two ends of the news.
pub fn served() -> (Serving, Served) {
    let (tell, told) = watch::channel(HashSet::new());
    (Serving(tell), Served(told))
}

impl Served {
    /// Waits until these networks have their services, but not for ever: what keeps them from it is
    /// said by `skylab status`.
    pub async fn wait(&self, networks: &HashSet<NetworkId>) {
        let mut told = self.0.clone();
        let all = told.wait_for(|served| networks.is_subset(served));
        // A guest without names is better than none.
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }
}

/// What serves in the networks.
#[derive(Clone)]
pub struct Services {
    /// The account and its namespaces.
    pub cloud: Cloud,
    /// The clouds' APIs, for the endpoints.
    pub api: Arc<Api>,
    /// Vouches for the endpoints' names.
    pub authority: Arc<Authority>,
    /// Answers in the VPCs.
    pub metadata: Arc<metadata::Metadata>,
    /// Whether names beyond the lab are looked up too.
    pub uplink: bool,
}

/// What a network's services depend on; when it changes they begin anew.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    addresses: Vec<Ipv4Addr>,
    resolver: bool,
}

/// Services at work in one network; they end when it is dropped.
struct Present {
    wanted: Wanted,
    place: Arc<NetNs>,
    _tasks: JoinSet<()>,
}

impl Services {
    /// Serves on the internet. Call once, after the first application.
    ///
    /// # Errors
    /// The internet isn't there.
    pub async fn serve_internet(&self) -> io::Result<()> {
        let missing = || io::Error::other("the lab's internet is not there");
        let place = self.cloud.host(internet::services()).await;
        let place = place.ok_or_else(missing)?;
        let mut tasks = JoinSet::new();
        self.names(&mut tasks, &place, internet::RESOLVER, &Asker::Internet)
            .await?;
        for (port, tls) in [(80, None), (443, Some(self.authority.clone()))] {
            let at = SocketAddr::from((internet::ENDPOINTS, port));
            let listener = socket::listen(place.clone(), at).await?;
            tasks.spawn(http::serve(listener, self.api.clone(), tls));
        }
        tasks.detach_all();
        Ok(())
    }

    /// Follows the VPCs. Runs until the lab ends.
    pub async fn follow(self, serving: Serving) {
        let mut snapshots = self.cloud.snapshots();
        let mut present = HashMap::new();
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            let settled = self.reconcile(&snapshot, &mut present, &serving).await;
            serving.0.send_replace(present.keys().cloned().collect());
            let changed = if settled {
                snapshots.changed().await
            } else {
                tokio::select! {
                    changed = snapshots.changed() => changed,
                    () = tokio::time::sleep(RETRY) => Ok(()),
                }
            };
            if changed.is_err() {
                return;
            }
        }
    }

    /// Makes the services agree with the networks; whether all do.
    async fn reconcile(
        &self,
        snapshot: &Snapshot,
        present: &mut HashMap<NetworkId, Present>,
        serving: &Serving,
    ) -> bool {
        present.retain(|id, serving| wanted(snapshot, id).as_ref() == Some(&serving.wanted));
        let mut settled = true;
        for id in snapshot.fabric.networks.keys() {
            if present.contains_key(id) {
                continue;
            }
            let Some(wanted) = wanted(snapshot, id) else {
                continue;
            };
            match self.begin(id, wanted).await {
                Ok(begun) => {
                    self.cloud.health().good(id.as_str());
                    present.insert(id.clone(), begun);
                    serving.0.send_modify(|served| {
                        served.insert(id.clone());
                    });
                }
                Err(error) => {
                    settled = false;
                    tracing::warn!(network = %id, %error, "its services could not begin");
                    self.cloud.health().bad(
                        id.as_str(),
                        format!("its name and metadata services: {error}"),
                    );
                }
            }
        }
        // A place that the kernel side made anew has none of its old sockets.
        for id in present.keys().cloned().collect::<Vec<_>>() {
            let now = self.cloud.network(id.clone()).await;
            let same = present
                .get(&id)
                .is_some_and(|serving| now.is_some_and(|now| Arc::ptr_eq(&now, &serving.place)));
            if !same {
                present.remove(&id);
                settled = false;
            }
        }
        settled
    }

    async fn begin(&self, id: &NetworkId, wanted: Wanted) -> io::Result<Present> {
        let place = self.cloud.network(id.clone()).await;
        let place = place.ok_or_else(|| io::Error::other("the network is not there yet"))?;
        let vpc = VpcId::from(id.as_str());
        let mut tasks = JoinSet::new();
        for &address in &wanted.addresses {
            match address {
                METADATA => {
                    let listener = socket::listen(place.clone(), (METADATA, 80).into()).await?;
                    let serving = self.metadata.clone().serve(listener, vpc.clone());
                    tasks.spawn(serving);
                }
                TIME => {
                    let socket = socket::datagrams(place.clone(), (TIME, 123).into()).await?;
                    tasks.spawn(async move { ended("time", clock::serve(socket).await) });
                }
                resolver if wanted.resolver => {
                    let asker = Asker::Vpc(vpc.clone());
                    self.names(&mut tasks, &place, resolver, &asker).await?;
                }
                _ => {}
            }
        }
        Ok(Present {
            wanted,
            place,
            _tasks: tasks,
        })
    }

    /// A resolver on one address, by UDP and TCP.
    async fn names(
        &self,
        tasks: &mut JoinSet<()>,
        place: &Arc<NetNs>,
        at: Ipv4Addr,
        asker: &Asker,
    ) -> io::Result<()> {
        let at = SocketAddr::from((at, 53));
        let resolve = {
            let (cloud, asker) = (self.cloud.clone(), asker.clone());
            move |question: &Question| names::resolve(&cloud.snapshot().state, &asker, question)
        };
        let datagrams = socket::datagrams(place.clone(), at).await?;
        let listener = socket::listen(place.clone(), at).await?;
        let by_udp = names::serve_udp(datagrams, self.uplink, resolve.clone());
        tasks.spawn(async move { ended("names by UDP", by_udp.await) });
        let by_tcp = names::serve_tcp(listener, self.uplink, resolve);
        tasks.spawn(async move { ended("names by TCP", by_tcp.await) });
        Ok(())
    }
}

fn ended(service: &str, outcome: io::Result<()>) {
    if let Err(error) = outcome {
        tracing::error!(service, %error, "a service ended");
    }
}

/// What a network's services depend on; `None` for networks that are not VPCs.
fn wanted(snapshot: &Snapshot, id: &NetworkId) -> Option<Wanted> {
    let network = snapshot.fabric.networks.get(id)?;
    let vpc = snapshot.state.vpcs.get(id.as_str())?;
    Some(Wanted {
        addresses: network.services.clone(),
        resolver: vpc.dns_support,
    })
}
