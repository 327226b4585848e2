//! Distinguished names: who a certificate is of.

use super::der::{self, Reader};

/// The object identifiers of a name's parts.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// Who a certificate is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The common name: the user.
    pub user: String,
    /// The organizations: the groups.
    pub groups: Vec<String>,
}

impl Subject {
    /// As a certificate has it.
    pub(super) fn der(&self) -> Vec<u8> {
        let part = |oid: &[u8], text: &str| {
            let oid = der::value(der::OID, oid);
            let text = der::value(der::UTF8, text.as_bytes());
            der::value(der::SET, &der::structure(der::SEQUENCE, &[&oid, &text]))
        };
        let mut parts: Vec<Vec<u8>> = self
            .groups
            .iter()
            .map(|group| part(ORGANIZATION, group))
            .collect();
        parts.push(part(COMMON_NAME, &self.user));
        der::value(der::SEQUENCE, &parts.concat())
    }
}

/// Who a name's parts name. Of several common names the last counts, as for Go's clients.
pub(super) fn names(name: &[u8]) -> Subject {
    let mut subject = Subject::default();
    let mut parts = Reader(name);
    while let Some(part) = parts.next() {
        let mut pairs = Reader(part.contents);
        while let Some(mut pair) = pairs.enter(der::SEQUENCE) {
            let (Some(oid), Some(value)) = (pair.expect(der::OID), pair.next()) else {
                continue;
            };
            let Some(text) = text(value.tag, value.contents) else {
                continue;
            };
            match oid.contents {
                COMMON_NAME => subject.user = text,
                ORGANIZATION => subject.groups.push(text),
                _ => {}
            }
        }
    }
    subject
}

fn text(tag: u8, contents: &[u8]) -> Option<String> {
    match tag {
        der::UTF8 | der::PRINTABLE | der::IA5 | der::T61 => {
            String::from_utf8(contents.to_vec()).ok()
        }
        der::BMP => {
            let units: Vec<u16> = contents
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

/// Who a certificate is of. It says nothing of whether it is genuine.
pub fn subject_of(certificate: &[u8]) -> Option<Subject> {
    let subject = Parts::of(certificate)?.subject;
    Some(names(Reader(subject).enter(der::SEQUENCE)?.0))
}

/// A certificate's parts that matter here.
pub(super) struct Parts<'a> {
    /// Whom it is of, as it is written.
    pub(super) subject: &'a [u8],
    /// Its extensions.
    pub(super) extensions: Reader<'a>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(certificate: &'a [u8]) -> Option<Self> {
        let mut outer = Reader(certificate).enter(der::SEQUENCE)?;
        let mut signed = outer.enter(der::SEQUENCE)?;
        if signed.is(der::at(0)) {
            signed.next()?;
        }
        signed.expect(der::INTEGER)?;
        // The algorithm, the issuer and the time.
        for _ in 0..3 {
            signed.expect(der::SEQUENCE)?;
        }
        let subject = signed.expect(der::SEQUENCE)?.whole;
        signed.expect(der::SEQUENCE)?;
        let mut extensions = Reader(&[]);
        while let Some(part) = signed.next() {
            if part.tag == der::at(3) {
                extensions = Reader(part.contents).enter(der::SEQUENCE)?;
            }
        }
        Some(Self {
            subject,
            extensions,
        })
    }
}

/// An extension's contents, by its object identifier.
pub(super) fn extension<'a>(mut extensions: Reader<'a>, oid: &[u8]) -> Option<&'a [u8]> {
    while let Some(mut extension) = extensions.enter(der::SEQUENCE) {
        let found = extension.expect(der::OID)?;
        if extension.is(der::BOOLEAN) {
            extension.next()?;
        }
        let contents = extension.expect(der::OCTET_STRING)?;
        if found.contents == oid {
            return Some(contents.contents);
        }
    }
    None
}
