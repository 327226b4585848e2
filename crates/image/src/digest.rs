//! Digests: what content is called by.
//! <https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests>

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};
use std::fmt;
use std::fmt::Write as _;
use std::io::{self, Read};

/// `sha256:` or `sha512:` and hexadecimal digits. There is no other: a digest names a file too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// No digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no digest")]
pub struct InvalidDigest(String);

impl Digest {
    /// Reads a digest.
    ///
    /// # Errors
    /// It is none, or of an algorithm that isn't supported.
    pub fn parse(text: &str) -> Result<Self, InvalidDigest> {
        let digits = match text.split_once(':') {
            Some(("sha256", hex)) if hex.len() == 64 => hex,
            Some(("sha512", hex)) if hex.len() == 128 => hex,
            _ => return Err(InvalidDigest(text.to_owned())),
        };
        if digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDigest(text.to_owned()))
        }
    }

    /// The SHA-256 of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::sha256();
        hasher.update(bytes);
        hasher.finish()
    }

    /// `sha256` or `sha512`.
    pub fn algorithm(&self) -> &str {
        self.parts().0
    }

    /// The digits.
    pub fn hex(&self) -> &str {
        self.parts().1
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or(("", &self.0))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        Self::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

/// Computes a digest piece by piece.
#[derive(Clone, Debug)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    pub(crate) fn sha256() -> Self {
        Self::Sha256(Sha256::new())
    }

    /// By the algorithm of a digest that is expected.
    pub(crate) fn like(expected: &Digest) -> Self {
        match expected.algorithm() {
            "sha512" => Self::Sha512(Box::default()),
            _ => Self::sha256(),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest(spelled("sha256:", &hasher.finalize())),
            Self::Sha512(hasher) => Digest(spelled("sha512:", &hasher.finalize())),
        }
    }
}

fn spelled(algorithm: &str, bytes: &[u8]) -> String {
    let mut text = algorithm.to_owned();
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads through a hasher.
pub(crate) struct Hashed<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Hashed<R> {
    pub(crate) fn new(inner: R, hasher: Hasher) -> Self {
        Self { inner, hasher }
    }

    /// The digest of all there is, what nobody read yet included.
    pub(crate) fn finish(mut self) -> io::Result<Digest> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.hasher.finish())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of nothing, as everybody knows it.
    const NOTHING: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn digests_are_computed_and_read() {
        assert_eq!(Digest::of(b"").as_str(), NOTHING);
        let digest = Digest::parse(NOTHING).unwrap();
        assert_eq!(digest.algorithm(), "sha256");
        assert_eq!(digest.hex().len(), 64);
        let wide = Digest::parse(&format!("sha512:{}", "0".repeat(128))).unwrap();
        let mut hasher = Hasher::like(&wide);
        hasher.update(b"");
        assert!(
            hasher
                .finish()
                .as_str()
                .starts_with("sha512:cf83e1357eefb8bd")
        );
    }

    /// A digest becomes a file's name: nothing else may pass.
    #[test]
    fn anything_else_is_refused() {
        let upper = NOTHING.to_uppercase().replace("SHA", "sha");
        for text in [
            "",
            "sha256:",
            "sha256:../../etc/passwd",
            "md5:00",
            &upper,
            &NOTHING[..70],
        ] {
            assert!(Digest::parse(text).is_err(), "{text}");
        }
    }
}
