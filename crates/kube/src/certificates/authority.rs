//! A cluster's authority: it makes certificates.

use super::der;
use super::name::{Parts, Subject, extension};
use super::request::{AlternativeName, Request};
use super::{pem, to_pem};
use crate::schema::rfc3339;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use std::fmt;
use std::net::IpAddr;

/// Object identifiers.
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const EC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const EXTENDED_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 0x23];
const SUBJECT_KEY: &[u8] = &[0x55, 0x1d, 0x0e];
const SERVER: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const CLIENT: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

/// Clocks differ: certificates are valid from a little before they are made.
const BACKDATE: i64 = 300;

/// What a certificate may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Being a client.
    Client,
    /// Being a server.
    Server,
}

/// What a certificate says besides whom it is of.
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    /// What it may be used for.
    pub usages: &'a [Usage],
    /// What its server is reached by.
    pub names: &'a [AlternativeName],
    /// When it is made, in seconds since 1970.
    pub now: i64,
    /// How long it is valid, in seconds.
    pub lifetime: i64,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").finish_non_exhaustive()
    }
}

/// Why an authority is none, or can't make a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// Its certificate can't be read.
    #[error("the authority's certificate can't be read")]
    Certificate,
    /// Its key isn't one.
    #[error("the authority's key is none on P-256")]
    Key,
    /// The system has no randomness.
    #[error("the system gives no random numbers")]
    Randomness,
}

/// A cluster's authority.
pub struct Authority {
    /// Its name, as its certificate has it.
    name: Vec<u8>,
    /// What its key is known by.
    key_id: Option<Vec<u8>>,
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// The authority with this certificate and key, in PEM.
    ///
    /// # Errors
    /// They are none.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, AuthorityError> {
        let contents = pem(certificate, "CERTIFICATE").ok_or(AuthorityError::Certificate)?;
        let parts = Parts::of(&contents).ok_or(AuthorityError::Certificate)?;
        let key_id = extension(parts.extensions, SUBJECT_KEY)
            .and_then(|contents| der::Reader(contents).expect(der::OCTET_STRING))
            .map(|element| element.contents.to_vec());
        let random = SystemRandom::new();
        let key = pem(key, "PRIVATE KEY").ok_or(AuthorityError::Key)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key, &random);
        Ok(Self {
            name: parts.subject.to_vec(),
            key_id,
            key: key.map_err(|_| AuthorityError::Key)?,
            random,
        })
    }

    /// A certificate for somebody, with a new key.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn issue(&self, subject: &Subject, profile: Profile<'_>) -> Result<Issued, AuthorityError> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.random);
        let made = made.map_err(|_| AuthorityError::Randomness)?;
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &self.random);
        let key = key.map_err(|_| AuthorityError::Randomness)?;
        let kind = [der::value(der::OID, EC_KEY), der::value(der::OID, P256)].concat();
        let kind = der::value(der::SEQUENCE, &kind);
        let point = der::bits(key.public_key().as_ref());
        let public = der::structure(der::SEQUENCE, &[&kind, &point]);
        Ok(Issued {
            certificate: self.certificate(&subject.der(), &public, profile)?,
            key: to_pem("PRIVATE KEY", made.as_ref()),
        })
    }

    /// A certificate for a request's name and key, in PEM.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn sign(&self, request: &Request, profile: Profile<'_>) -> Result<String, AuthorityError> {
        self.certificate(&request.name, &request.key, profile)
    }

    fn certificate(
        &self,
        subject: &[u8],
        key: &[u8],
        profile: Profile<'_>,
    ) -> Result<String, AuthorityError> {
        let mut serial = [0_u8; 16];
        let filled = self.random.fill(&mut serial);
        filled.map_err(|_| AuthorityError::Randomness)?;
        // Positive, and of the same length always.
        serial[0] = serial[0] & 0x7f | 0x40;
        let algorithm = der::value(der::SEQUENCE, &der::value(der::OID, ECDSA_SHA256));
        let validity = [
            time(profile.now - BACKDATE),
            time(profile.now + profile.lifetime),
        ];
        let extensions = self.extensions(profile, subject == der::value(der::SEQUENCE, &[]));
        let signed = der::structure(
            der::SEQUENCE,
            &[
                &der::value(der::at(0), &der::value(der::INTEGER, &[2])),
                &der::value(der::INTEGER, &serial),
                &algorithm,
                &self.name,
                &der::value(der::SEQUENCE, &validity.concat()),
                subject,
                key,
                &der::value(der::at(3), &der::value(der::SEQUENCE, &extensions)),
            ],
        );
        let signature = self.key.sign(&self.random, &signed);
        let signature = signature.map_err(|_| AuthorityError::Randomness)?;
        let signature = der::bits(signature.as_ref());
        let whole = der::structure(der::SEQUENCE, &[&signed, &algorithm, &signature]);
        Ok(to_pem("CERTIFICATE", &whole))
    }

    fn extensions(&self, profile: Profile<'_>, nameless: bool) -> Vec<u8> {
        let mut all = extended(BASIC_CONSTRAINTS, true, &der::value(der::SEQUENCE, &[]));
        // Digital signature and key encipherment.
        let usage = [der::BIT_STRING, 2, 5, 0b1010_0000];
        all.extend(extended(KEY_USAGE, true, &usage));
        let usages: Vec<u8> = profile
            .usages
            .iter()
            .flat_map(|usage| match usage {
                Usage::Client => der::value(der::OID, CLIENT),
                Usage::Server => der::value(der::OID, SERVER),
            })
            .collect();
        if !usages.is_empty() {
            let usages = der::value(der::SEQUENCE, &usages);
            all.extend(extended(EXTENDED_USAGE, false, &usages));
        }
        if let Some(id) = &self.key_id {
            let id = der::value(der::SEQUENCE, &der::value(0x80, id));
            all.extend(extended(AUTHORITY_KEY, false, &id));
        }
        let names: Vec<u8> = profile.names.iter().flat_map(named).collect();
        if !names.is_empty() {
            let names = der::value(der::SEQUENCE, &names);
            all.extend(extended(ALTERNATIVE_NAMES, nameless, &names));
        }
        all
    }
}

fn extended(oid: &[u8], critical: bool, contents: &[u8]) -> Vec<u8> {
    let critical = if critical {
        vec![der::BOOLEAN, 1, 0xff]
    } else {
        Vec::new()
    };
    der::structure(
        der::SEQUENCE,
        &[
            &der::value(der::OID, oid),
            &critical,
            &der::value(der::OCTET_STRING, contents),
        ],
    )
}

fn named(name: &AlternativeName) -> Vec<u8> {
    match name {
        AlternativeName::Email(text) => der::value(0x81, text.as_bytes()),
        AlternativeName::Dns(text) => der::value(0x82, text.as_bytes()),
        AlternativeName::Uri(text) => der::value(0x86, text.as_bytes()),
        AlternativeName::Address(IpAddr::V4(address)) => der::value(0x87, &address.octets()),
        AlternativeName::Address(IpAddr::V6(address)) => der::value(0x87, &address.octets()),
    }
}

/// A moment: in two digits of the year up to 2049 (RFC 5280, section 4.1.2.5).
fn time(seconds: i64) -> Vec<u8> {
    let text = rfc3339(seconds);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.as_str() < "2050" && digits.len() > 2 {
        return der::value(der::UTC_TIME, format!("{}Z", &digits[2..]).as_bytes());
    }
    der::value(der::GENERALIZED_TIME, format!("{digits}Z").as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests;
