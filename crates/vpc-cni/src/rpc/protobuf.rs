//! Protobuf's wire format, as much as the messages need: varints and texts.
//! <https://protobuf.dev/programming-guides/encoding/>

/// A message being written; what has its default value is left out.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn number(&mut self, field: u64, value: u64) -> &mut Self {
        if value != 0 {
            self.varint(field << 3 | VARINT);
            self.varint(value);
        }
        self
    }

    pub(super) fn switch(&mut self, field: u64, value: bool) -> &mut Self {
        self.number(field, u64::from(value))
    }

    pub(super) fn text(&mut self, field: u64, value: &str) -> &mut Self {
        if !value.is_empty() {
            self.bytes(field, value.as_bytes());
        }
        self
    }

    pub(super) fn bytes(&mut self, field: u64, value: &[u8]) -> &mut Self {
        self.varint(field << 3 | BYTES);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }
}

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl Value<'_> {
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Number(number) => number,
            Value::Bytes(_) => 0,
        }
    }

    pub(super) fn text(self) -> String {
        match self {
            Self::Number(_) => String::new(),
            Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

/// The message can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("proto: cannot parse invalid wire-format data")]
pub struct Malformed;

/// The fields of a message in their order; those of fixed size, which no message here has, are skipped.
pub(super) fn fields(mut from: &[u8]) -> Result<Vec<(u64, Value<'_>)>, Malformed> {
    let mut fields = Vec::new();
    while !from.is_empty() {
        let key = varint(&mut from)?;
        let field = key >> 3;
        match key & 7 {
            VARINT => fields.push((field, Value::Number(varint(&mut from)?))),
            BYTES => {
                let length = usize::try_from(varint(&mut from)?).map_err(|_| Malformed)?;
                fields.push((field, Value::Bytes(take(&mut from, length)?)));
            }
            FIXED64 => drop(take(&mut from, 8)?),
            FIXED32 => drop(take(&mut from, 4)?),
            _ => return Err(Malformed),
        }
    }
    Ok(fields)
}

fn take<'a>(from: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (taken, rest) = from.split_at_checked(length).ok_or(Malformed)?;
    *from = rest;
    Ok(taken)
}

fn varint(from: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(from, 1)?.first().copied().unwrap_or_default();
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}
