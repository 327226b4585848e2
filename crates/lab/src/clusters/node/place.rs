//! Where a cluster's parts call from and listen: hosts of the lab's networks.

use crate::{names, socket};
use kernel::NetNs;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// Something that takes a while.
type Later<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// A host's network.
#[derive(Clone, Debug)]
pub(in crate::clusters) struct HostPlace(pub(in crate::clusters) Arc<NetNs>);

impl HostPlace {
    async fn reach(&self, to: SocketAddr) -> io::Result<TcpStream> {
        socket::unconnected(self.0.clone()).await?.connect(to).await
    }
}

impl kubelet::Place for HostPlace {
    fn connect(&self, to: SocketAddr) -> Later<'_, TcpStream> {
        Box::pin(self.reach(to))
    }

    fn listen(&self, at: SocketAddr) -> Later<'_, TcpListener> {
        Box::pin(socket::listen(self.0.clone(), at))
    }
}

impl kube_client::Dial for HostPlace {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> Later<'a, TcpStream> {
        Box::pin(async move {
            // Parts of a plain cluster know each other by address.
            let address: Ipv4Addr = host.parse().map_err(io::Error::other)?;
            self.reach((address, port).into()).await
        })
    }
}

/// A host's network, with the name server that the host asks.
#[derive(Clone, Debug)]
pub(in crate::clusters) struct NamedPlace {
    /// The network.
    pub(in crate::clusters) place: HostPlace,
    /// The name server.
    pub(in crate::clusters) resolver: Ipv4Addr,
}

impl kube_client::Dial for NamedPlace {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> Later<'a, TcpStream> {
        Box::pin(async move {
            let (resolver, asked) = (self.resolver, host.to_owned());
            let asking = socket::inside(self.place.0.clone(), move || names::ask(resolver, &asked));
            self.place.reach((asking.await?, port).into()).await
        })
    }
}
