//! The lab's side of the control socket.

use super::protocol::{Counts, KubeRequest, Ports, Refusal, RefusalKind, Reply, Request, Status};
use super::{capture, frame, reachable, session};
use crate::cloud::{Cloud, Snapshot};
use crate::clusters::{ClusterError, Clusters};
use crate::explain::{self, Explanation, Eyes};
use crate::guests::Guests;
use crate::paths::StateDir;
use crate::place::in_cluster::pod_of;
use crate::place::{PlaceName, PlaceParseError};
use crate::snapshot::{self, Saved};
use crate::store::Store;
use fabric::HostId;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;
use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// What the control socket commands.
pub struct Service {
    /// The account and what it runs on.
    pub cloud: Cloud,
    /// The Kubernetes clusters.
    pub clusters: Clusters,
    /// The machines.
    pub guests: Guests,
    /// What survives.
    pub store: Arc<Store>,
    /// The runtime that the cloud is asked on.
    pub runtime: Handle,
    /// Told when the lab has to end.
    pub end: Arc<Notify>,
    /// The state directory.
    pub state: StateDir,
    /// Where the lab listens.
    pub ports: Ports,
    /// Since when it runs, in seconds since 1970.
    pub started: i64,
}

/// Opens a state's control socket; an old one that nobody serves makes way. The caller holds the
/// state's lock.
///
/// # Errors
/// The socket can't be made.
pub fn listen(state: &StateDir) -> io::Result<UnixListener> {
    let (path, _directory) = reachable(&state.socket())?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves commands, each on a thread of its own, until the lab ends.
///
/// # Errors
/// No thread can be made.
pub fn serve(listener: UnixListener, service: Service) -> io::Result<()> {
    let service = Arc::new(service);
    thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            for stream in listener.incoming() {
                let accepted = stream.and_then(|stream| {
                    let service = service.clone();
                    thread::Builder::new().spawn(move || converse(&service, &stream))
                });
                if let Err(error) = accepted {
                    tracing::warn!(%error, "a command could not be served");
                    thread::sleep(Duration::from_millis(100));
                }
            }
        })?;
    Ok(())
}

/// Only the lab's own user commands it: file permissions say so, and the peer's identity again.
fn is_user(stream: &UnixStream) -> bool {
    getsockopt(stream, PeerCredentials).is_ok_and(|peer| peer.uid() == geteuid().as_raw())
}

fn converse(service: &Service, stream: &UnixStream) {
    if !is_user(stream) {
        tracing::warn!("a command of another user was refused");
        return;
    }
    loop {
        match frame::receive::<Request>(stream) {
            Ok(None) => return,
            Ok(Some((request, descriptors))) => {
                if let Err(error) = answer(service, stream, request, descriptors) {
                    tracing::debug!(%error, "a command went away");
                    return;
                }
            }
            Err(error) => {
                let refused = refuse(RefusalKind::Failed, format!("not understood: {error}"));
                let _ = frame::send(stream, &Reply::from(refused), &[]);
                return;
            }
        }
    }
}

pub(super) fn refuse(kind: RefusalKind, message: impl ToString) -> Refusal {
    Refusal {
        kind,
        message: message.to_string(),
    }
}

fn answer(
    service: &Service,
    stream: &UnixStream,
    request: Request,
    descriptors: Vec<OwnedFd>,
) -> io::Result<()> {
    let reply = match request {
        Request::Status => Reply::Status(status(service)),
        Request::Explain(inquiry) => match explain(service, &inquiry) {
            Ok(explanation) => Reply::Explained(explanation),
            Err(refusal) => refusal.into(),
        },
        Request::Exec(exec) => return session::run(service, stream, exec, descriptors),
        // A signal without a program: it has just ended.
        Request::Signal(_) => return Ok(()),
        Request::Capture(asked) => return capture::run(service, stream, &asked, descriptors),
        Request::Capacity(change) => match super::capacity::answer(service, change) {
            Ok(set) => Reply::Capacity(set),
            Err(refusal) => refusal.into(),
        },
        Request::Kube(asked) => kube(&service.clusters, asked).unwrap_or_else(|error| {
            let kind = match error {
                ClusterError::Name(_)
                | ClusterError::TooManyNodes
                | ClusterError::NoNode { .. }
                | ClusterError::NodeIsSo(..)
                | ClusterError::Missing { .. } => RefusalKind::Invalid,
                _ => RefusalKind::Failed,
            };
            refuse(kind, error).into()
        }),
        Request::Metrics => Reply::Metrics(service.cloud.metrics().page()),
        Request::Snapshot => match snapshot(service, descriptors) {
            Ok(saved) => Reply::Saved(saved),
            Err(refusal) => refusal.into(),
        },
        Request::Image(asked) => match super::images::answer(service, asked) {
            Ok(images) => Reply::Images(images),
            Err(refusal) => refusal.into(),
        },
        Request::Down => {
            frame::send(stream, &Reply::Ending, &[])?;
            service.end.notify_one();
            return Ok(());
        }
    };
    frame::send(stream, &reply, &[])
}

