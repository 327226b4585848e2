//! Where a cluster's parts call from and listen: hosts of the lab's networks.

use crate::socket;
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
pub(super) struct HostPlace(pub(super) Arc<NetNs>);

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
            // Parts of a cluster know each other by address.
            let address: Ipv4Addr = host.parse().map_err(io::Error::other)?;
            self.reach((address, port).into()).await
        })
    }
}
