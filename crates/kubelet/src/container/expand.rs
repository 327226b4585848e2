//! `$(VAR)` in commands, arguments and variables.
//! <https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>

use std::collections::BTreeMap;

/// Puts variables' values in the place of their names. What names none stays; `$$` is a dollar.
pub(super) fn expand(text: &str, variables: &BTreeMap<&str, &str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
            continue;
        }
        let named = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        match named {
            Some((name, after)) => {
                match variables.get(name) {
                    Some(value) => expanded.push_str(value),
                    None => {
                        expanded.push_str("$(");
                        expanded.push_str(name);
                        expanded.push(')');
                    }
                }
                rest = after;
            }
            None => expanded.push('$'),
        }
    }
    expanded.push_str(rest);
    expanded
}

/// As [`expand`], but a name of nothing is an error.
pub(super) fn expand_strictly(
    text: &str,
    variables: &BTreeMap<&str, &str>,
) -> Result<String, String> {
    let mut missing = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("$(") {
        let escaped = rest[..start].ends_with('$');
        rest = &rest[start + 2..];
        if let Some((name, after)) = rest.split_once(')') {
            if !escaped && !variables.contains_key(name) {
                missing.push(name.to_owned());
            }
            rest = after;
        }
    }
    if missing.is_empty() {
        return Ok(expand(text, variables));
    }
    Err(format!("missing value for {:?}", missing.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K8S-RUN: the documented examples.
    #[test]
    fn names_become_values() {
        let variables = BTreeMap::from([("A", "1"), ("B", "$(A)"), ("EMPTY", "")]);
        for (text, wanted) in [
            ("$(A)", "1"),
            ("x$(A)y$(A)", "x1y1"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$(NONE)", "$(NONE)"),
            ("$(B)", "$(A)"),
            ("$(EMPTY)", ""),
            ("$(A", "$(A"),
            ("$A $", "$A $"),
            ("50$$", "50$"),
        ] {
            assert_eq!(expand(text, &variables), wanted, "{text}");
        }
        assert!(expand_strictly("$(NONE)", &variables).is_err());
        assert_eq!(expand_strictly("a/$(A)", &variables).as_deref(), Ok("a/1"));
    }
}
