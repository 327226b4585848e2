//! Random bytes from the kernel.

use std::fs::File;
use std::io::{self, Read};

/// Bytes that nobody can guess.
///
/// # Errors
/// `/dev/urandom` can't be read.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Random text over an alphabet of at most 256 characters; each character stands for as many bits
/// as the alphabet gives.
///
/// # Errors
/// `/dev/urandom` can't be read.
pub fn text<const N: usize>(alphabet: &[u8]) -> io::Result<String> {
    let usable = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(N);
    while text.len() < N {
        // Bytes past the last whole multiple of the alphabet are thrown away: no letter is likelier.
        for byte in bytes::<N>()? {
            if usize::from(byte) < usable && text.len() < N {
                text.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
            }
        }
    }
    Ok(text)
}
