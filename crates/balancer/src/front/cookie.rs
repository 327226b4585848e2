//! Cookies: reading them, and sealing what the balancer itself puts in one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use http::HeaderMap;
use http::header::COOKIE;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// A cookie that a request has.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// Seals what nobody else is to read or make: under one key at all nodes of a balancer, so that each
/// opens what another sealed.
#[derive(Debug)]
pub(crate) struct Seal {
    key: Option<LessSafeKey>,
    random: SystemRandom,
}

impl Seal {
    /// Seals under a key.
    pub(crate) fn new(key: [u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &key)
            .ok()
            .map(LessSafeKey::new);
        let random = SystemRandom::new();
        Self { key, random }
    }

    /// Seals a text for a purpose; `None` without entropy.
    pub(crate) fn seal(&self, purpose: &str, text: &str) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut sealed = text.as_bytes().to_vec();
        let key = self.key.as_ref()?;
        let used = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(used, Aad::from(purpose), &mut sealed)
            .ok()?;
        let mut all = nonce.to_vec();
        all.append(&mut sealed);
        Some(BASE64.encode(all))
    }

    /// What was sealed for a purpose; `None` if it wasn't.
    pub(crate) fn open(&self, purpose: &str, sealed: &str) -> Option<String> {
        let all = BASE64.decode(sealed).ok()?;
        let (nonce, rest) = all.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut rest = rest.to_vec();
        let key = self.key.as_ref()?;
        let text = key
            .open_in_place(nonce, Aad::from(purpose), &mut rest)
            .ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// AWS-ALB: a cookie opens at any node of its balancer, for its purpose, and nowhere else.
    #[test]
    fn seals() {
        let (one, other) = (Seal::new([7; 32]), Seal::new([7; 32]));
        let sealed = one.seal("AWSALB", "10.0.0.1:80").unwrap();
        assert_eq!(
            other.open("AWSALB", &sealed).as_deref(),
            Some("10.0.0.1:80")
        );
        assert_eq!(other.open("AWSALBTG", &sealed), None);
        assert_eq!(Seal::new([8; 32]).open("AWSALB", &sealed), None);
        assert_eq!(one.open("AWSALB", "nonsense"), None);
    }

    /// AWS-ALB: cookies are found by their whole name.
    #[test]
    fn reading() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; AWSALBCORS=x".parse().unwrap());
        headers.append(COOKIE, "AWSALB=y=z".parse().unwrap());
        assert_eq!(cookie(&headers, "AWSALB"), Some("y=z"));
        assert_eq!(cookie(&headers, "AWS"), None);
    }
}
