use super::*;
use crate::certificates::subject_of;
use rcgen::{BasicConstraints, CertificateParams, IsCa};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{Error, RootCertStore};
use std::sync::Arc;
use std::time::Duration;

/// Requests that OpenSSL made: `/O=dev/O=ops/CN=ann` with names, on P-256; RSA; Ed25519.
const ECDSA: &str = "-----BEGIN CERTIFICATE REQUEST-----\n\
MIIBETCBuQIBADAqMQwwCgYDVQQKDANkZXYxDDAKBgNVBAoMA29wczEMMAoGA1UE\n\
AwwDYW5uMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEma2evYhhcmKhq/Zs9v+m\n\
RI88RimxH9HXNC3NCHjyrz4dwPKvUwx4rJvftICr/grik+J1yI3JI1gxzUEI3Jww\n\
ZqAtMCsGCSqGSIb3DQEJDjEeMBwwGgYDVR0RBBMwEYIJYS5leGFtcGxlhwQKAAAD\n\
MAoGCCqGSM49BAMCA0cAMEQCIHm0H4Iu2e5EjrDMjSBSgD6XxGW+6irH4x+yvOuO\n\
IXlMAiBaWZraa3gu34PygozdA2KxR0X6shnTf24FKNJZCAxBAg==\n\
-----END CERTIFICATE REQUEST-----\n\
";
const RSA: &str = "-----BEGIN CERTIFICATE REQUEST-----\n\
MIICUzCCATsCAQAwDjEMMAoGA1UEAwwDYm9iMIIBIjANBgkqhkiG9w0BAQEFAAOC\n\
AQ8AMIIBCgKCAQEAtiFgINyLiL/L8UZ91y/62lRTdK4uYluw6AXJ+867EjCkePjp\n\
gFT0QsSn/MOZ6YqHROvmc3ODnO2nHCaPFOMTTwk6PYEvTp6QzYqblNj3Aq97c8P9\n\
Jk5kTIFVBxepBIJsfjwdhZBXBJuh31MOkVGU0NEdjcdj6s1ibK6UuY8dWGz3NhCr\n\
r4jKVciATynW3qlpPM+8tiGoeQOVCjgrpSj4PlbWYymnqxnOk2dyZ14YjAn2msrI\n\
6GojJ6O3DyvWcd1kPucmtIICuOT8H8LiPQEcG6u59zodjZNekqG5bHcGo/nI7Yhj\n\
bBM3rkrQMYjOgBu4OaeVgLiN7hMWhj8tIWkpEQIDAQABoAAwDQYJKoZIhvcNAQEL\n\
BQADggEBADjAUdoT8gvhe/7zezW50LArtr4o+yNDN3LiFmycu/XuJ7XOTCqQwnzw\n\
BJmCSkAczMNj6c7ND5CWxiX0k/DL7PCrT8VaLp9nhMJUEtJuaJ0VSLA34xY+AgNa\n\
uG8EDirVk3Xgca0yNcXmO9JIMW+9KLjKSzmVQs/W9+5MPoev3LLZjqagYsgw/d/e\n\
AM2DcFgIt+Xl4y5KU/D75NIVkXlImpoFkYry12fOBv7d90q+BKtied0nD+fxd3a+\n\
fQBCCm7X0/Gq4wbnPxbRwFXjjKKV/QKgHmnBbJCOPY2dFsY7AKsaBXrHzlmMkNfH\n\
vvpBmJyy+nw4ya+hr6iNseeLlzxaxsA=\n\
-----END CERTIFICATE REQUEST-----\n\
";
const ED: &str = "-----BEGIN CERTIFICATE REQUEST-----\n\
MIGNMEECAQAwDjEMMAoGA1UEAwwDZXZlMCowBQYDK2VwAyEAuzok7jcF34gpSVFC\n\
GRIlcGqCOnW8kymhgURN4rO4n1agADAFBgMrZXADQQAq+U5cY4zgAcuk+hwfAe7Q\n\
2fLQhhND2HvY/fl11mb5/2scMahTxVrNmHqh3980J4/5+7tSORw5MORbuHFIYeMD\n\
-----END CERTIFICATE REQUEST-----\n\
";

/// An authority as a lab has one: its certificate and key.
pub(crate) fn authority() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let certificate = params.self_signed(&key).unwrap().pem();
    (certificate, key.serialize_pem())
}

