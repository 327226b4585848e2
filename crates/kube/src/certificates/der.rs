//! As much of ASN.1's distinguished encoding (X.690) as certificates need.

/// Tags.
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8: u8 = 0x0c;
pub(super) const PRINTABLE: u8 = 0x13;
pub(super) const T61: u8 = 0x14;
pub(super) const IA5: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const BMP: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of something that stands at a number in a structure, with its own tag inside.
pub(super) const fn at(number: u8) -> u8 {
    0xa0 | number
}

/// One value after another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

/// A value: its tag, its contents, and all of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) contents: &'a [u8],
    pub(super) whole: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next value, if there is one and it is whole.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags of several bytes are in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 || rest.len() < count {
                return None;
            }
            let (bytes, after) = rest.split_at(count);
            length = bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            rest = after;
        }
        if rest.len() < length {
            return None;
        }
        let (contents, after) = rest.split_at(length);
        let whole = &self.0[..self.0.len() - after.len()];
        self.0 = after;
        Some(Element {
            tag,
            contents,
            whole,
        })
    }

    /// The next value, which has to be of this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }

    /// The contents of a structure that comes next.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.expect(tag).map(|element| Reader(element.contents))
    }

    /// Whether the next value is of this tag.
    pub(super) fn is(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }
}

/// A value of these contents.
pub(super) fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut bytes = vec![tag];
    if length < 0x80 {
        bytes.push(u8::try_from(length).unwrap_or_default());
    } else {
        let encoded = length.to_be_bytes();
        let skipped = encoded.iter().take_while(|byte| **byte == 0).count();
        let encoded = &encoded[skipped..];
        bytes.push(0x80 | u8::try_from(encoded.len()).unwrap_or_default());
        bytes.extend(encoded);
    }
    bytes.extend(contents);
    bytes
}

/// A structure of these parts.
pub(super) fn structure(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    value(tag, &parts.concat())
}

/// A bit string of whole bytes.
pub(super) fn bits(contents: &[u8]) -> Vec<u8> {
    structure(BIT_STRING, &[&[0], contents])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is written is read again.
        #[test]
        fn values_come_back(contents in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let written = value(OCTET_STRING, &contents);
            let mut reader = Reader(&written);
            let read = reader.expect(OCTET_STRING).unwrap();
            prop_assert_eq!(read.contents, &contents[..]);
            prop_assert_eq!(read.whole, &written[..]);
            prop_assert!(reader.0.is_empty());
        }

        /// Whatever comes is read or refused.
        #[test]
        fn nonsense_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader(&bytes);
            while reader.next().is_some() {}
            super::super::name::names(&bytes);
            let _ = super::super::Request::from_der(&bytes);
            let _ = super::super::subject_of(&bytes);
        }
    }
}
