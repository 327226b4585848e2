//! Bringing certificates.
//!
//! <https://docs.aws.amazon.com/acm/latest/userguide/import-certificate-prerequisites.html>

use super::*;

/// A certificate to import.
#[derive(Clone, Debug, Default)]
pub struct NewImport {
    /// The certificate that it takes the place of.
    pub replaces: Option<String>,
    /// The certificate, in PEM.
    pub body: Vec<u8>,
    /// Its private key, in PEM.
    pub private_key: Vec<u8>,
    /// Its issuers' certificates, in PEM.
    pub chain: Option<Vec<u8>>,
    /// Tags of a new certificate.
    pub tags: BTreeMap<String, String>,
}

fn text(bytes: Vec<u8>) -> Result<String, Refusal> {
    String::from_utf8(bytes).map_err(|_| unreadable("certificate"))
}

fn unreadable(what: &str) -> Refusal {
    invalid(format!(
        "The {what} is not in a valid PEM format. Please ensure the {what} is in PEM format."
    ))
}

/// Imports a certificate; the ARN stays where it takes another's place.
///
/// # Errors
/// `ValidationException` for what can't be read, doesn't belong together or is not valid now;
/// `ResourceNotFoundException` for one to replace that there isn't.
pub fn import(state: &mut State, context: &Context, new: NewImport) -> Result<String, Refusal> {
    let issued = read(context, new.body, new.private_key, new.chain)?;
    let replaced = match &new.replaces {
        Some(arn) => Some(find(state, context, arn)?.clone()),
        None => None,
    };
    if replaced.is_some() && !new.tags.is_empty() {
        return Err(invalid(
            "Tags cannot be specified when a certificate is imported again.",
        ));
    }
    if replaced
        .as_ref()
        .is_some_and(|of| !matches!(of.origin, Origin::Imported(_)))
    {
        return Err(invalid("Only imported certificates can be imported again."));
    }
    let mut names = issued.x509.names.clone();
    let own = issued.x509.common_name.clone();
    let domain = own.or_else(|| names.first().cloned()).unwrap_or_default();
    if !domain.is_empty() {
        names.retain(|name| *name != domain);
        names.insert(0, domain.clone());
    }
    let arn = match &replaced {
        Some(present) => present.arn.clone(),
        None => fresh_arn(state, &context.region),
    };
    let certificate = Certificate {
        arn: arn.clone(),
        region: context.region.clone(),
        domain,
        names,
        created: replaced.as_ref().map_or(context.now, |of| of.created),
        origin: Origin::Imported(context.now),
        issued: Some(issued),
        tags: replaced.map_or(new.tags, |of| of.tags),
    };
    state
        .certificates
        .insert(arn.clone(), Arc::new(certificate));
    Ok(arn)
}

fn read(
    context: &Context,
    body: Vec<u8>,
    private_key: Vec<u8>,
    chain: Option<Vec<u8>>,
) -> Result<Issued, Refusal> {
    let (body, private_key) = (text(body)?, text(private_key)?);
    let chain = chain
        .map(text)
        .transpose()?
        .filter(|chain| !chain.trim().is_empty());
    let x509 = match pem::blocks(&body).as_deref() {
        Some([one]) if one.label == "CERTIFICATE" => {
            x509::read(&one.der).ok_or_else(|| unreadable("certificate"))?
        }
        Some([_, _, ..]) => {
            return Err(invalid(
                "The certificate field contains more than one certificate. You can specify only one certificate in this field.",
            ));
        }
        _ => return Err(unreadable("certificate")),
    };
    check_chain(chain.as_deref())?;
    let key = match pem::blocks(&private_key).as_deref() {
        Some([one]) if one.label.starts_with("ENCRYPTED") => {
            return Err(invalid("The private key must not be encrypted."));
        }
        // A file of openssl's has the curve's parameters before the key.
        Some([.., one]) => x509::public_of(&one.label, &one.der),
        _ => return Err(unreadable("private key")),
    };
    match key {
        None => return Err(invalid("The private key is not supported.")),
        Some(key) if key != x509.public_key => {
            return Err(invalid("The private key does not match the certificate."));
        }
        Some(_) => {}
    }
    if x509.not_after <= context.now {
        return Err(invalid("The certificate has expired."));
    }
    if x509.not_before > context.now {
        return Err(invalid("The certificate is not valid yet."));
    }
    Ok(Issued {
        body,
        chain,
        private_key,
        x509,
    })
}

fn check_chain(chain: Option<&str>) -> Result<(), Refusal> {
    let Some(chain) = chain else { return Ok(()) };
    let blocks = pem::blocks(chain).unwrap_or_default();
    let good =
        |block: &pem::Block| block.label == "CERTIFICATE" && x509::read(&block.der).is_some();
    if blocks.is_empty() || !blocks.iter().all(good) {
        return Err(unreadable("certificate chain"));
    }
    Ok(())
}
