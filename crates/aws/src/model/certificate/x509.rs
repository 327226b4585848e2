//! What X.509 certificates say (RFC 5280): as much as ACM shows and load balancing needs.

use super::*;
use std::net::{Ipv4Addr, Ipv6Addr};
use wire::Timestamp;

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct X509 {
    /// Its serial number, bytes in hexadecimal with colons.
    pub serial: String,
    /// Whose it is, as RFC 4514 writes it in the order of the certificate.
    pub subject: String,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// Who issued it: the organization or the common name.
    pub issuer: String,
    /// From when it is valid, in seconds since 1970.
    pub not_before: i64,
    /// Until when, in seconds since 1970.
    pub not_after: i64,
    /// Its other names: DNS names and addresses.
    pub names: Vec<String>,
    /// The algorithm of its key.
    pub key: KeyAlgorithm,
    /// The algorithm it is signed with.
    pub signature: String,
    /// The key: an RSA modulus, or a point of the curve.
    pub public_key: Vec<u8>,
}

/// The algorithm of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyAlgorithm {
    /// RSA with so many bits.
    Rsa(u32),
    /// NIST's curve P-256.
    P256,
    /// NIST's curve P-384.
    P384,
    /// NIST's curve P-521.
    P521,
}

impl KeyAlgorithm {
    /// ACM's word.
    pub fn name(self) -> String {
        match self {
            Self::Rsa(bits) => format!("RSA_{bits}"),
            Self::P256 => "EC_prime256v1".to_owned(),
            Self::P384 => "EC_secp384r1".to_owned(),
            Self::P521 => "EC_secp521r1".to_owned(),
        }
    }
}

/// A value in DER: its tag and its content.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
}

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// Values in DER, one after another.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next value.
    pub(super) fn any(&mut self) -> Option<Value<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0usize, |length, byte| length << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Value { tag, content })
    }

    /// The next value, which has to have this tag.
    pub(super) fn one(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.any()
            .filter(|value| value.tag == tag)
            .map(|of| of.content)
    }

    /// The next value if it has this tag.
    pub(super) fn maybe(&mut self, tag: u8) -> Option<&'a [u8]> {
        match self.0.first() {
            Some(first) if *first == tag => self.one(tag),
            _ => None,
        }
    }

    fn all(mut self) -> Vec<Value<'a>> {
        std::iter::from_fn(|| self.any()).collect()
    }
}

const RSA_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// Signature algorithms, by the end of their object ids.
const SIGNATURES: [(&[u8], &str); 8] = [
    (&[0xf7, 0x0d, 0x01, 0x01, 0x05], "SHA1WITHRSA"),
    (&[0xf7, 0x0d, 0x01, 0x01, 0x0b], "SHA256WITHRSA"),
    (&[0xf7, 0x0d, 0x01, 0x01, 0x0c], "SHA384WITHRSA"),
    (&[0xf7, 0x0d, 0x01, 0x01, 0x0d], "SHA512WITHRSA"),
    (&[0xce, 0x3d, 0x04, 0x03, 0x02], "SHA256WITHECDSA"),
    (&[0xce, 0x3d, 0x04, 0x03, 0x03], "SHA384WITHECDSA"),
    (&[0xce, 0x3d, 0x04, 0x03, 0x04], "SHA512WITHECDSA"),
    (&[0x2b, 0x65, 0x70], "ED25519"),
];

/// The parts of names, by the last byte of their object ids.
const NAME_PARTS: [(u8, &str); 6] = [
    (3, "CN"),
    (6, "C"),
    (7, "L"),
    (8, "ST"),
    (10, "O"),
    (11, "OU"),
];

/// Reads a certificate; `None` for what is none, or one of a kind that ACM doesn't take.
pub(super) fn read(der: &[u8]) -> Option<X509> {
    let mut certificate = Reader(Reader(der).one(SEQUENCE)?);
    let mut body = Reader(certificate.one(SEQUENCE)?);
    body.maybe(0xa0);
    let serial = body.one(INTEGER)?;
    let signature = Reader(body.one(SEQUENCE)?).one(OBJECT_ID)?;
    let issuer = name(body.one(SEQUENCE)?)?;
    let mut validity = Reader(body.one(SEQUENCE)?);
    let (not_before, not_after) = (time(validity.any()?)?, time(validity.any()?)?);
    let subject = name(body.one(SEQUENCE)?)?;
    let (key, public_key) = public_key(body.one(SEQUENCE)?)?;
    let mut names = Vec::new();
    while let Some(value) = body.any() {
        if value.tag == 0xa3 {
            names = alternative_names(value.content)?;
        }
    }
    let find = |name: &[(String, String)], part: &str| {
        let found = name.iter().find(|(of, _)| of == part);
        found.map(|(_, value)| value.clone())
    };
    let written: Vec<String> = subject
        .iter()
        .map(|(part, value)| format!("{part}={value}"))
        .collect();
    Some(X509 {
        serial: hex(serial),
        subject: written.join(","),
        common_name: find(&subject, "CN"),
        issuer: find(&issuer, "O")
            .or_else(|| find(&issuer, "CN"))
            .unwrap_or_default(),
        not_before,
        not_after,
        names,
        key,
        signature: SIGNATURES
            .iter()
            .find(|(end, _)| signature.ends_with(end))
            .map(|(_, name)| (*name).to_owned())?,
        public_key,
    })
}

