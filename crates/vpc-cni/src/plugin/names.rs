//! The names of pods' links on the node.

use sha1::{Digest, Sha1};

/// So many digits of a pod's digest are in a link's name.
const DIGITS: usize = 11;

fn digest(namespace: &str, pod: &str) -> String {
    let digest = Sha1::digest(format!("{namespace}.{pod}"));
    let mut digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.truncate(DIGITS);
    digits
}

/// The node's end of a pod's link.
pub fn node_end(prefix: &str, namespace: &str, pod: &str) -> String {
    format!("{prefix}{}", digest(namespace, pod))
}

/// The name under which a result says which interface an address is of.
pub(super) fn dummy(namespace: &str, pod: &str) -> String {
    format!("dummy{}", digest(namespace, pod))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-CNI: names are upstream's.
    #[test]
    fn names_are_upstreams() {
        assert_eq!(node_end("eni", "default", "sample-pod"), "enicc21c2d7785");
    }
}
