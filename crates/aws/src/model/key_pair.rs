//! Key pairs.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-key-pairs.html>

use super::*;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use md5::Md5;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Digest;
use ssh_key::private::{Ed25519Keypair, RsaKeypair};
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey};
use std::sync::Arc;

/// The size of the RSA keys that EC2 makes.
const RSA_BITS: usize = 2048;
/// The sizes that it takes.
const IMPORTED_BITS: [usize; 3] = [1024, 2048, 4096];
const LONGEST_NAME: usize = 255;

/// A key pair's public half. The private one is given to its user once and kept nowhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPair {
    /// Its id.
    pub id: KeyPairId,
    /// The region.
    pub region: String,
    /// Its name, unique in the region.
    pub name: String,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// The fingerprint as AWS shows it.
    pub fingerprint: String,
    /// The public key in OpenSSH's form.
    pub public_key: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

/// Kinds of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyKind {
    /// RSA.
    #[default]
    Rsa,
    /// Ed25519.
    Ed25519,
}

/// An unknown or malformed id.
pub(crate) fn unknown(id: &str) -> Refusal {
    Refusal::new(
        "InvalidKeyPair.NotFound",
        format!("The key pair ID '{id}' does not exist"),
    )
}

/// The key pair of a name in the region asked.
///
/// # Errors
/// `InvalidKeyPair.NotFound`.
pub fn find_by_name<'s>(
    state: &'s State,
    context: &Context,
    name: &str,
) -> Result<&'s KeyPair, Refusal> {
    let mut here = context.here(&state.key_pairs);
    let missing = || {
        Refusal::new(
            "InvalidKeyPair.NotFound",
            format!("The key pair '{name}' does not exist"),
        )
    };
    here.find(|pair| pair.name == name).ok_or_else(missing)
}

/// The key pair of an id in the region asked.
///
/// # Errors
/// `InvalidKeyPair.NotFound`.
pub fn find<'s>(state: &'s State, context: &Context, id: &str) -> Result<&'s KeyPair, Refusal> {
    context
        .find(&state.key_pairs, id)
        .ok_or_else(|| unknown(id))
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::new("InternalError", format!("the key can't be made: {error}"))
}

/// Makes a key pair; the second value is the private key, in the form its user expects.
///
/// # Errors
/// `InvalidKeyPair.Duplicate`, `InvalidParameterValue` for the name.
pub fn create(
    state: &mut State,
    context: &Context,
    name: &str,
    kind: KeyKind,
) -> Result<(KeyPairId, String), Refusal> {
    check_name(state, context, name)?;
    let mut random = ChaCha20Rng::from_seed(context.entropy);
    let (public, fingerprint, material) = match kind {
        KeyKind::Rsa => {
            let private = RsaPrivateKey::new(&mut random, RSA_BITS).map_err(failed)?;
            let material = private
                .to_pkcs1_pem(rsa::pkcs1::LineEnding::LF)
                .map_err(failed)?
                .to_string();
            // AWS: the SHA-1 digest of the private key, for keys it made.
            let der = private.to_pkcs8_der().map_err(failed)?;
            let fingerprint = colons(&Sha1::digest(der.as_bytes()));
            let pair = RsaKeypair::try_from(private).map_err(failed)?;
            (KeyData::from(pair.public), fingerprint, material)
        }
        KeyKind::Ed25519 => {
            let pair = Ed25519Keypair::random(&mut random);
            let public = KeyData::from(pair.public);
            let material = PrivateKey::from(pair)
                .to_openssh(LineEnding::LF)
                .map_err(failed)?
                .to_string();
            (public.clone(), sha256(&public), material)
        }
    };
    let public = PublicKey::new(public, name).to_openssh().map_err(failed)?;
    Ok((
        keep(state, context, name, kind, fingerprint, public),
        material,
    ))
}

