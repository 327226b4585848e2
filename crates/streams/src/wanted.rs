//! What an exec or attach asks for.

use crate::query;
use http::Uri;

/// What an exec or attach asks for, by its query.
///
/// Both spellings are read: the API's (`stdin=true`) and the kubelet's (`input=1`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Whether the client sends input.
    pub stdin: bool,
    /// Whether it wants the output.
    pub stdout: bool,
    /// Whether it wants the errors; never with a terminal, which has one output.
    pub stderr: bool,
    /// Whether there is a terminal.
    pub tty: bool,
    /// The container's name, if it is told.
    pub container: Option<String>,
    /// The command; an attach has none.
    pub command: Vec<String>,
}

/// Neither input nor output nor errors are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("you must specify at least 1 of stdin, stdout, stderr")]
pub struct NothingWanted;

impl Wanted {
    /// Reads a request's query.
    ///
    /// # Errors
    /// Nothing is asked for.
    pub fn from_uri(uri: &Uri) -> Result<Self, NothingWanted> {
        let mut wanted = Self::default();
        for (name, value) in query::pairs(uri) {
            match name.as_str() {
                "stdin" | "input" => wanted.stdin = is_set(&value),
                "stdout" | "output" => wanted.stdout = is_set(&value),
                "stderr" | "error" => wanted.stderr = is_set(&value),
                "tty" => wanted.tty = is_set(&value),
                "container" => wanted.container = Some(value).filter(|name| !name.is_empty()),
                "command" => wanted.command.push(value),
                _ => {}
            }
        }
        wanted.stderr &= !wanted.tty;
        if wanted.stdin || wanted.stdout || wanted.stderr {
            Ok(wanted)
        } else {
            Err(NothingWanted)
        }
    }
}

/// How Kubernetes reads a flag in a query.
fn is_set(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        let api = "/exec?command=ls&command=-l&container=c&stdin=true&stdout=True&stderr=False";
        let kubelet = "/exec/ns/p/c?command=ls&command=-l&container=c&input=1&output=1";
        let api = Wanted::from_uri(&api.parse().unwrap()).unwrap();
        assert_eq!(api, Wanted::from_uri(&kubelet.parse().unwrap()).unwrap());
        assert_eq!(api.command, ["ls", "-l"]);
        assert_eq!(api.container.as_deref(), Some("c"));
        assert!(api.stdin && api.stdout && !api.stderr && !api.tty);
    }

    #[test]
    fn a_terminal_has_no_errors_of_its_own() {
        let uri = "/exec?stdout=1&stderr=1&tty=1".parse().unwrap();
        let wanted = Wanted::from_uri(&uri).unwrap();
        assert!(wanted.tty && !wanted.stderr);
        assert_eq!(
            Wanted::from_uri(&"/exec?tty=1&stderr=1".parse().unwrap()),
            Err(NothingWanted)
        );
    }
}
