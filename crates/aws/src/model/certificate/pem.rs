//! PEM (RFC 7468): blocks of base64 between labels.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Its label, such as `CERTIFICATE`.
    pub(super) label: String,
    /// What it holds.
    pub(super) der: Vec<u8>,
}

/// The blocks of a text; `None` where one is damaged. Text between blocks is a comment.
pub(super) fn blocks(text: &str) -> Option<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----")?;
        let end = format!("-----END {label}-----");
        let (body, after) = after.split_once(end.as_str())?;
        let base64: String = body.split_whitespace().collect();
        blocks.push(Block {
            label: label.to_owned(),
            der: STANDARD.decode(base64).ok()?,
        });
        rest = after;
    }
    Some(blocks)
}
