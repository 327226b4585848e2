//! Layers are plain tar, gzip or zstd. The first bytes decide, as they do for containerd: media types
//! are sometimes wrong.

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, BufReader, Cursor, Read};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The first of zstd's sixteen magic numbers for frames to be skipped, of which only the first byte
/// varies.
const ZSTD_SKIPPED: &[u8] = &[0x2a, 0x4d, 0x18];

/// Whether these bytes begin something compressed.
pub(crate) fn is_compressed(head: &[u8]) -> bool {
    head.starts_with(GZIP) || is_zstd(head)
}

fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(ZSTD)
        || (head.len() > 3 && head[0] & 0xf0 == 0x50 && &head[1..4] == ZSTD_SKIPPED)
}

/// What comes out of a stream that may be compressed.
pub(crate) fn decompressed<'a>(mut source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::new();
    source.by_ref().take(4).read_to_end(&mut head)?;
    let (gzip, zstd) = (head.starts_with(GZIP), is_zstd(&head));
    let whole = BufReader::with_capacity(1 << 16, Cursor::new(head).chain(source));
    Ok(if gzip {
        // Layers for lazy pulling have many members.
        Box::new(MultiGzDecoder::new(whole))
    } else if zstd {
        Box::new(Zstd::new(whole))
    } else {
        Box::new(whole)
    })
}

/// All frames of a zstd stream, one after another.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(),
            in_frame: false,
        }
    }

    /// Begins the next frame; `false` at the end.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.source.by_ref().take(length.into());
                    if io::copy(&mut skipped, &mut io::sink())? != u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame {
                if !self.begin()? {
                    return Ok(0);
                }
                self.in_frame = true;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let some = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.decoder.decode_blocks(&mut self.source, some);
                decoded.map_err(io::Error::other)?;
            }
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.in_frame = false;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn text() -> Vec<u8> {
        (0..200_000_u32)
            .flat_map(|n| (n / 7).to_le_bytes())
            .collect()
    }

    fn out_of(stream: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        decompressed(stream)?.read_to_end(&mut all)?;
        Ok(all)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_form_is_told_by_its_first_bytes() {
        let text = text();
        assert_eq!(out_of(&text).unwrap(), text);
        assert_eq!(out_of(b"ab").unwrap(), b"ab");
        assert_eq!(out_of(b"").unwrap(), b"");
        assert_eq!(out_of(&gzip(&text)).unwrap(), text);
        let zstd = compress_to_vec(&text[..], CompressionLevel::Fastest);
        assert_eq!(out_of(&zstd).unwrap(), text);
    }

    #[test]
    fn streams_of_several_parts_are_read_to_the_end() {
        let text = text();
        let (first, second) = text.split_at(100_000);
        assert_eq!(out_of(&[gzip(first), gzip(second)].concat()).unwrap(), text);
        let frame = |part: &[u8]| compress_to_vec(part, CompressionLevel::Fastest);
        let skipped = [&[0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let parts = [
            &skipped[..],
            &frame(first),
            &skipped,
            &frame(second),
            &skipped,
        ];
        assert_eq!(out_of(&parts.concat()).unwrap(), text);
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let text = text();
        let zstd = compress_to_vec(&text[..], CompressionLevel::Fastest);
        for stream in [gzip(&text), zstd] {
            assert!(out_of(&stream[..stream.len() - 9]).is_err());
            assert!(out_of(&stream[..6]).is_err());
        }
    }

    /// Streams by the reference implementation, at a level whose window is large.
    #[test]
    fn streams_of_the_zstd_program_are_read() {
        let program = Command::new("zstd")
            .args(["-19", "--long=24", "-c"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut program) = program else {
            eprintln!("skipped: no zstd here");
            return;
        };
        let text = text();
        let mut input = program.stdin.take().unwrap();
        let fed = std::thread::spawn({
            let text = text.clone();
            move || input.write_all(&text)
        });
        let output = program.wait_with_output().unwrap();
        fed.join().unwrap().unwrap();
        assert_eq!(out_of(&output.stdout).unwrap(), text);
    }
}
