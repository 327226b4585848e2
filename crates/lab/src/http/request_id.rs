//! Ids of requests, in AWS's form. One id follows a request through the log.

use crate::entropy;

/// A fresh id, a random UUID (RFC 9562, version 4).
pub(super) fn fresh() -> String {
    // Without the kernel's randomness ids repeat; requests still work.
    let mut bytes = entropy::bytes::<16>().unwrap_or_default();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_are_uuids() {
        let id = super::fresh();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert_ne!(id, super::fresh());
    }
}
