//! A question, and how names are compared.

use hickory_proto::op::Query;
use hickory_proto::rr::{Name, RecordType};

/// A question of class IN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name as it was asked; an answer's names are written like it.
    pub name: Name,
    /// The name in lower case, with the last dot.
    pub text: String,
    /// The type that is asked for.
    pub kind: RecordType,
}

impl Question {
    /// A question.
    pub fn new(name: Name, kind: RecordType) -> Self {
        let text = name.to_ascii().to_ascii_lowercase();
        Self { name, text, kind }
    }

    /// A message's question.
    pub fn from_query(query: &Query) -> Self {
        Self::new(query.name().clone(), query.query_type())
    }
}

/// Whether a name is a zone's; both in lower case, with the last dot.
pub(crate) fn within(name: &str, zone: &str) -> bool {
    below(name, zone).is_some()
}

/// What stands before a zone in a name of the zone's, without the last dot.
pub(crate) fn below<'a>(name: &'a str, zone: &str) -> Option<&'a str> {
    if zone == "." {
        return Some(name.strip_suffix('.').unwrap_or(name));
    }
    match name.strip_suffix(zone)? {
        "" => Some(""),
        rest => rest.strip_suffix('.'),
    }
}

/// The longest of some zones that a name is in.
pub(crate) fn longest<'a>(
    name: &str,
    zones: impl IntoIterator<Item = &'a String>,
) -> Option<&'a str> {
    zones
        .into_iter()
        .filter(|zone| within(name, zone))
        .max_by_key(|zone| zone.len())
        .map(String::as_str)
}

/// A name as it is compared: in lower case, with the last dot.
pub(crate) fn normal(name: &str) -> String {
    let mut name = name.to_ascii_lowercase();
    if !name.ends_with('.') {
        name.push('.');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_found_by_whole_labels() {
        assert_eq!(below("a.cluster.local.", "cluster.local."), Some("a"));
        assert_eq!(below("cluster.local.", "cluster.local."), Some(""));
        assert_eq!(below("mycluster.local.", "cluster.local."), None);
        assert_eq!(below("a.b.", "."), Some("a.b"));
        assert_eq!(below(".", "."), Some(""));
        let zones = [".", "local.", "cluster.local."].map(str::to_owned);
        assert_eq!(longest("a.cluster.local.", &zones), Some("cluster.local."));
        assert_eq!(longest("a.local.", &zones), Some("local."));
        assert_eq!(longest("org.", &zones), Some("."));
    }
}
