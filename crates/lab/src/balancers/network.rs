//! A balancer's node in the network: sockets made where the node is.

use super::fetch;
use crate::authority::Authority;
use crate::cloud::Cloud;
use crate::socket;
use balancer::means::{FetchError, Later, Network};
use bytes::Bytes;
use kernel::NetNs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::runtime::Handle;

/// How many connections wait to be taken.
const BACKLOG: u32 = 4096;

/// The place of one node.
pub(super) struct NodePlace {
    pub(super) place: Arc<NetNs>,
    pub(super) cloud: Cloud,
    pub(super) authority: Arc<Authority>,
}

impl Network for NodePlace {
    fn listen(&self, port: u16) -> Later<'_, io::Result<std::net::TcpListener>> {
        let place = self.place.clone();
        let runtime = Handle::current();
        Box::pin(socket::inside(place, move || {
            // A tokio socket wants a runtime around it, even to be given away again.
            let _runtime = runtime.enter();
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.set_reuseport(true)?;
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))?;
            socket.listen(BACKLOG)?.into_std()
        }))
    }

    fn connect(
        &self,
        to: SocketAddr,
        source: Option<SocketAddr>,
    ) -> Later<'_, io::Result<TcpStream>> {
        Box::pin(async move {
            if source.is_some() {
                let why = "a connection that ends at the node can't keep the client's address";
                return Err(io::Error::new(io::ErrorKind::Unsupported, why));
            }
            let socket = socket::unconnected(self.place.clone()).await?;
            let stream = socket.connect(to).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
    }

    fn fetch(
        &self,
        request: http::Request<Bytes>,
    ) -> Later<'_, Result<http::Response<Bytes>, FetchError>> {
        Box::pin(fetch::fetch(self, request))
    }
}