fn kube(clusters: &Clusters, asked: KubeRequest) -> Result<Reply, ClusterError> {
    Ok(match asked {
        KubeRequest::List => Reply::Clusters(clusters.list()),
        KubeRequest::Create { name, nodes } => {
            Reply::Clusters(vec![clusters.create(&name, nodes)?])
        }
        KubeRequest::Delete(name) => {
            clusters.delete(&name)?;
            Reply::Clusters(Vec::new())
        }
        KubeRequest::Kubeconfig(name) => Reply::Kubeconfig(clusters.kubeconfig(&name)?),
        KubeRequest::Node { cluster, node, on } => {
            Reply::Clusters(vec![clusters.switch_node(&cluster, &node, on)?])
        }
    })
}

fn snapshot(service: &Service, descriptors: Vec<OwnedFd>) -> Result<Saved, Refusal> {
    let [out]: [OwnedFd; 1] = descriptors.try_into().map_err(|_| {
        let missing = "the file to write to did not come along";
        refuse(RefusalKind::Failed, missing)
    })?;
    snapshot::save(&service.state, &service.store, File::from(out))
        .map_err(|error| refuse(RefusalKind::Failed, error))
}

fn explain(service: &Service, inquiry: &explain::Inquiry) -> Result<Explanation, Refusal> {
    let from = service.place(&inquiry.from)?;
    let to = service.place(&inquiry.to)?;
    let needed = from.in_cluster() || to.in_cluster();
    let snapshot = service.seen(inquiry.cluster.as_deref(), needed)?;
    let stack = |host: &HostId| {
        let looking = service.cloud.host(host.clone());
        kernel::observe::stack(&*service.runtime.block_on(looking)?).ok()
    };
    let cluster = inquiry.cluster.as_deref();
    let listens = |host: &HostId, protocol, address, port| {
        let (namespace, name) = pod_of(host)?;
        let network = service
            .clusters
            .pod_network(cluster, namespace, name)
            .ok()?;
        kernel::observe::listens(&network, protocol, address, port).ok()
    };
    let eyes = Eyes {
        stack: &stack,
        listens: &listens,
    };
    explain::explain(&snapshot, inquiry, &from, &to, &eyes)
        .map_err(|error| refuse(RefusalKind::Place, error))
}

impl Service {
    /// What there is, with a cluster in it: the one that is named or the only one. `needed` says that
    /// a place lies in one.
    pub(super) fn seen(&self, cluster: Option<&str>, needed: bool) -> Result<Snapshot, Refusal> {
        self.clusters
            .seen(&self.cloud.snapshot(), cluster, needed)
            .map_err(|error| refuse(RefusalKind::Place, error))
    }

    /// A place by its words. A place on the internet is made when it is first named.
    pub(super) fn place(&self, text: &str) -> Result<PlaceName, Refusal> {
        let name: PlaceName = text
            .parse()
            .map_err(|error: PlaceParseError| refuse(RefusalKind::Place, error))?;
        if let PlaceName::Internet(Some(address)) = name {
            self.internet(address)?;
        }
        Ok(name)
    }

    fn internet(&self, address: Ipv4Addr) -> Result<(), Refusal> {
        self.runtime
            .block_on(self.cloud.place(address))
            .map_err(|failure| refuse(RefusalKind::Failed, failure))?
            .map_err(|error| refuse(RefusalKind::Place, error))
    }
}

fn status(service: &Service) -> Status {
    let snapshot = service.cloud.snapshot();
    let state = &snapshot.state;
    Status {
        // The asking command knows better: it sees this process in its own numbering.
        pid: 0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: service.state.path().to_owned(),
        started: service.started,
        packets: if service.cloud.packets() {
            "kernel"
        } else {
            "none"
        }
        .to_owned(),
        ports: service.ports,
        counts: Counts {
            vpcs: state.vpcs.len(),
            subnets: state.subnets.len(),
            instances: state.instances.len(),
            network_interfaces: state.network_interfaces.len(),
            nat_gateways: state.nat_gateways.len(),
            security_groups: state.security_groups.len(),
            guests: service.guests.running(),
        },
        troubles: service.cloud.health().troubles(),
    }
}
