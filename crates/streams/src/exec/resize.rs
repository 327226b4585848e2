//! A terminal's sizes.

use crate::spdy::Inbound;
use serde::Deserialize;
use tokio::sync::mpsc;

/// So many bytes without a size in them aren't looked at again.
const LIMIT: usize = 4096;

/// A terminal's size, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Size {
    /// Its columns.
    #[serde(rename = "Width")]
    pub width: u16,
    /// Its lines.
    #[serde(rename = "Height")]
    pub height: u16,
}

/// Hands on each size that a client sends.
pub(super) async fn follow(from: Option<Inbound>, to: Option<mpsc::Sender<Size>>) {
    let Some(mut from) = from else {
        return;
    };
    let mut unread = Vec::new();
    while let Some(bytes) = from.recv().await {
        unread.extend_from_slice(&bytes);
        for size in sizes(&mut unread) {
            if let Some(to) = &to {
                let _ = to.send(size).await;
            }
        }
    }
}

/// Takes the sizes off the front.
fn sizes(unread: &mut Vec<u8>) -> Vec<Size> {
    let mut values = serde_json::Deserializer::from_slice(unread).into_iter::<Size>();
    let mut sizes = Vec::new();
    let mut broken = false;
    let mut read = 0;
    for value in values.by_ref() {
        match value {
            Ok(size) => sizes.push(size),
            Err(error) => {
                broken = !error.is_eof();
                break;
            }
        }
    }
    read += values.byte_offset();
    if broken || unread.len() - read > LIMIT {
        unread.clear();
    } else {
        unread.drain(..read);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_in_pieces() {
        let mut unread = br#"{"Width":80,"Height":24}{"Width":100,"#.to_vec();
        let expected = Size {
            width: 80,
            height: 24,
        };
        assert_eq!(sizes(&mut unread), [expected]);
        unread.extend(b"\"Height\":30}\n");
        let expected = Size {
            width: 100,
            height: 30,
        };
        assert_eq!(sizes(&mut unread), [expected]);
        assert_eq!(sizes(&mut unread), []);
    }

    #[test]
    fn what_is_no_size_is_dropped() {
        let mut unread = b"hello".to_vec();
        assert_eq!(sizes(&mut unread), []);
        assert!(unread.is_empty());
        let mut endless = vec![b'['; LIMIT + 1];
        assert_eq!(sizes(&mut endless), []);
        assert!(endless.is_empty());
    }
}
