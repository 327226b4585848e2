//! A capture that a command asked for, as long as it wants it.

use super::frame;
use super::protocol::{self, Refusal, RefusalKind, Reply, Request};
use super::server::{Service, refuse};
use crate::capture::Capture;
use crate::place::PlaceName;
use kernel::NetNs;
use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Captures until the command sends a signal or goes away, then says how much.
pub(super) fn run(
    service: &Service,
    stream: &UnixStream,
    asked: &protocol::Capture,
    mut descriptors: Vec<OwnedFd>,
) -> io::Result<()> {
    let prepared = prepare(service, asked).and_then(|(capture, place)| {
        let missing = || refuse(RefusalKind::Failed, "no file to write to came along");
        Ok((capture, place, descriptors.pop().ok_or_else(missing)?))
    });
    let (capture, place, out) = match prepared {
        Ok(prepared) => prepared,
        Err(refusal) => return frame::send(stream, &Reply::from(refusal), &[]),
    };
    frame::send(stream, &Reply::Started, &[])?;
    let end = Arc::new(AtomicBool::new(false));
    let writing = {
        let (end, stream) = (end.clone(), stream.try_clone()?);
        thread::Builder::new().spawn(move || {
            let reply = match capture.run(&place, File::from(out), &end) {
                Ok(packets) => Reply::Captured(packets),
                Err(error) => refuse(RefusalKind::Failed, format!("capturing: {error}")).into(),
            };
            // The command may have gone; its end of the socket wakes the reader either way.
            let _ = frame::send(&stream, &reply, &[]);
            let _ = stream.shutdown(Shutdown::Both);
        })?
    };
    // Anything the command says or does now means that it is enough.
    let _ = frame::receive::<Request>(stream);
    end.store(true, Ordering::Relaxed);
    writing
        .join()
        .map_err(|_| io::Error::other("a capture panicked"))
}

fn prepare(service: &Service, asked: &protocol::Capture) -> Result<(Capture, Arc<NetNs>), Refusal> {
    let name = service.place(&asked.place)?;
    let place = |error: &dyn std::fmt::Display| refuse(RefusalKind::Place, error);
    // What a pod's links are called is its network plugin's to say, and it is not in the engine's fabric.
    if let PlaceName::Pod(namespace, pod) = &name {
        let cluster = asked.cluster.as_deref();
        let network = service.clusters.pod_network(cluster, namespace, pod);
        let network = network.map_err(|error| place(&error))?;
        let capture = Capture::of_all_links(name.to_string(), &asked.filter);
        return Ok((capture.map_err(|error| place(&error))?, network));
    }
    let snapshot = service.seen(asked.cluster.as_deref(), name.in_cluster())?;
    let found = name.find(&snapshot).map_err(|error| place(&error))?;
    let host = found.host().map_err(|error| place(&error))?;
    let capture = match &name {
        PlaceName::Node(_) => Capture::of_all_links(name.to_string(), &asked.filter),
        _ => Capture::new(&snapshot.fabric, host, found.port.as_ref(), &asked.filter),
    };
    let capture = capture.map_err(|error| place(&error))?;
    let namespace = service
        .runtime
        .block_on(service.cloud.host(host.clone()))
        .ok_or_else(|| {
            let message = format!("{host} is not running, so no packets pass it");
            refuse(RefusalKind::Failed, message)
        })?;
    Ok((capture, namespace))
}
