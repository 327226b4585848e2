//! The channels of a WebSocket: each message begins with its channel's number.
//!
//! <https://pkg.go.dev/k8s.io/apimachinery/pkg/util/httpstream/wsstream>

use crate::carrier::Frames;
use crate::protocol::Encoding;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};

/// The channel that tells of another's end, since version 5.
const CLOSE: u8 = 255;

/// What a client's message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Bytes for a channel.
    Data(u8, Bytes),
    /// There will be no more for a channel.
    Close(u8),
    /// Nothing that can be understood; upstream passes over it.
    Nothing,
}

/// Reads a client's message.
pub(crate) fn read(encoding: Encoding, closes: bool, mut message: Bytes) -> Message {
    if message.is_empty() {
        return Message::Nothing;
    }
    let first = message.split_to(1)[0];
    let (channel, data) = match encoding {
        Encoding::Binary => (first, message),
        Encoding::Base64 => {
            let Ok(data) = STANDARD.decode(&message) else {
                return Message::Nothing;
            };
            (first.wrapping_sub(b'0'), data.into())
        }
    };
    if channel == CLOSE {
        return match data[..] {
            [closed] if closes => Message::Close(closed),
            _ => Message::Nothing,
        };
    }
    Message::Data(channel, data)
}

/// Makes a message for a client.
pub(crate) fn write(encoding: Encoding, channel: u8, data: &[u8]) -> Bytes {
    match encoding {
        Encoding::Binary => {
            let mut message = BytesMut::with_capacity(data.len() + 1);
            message.put_u8(channel);
            message.put_slice(data);
            message.freeze()
        }
        Encoding::Base64 => {
            let mut message = String::with_capacity(data.len() * 4 / 3 + 5);
            message.push(char::from(b'0'.wrapping_add(channel) & 0x7f));
            STANDARD.encode_string(data, &mut message);
            message.into()
        }
    }
}

impl Encoding {
    /// Which kind of message it needs.
    pub(crate) fn frames(self) -> Frames {
        match self {
            Self::Binary => Frames::Binary,
            Self::Base64 => Frames::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The examples of upstream's documentation of the two encodings.
    #[test]
    fn examples_are_read() {
        let binary = Bytes::from_static(&[0, 102, 111, 111, 10]);
        let foo = Message::Data(0, Bytes::from_static(b"foo\n"));
        assert_eq!(read(Encoding::Binary, false, binary), foo);
        let base64 = Bytes::from_static(b"0Zm9vCg==");
        assert_eq!(read(Encoding::Base64, false, base64), foo);
        assert_eq!(write(Encoding::Binary, 1, b"\n")[..], [1, 10]);
        assert_eq!(write(Encoding::Base64, 1, b"\n")[..], *b"1Cg==");
    }

    #[test]
    fn a_channel_is_closed_where_the_version_says_so() {
        let close = Bytes::from_static(&[255, 0]);
        let read = |closes| read(Encoding::Binary, closes, close.clone());
        assert_eq!(read(true), Message::Close(0));
        assert_eq!(read(false), Message::Nothing);
    }

    #[test]
    fn what_cannot_be_understood_is_nothing() {
        let read = |message: &'static [u8]| read(Encoding::Base64, true, message.into());
        assert_eq!(read(b""), Message::Nothing);
        assert_eq!(read(b"0***"), Message::Nothing);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            channel in 0_u8..70,
            data in proptest::collection::vec(any::<u8>(), 0..64),
            base64 in any::<bool>(),
        ) {
            let encoding = if base64 { Encoding::Base64 } else { Encoding::Binary };
            let message = write(encoding, channel, &data);
            prop_assert_eq!(read(encoding, true, message), Message::Data(channel, data.into()));
        }

        #[test]
        fn any_message_is_read(message in proptest::collection::vec(any::<u8>(), 0..64)) {
            for encoding in [Encoding::Binary, Encoding::Base64] {
                let _ = read(encoding, true, message.clone().into());
            }
        }
    }
}