/// A serial number as ACM writes it; the zero that keeps it positive is not part of it.
fn hex(bytes: &[u8]) -> String {
    let bytes = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        bytes => bytes,
    };
    let written: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    written.join(":")
}

fn name(content: &[u8]) -> Option<Vec<(String, String)>> {
    let mut parts = Vec::new();
    for set in Reader(content).all() {
        for part in Reader(set.content).all() {
            let mut part = Reader(part.content);
            let id = part.one(OBJECT_ID)?;
            let value = String::from_utf8_lossy(part.any()?.content).into_owned();
            let known = match id {
                [0x55, 0x04, last] => NAME_PARTS.iter().find(|(of, _)| of == last),
                _ => None,
            };
            if let Some((_, name)) = known {
                parts.push(((*name).to_owned(), value));
            }
        }
    }
    Some(parts)
}

/// `UTCTime` or `GeneralizedTime`.
fn time(value: Value<'_>) -> Option<i64> {
    let text = std::str::from_utf8(value.content).ok()?;
    let text = match value.tag {
        0x17 => {
            let year: u32 = text.get(..2)?.parse().ok()?;
            format!("{}{text}", if year < 50 { 20 } else { 19 })
        }
        0x18 => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| text.get(from..to);
    let iso = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    Timestamp::parse(&iso).map(|time| time.0)
}

fn public_key(content: &[u8]) -> Option<(KeyAlgorithm, Vec<u8>)> {
    let mut info = Reader(content);
    let mut algorithm = Reader(info.one(SEQUENCE)?);
    let id = algorithm.one(OBJECT_ID)?;
    let (_unused_bits, key) = info.one(BIT_STRING)?.split_first()?;
    match id {
        RSA_KEY => {
            let modulus = Reader(Reader(key).one(SEQUENCE)?).one(INTEGER)?;
            rsa(modulus)
        }
        EC_KEY => Some((curve(algorithm.one(OBJECT_ID)?)?, key.to_vec())),
        _ => None,
    }
}

/// An RSA key by its modulus.
fn rsa(modulus: &[u8]) -> Option<(KeyAlgorithm, Vec<u8>)> {
    let start = modulus.iter().position(|byte| *byte != 0)?;
    let modulus = &modulus[start..];
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    Some((
        KeyAlgorithm::Rsa(u32::try_from(bits).ok()?),
        modulus.to_vec(),
    ))
}

fn curve(id: &[u8]) -> Option<KeyAlgorithm> {
    match id {
        P256 => Some(KeyAlgorithm::P256),
        P384 => Some(KeyAlgorithm::P384),
        P521 => Some(KeyAlgorithm::P521),
        _ => None,
    }
}

fn alternative_names(content: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for extension in Reader(Reader(content).one(SEQUENCE)?).all() {
        let mut extension = Reader(extension.content);
        if extension.one(OBJECT_ID)? != ALTERNATIVE_NAMES {
            continue;
        }
        extension.maybe(0x01);
        let inner = Reader(extension.one(OCTET_STRING)?).one(SEQUENCE)?;
        for name in Reader(inner).all() {
            match (name.tag, name.content) {
                (0x82, text) => names.push(String::from_utf8_lossy(text).into_owned()),
                (0x87, bytes) => names.extend(address(bytes)),
                _ => {}
            }
        }
    }
    Some(names)
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).to_string());
    }
    let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(sixteen).to_string())
}

/// The public key of a private one in PEM: PKCS #8, PKCS #1 or SEC 1.
pub(super) fn public_of(label: &str, der: &[u8]) -> Option<Vec<u8>> {
    match label {
        "PRIVATE KEY" => {
            let mut info = Reader(Reader(der).one(SEQUENCE)?);
            info.one(INTEGER)?;
            let id = Reader(info.one(SEQUENCE)?).one(OBJECT_ID)?;
            let key = info.one(OCTET_STRING)?;
            match id {
                RSA_KEY => public_of("RSA PRIVATE KEY", key),
                EC_KEY => public_of("EC PRIVATE KEY", key),
                _ => None,
            }
        }
        "RSA PRIVATE KEY" => {
            let mut key = Reader(Reader(der).one(SEQUENCE)?);
            key.one(INTEGER)?;
            Some(rsa(key.one(INTEGER)?)?.1)
        }
        "EC PRIVATE KEY" => {
            let mut key = Reader(Reader(der).one(SEQUENCE)?);
            key.one(INTEGER)?;
            key.one(OCTET_STRING)?;
            key.maybe(0xa0);
            // The point is optional; whoever leaves it out can't be checked.
            let point = Reader(key.maybe(0xa1)?).one(BIT_STRING)?;
            Some(point.split_first()?.1.to_vec())
        }
        _ => None,
    }
}