/// A request in PEM, with a key of its own.
pub(crate) fn signing_request(user: &str, groups: &[&str], names: &[AlternativeName]) -> String {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap();
    let subject = Subject {
        user: user.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    };
    let kind = [der::value(der::OID, EC_KEY), der::value(der::OID, P256)].concat();
    let kind = der::value(der::SEQUENCE, &kind);
    let point = der::bits(key.public_key().as_ref());
    let public = der::structure(der::SEQUENCE, &[&kind, &point]);
    let names: Vec<u8> = names.iter().flat_map(named).collect();
    let names = extended(ALTERNATIVE_NAMES, false, &der::value(der::SEQUENCE, &names));
    let names = der::value(der::SET, &der::value(der::SEQUENCE, &names));
    let asked = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
    let asked = der::structure(der::SEQUENCE, &[&der::value(der::OID, &asked), &names]);
    let signed = der::structure(
        der::SEQUENCE,
        &[
            &der::value(der::INTEGER, &[0]),
            &subject.der(),
            &public,
            &der::value(der::at(0), &asked),
        ],
    );
    let signature = key.sign(&random, &signed).unwrap();
    let algorithm = der::value(der::SEQUENCE, &der::value(der::OID, ECDSA_SHA256));
    let signature = der::bits(signature.as_ref());
    let whole = der::structure(der::SEQUENCE, &[&signed, &algorithm, &signature]);
    to_pem("CERTIFICATE REQUEST", &whole)
}

const NOW: i64 = 1_800_000_000;

fn profile(usages: &[Usage]) -> Profile<'_> {
    Profile {
        usages,
        names: &[],
        now: NOW,
        lifetime: 3600,
    }
}

/// What rustls says of a client's certificate.
fn verify(authority: &str, certificate: &str, now: i64) -> Result<(), Error> {
    let mut roots = RootCertStore::empty();
    roots
        .add(pem(authority, "CERTIFICATE").unwrap().into())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
        .build()
        .unwrap();
    let certificate = CertificateDer::from(pem(certificate, "CERTIFICATE").unwrap());
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.try_into().unwrap()));
    verifier
        .verify_client_cert(&certificate, &[], now)
        .map(drop)
}

/// K8S-API: certificates are of whom they were made for, for their time, their use and their authority.
#[test]
fn certificates_are_of_whom_they_were_made_for() {
    let (certificate, key) = authority();
    let issuer = Authority::from_pem(&certificate, &key).unwrap();
    let subject = Subject {
        user: "system:node:n1".to_owned(),
        groups: vec!["system:nodes".to_owned(), "more".to_owned()],
    };
    let issued = issuer.issue(&subject, profile(&[Usage::Client])).unwrap();
    let contents = pem(&issued.certificate, "CERTIFICATE").unwrap();
    assert_eq!(subject_of(&contents), Some(subject.clone()));
    assert_eq!(verify(&certificate, &issued.certificate, NOW), Ok(()));
    assert!(verify(&certificate, &issued.certificate, NOW + 3601).is_err());
    assert!(verify(&certificate, &issued.certificate, NOW - 301).is_err());
    assert!(verify(&authority().0, &issued.certificate, NOW).is_err());
    let server = issuer.issue(&subject, profile(&[Usage::Server])).unwrap();
    assert!(verify(&certificate, &server.certificate, NOW).is_err());
}

/// K8S-API: requests made by OpenSSL are read and signed, with the names that they have.
#[test]
fn requests_are_signed() {
    let (certificate, key) = authority();
    let issuer = Authority::from_pem(&certificate, &key).unwrap();
    let request = Request::from_pem(ECDSA).unwrap();
    assert_eq!(request.subject.user, "ann");
    assert_eq!(request.subject.groups, ["dev", "ops"]);
    let names = [
        AlternativeName::Dns("a.example".to_owned()),
        AlternativeName::Address([10, 0, 0, 3].into()),
    ];
    assert_eq!(request.names, names);
    for (request, user) in [(ECDSA, "ann"), (RSA, "bob"), (ED, "eve")] {
        let request = Request::from_pem(request).unwrap();
        let signed = issuer.sign(&request, profile(&[Usage::Client])).unwrap();
        let contents = pem(&signed, "CERTIFICATE").unwrap();
        assert_eq!(subject_of(&contents).unwrap().user, user);
        assert_eq!(verify(&certificate, &signed, NOW), Ok(()));
    }
}

/// K8S-API: a request that was changed is nobody's.
#[test]
fn changed_requests_are_refused() {
    use crate::certificates::RequestError;
    let contents = pem(ECDSA, "CERTIFICATE REQUEST").unwrap();
    let at = contents
        .windows(3)
        .position(|three| three == b"ann")
        .unwrap();
    let mut changed = contents.clone();
    changed[at] = b'b';
    assert_eq!(Request::from_der(&changed), Err(RequestError::Signature));
    for end in 0..contents.len() {
        assert!(Request::from_der(&contents[..end]).is_err());
    }
    assert_eq!(Request::from_pem("x"), Err(RequestError::Pem));
}

/// Years beyond 2049 are written in four digits.
#[test]
fn times_are_written_by_their_year() {
    assert_eq!(time(NOW), der::value(der::UTC_TIME, b"270115080000Z"));
    let late = der::value(der::GENERALIZED_TIME, b"20500101000000Z");
    assert_eq!(time(2_524_608_000), late);
}
