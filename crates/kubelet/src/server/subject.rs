//! Whom a client's certificate names: its common name is the user, its organizations are the groups.
//! <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates>

const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const IA5: u8 = 0x16;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// Who a caller is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Caller {
    /// The user's name.
    pub(super) user: String,
    /// Their groups.
    pub(super) groups: Vec<String>,
}

impl Caller {
    /// Whom a certificate names. It says nothing of whether it is genuine.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let mut outer = Der(certificate).enter(SEQUENCE)?;
        let mut signed = outer.enter(SEQUENCE)?;
        if signed.0.first() == Some(&VERSION) {
            signed.next()?;
        }
        signed.enter(INTEGER)?;
        // The algorithm, the issuer and the time.
        for _ in 0..3 {
            signed.enter(SEQUENCE)?;
        }
        let mut name = signed.enter(SEQUENCE)?;
        let mut caller = Self::default();
        while let Some((_, mut parts)) = name.next() {
            while let Some(mut pair) = parts.enter(SEQUENCE) {
                let kind = pair.enter(OID)?;
                let (tag, value) = pair.next()?;
                if !matches!(tag, UTF8 | PRINTABLE | IA5) {
                    continue;
                }
                let text = String::from_utf8(value.0.to_vec()).ok()?;
                match kind.0 {
                    COMMON_NAME => caller.user = text,
                    ORGANIZATION => caller.groups.push(text),
                    _ => {}
                }
            }
        }
        (!caller.user.is_empty()).then_some(caller)
    }
}

/// Values by the distinguished encoding rules, one after another.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value: its tag and contents.
    fn next(&mut self) -> Option<(u8, Der<'a>)> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = if *first < 0x80 {
            (usize::from(*first), rest)
        } else {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits.iter().try_fold(0_usize, |length, digit| {
                length.checked_mul(256)?.checked_add(usize::from(*digit))
            })?;
            (length, rest)
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, Der(contents)))
    }

    /// The contents of the next value, if it has this tag.
    fn enter(&mut self, tag: u8) -> Option<Der<'a>> {
        let (found, contents) = self.next()?;
        (found == tag).then_some(contents)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    /// K8S-RUN: a certificate that somebody else's library made.
    #[test]
    fn a_certificate_names_its_holder() {
        let mut params = CertificateParams::default();
        let mut name = DistinguishedName::new();
        name.push(DnType::OrganizationName, "system:masters");
        name.push(DnType::CommonName, "kube-apiserver-kubelet-client");
        params.distinguished_name = name;
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let caller = Caller::of(certificate.der()).unwrap();
        assert_eq!(caller.user, "kube-apiserver-kubelet-client");
        assert_eq!(caller.groups, ["system:masters"]);
        for cut in 0..certificate.der().len() {
            let _ = Caller::of(&certificate.der()[..cut]);
        }
        assert_eq!(Caller::of(b"\x30\x84\xff\xff\xff\xff"), None);
    }
}
