//! Netlink messages: a header, a family's own header, and nested attributes, all aligned to four.

/// The header's size.
const HEADER: usize = 16;

/// A request being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A message of a type with flags (`NLM_F_REQUEST` is always set) and the family's header.
    pub(crate) fn new(kind: u16, flags: i32, family_header: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&kind.to_ne_bytes());
        // The flags are 16 bits wide on the wire; libc has them as int.
        bytes.extend_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(family_header);
        let mut message = Self { bytes };
        message.align();
        message
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// An attribute with these bytes.
    pub(crate) fn put(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = (4 + value.len()) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.align();
        self
    }

    /// A text attribute with its final zero.
    pub(crate) fn put_text(&mut self, kind: u16, text: &str) -> &mut Self {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.put(kind, &value)
    }

    /// A number in the machine's byte order (rtnetlink).
    pub(crate) fn put_u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_ne_bytes())
    }

    /// A number in the network's byte order (nftables).
    pub(crate) fn put_be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_be_bytes())
    }

    /// A long number in the network's byte order (nftables).
    pub(crate) fn put_be64(&mut self, kind: u16, value: u64) -> &mut Self {
        self.put(kind, &value.to_be_bytes())
    }

    /// An attribute that holds attributes.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        fill(self);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        let kind = kind | libc::NLA_F_NESTED as u16;
        self.bytes[start + 2..start + 4].copy_from_slice(&kind.to_ne_bytes());
        self
    }

    /// Raw bytes of a header inside an attribute (a veth's peer).
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self.align();
        self
    }

    /// How long it is by now.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The finished message with its sequence number, and whether an acknowledgement is wanted.
    pub(crate) fn finish(mut self, sequence: u32, acknowledge: bool) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        if acknowledge {
            let flags = u16::from_ne_bytes([self.bytes[6], self.bytes[7]]) | libc::NLM_F_ACK as u16;
            self.bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        }
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// A received message: its type, sequence number and payload after the header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Received<'a> {
    pub(crate) kind: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

/// The messages in a datagram; what is cut short is left out.
pub(crate) fn received(mut datagram: &[u8]) -> Vec<Received<'_>> {
    let mut messages = Vec::new();
    while let Some(header) = datagram.get(..HEADER) {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some(payload) = datagram.get(HEADER..length) else {
            break;
        };
        messages.push(Received {
            kind: u16::from_ne_bytes([header[4], header[5]]),
            sequence: u32::from_ne_bytes([header[8], header[9], header[10], header[11]]),
            payload,
        });
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    messages
}

/// The attributes in a payload, by type without its flags.
pub(crate) fn attributes(mut payload: &[u8]) -> Vec<(u16, &[u8])> {
    let mut attributes = Vec::new();
    while let Some(header) = payload.get(..4) {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & libc::NLA_TYPE_MASK as u16;
        let Some(value) = payload.get(4..length) else {
            break;
        };
        attributes.push((kind, value));
        payload = payload
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_nest_align_and_read_back() {
        let mut message = Message::new(16, 0, &[1, 2, 3, 4]);
        message.put_text(1, "abc").nest(2, |inner| {
            inner.put_be32(3, 7).put(4, &[9]);
        });
        let bytes = message.finish(5, true);
        let got = received(&bytes);
        assert_eq!(got.len(), 1);
        assert_eq!((got[0].kind, got[0].sequence), (16, 5));
        let outer = attributes(&got[0].payload[4..]);
        assert_eq!(outer[0], (1, &b"abc\0"[..]));
        assert_eq!(
            attributes(outer[1].1),
            vec![(3, &[0, 0, 0, 7][..]), (4, &[9][..])]
        );
    }

    #[test]
    fn cut_datagrams_give_what_is_whole() {
        let bytes = Message::new(16, 0, &[]).finish(1, false);
        assert!(received(&bytes[..10]).is_empty());
        assert!(attributes(&[200, 0, 1, 0, 5]).is_empty());
    }
}
