//! Sockets inside places of the lab: made by a thread that is there, used by the one runtime.

use kernel::NetNs;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

/// A TCP listener in a place.
///
/// # Errors
/// The address isn't there or is taken.
pub(crate) async fn listen(
    place: Arc<NetNs>,
    at: SocketAddr,
) -> io::Result<tokio::net::TcpListener> {
    let listener = inside(place, move || {
        let listener = TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    })
    .await?;
    tokio::net::TcpListener::from_std(listener)
}

/// A UDP socket in a place.
///
/// # Errors
/// The address isn't there or is taken.
pub(crate) async fn datagrams(
    place: Arc<NetNs>,
    at: SocketAddr,
) -> io::Result<tokio::net::UdpSocket> {
    let socket = inside(place, move || {
        let socket = UdpSocket::bind(at)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    })
    .await?;
    tokio::net::UdpSocket::from_std(socket)
}

/// A TCP socket in a place, to be connected from there.
///
/// # Errors
/// None can be made.
pub(crate) async fn unconnected(place: Arc<NetNs>) -> io::Result<tokio::net::TcpSocket> {
    let runtime = tokio::runtime::Handle::current();
    inside(place, move || {
        let _runtime = runtime.enter();
        tokio::net::TcpSocket::new_v4()
    })
    .await
}

/// Runs a function in a place, off the runtime's threads.
///
/// # Errors
/// The place can't be entered, or the function fails.
pub(crate) async fn inside<T: Send + 'static>(
    place: Arc<NetNs>,
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(move || place.run(act)?)
        .await
        .map_err(io::Error::other)?
}