/// Takes a user's own public key: OpenSSH's form, RFC 4716's or base64 of DER.
///
/// # Errors
/// `InvalidKey.Format`, `InvalidKeyPair.Duplicate`, `InvalidParameterValue` for the name.
pub fn import(
    state: &mut State,
    context: &Context,
    name: &str,
    material: &[u8],
) -> Result<KeyPairId, Refusal> {
    check_name(state, context, name)?;
    let malformed = || {
        Refusal::new(
            "InvalidKey.Format",
            "Key is not in valid OpenSSH public key format",
        )
    };
    let text = std::str::from_utf8(material)
        .map_err(|_| malformed())?
        .trim();
    let key = read(text).ok_or_else(malformed)?;
    let (kind, fingerprint) = match key.key_data() {
        KeyData::Rsa(public) => {
            let public = RsaPublicKey::try_from(public).map_err(|_| malformed())?;
            if !IMPORTED_BITS.contains(&(rsa::traits::PublicKeyParts::size(&public) * 8)) {
                return Err(Refusal::new(
                    "InvalidKey.Format",
                    "Invalid RSA key length: it must be 1024, 2048 or 4096 bits",
                ));
            }
            let der = public.to_public_key_der().map_err(failed)?;
            // AWS: the MD5 digest of the public key, for keys brought to it.
            (KeyKind::Rsa, colons(&Md5::digest(der.as_bytes())))
        }
        data @ KeyData::Ed25519(_) => (KeyKind::Ed25519, sha256(data)),
        _ => return Err(malformed()),
    };
    let public = key.to_openssh().map_err(failed)?;
    Ok(keep(state, context, name, kind, fingerprint, public))
}

fn read(text: &str) -> Option<PublicKey> {
    if let Ok(key) = PublicKey::from_openssh(text) {
        return Some(key);
    }
    if text.starts_with("---- BEGIN SSH2 PUBLIC KEY ----") {
        let body = text
            .lines()
            .filter(|line| !line.starts_with("----") && !line.contains(':'));
        let blob = STANDARD.decode(body.collect::<String>()).ok()?;
        return PublicKey::from_bytes(&blob).ok();
    }
    let der = STANDARD
        .decode(text.split_whitespace().collect::<String>())
        .ok()?;
    let public = RsaPublicKey::from_public_key_der(&der).ok()?;
    let public = ssh_key::public::RsaPublicKey::try_from(public).ok()?;
    Some(PublicKey::from(public))
}

fn check_name(state: &State, context: &Context, name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > LONGEST_NAME || !name.is_ascii() || name.trim() != name {
        let message = format!(
            "Value ({name}) for parameter KeyName is invalid. A name has up to {LONGEST_NAME} ASCII characters and no leading or trailing spaces."
        );
        return Err(Refusal::invalid_value(message));
    }
    if find_by_name(state, context, name).is_ok() {
        let message = format!("The keypair '{name}' already exists.");
        return Err(Refusal::new("InvalidKeyPair.Duplicate", message));
    }
    Ok(())
}

fn keep(
    state: &mut State,
    context: &Context,
    name: &str,
    kind: KeyKind,
    fingerprint: String,
    public_key: String,
) -> KeyPairId {
    let id = KeyPairId::fresh(&state.digits());
    let pair = KeyPair {
        id: id.clone(),
        region: context.region.clone(),
        name: name.to_owned(),
        kind,
        fingerprint,
        public_key,
        created: context.now,
    };
    state.key_pairs.insert(id.clone(), Arc::new(pair));
    id
}

/// Deletes a key pair; instances keep its name and what they have of it.
pub fn delete(state: &mut State, id: &KeyPairId) {
    state.key_pairs.remove(id);
    tag::remove_all(state, id.as_str());
}

fn colons(digest: &[u8]) -> String {
    let bytes: Vec<_> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

/// AWS shows Ed25519's fingerprint as padded base64.
fn sha256(key: &KeyData) -> String {
    let shown = key.fingerprint(HashAlg::Sha256).to_string();
    let digest = shown.trim_start_matches("SHA256:");
    STANDARD_NO_PAD
        .decode(digest)
        .map_or_else(|_| digest.to_owned(), |bytes| STANDARD.encode(bytes))
}
