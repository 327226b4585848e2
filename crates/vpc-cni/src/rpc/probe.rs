//! `grpc-health-probe`, as the daemon set's probes call it: whether a server serves.
//! <https://github.com/grpc-ecosystem/grpc-health-probe>

use super::client::{self, CallError};
use std::path::Path;

/// Why a probe fails.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The flags can't be followed.
    #[error("{0}: this probe knows -addr=unix:///PATH, -service=NAME and times")]
    Flag(String),
    /// No server is named.
    #[error("-addr not specified")]
    NoAddress,
    /// The server doesn't answer.
    #[error("failed to connect service {address:?}: {source}")]
    Call {
        /// The server.
        address: String,
        /// Why.
        source: CallError,
    },
    /// It answers that it doesn't serve.
    #[error("service unhealthy (responded with \"NOT_SERVING\")")]
    NotServing,
}

/// Where to ask, and what.
#[derive(Debug, Default, PartialEq, Eq)]
struct Question {
    address: String,
    service: String,
}

fn read(flags: Vec<String>) -> Result<Question, ProbeError> {
    let mut question = Question::default();
    for flag in flags {
        let plain = flag.trim_start_matches('-');
        match plain.split_once('=') {
            Some(("addr", address)) => question.address = address.to_owned(),
            Some(("service", service)) => question.service = service.to_owned(),
            // Whoever runs probes ends them in time.
            Some(("connect-timeout" | "rpc-timeout", _)) => {}
            _ => return Err(ProbeError::Flag(flag)),
        }
    }
    Ok(question)
}

/// Asks.
///
/// # Errors
/// It doesn't serve, or doesn't answer.
pub async fn run(flags: Vec<String>) -> Result<(), ProbeError> {
    let question = read(flags)?;
    let address = question.address;
    if address.is_empty() {
        return Err(ProbeError::NoAddress);
    }
    let path = address
        .strip_prefix("unix://")
        .ok_or_else(|| ProbeError::Flag(format!("-addr={address}")))?;
    match client::health(Path::new(path), &question.service).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(ProbeError::NotServing),
        Err(source) => Err(ProbeError::Call { address, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_followed_or_refused() {
        let flags = |flags: &[&str]| read(flags.iter().map(|flag| (*flag).to_owned()).collect());
        let read = flags(&["-addr=unix:///run/x.sock", "--service=a", "-rpc-timeout=5s"]);
        let wanted = Question {
            address: "unix:///run/x.sock".to_owned(),
            service: "a".to_owned(),
        };
        assert_eq!(read.ok(), Some(wanted));
        assert!(flags(&["-tls"]).is_err());
    }
}
