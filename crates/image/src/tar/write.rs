//! Writing archives: ustar headers, with a pax header where something doesn't fit.

use super::{BLOCK, Entry, Kind, pax};
use std::io::{self, Read, Write};

/// Writes an archive.
pub(crate) struct Writer<W> {
    inner: W,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner }
    }

    /// Adds a member; `data` gives as many bytes as the entry says.
    pub(crate) fn append(&mut self, entry: &Entry, data: &mut dyn Read) -> io::Result<()> {
        let records = records(entry);
        if !records.is_empty() {
            let mut header = Header::new(b"PaxHeaders/member", b'x');
            header.octal(124..136, records.len() as u64);
            header.octal(100..108, 0o644);
            self.inner.write_all(&header.summed())?;
            self.inner.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.inner.write_all(&header(entry).summed())?;
        let written = io::copy(&mut data.take(entry.size), &mut self.inner)?;
        if written != entry.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.pad(entry.size)
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.inner.write_all(&[0; 2 * BLOCK])?;
        Ok(self.inner)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let rest = size.next_multiple_of(BLOCK as u64) - size;
        self.inner.write_all(&[0; BLOCK][..rest as usize])
    }
}

const NAME: usize = 100;
const LARGEST_ID: u32 = 0o777_7777;
const LARGEST_SIZE: u64 = 0o777_7777_7777;

fn link(entry: &Entry) -> &[u8] {
    match &entry.kind {
        Kind::Symlink(target) | Kind::HardLink(target) => target,
        _ => b"",
    }
}

fn records(entry: &Entry) -> Vec<u8> {
    let mut records = Vec::new();
    let mut number = |key: &str, value: u64| {
        pax::write(&mut records, key.as_bytes(), value.to_string().as_bytes());
    };
    if entry.size > LARGEST_SIZE {
        number("size", entry.size);
    }
    if entry.uid > LARGEST_ID {
        number("uid", entry.uid.into());
    }
    if entry.gid > LARGEST_ID {
        number("gid", entry.gid.into());
    }
    if entry.path.len() > NAME {
        pax::write(&mut records, b"path", &entry.path);
    }
    if link(entry).len() > NAME {
        pax::write(&mut records, b"linkpath", link(entry));
    }
    for (name, value) in &entry.xattrs {
        pax::write(&mut records, &[pax::XATTR, name].concat(), value);
    }
    records
}

fn header(entry: &Entry) -> Header {
    let flag = match entry.kind {
        Kind::File => b'0',
        Kind::HardLink(_) => b'1',
        Kind::Symlink(_) => b'2',
        Kind::Device { block: false, .. } => b'3',
        Kind::Device { block: true, .. } => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    };
    let mut header = Header::new(&entry.path, flag);
    header.octal(100..108, entry.mode.into());
    header.octal(108..116, entry.uid.min(LARGEST_ID).into());
    header.octal(116..124, entry.gid.min(LARGEST_ID).into());
    header.octal(124..136, entry.size.min(LARGEST_SIZE));
    // Before 1970 nothing in an image was made.
    header.octal(136..148, entry.modified.seconds.max(0) as u64);
    header.text(157..257, link(entry));
    if let Kind::Device { major, minor, .. } = entry.kind {
        header.octal(329..337, major.into());
        header.octal(337..345, minor.into());
    }
    header
}

struct Header([u8; BLOCK]);

impl Header {
    fn new(name: &[u8], flag: u8) -> Self {
        let mut header = Self([0; BLOCK]);
        header.text(0..100, name);
        for zero in [
            100..108,
            108..116,
            116..124,
            124..136,
            136..148,
            329..337,
            337..345,
        ] {
            header.octal(zero, 0);
        }
        header.0[156] = flag;
        header.text(257..265, b"ustar\x0000");
        header
    }

    fn text(&mut self, range: std::ops::Range<usize>, text: &[u8]) {
        let length = text.len().min(range.len());
        self.0[range][..length].copy_from_slice(&text[..length]);
    }

    fn octal(&mut self, range: std::ops::Range<usize>, value: u64) {
        let digits = format!("{value:0width$o}", width = range.len() - 1);
        self.text(range, digits.as_bytes());
    }

    fn summed(mut self) -> [u8; BLOCK] {
        self.text(148..156, b"        ");
        let sum: u64 = self.0.iter().copied().map(u64::from).sum();
        self.text(148..156, format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}
