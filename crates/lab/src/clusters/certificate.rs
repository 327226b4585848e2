//! A cluster's certificate authority, and the certificate of its API.

use kube::certificates::{
    AlternativeName, Authority, AuthorityError, Issued, Profile, Subject, Usage,
};
use kube::serve::TlsError;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};
use tokio_rustls::TlsAcceptor;

/// Names by which pods call the API.
const NAMES: [&str; 5] = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
];

/// How long certificates of clients are valid, in seconds.
const YEAR: i64 = 365 * 24 * 60 * 60;

/// Certificates and keys in PEM.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Certificates {
    /// The authority's certificate.
    pub(super) authority: String,
    /// The authority's key.
    authority_key: String,
    /// The API's certificate.
    server: String,
    /// The API's key.
    server_key: String,
}

impl Certificates {
    /// A new authority, and a certificate for an API at some addresses and, beside those that pods know, with
    /// some names.
    pub(super) fn make(
        cluster: &str,
        addresses: &[Ipv4Addr],
        names: &[&str],
    ) -> Result<Self, rcgen::Error> {
        let authority_key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&format!("kubernetes-ca {cluster}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let authority = params.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(params, &authority_key);
        let server_key = KeyPair::generate()?;
        let names = NAMES.iter().chain(names).map(|name| (*name).to_owned());
        let mut params = CertificateParams::new(names.collect::<Vec<String>>())?;
        params.distinguished_name = named("kube-apiserver");
        params.subject_alt_names.extend(
            addresses
                .iter()
                .chain(&[Ipv4Addr::LOCALHOST])
                .map(|address| SanType::IpAddress(IpAddr::V4(*address))),
        );
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let server = params.signed_by(&server_key, &issuer)?.pem();
        Ok(Self {
            authority,
            authority_key: authority_key.serialize_pem(),
            server,
            server_key: server_key.serialize_pem(),
        })
    }

    /// What speaks TLS with the API's certificate.
    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        kube::serve::acceptor(&self.server, &self.server_key)
    }

    /// What makes certificates for users and servers.
    pub(super) fn authority(&self) -> Result<Authority, AuthorityError> {
        Authority::from_pem(&self.authority, &self.authority_key)
    }

    /// The certificate of a node's server, with a new key, for a year.
    pub(super) fn issue_server(
        &self,
        node: &str,
        address: Ipv4Addr,
        now: i64,
    ) -> Result<Issued, AuthorityError> {
        let subject = Subject {
            user: format!("system:node:{node}"),
            groups: vec!["system:nodes".to_owned()],
        };
        let names = [
            AlternativeName::Dns(node.to_owned()),
            AlternativeName::Address(address.into()),
        ];
        let profile = Profile {
            usages: &[Usage::Server],
            names: &names,
            now,
            lifetime: YEAR,
        };
        self.authority()?.issue(&subject, profile)
    }

    /// A client's certificate, with a new key, for a year.
    pub(super) fn issue(&self, subject: &Subject, now: i64) -> Result<Issued, AuthorityError> {
        let profile = Profile {
            usages: &[Usage::Client],
            names: &[],
            now,
            lifetime: YEAR,
        };
        self.authority()?.issue(subject, profile)
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}
