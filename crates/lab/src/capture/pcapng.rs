//! The pcapng format, as far as it takes to write packets that Wireshark opens.
//!
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const ETHERNET: u16 = 1;
/// Options of an interface: its name, and what it is.
const NAME: u16 = 2;
const DESCRIPTION: u16 = 3;

/// Writes packets of interfaces.
pub(super) struct Writer<W> {
    out: W,
}

/// An interface whose packets are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) description: String,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    pub(super) fn begin(out: W) -> io::Result<Self> {
        let mut writer = Self { out };
        let mut section = Vec::new();
        section.extend(0x1a2b_3c4d_u32.to_ne_bytes()); // tells the byte order
        section.extend(1_u16.to_ne_bytes());
        section.extend(0_u16.to_ne_bytes());
        section.extend(u64::MAX.to_ne_bytes()); // length not known
        writer.block(SECTION, &section)?;
        writer.out.flush()?;
        Ok(writer)
    }

    /// Says that there is an interface; they are numbered as they come.
    pub(super) fn interface(&mut self, interface: &Interface) -> io::Result<()> {
        let mut body = Vec::new();
        body.extend(ETHERNET.to_ne_bytes());
        body.extend(0_u16.to_ne_bytes());
        body.extend(0_u32.to_ne_bytes()); // packets are whole
        option(&mut body, NAME, &interface.name);
        option(&mut body, DESCRIPTION, &interface.description);
        body.extend([0; 4]); // end of options
        self.block(INTERFACE, &body)?;
        self.out.flush()
    }

    /// Writes a packet of an interface.
    pub(super) fn packet(
        &mut self,
        interface: u32,
        at: SystemTime,
        packet: &[u8],
    ) -> io::Result<()> {
        let since: Duration = at
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        let length = u32::try_from(packet.len()).map_err(io::Error::other)?;
        let [high, low] = [micros >> 32, micros & 0xffff_ffff];
        let mut body = Vec::with_capacity(packet.len() + 24);
        body.extend(interface.to_ne_bytes());
        for half in [high, low] {
            body.extend((half as u32).to_ne_bytes());
        }
        body.extend(length.to_ne_bytes());
        body.extend(length.to_ne_bytes());
        body.extend(packet);
        self.block(PACKET, &body)?;
        self.out.flush()
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let padded = body.len().next_multiple_of(4);
        let length = u32::try_from(padded + 12).map_err(io::Error::other)?;
        let mut block = Vec::with_capacity(padded + 12);
        block.extend(kind.to_ne_bytes());
        block.extend(length.to_ne_bytes());
        block.extend(body);
        block.resize(padded + 8, 0);
        block.extend(length.to_ne_bytes());
        self.out.write_all(&block)
    }
}

fn option(body: &mut Vec<u8>, code: u16, text: &str) {
    // Names are ids, far below the limit.
    let length = text.len().min(usize::from(u16::MAX));
    body.extend(code.to_ne_bytes());
    body.extend((length as u16).to_ne_bytes());
    body.extend(&text.as_bytes()[..length]);
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// OPS-SEE: blocks are whole, aligned, and say their length at both ends.
    #[test]
    fn blocks_follow_the_format() {
        let mut file = Vec::new();
        let interface = Interface {
            name: "eth0".to_owned(),
            description: "eni-1".to_owned(),
        };
        let mut writer = Writer::begin(&mut file).unwrap();
        writer.interface(&interface).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(0x1_0000_0002);
        writer.packet(0, at, b"abcde").unwrap();
        let mut kinds = Vec::new();
        let mut rest = file.as_slice();
        while !rest.is_empty() {
            let word = |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().unwrap());
            let length = word(4) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(word(length - 4) as usize, length);
            kinds.push(word(0));
            if word(0) == PACKET {
                assert_eq!([word(12), word(16), word(20), word(24)], [1, 2, 5, 5]);
                assert_eq!(&rest[28..33], b"abcde");
            }
            rest = &rest[length..];
        }
        assert_eq!(kinds, [SECTION, INTERFACE, PACKET]);
    }
}
