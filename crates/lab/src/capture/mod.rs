//! `skylab capture`: a place's packets, as its own network stack sees them.

mod filter;
mod pcapng;

pub use filter::FilterError;

use fabric::{Fabric, HostId, Port, PortId};
use filter::Filter;
use kernel::NetNs;
use nix::net::if_::{if_nameindex, if_nametoindex};
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
    links: Links,
}

/// Whose packets are captured.
enum Links {
    /// These links, and the ports that they are.
    Known(Vec<Interface>),
    /// All but the loopback, those that come later too: the links of a place that makes its own.
    All {
        /// What the place is.
        of: String,
    },
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
            wanted.then(|| Interface {
                name: format!("eth{index}"),
                description: found.id.to_string(),
            })
        };
        let ports = fabric.ports.values();
        Ok(Self {
            filter: Filter::parse(filter)?,
            links: Links::Known(ports.filter_map(|port| link(port)).collect()),
        })
    }

    /// All links of a place, whatever they are: a pod's, or a node's with those to its pods.
    ///
    /// # Errors
    /// The filter's words are not understood.
    pub fn of_all_links(of: String, filter: &[String]) -> Result<Self, FilterError> {
        Ok(Self {
            filter: Filter::parse(filter)?,
            links: Links::All { of },
        })
    }

    /// Writes packets until it shall end or nobody reads them; how many were written.
    ///
    /// # Errors
    /// The place can't be listened to, or the file can't be written.
    pub fn run(&self, place: &NetNs, out: File, end: &AtomicBool) -> io::Result<u64> {
        place.run(|| {
            let mut written = Written {
                writer: Writer::begin(out)?,
                interfaces: Vec::new(),
            };
            if let Links::Known(links) = &self.links {
                for link in links {
                    written.note(if_nametoindex(link.name.as_str())?, Some(link))?;
                }
            }
            self.copy(&listen()?, written, end)
        })?
    }

    fn copy(&self, socket: &OwnedFd, mut written: Written, end: &AtomicBool) -> io::Result<u64> {
        let mut frame = vec![0; FRAME];
        let mut packets = 0;
        while !end.load(Ordering::Relaxed) {
            let (length, from) = match recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut frame) {
                Ok(received) => received,
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let index = from.and_then(|from| u32::try_from(from.ifindex()).ok());
            let Some(index) = index else { continue };
            let frame = &frame[..length.min(FRAME)];
            if !self.filter.takes(frame) {
                continue;
            }
            let link = match written.number(index) {
                None if written.is_new(index) => {
                    let interface = self.interface(index);
                    written.note(index, interface.as_ref())?;
                    written.number(index)
                }
                known => known,
            };
            let Some(link) = link else { continue };
            match written.writer.packet(link, SystemTime::now(), frame) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                other => other?,
            }
            packets += 1;
        }
        Ok(packets)
    }

    /// A link that was not known before, if its packets are asked for.
    fn interface(&self, index: u32) -> Option<Interface> {
        let Links::All { of } = &self.links else {
            return None;
        };
        let found = if_nameindex().ok()?;
        let found = found.iter().find(|link| link.index() == index)?;
        let name = found.name().to_string_lossy().into_owned();
        (name != "lo").then(|| Interface {
            name,
            description: of.clone(),
        })
    }
}

/// A file under way.
struct Written {
    writer: Writer<File>,
    /// The kernel's numbers of the links seen so far, each with its number in the file if it has one.
    interfaces: Vec<(u32, Option<u32>)>,
}

impl Written {
    fn note(&mut self, index: u32, interface: Option<&Interface>) -> io::Result<()> {
        let number = match interface {
            Some(interface) => {
                self.writer.interface(interface)?;
                let numbers = self.interfaces.iter().filter_map(|(_, number)| *number);
                Some(numbers.max().map_or(0, |last| last + 1))
            }
            None => None,
        };
        self.interfaces.push((index, number));
        Ok(())
    }

    fn is_new(&self, index: u32) -> bool {
        self.interfaces.iter().all(|(known, _)| *known != index)
    }

    fn number(&self, index: u32) -> Option<u32> {
        let mut known = self.interfaces.iter();
        known.find(|(known, _)| *known == index)?.1
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
