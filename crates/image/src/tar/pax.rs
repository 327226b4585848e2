//! Records of a pax header: `27 mtime=1350244992.023960108\n`. The length decides where a record ends,
//! so a value may hold anything.

use super::{Time, broken};
use std::io;

/// What a pax header says of the member after it.
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) modified: Option<Time>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// How attributes are spelled in archives that GNU tar, Go and libarchive make.
pub(super) const XATTR: &[u8] = b"SCHILY.xattr.";

impl Overrides {
    pub(super) fn read(mut records: &[u8]) -> io::Result<Self> {
        let mut all = Self::default();
        while let Some((key, value, rest)) = next(records)? {
            all.take(key, value)?;
            records = rest;
        }
        Ok(all)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number(value)?),
            b"uid" => self.uid = Some(number(value)?),
            b"gid" => self.gid = Some(number(value)?),
            b"mtime" => self.modified = Some(time(value)?),
            _ if key.starts_with(b"GNU.sparse.") => {
                return Err(broken("sparse files are not supported"));
            }
            _ => {
                if let Some(name) = key.strip_prefix(XATTR) {
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }
}

type Record<'a> = (&'a [u8], &'a [u8], &'a [u8]);

fn next(records: &[u8]) -> io::Result<Option<Record<'_>>> {
    // Some writers pad with zeros.
    if records.first().is_none_or(|byte| *byte == 0) {
        return Ok(None);
    }
    let malformed = || broken("malformed pax header");
    let space = records.iter().position(|b| *b == b' ');
    let space = space.ok_or_else(malformed)?;
    let length: usize = number(&records[..space])?;
    if length < space + 3 || length > records.len() || records[length - 1] != b'\n' {
        return Err(malformed());
    }
    let (record, rest) = (&records[space + 1..length - 1], &records[length..]);
    let equals = record.iter().position(|b| *b == b'=');
    let equals = equals.ok_or_else(malformed)?;
    Ok(Some((&record[..equals], &record[equals + 1..], rest)))
}

fn number<T: std::str::FromStr>(text: &[u8]) -> io::Result<T> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| broken("malformed number in a pax header"))
}

fn time(text: &[u8]) -> io::Result<Time> {
    let negative = text.first() == Some(&b'-');
    let (whole, fraction) = match text.iter().position(|b| *b == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &b""[..]),
    };
    let mut nanoseconds = 0;
    for place in 0..9 {
        let digit = match fraction.get(place) {
            Some(digit) if digit.is_ascii_digit() => u32::from(digit - b'0'),
            Some(_) => return Err(broken("malformed time in a pax header")),
            None => 0,
        };
        nanoseconds = nanoseconds * 10 + digit;
    }
    let seconds: i64 = number(whole)?;
    // Nanoseconds count forward, also before 1970.
    Ok(if negative && nanoseconds > 0 {
        Time {
            seconds: seconds.saturating_sub(1),
            nanoseconds: 1_000_000_000 - nanoseconds,
        }
    } else {
        Time {
            seconds,
            nanoseconds,
        }
    })
}

/// Appends a record; its length counts its own digits.
pub(super) fn write(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}
