//! `skylab capture`: a place's packets, as its own network stack sees them.

mod filter;
mod pcapng;

pub use filter::FilterError;

use fabric::{Fabric, HostId, Port, PortId};
use filter::Filter;
use kernel::NetNs;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use pcapng::{Interface, Writer};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// The longest frame that veths hand on: a whole segmentation-offload packet.
const FRAME: usize = 1 << 17;
/// How often a capture without packets looks whether it shall end, in milliseconds.
const PATIENCE: i64 = 200;

/// What to capture.
pub struct Capture {
    filter: Filter,
    /// Link names at the place, and the ports they are.
    links: Vec<(String, PortId)>,
}

impl Capture {
    /// All ports of a host, or one of them.
    ///
    /// # Errors
    /// The filter's words are not understood.
    pub fn new(
        fabric: &Fabric,
        host: &HostId,
        port: Option<&PortId>,
        filter: &[String],
    ) -> Result<Self, FilterError> {
        let link = |found: &Port| {
            let (at, index) = found.host.as_ref()?;
            let wanted = at == host && port.is_none_or(|port| *port == found.id);
            wanted.then(|| (format!("eth{index}"), found.id.clone()))
        };
        Ok(Self {
            filter: Filter::parse(filter)?,
            links: fabric
                .ports
                .values()
                .filter_map(|port| link(port))
                .collect(),
        })
    }

    /// Writes packets until it shall end or nobody reads them; how many were written.
    ///
    /// # Errors
    /// The place can't be listened to, or the file can't be written.
    pub fn run(&self, place: &NetNs, out: File, end: &AtomicBool) -> io::Result<u64> {
        place.run(|| {
            let mut indices = Vec::new();
            for (name, _) in &self.links {
                indices.push(if_nametoindex(name.as_str())?);
            }
            self.copy(&listen()?, &indices, out, end)
        })?
    }

    fn copy(
        &self,
        socket: &OwnedFd,
        indices: &[u32],
        out: File,
        end: &AtomicBool,
    ) -> io::Result<u64> {
        let interfaces: Vec<_> = self
            .links
            .iter()
            .map(|(name, port)| Interface {
                name,
                description: port.as_str(),
            })
            .collect();
        let mut writer = Writer::begin(out, &interfaces)?;
        let mut frame = vec![0; FRAME];
        let mut written = 0;
        while !end.load(Ordering::Relaxed) {
            let (length, from) = match recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut frame) {
                Ok(received) => received,
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let index = from.map(|from| from.ifindex());
            let link = indices
                .iter()
                .position(|known| index == Some(*known as usize));
            let frame = &frame[..length.min(FRAME)];
            if let Some(link) = link.and_then(|link| u32::try_from(link).ok())
                && self.filter.takes(frame)
            {
                match writer.packet(link, SystemTime::now(), frame) {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                    other => other?,
                }
                written += 1;
            }
        }
        Ok(written)
    }
}

/// A socket that hears every frame in the namespace of the calling thread.
fn listen() -> io::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::EthAll,
    )?;
    setsockopt(
        &socket,
        sockopt::ReceiveTimeout,
        &TimeVal::milliseconds(PATIENCE),
    )?;
    Ok(socket)
}
