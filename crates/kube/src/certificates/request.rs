//! Requests for certificates (PKCS #10, RFC 2986).

use super::der::{self, Reader};
use super::name::{Subject, extension, names};
use super::pem;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use std::net::IpAddr;

/// Object identifiers.
const EXTENSIONS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// What a server is reached by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlternativeName {
    /// A DNS name.
    Dns(String),
    /// An address.
    Address(IpAddr),
    /// An e-mail address.
    Email(String),
    /// A URI.
    Uri(String),
}

/// A request for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whom it is for.
    pub subject: Subject,
    /// What a server is reached by.
    pub names: Vec<AlternativeName>,
    /// The name, as it is written.
    pub(super) name: Vec<u8>,
    /// The public key, as it is written.
    pub(super) key: Vec<u8>,
}

/// Why a request is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no such section.
    #[error("PEM block type must be CERTIFICATE REQUEST")]
    Pem,
    /// It is no PKCS #10.
    #[error("asn1: structure error: the request can't be read")]
    Form,
    /// It was not signed by the key that it is for.
    #[error("x509: the request's signature is not its key's")]
    Signature,
}

impl Request {
    /// Reads PEM.
    ///
    /// # Errors
    /// It is no request, or not signed by its own key.
    pub fn from_pem(text: &str) -> Result<Self, RequestError> {
        let contents = pem(text, "CERTIFICATE REQUEST").ok_or(RequestError::Pem)?;
        Self::from_der(&contents)
    }

    /// Reads DER.
    ///
    /// # Errors
    /// It is no request, or not signed by its own key.
    pub fn from_der(contents: &[u8]) -> Result<Self, RequestError> {
        let parts = Parts::of(contents).ok_or(RequestError::Form)?;
        if !parts.genuine() {
            return Err(RequestError::Signature);
        }
        let name = Reader(parts.name).enter(der::SEQUENCE);
        Ok(Self {
            subject: names(name.ok_or(RequestError::Form)?.0),
            names: parts.alternative_names().ok_or(RequestError::Form)?,
            name: parts.name.to_vec(),
            key: parts.key.to_vec(),
        })
    }
}

struct Parts<'a> {
    /// What is signed.
    signed: &'a [u8],
    name: &'a [u8],
    key: &'a [u8],
    attributes: Reader<'a>,
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(contents: &'a [u8]) -> Option<Self> {
        let mut outer = Reader(contents).enter(der::SEQUENCE)?;
        let signed = outer.expect(der::SEQUENCE)?;
        let mut algorithm = outer.enter(der::SEQUENCE)?;
        let signature = outer.expect(der::BIT_STRING)?;
        let mut inner = Reader(signed.contents);
        inner.expect(der::INTEGER)?;
        let name = inner.expect(der::SEQUENCE)?.whole;
        let key = inner.expect(der::SEQUENCE)?.whole;
        let attributes = if inner.is(der::at(0)) {
            inner.enter(der::at(0))?
        } else {
            Reader(&[])
        };
        Some(Self {
            signed: signed.whole,
            name,
            key,
            attributes,
            algorithm: algorithm.expect(der::OID)?.contents,
            signature: whole_bytes(signature.contents)?,
        })
    }

    /// Whether it was signed by the key that it is for.
    fn genuine(&self) -> bool {
        let verified = || {
            let mut key = Reader(self.key).enter(der::SEQUENCE)?;
            let mut kind = key.enter(der::SEQUENCE)?;
            kind.expect(der::OID)?;
            let curve = kind.next().map(|parameter| parameter.contents);
            let point = whole_bytes(key.expect(der::BIT_STRING)?.contents)?;
            let algorithm: &dyn VerificationAlgorithm = match (self.algorithm, curve) {
                (ECDSA_SHA256, Some(P256)) => &signature::ECDSA_P256_SHA256_ASN1,
                (ECDSA_SHA384, Some(P256)) => &signature::ECDSA_P256_SHA384_ASN1,
                (ECDSA_SHA256, Some(P384)) => &signature::ECDSA_P384_SHA256_ASN1,
                (ECDSA_SHA384, Some(P384)) => &signature::ECDSA_P384_SHA384_ASN1,
                (RSA_SHA256, _) => &signature::RSA_PKCS1_2048_8192_SHA256,
                (RSA_SHA384, _) => &signature::RSA_PKCS1_2048_8192_SHA384,
                (RSA_SHA512, _) => &signature::RSA_PKCS1_2048_8192_SHA512,
                (ED25519, _) => &signature::ED25519,
                _ => return None,
            };
            let key = UnparsedPublicKey::new(algorithm, point);
            key.verify(self.signed, self.signature).ok()
        };
        verified().is_some()
    }

    /// The names that the request's extensions ask for.
    fn alternative_names(&self) -> Option<Vec<AlternativeName>> {
        let mut attributes = self.attributes;
        let mut found = Vec::new();
        while let Some(mut attribute) = attributes.enter(der::SEQUENCE) {
            if attribute.expect(der::OID)?.contents != EXTENSIONS {
                continue;
            }
            let extensions = attribute.enter(der::SET)?.enter(der::SEQUENCE)?;
            let Some(contents) = extension(extensions, ALTERNATIVE_NAMES) else {
                continue;
            };
            let mut names = Reader(contents).enter(der::SEQUENCE)?;
            while let Some(name) = names.next() {
                found.extend(alternative(name.tag, name.contents));
            }
        }
        Some(found)
    }
}

fn alternative(tag: u8, contents: &[u8]) -> Option<AlternativeName> {
    let text = || String::from_utf8(contents.to_vec()).ok();
    match tag {
        0x81 => text().map(AlternativeName::Email),
        0x82 => text().map(AlternativeName::Dns),
        0x86 => text().map(AlternativeName::Uri),
        0x87 => {
            let four = <[u8; 4]>::try_from(contents).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(contents).map(IpAddr::from));
            address.ok().map(AlternativeName::Address)
        }
        _ => None,
    }
}

/// The contents of a bit string of whole bytes.
fn whole_bytes(contents: &[u8]) -> Option<&[u8]> {
    let (unused, bytes) = contents.split_first()?;
    (*unused == 0).then_some(bytes)
}
