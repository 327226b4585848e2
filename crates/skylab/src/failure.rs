//! Why a command failed, and the exit code that says so.

use lab::control::{ControlError, RefusalKind};

/// Bad input (sysexits' EX_USAGE); `explain` promises 64 and up for it.
pub(crate) const USAGE: u8 = 64;
/// The lab isn't there or can't (EX_UNAVAILABLE).
const UNAVAILABLE: u8 = 69;
/// `exec`'s own failures, as `env` and container runtimes number them.
pub(crate) const EXEC: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl ToString) -> Self {
        Self {
            message: message.to_string(),
            code,
        }
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// A failure of `exec` and `shell`: a code that tells Skylab's failures from the program's.
    pub(crate) fn of_exec(error: &ControlError) -> Self {
        let code = match error {
            ControlError::Refused(refusal) => match refusal.kind {
                RefusalKind::NotFound => NOT_FOUND,
                RefusalKind::NotExecutable => NOT_EXECUTABLE,
                RefusalKind::Place | RefusalKind::Invalid | RefusalKind::Failed => EXEC,
            },
            _ => EXEC,
        };
        Self::new(code, error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        let code = match &error {
            ControlError::Refused(refusal)
                if matches!(refusal.kind, RefusalKind::Place | RefusalKind::Invalid) =>
            {
                USAGE
            }
            _ => UNAVAILABLE,
        };
        Self::new(code, error)
    }
}

impl From<lab::paths::PathsError> for Failure {
    fn from(error: lab::paths::PathsError) -> Self {
        Self::new(UNAVAILABLE, error)
    }
}

impl From<lab::credentials::CredentialsError> for Failure {
    fn from(error: lab::credentials::CredentialsError) -> Self {
        Self::new(UNAVAILABLE, error)
    }
}

impl From<kernel::launch::LaunchError> for Failure {
    fn from(error: kernel::launch::LaunchError) -> Self {
        Self::new(UNAVAILABLE, error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(UNAVAILABLE, error)
    }
}
