//! TLS: what a listener shows, and how members are spoken to.

use crate::means::Vault;
use crate::wire::Wire;
use fabric::balancer::Tls;
use fabric::id::CertificateId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme, SupportedProtocolVersion,
};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What a listener needs to speak TLS.
#[derive(Clone, Debug)]
pub(crate) struct Listening {
    /// How it does.
    pub(crate) config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

impl Listening {
    /// Gets ready to speak TLS.
    ///
    /// # Errors
    /// A certificate isn't there, or the versions and the cryptography don't go together.
    pub(crate) fn new(tls: &Tls, vault: &dyn Vault) -> Result<Self, TlsError> {
        let shown = |id: &CertificateId| match vault.certificate(id) {
            Some(key) => Ok((id.clone(), key)),
            None => Err(TlsError::NoCertificate(id.clone())),
        };
        let certificates = Arc::new(Certificates {
            default: shown(&tls.default_certificate)?,
            named: tls
                .certificates
                .iter()
                .map(shown)
                .collect::<Result<_, _>>()?,
        });
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions(&tls.policy))?
            .with_no_client_auth()
            .with_cert_resolver(certificates.clone());
        config.alpn_protocols = tls
            .alpn
            .iter()
            .map(|name| name.clone().into_bytes())
            .collect();
        Ok(Self {
            config: Arc::new(config),
            certificates,
        })
    }

    /// The certificate that a client is shown who asks for a name.
    pub(crate) fn shown(&self, name: Option<&str>) -> &CertificateId {
        &self.certificates.choose(name).0
    }
}

/// A listener can't speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate isn't there.
    #[error("there is no certificate {0}")]
    NoCertificate(CertificateId),
    /// The versions and the cryptography don't go together.
    #[error(transparent)]
    Configuration(#[from] rustls::Error),
}

static ONLY_TLS13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
static ONLY_TLS12: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];

/// The versions of a security policy. rustls has neither TLS 1.1 nor key exchange by RSA, so policies
/// that still allow those are as their newer parts.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>
fn versions(policy: &str) -> &'static [&'static SupportedProtocolVersion] {
    let named = policy.strip_prefix("ELBSecurityPolicy-TLS13-");
    match named {
        Some(rest) if rest.starts_with("1-3-") => &ONLY_TLS13,
        Some(_) => rustls::ALL_VERSIONS,
        None => &ONLY_TLS12,
    }
}

#[derive(Debug)]
struct Certificates {
    default: (CertificateId, Arc<CertifiedKey>),
    named: Vec<(CertificateId, Arc<CertifiedKey>)>,
}

impl Certificates {
    /// The first certificate for the name that the client asks for, or the default one.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/https-listener-certificates.html>
    fn choose(&self, asked: Option<&str>) -> &(CertificateId, Arc<CertifiedKey>) {
        let Some(name) = asked.and_then(|name| ServerName::try_from(name).ok()) else {
            return &self.default;
        };
        let mut all = std::iter::once(&self.default).chain(&self.named);
        all.find(|(_, key)| is_for(key, &name))
            .unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.choose(hello.server_name()).1.clone())
    }
}

/// Whether a certificate is for a server's name.
fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let leaf = key.end_entity_cert().and_then(ParsedCertificate::try_from);
    leaf.is_ok_and(|leaf| verify_server_name(&leaf, name).is_ok())
}

/// Speaks TLS to a member, whose certificate isn't checked: AWS's balancers don't.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html>
///
/// # Errors
/// The handshake fails.
pub(crate) async fn join(tcp: TcpStream, to: SocketAddr, alpn: &[&[u8]]) -> io::Result<Wire> {
    let config = if alpn.is_empty() {
        CLIENT.clone()
    } else {
        CLIENT_H2.clone()
    };
    let config = config.map_err(io::Error::other)?;
    let name = ServerName::IpAddress(to.ip().into());
    let tls = TlsConnector::from(config).connect(name, tcp).await?;
    Ok(Wire::Tls(Box::new(tls.into())))
}

type Client = Result<Arc<ClientConfig>, rustls::Error>;
static CLIENT: LazyLock<Client> = LazyLock::new(|| client(&[]));
static CLIENT_H2: LazyLock<Client> = LazyLock::new(|| client(&[b"h2"]));

fn client(alpn: &[&[u8]]) -> Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let anyone = Arc::new(Anyone(provider.signature_verification_algorithms));
    let mut config = ClientConfig::builder_with_provider(provider as Arc<CryptoProvider>)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(anyone)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Takes any certificate, as long as whoever shows it has its key.
#[derive(Debug)]
struct Anyone(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
