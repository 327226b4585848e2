//! A stream's headers, compressed by one zlib stream a connection and direction.

use super::dictionary::DICTIONARY;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::collections::BTreeMap;

/// No headers are longer than this, compressed or not.
pub(super) const LIMIT: usize = 64 * 1024;

/// A stream's headers: names in lower case; values of one name stand apart by NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(BTreeMap<String, String>);

impl Headers {
    /// A header's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    #[cfg(test)]
    pub(crate) fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let own = |text: &str| text.to_owned();
        Self(
            pairs
                .iter()
                .map(|(name, value)| (own(name), own(value)))
                .collect(),
        )
    }

    fn read(mut block: Bytes) -> Option<Self> {
        let count = block.try_get_u32().ok()?;
        let mut headers = BTreeMap::new();
        for _ in 0..count {
            let name = text(&mut block)?.to_lowercase();
            let value = text(&mut block)?;
            headers.insert(name, value);
        }
        Some(Self(headers))
    }

    fn write(&self) -> BytesMut {
        let mut block = BytesMut::new();
        let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
        block.put_u32(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        for (name, value) in &self.0 {
            for text in [name, value] {
                block.put_u32(length(text));
                block.put_slice(text.as_bytes());
            }
        }
        block
    }
}

fn text(block: &mut Bytes) -> Option<String> {
    let length = usize::try_from(block.try_get_u32().ok()?).ok()?;
    if length > block.len() {
        return None;
    }
    String::from_utf8(block.split_to(length).into()).ok()
}

/// What decompresses a connection's headers.
pub(super) struct Inflate(Decompress);

impl Inflate {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// Reads one frame's headers; nothing, if they are broken or too long.
    pub(super) fn read(&mut self, compressed: &[u8]) -> Option<Headers> {
        let mut block = BytesMut::new();
        let mut input = compressed;
        let mut room = vec![0; 4096];
        loop {
            let (before_in, before_out) = (self.0.total_in(), self.0.total_out());
            let result = self.0.decompress(input, &mut room, FlushDecompress::Sync);
            let read = usize::try_from(self.0.total_in() - before_in).ok()?;
            let written = usize::try_from(self.0.total_out() - before_out).ok()?;
            input = input.get(read..)?;
            block.put_slice(room.get(..written)?);
            if block.len() > LIMIT {
                return None;
            }
            match result {
                Ok(Status::Ok) if read + written > 0 => {}
                Ok(Status::Ok | Status::BufError) if input.is_empty() => break,
                Ok(_) => return None,
                Err(error) => {
                    error.needs_dictionary()?;
                    self.0.set_dictionary(&DICTIONARY).ok()?;
                }
            }
        }
        Headers::read(block.freeze())
    }
}

/// What compresses a connection's headers.
pub(super) struct Deflate(Compress);

impl Deflate {
    /// Fails only if the compressor takes no dictionary.
    pub(super) fn new() -> Option<Self> {
        let mut compress = Compress::new(Compression::best(), true);
        compress.set_dictionary(&DICTIONARY).ok()?;
        Some(Self(compress))
    }

    /// Compresses one frame's headers.
    pub(super) fn write(&mut self, headers: &Headers) -> Option<Vec<u8>> {
        let block = headers.write();
        let mut input = &block[..];
        let mut compressed = Vec::with_capacity(block.len() + 64);
        loop {
            if compressed.len() == compressed.capacity() {
                compressed.reserve(block.len() + 64);
            }
            let before = self.0.total_in();
            self.0
                .compress_vec(input, &mut compressed, FlushCompress::Sync)
                .ok()?;
            let read = usize::try_from(self.0.total_in() - before).ok()?;
            input = input.get(read..)?;
            // Room that is left says that all is flushed.
            if input.is_empty() && compressed.len() < compressed.capacity() {
                return Some(compressed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_share_one_compressor() {
        let (mut deflate, mut inflate) = (Deflate::new().unwrap(), Inflate::new());
        let mut lengths = Vec::new();
        for request in 0..3 {
            let request = request.to_string();
            let pairs = [
                ("streamtype", "data"),
                ("port", "8080"),
                ("requestid", &request),
            ];
            let headers = Headers::from_pairs(&pairs);
            let compressed = deflate.write(&headers).unwrap();
            lengths.push(compressed.len());
            assert_eq!(inflate.read(&compressed), Some(headers));
        }
        assert!(lengths[1] < lengths[0], "{lengths:?}");
    }

    #[test]
    fn a_bomb_is_refused() {
        let (mut deflate, mut inflate) = (Deflate::new().unwrap(), Inflate::new());
        let bomb = Headers::from_pairs(&[("a", &"a".repeat(LIMIT))]);
        let compressed = deflate.write(&bomb).unwrap();
        assert!(compressed.len() < 1024);
        assert_eq!(inflate.read(&compressed), None);
    }

    proptest! {
        #[test]
        fn any_headers_come_back(pairs in proptest::collection::btree_map("[a-z-]{1,12}", ".{0,200}", 0..8)) {
            let (mut deflate, mut inflate) = (Deflate::new().unwrap(), Inflate::new());
            let headers = Headers(pairs);
            let compressed = deflate.write(&headers).unwrap();
            prop_assert_eq!(inflate.read(&compressed), Some(headers));
        }

        #[test]
        fn any_block_is_read(block in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = Headers::read(block.clone().into());
            let _ = Inflate::new().read(&block);
        }
    }
}
