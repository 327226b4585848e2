//! Reading archives.

use super::pax::Overrides;
use super::{BLOCK, Entry, Kind, Time, broken};
use std::io::{self, Read, Seek, SeekFrom};

/// Names and attributes of one member take no more than this.
const LARGEST_EXTENSION: u64 = 1 << 20;

/// Reads an archive member by member. Reading from it gives the current member's data.
pub(crate) struct Reader<R> {
    inner: R,
    /// Where the next byte is.
    position: u64,
    /// Data of the current member that wasn't read yet.
    left: u64,
    /// What fills its last block.
    padding: u64,
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            position: 0,
            left: 0,
            padding: 0,
        }
    }

    /// Where the current member's data begins, if none of it was read.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Goes to the next member.
    pub(crate) fn next(&mut self) -> io::Result<Option<Entry>> {
        let mut overrides = Overrides::default();
        let (mut long_name, mut long_link) = (None, None);
        let mut extended = false;
        loop {
            let header = if self.pass()? { self.header()? } else { None };
            let Some(header) = header else {
                return if extended {
                    Err(broken("the archive ends after an extended header"))
                } else {
                    Ok(None)
                };
            };
            extended = true;
            match header.flag() {
                b'x' => overrides = Overrides::read(&self.extension(&header)?)?,
                // Defaults for all members: nobody uses them, and containerd ignores them.
                b'g' => self.data_of(header.number(124..136)?),
                b'L' => long_name = Some(until_zero(&self.extension(&header)?).to_vec()),
                b'K' => long_link = Some(until_zero(&self.extension(&header)?).to_vec()),
                _ => {
                    let path = overrides.path.take().or(long_name);
                    let link = overrides.link.take().or(long_link);
                    let entry = header.entry(path, link, overrides)?;
                    self.data_of(entry.size);
                    return Ok(Some(entry));
                }
            }
        }
    }

    fn data_of(&mut self, size: u64) {
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
    }

    /// The text of a member that only describes the next one.
    fn extension(&mut self, header: &Header) -> io::Result<Vec<u8>> {
        let size = header.number(124..136)?;
        if size > LARGEST_EXTENSION {
            return Err(broken("an extended header is too large"));
        }
        self.data_of(size);
        let mut text = Vec::new();
        self.read_to_end(&mut text)?;
        if text.len() as u64 == size {
            Ok(text)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// Passes what is left of the current member. `false` if the archive ends without what fills the last
    /// block: umoci writes such, and Go reads them.
    fn pass(&mut self) -> io::Result<bool> {
        io::copy(self, &mut io::sink())?;
        let mut padding = [0; BLOCK];
        let padding = &mut padding[..self.padding as usize];
        self.padding = 0;
        let count = filled(&mut self.inner, padding)?;
        self.position += count as u64;
        Ok(count == padding.len())
    }

    /// The next header; `None` at the end, which a block of zeros marks, or nothing.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut block = [0; BLOCK];
        match filled(&mut self.inner, &mut block)? {
            0 => return Ok(None),
            BLOCK => self.position += BLOCK as u64,
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        Header::checked(block).map(Some)
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Goes to the next member without reading this one's data.
    pub(crate) fn seek_next(&mut self) -> io::Result<Option<Entry>> {
        let distance = self.left + self.padding;
        self.position += distance;
        self.inner.seek(SeekFrom::Start(self.position))?;
        (self.left, self.padding) = (0, 0);
        self.next()
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let part = self.left.min(buffer.len() as u64) as usize;
        let count = self.inner.read(&mut buffer[..part])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        self.position += count as u64;
        Ok(count)
    }
}

/// A header whose sum is right.
struct Header([u8; BLOCK]);

impl Header {
    fn checked(block: [u8; BLOCK]) -> io::Result<Self> {
        let header = Self(block);
        let sum = |value: fn(u8) -> i64| -> i64 {
            let counted = block.iter().enumerate();
            counted
                .map(|(at, byte)| {
                    value(if (148..156).contains(&at) {
                        b' '
                    } else {
                        *byte
                    })
                })
                .sum()
        };
        let stated = header.number(148..156)? as i64;
        // Some old writers summed signed bytes.
        if stated == sum(i64::from) || stated == sum(|byte| i64::from(byte as i8)) {
            Ok(header)
        } else {
            Err(broken("a header's checksum is wrong"))
        }
    }

    fn flag(&self) -> u8 {
        self.0[156]
    }

    fn text(&self, range: std::ops::Range<usize>) -> &[u8] {
        until_zero(&self.0[range])
    }

    fn number(&self, range: std::ops::Range<usize>) -> io::Result<u64> {
        let bad = || broken("malformed number in a header");
        let field = &self.0[range];
        if field[0] & 0x80 != 0 {
            // GNU's binary numbers; a negative one begins with 0xff.
            let mut value = u64::from(field[0] & 0x7f);
            for byte in &field[1..] {
                value = value.checked_mul(256).ok_or_else(bad)? | u64::from(*byte);
            }
            return Ok(value);
        }
        let digits = until_zero(field).trim_ascii();
        digits.iter().try_fold(0_u64, |value, digit| match digit {
            b'0'..=b'7' => value
                .checked_mul(8)
                .map(|value| value | u64::from(digit - b'0'))
                .ok_or_else(bad),
            _ => Err(bad()),
        })
    }

    fn id(&self, range: std::ops::Range<usize>) -> io::Result<u32> {
        u32::try_from(self.number(range)?).map_err(|_| broken("an owner's number is too large"))
    }

    fn path(&self) -> Vec<u8> {
        let name = self.text(0..100);
        // Only POSIX's own magic says that the prefix is one.
        let prefix = match &self.0[257..263] {
            b"ustar\0" => self.text(345..500),
            _ => b"",
        };
        if prefix.is_empty() {
            name.to_vec()
        } else {
            [prefix, name].join(&b'/')
        }
    }

    fn entry(
        &self,
        path: Option<Vec<u8>>,
        link: Option<Vec<u8>>,
        overrides: Overrides,
    ) -> io::Result<Entry> {
        let path = path.unwrap_or_else(|| self.path());
        let link = || link.unwrap_or_else(|| self.text(157..257).to_vec());
        let kind = match self.flag() {
            b'0' | 0 | b'7' if path.ends_with(b"/") => Kind::Directory,
            b'0' | 0 | b'7' => Kind::File,
            b'1' => Kind::HardLink(link()),
            b'2' => Kind::Symlink(link()),
            flag @ (b'3' | b'4') => Kind::Device {
                block: flag == b'4',
                major: self.id(329..337)?,
                minor: self.id(337..345)?,
            },
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'S' => return Err(broken("sparse files are not supported")),
            flag => return Err(broken(format!("unhandled tar header type {flag}"))),
        };
        // Other kinds have no data, whatever the size says.
        let size = match kind {
            Kind::File => match overrides.size {
                Some(size) => size,
                None => self.number(124..136)?,
            },
            _ => 0,
        };
        if size > i64::MAX as u64 - BLOCK as u64 {
            return Err(broken("a member is too large"));
        }
        Ok(Entry {
            kind,
            mode: (self.number(100..108)? & 0o7777) as u32,
            uid: match overrides.uid {
                Some(uid) => uid,
                None => self.id(108..116)?,
            },
            gid: match overrides.gid {
                Some(gid) => gid,
                None => self.id(116..124)?,
            },
            size,
            modified: match overrides.modified {
                Some(time) => time,
                None => self.modified()?,
            },
            xattrs: overrides.xattrs,
            path,
        })
    }

    fn modified(&self) -> io::Result<Time> {
        let seconds = if self.0[136] == 0xff {
            let mut last = [0; 8];
            last.copy_from_slice(&self.0[140..148]);
            i64::from_be_bytes(last)
        } else {
            i64::try_from(self.number(136..148)?)
                .map_err(|_| broken("malformed time in a header"))?
        };
        Ok(Time {
            seconds,
            nanoseconds: 0,
        })
    }
}

/// Reads as much as there is, up to a buffer's length.
fn filled(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn until_zero(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}
