//! How a command's end is told.
//!
//! Upstream's words: `ServeExec` and `ServeAttach` of
//! <https://pkg.go.dev/k8s.io/kubelet/pkg/cri/streaming/remotecommand>, and containerd's for an exit code.

use crate::protocol::Version;
use serde_json::{Value, json};

/// How a command ended. The end of what is attached to is a success whatever its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With code 0, or the attachment is over.
    Success,
    /// With another code.
    Code(i32),
    /// It couldn't be run.
    Failed(String),
}

/// What the error stream carries; nothing, where an old client takes silence for success.
pub(crate) fn told(exit: &Exit, command: &[String], version: Version) -> Option<Vec<u8>> {
    let status = status(exit, command);
    if version.tells_status() {
        return Some(status.to_string().into_bytes());
    }
    let message = status.get("message")?.as_str()?;
    Some(message.as_bytes().to_vec())
}

fn status(exit: &Exit, command: &[String]) -> Value {
    match exit {
        Exit::Success => json!({"metadata": {}, "status": "Success"}),
        Exit::Code(code) => json!({
            "metadata": {},
            "status": "Failure",
            "message": format!(
                "command terminated with non-zero exit code: error executing command [{}], exit code {code}",
                command.join(" "),
            ),
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        }),
        Exit::Failed(error) => {
            let error = match command {
                [] => format!("error attaching to container: {error}"),
                _ => format!("error executing command in container: {error}"),
            };
            json!({
                "metadata": {},
                "status": "Failure",
                "message": format!("Internal error occurred: {error}"),
                "reason": "InternalError",
                "details": {"causes": [{"message": error}]},
                "code": 500,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shell() -> Vec<String> {
        ["sh", "-c", "exit 3"].map(str::to_owned).to_vec()
    }

    /// K8S-RUN: the exit code stands where clients look for it.
    #[test]
    fn a_code_is_a_cause() {
        let told = told(&Exit::Code(3), &shell(), Version::V4).unwrap();
        let status: Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(status["status"], "Failure");
        assert_eq!(status["reason"], "NonZeroExitCode");
        let cause = json!({"reason": "ExitCode", "message": "3"});
        assert_eq!(status["details"]["causes"], json!([cause]));
        assert_eq!(
            status["message"],
            "command terminated with non-zero exit code: error executing command [sh -c exit 3], exit code 3"
        );
    }

    #[test]
    fn old_clients_hear_of_failures_alone() {
        assert_eq!(told(&Exit::Success, &shell(), Version::V3), None);
        let told = told(&Exit::Failed("no such container".into()), &[], Version::V1).unwrap();
        assert_eq!(
            told,
            b"Internal error occurred: error attaching to container: no such container"
        );
    }

    #[test]
    fn success_is_as_upstream_writes_it() {
        let told = told(&Exit::Success, &shell(), Version::V5).unwrap();
        assert_eq!(told, br#"{"metadata":{},"status":"Success"}"#);
    }
}
