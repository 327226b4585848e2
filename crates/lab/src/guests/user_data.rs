//! User data: what an instance runs once, on a new disk.
//!
//! Scripts (`#!…`) run as cloud-init runs them; their output goes to `/var/log/cloud-init-output.log`
//! and to the console. Other forms are not run, and the console says so.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>

use super::Consoles;
use aws::model::InstanceId;
use kernel::guest::{Guest, GuestCommand};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

/// Stores the script that arrives on standard input, runs it, keeps its output and its status.
const RUNNER: &str = r#"
umask 077
mkdir -p /var/lib/cloud/instance/scripts /var/log
script=/var/lib/cloud/instance/scripts/part-001
cat >"$script" && chmod 700 "$script"
{ "$script" </dev/null; echo "user data ended with status $?"; } 2>&1 | tee -a /var/log/cloud-init-output.log
"#;

/// What user data is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Script,
    Other(&'static str),
}

fn form(data: &[u8]) -> Form {
    let starts = |prefix: &str| data.starts_with(prefix.as_bytes());
    match data {
        _ if starts("#!") => Form::Script,
        _ if starts("#cloud-config") => Form::Other("cloud-config"),
        _ if starts("#include") => Form::Other("an include list"),
        _ if starts("Content-Type: multipart") || starts("MIME-Version") => {
            Form::Other("a MIME archive")
        }
        [0x1f, 0x8b, ..] => Form::Other("gzip"),
        _ => Form::Other("of no form that is run at boot"),
    }
}

/// Starts an instance's user data; its output is followed by a thread.
pub(super) fn run(guest: &Arc<Guest>, instance: &InstanceId, data: &[u8], consoles: &Consoles) {
    if let Form::Other(what) = form(data) {
        let note = format!(
            "The user data is {what}; Skylab runs scripts that begin with #! and nothing else.\n"
        );
        return consoles.print(instance, note.as_bytes());
    }
    if let Err(error) = start(guest, instance, data, consoles) {
        tracing::error!(host = %instance, %error, "user data not run");
        consoles.print(
            instance,
            format!("The user data could not be run: {error}\n").as_bytes(),
        );
    }
}

fn start(
    guest: &Arc<Guest>,
    instance: &InstanceId,
    data: &[u8],
    consoles: &Consoles,
) -> io::Result<()> {
    let (script, to_script) = io::pipe()?;
    let (output, from_script) = io::pipe()?;
    let command = GuestCommand {
        arguments: ["/bin/sh", "-c", RUNNER].map(str::to_owned).to_vec(),
        directory: "/".to_owned(),
        ..GuestCommand::default()
    };
    let streams = [
        OwnedFd::from(script),
        OwnedFd::from(from_script.try_clone()?),
        OwnedFd::from(from_script),
    ];
    let process = guest.exec(&command, streams).map_err(io::Error::other)?;
    let data = data.to_vec();
    thread::Builder::new().spawn(move || {
        // A script that doesn't read all of itself is cut, as any pipe would cut it.
        let _ = io::Write::write_all(&mut File::from(OwnedFd::from(to_script)), &data);
    })?;
    let (instance, consoles) = (instance.clone(), consoles.clone());
    thread::Builder::new().spawn(move || {
        copy(File::from(OwnedFd::from(output)), &instance, &consoles);
        drop(process);
    })?;
    Ok(())
}

fn copy(mut output: File, instance: &InstanceId, consoles: &Consoles) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = output.read(&mut buffer) {
        consoles.print(instance, &buffer[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_told_from_the_rest() {
        assert_eq!(form(b"#!/bin/sh\nexit"), Form::Script);
        assert_eq!(
            form(b"#cloud-config\nruncmd: []"),
            Form::Other("cloud-config")
        );
        assert_eq!(form(&[0x1f, 0x8b, 8]), Form::Other("gzip"));
        assert!(matches!(form(b"hello"), Form::Other(_)));
    }
}
