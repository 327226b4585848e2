//! A capture that a command asked for, as long as it wants it.

use super::frame;
use super::protocol::{self, Refusal, RefusalKind, Reply, Request};
use super::server::{Service, refuse};
use crate::capture::Capture;
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
    let snapshot = service.seen(asked.cluster.as_deref(), name.in_cluster())?;
    let place = name
        .find(&snapshot)
        .map_err(|error| refuse(RefusalKind::Place, error))?;
    let host = place
        .host()
        .map_err(|error| refuse(RefusalKind::Place, error))?;
    let capture = Capture::new(&snapshot.fabric, host, place.port.as_ref(), &asked.filter)
        .map_err(|error| refuse(RefusalKind::Place, error))?;
    let namespace = service
        .runtime
        .block_on(service.cloud.host(host.clone()))
        .ok_or_else(|| {
            let message = format!("{host} is not running, so no packets pass it");
            refuse(RefusalKind::Failed, message)
        })?;
    Ok((capture, namespace))
}
