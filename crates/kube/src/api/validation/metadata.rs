//! Names, labels, annotations, owners.
//!
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>

use super::super::status::Cause;
use crate::object;
use crate::resource::Resource;
use serde_json::{Value, json};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// Whether text is a DNS label.
pub(super) fn is_label(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len())
        && text.chars().all(plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253
        && !text.is_empty()
        && text
            .split('.')
            .all(|part| is_label(part) || (part.len() > 63 && is_label(&part[..63])))
}

/// What is wrong with a DNS label.
pub(super) fn label(field: &str, text: &str) -> Option<Cause> {
    (!is_label(text)).then(|| Cause::invalid(field, &json!(text), LABEL))
}

fn is_word(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && text.chars().all(plain)
        && ends(text.chars().next())
        && ends(text.chars().last())
}

fn is_qualified(text: &str) -> bool {
    match text.split_once('/') {
        None => is_word(text),
        Some((prefix, name)) => is_subdomain(prefix) && is_word(name),
    }
}

/// What is wrong with labels.
pub(super) fn labels(value: &Value, field: &str, causes: &mut Vec<Cause>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        if !is_qualified(key) {
            causes.push(Cause::invalid(field, &json!(key), QUALIFIED));
        }
        let text = value.as_str().unwrap_or_default();
        if !text.is_empty() && !is_word(text) {
            causes.push(Cause::invalid(field, &json!(text), LABEL_VALUE));
        }
    }
}

/// What is wrong with an object's metadata.
pub(super) fn check(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = object::name(object);
    let quoted = json!(name);
    if name.is_empty() {
        causes.push(Cause::required(
            "metadata.name",
            "name or generateName is required",
        ));
    } else {
        let (fits, rule) = match &*resource.kind {
            "Namespace" => (is_label(name), LABEL),
            "Service" => (
                is_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase()),
                LABEL_1035,
            ),
            // Roles may be named after paths of people's own making.
            "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => (
                !name.contains(['/', '%']) && name != "." && name != "..",
                "may not contain '/' or '%'",
            ),
            _ => (is_subdomain(name), SUBDOMAIN),
        };
        if !fits {
            causes.push(Cause::invalid("metadata.name", &quoted, rule));
        }
    }
    labels(
        &object["metadata"]["labels"],
        "metadata.labels",
        &mut causes,
    );
    for (key, _) in object::entries(object, &["metadata", "annotations"]) {
        if !is_qualified(&key.to_lowercase()) {
            causes.push(Cause::invalid(
                "metadata.annotations",
                &json!(key),
                QUALIFIED,
            ));
        }
    }
    let owners = object::list(object, &["metadata", "ownerReferences"]);
    for (index, owner) in owners.iter().enumerate() {
        for part in ["apiVersion", "kind", "name", "uid"] {
            if object::text(owner, &[part]).is_empty() {
                let field = format!("metadata.ownerReferences[{index}].{part}");
                causes.push(Cause::invalid(field, &json!(""), "must not be empty"));
            }
        }
    }
    if owners
        .iter()
        .filter(|owner| owner["controller"] == true)
        .count()
        > 1
    {
        let detail = "Only one reference can have Controller set to true";
        causes.push(Cause::invalid(
            "metadata.ownerReferences",
            &json!(owners),
            detail,
        ));
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K8S-API: names and labels as the documentation has them.
    #[test]
    fn names_are_dns_names() {
        assert!(is_subdomain("web-1.example") && is_label("a"));
        for wrong in ["", "Web", "a_b", "-a", "a..b", "a-"] {
            assert!(!is_subdomain(wrong), "{wrong}");
        }
        assert!(is_qualified("app.kubernetes.io/name") && is_qualified("a_B.c"));
        assert!(!is_qualified("a/b/c") && !is_qualified("/a"));
    }
}
