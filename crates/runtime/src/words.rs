//! Failures in the words of runc and containerd, which `kubectl describe pod` shows.

use kernel::factory::FactoryError;
use kernel::guest::ExecError;
use nix::errno::Errno;

/// Why a program could not be started.
pub(crate) fn of_start(error: &ExecError) -> String {
    let why = match error {
        ExecError::NotFound { program } if program.contains('/') => {
            format!("exec: {program:?}: stat {program}: no such file or directory")
        }
        ExecError::NotFound { program } => {
            format!("exec: {program:?}: executable file not found in $PATH")
        }
        ExecError::NotExecutable {
            program,
            errno: Errno::EACCES,
        } => format!("exec: {program:?}: permission denied"),
        ExecError::NotExecutable { program, errno } => {
            format!("exec {program}: {}", errno.desc().to_lowercase())
        }
        // These say all themselves.
        ExecError::Factory(FactoryError::Failed {
            step,
            errno: Errno::EINVAL,
        }) => step.clone(),
        ExecError::Factory(FactoryError::Failed { step, errno }) => {
            format!("{step} failed: {}", errno.desc().to_lowercase())
        }
        ExecError::Factory(error) => error.to_string(),
    };
    format!("unable to start container process: {why}: unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runcs() {
        let missing = ExecError::NotFound {
            program: "nginx".to_owned(),
        };
        assert_eq!(
            of_start(&missing),
            "unable to start container process: exec: \"nginx\": executable file not found in $PATH: unknown"
        );
        let missing = ExecError::NotFound {
            program: "/app".to_owned(),
        };
        assert!(of_start(&missing).contains("stat /app: no such file or directory"));
        let step = ExecError::Factory(FactoryError::Failed {
            step: "chdir to cwd (\"/x\") set in config".to_owned(),
            errno: Errno::EACCES,
        });
        assert!(of_start(&step).contains("set in config failed: permission denied"));
    }
}
