//! User data: what an instance runs once, on a new disk.
//!
//! Scripts (`#!…`) run as cloud-init runs them, alone or as parts of a MIME archive; their output goes to
//! `/var/log/cloud-init-output.log` and to the console. Other forms are not run, and the console says so.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>

use super::Consoles;
use super::archive::{self, Part};
use aws::model::InstanceId;
use kernel::guest::{Guest, GuestCommand};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

/// Stores the script that arrives on standard input under the name that is its argument, runs it, keeps its output
/// and its status.
const RUNNER: &str = r#"
umask 077
mkdir -p /var/lib/cloud/instance/scripts /var/log
script=/var/lib/cloud/instance/scripts/$1
cat >"$script" && chmod 700 "$script"
{ "$script" </dev/null; echo "user data ended with status $?"; } 2>&1 | tee -a /var/log/cloud-init-output.log
"#;

/// What there is to do with user data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Work {
    /// The scripts to run, one after another.
    scripts: Vec<Vec<u8>>,
    /// What else there is, in words.
    others: Vec<String>,
}

/// Reads user data, by its first bytes.
fn read(data: &[u8]) -> Work {
    let starts = |prefix: &str| data.starts_with(prefix.as_bytes());
    let other = |what: &str| Work {
        others: vec![what.to_owned()],
        ..Work::default()
    };
    match data {
        _ if starts("#!") => Work {
            scripts: vec![data.to_vec()],
            ..Work::default()
        },
        _ if starts("#cloud-config") => other("cloud-config"),
        _ if starts("#include") => other("an include list"),
        [0x1f, 0x8b, ..] => other("gzip"),
        _ => match archive::parts(&String::from_utf8_lossy(data)) {
            Some(parts) => of_parts(parts),
            None => other("of no form that is run at boot"),
        },
    }
}

fn of_parts(parts: Vec<Part>) -> Work {
    let mut work = Work::default();
    for part in parts {
        if part.kind == archive::SCRIPT {
            work.scripts.push(part.body.into_bytes());
        } else {
            work.others.push(format!("an archive's {}", part.kind));
        }
    }
    work
}

/// Starts an instance's user data. Images that look at it themselves (`read_by_image`) say what they make of what is
/// no script.
pub(super) fn run(
    guest: &Arc<Guest>,
    instance: &InstanceId,
    (data, read_by_image): (&[u8], bool),
    consoles: &Consoles,
) {
    let work = read(data);
    for what in work.others.iter().filter(|_| !read_by_image) {
        let note = format!(
            "The user data is {what}; Skylab runs scripts that begin with #! and nothing else.\n"
        );
        consoles.print(instance, note.as_bytes());
    }
    if work.scripts.is_empty() {
        return;
    }
    let (guest, instance, consoles) = (guest.clone(), instance.clone(), consoles.clone());
    let said = (instance.clone(), consoles.clone());
    let running = thread::Builder::new().spawn(move || {
        for (number, script) in work.scripts.into_iter().enumerate() {
            let name = format!("part-{:03}", number + 1);
            if let Err(error) = follow(&guest, &instance, (&name, script), &consoles) {
                failed(&instance, &consoles, &error);
            }
        }
    });
    if let Err(error) = running {
        failed(&said.0, &said.1, &error);
    }
}

fn failed(instance: &InstanceId, consoles: &Consoles, error: &io::Error) {
    tracing::error!(host = %instance, %error, "user data not run");
    let note = format!("The user data could not be run: {error}\n");
    consoles.print(instance, note.as_bytes());
}

/// Runs a script and prints what it says, until it closes its output.
fn follow(
    guest: &Guest,
    instance: &InstanceId,
    (name, data): (&str, Vec<u8>),
    consoles: &Consoles,
) -> io::Result<()> {
    let (script, to_script) = io::pipe()?;
    let (output, from_script) = io::pipe()?;
    let command = GuestCommand {
        arguments: ["/bin/sh", "-c", RUNNER, "sh", name]
            .map(str::to_owned)
            .to_vec(),
        directory: "/".to_owned(),
        ..GuestCommand::default()
    };
    let streams = [
        OwnedFd::from(script),
        OwnedFd::from(from_script.try_clone()?),
        OwnedFd::from(from_script),
    ];
    let process = guest.exec(&command, streams).map_err(io::Error::other)?;
    thread::Builder::new().spawn(move || {
        // A script that doesn't read all of itself is cut, as any pipe would cut it.
        let _ = io::Write::write_all(&mut File::from(OwnedFd::from(to_script)), &data);
    })?;
    copy(File::from(OwnedFd::from(output)), instance, consoles);
    drop(process);
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
        let script = b"#!/bin/sh\nexit".to_vec();
        assert_eq!(read(&script).scripts, [script]);
        assert_eq!(read(b"#cloud-config\nruncmd: []").others, ["cloud-config"]);
        assert_eq!(read(&[0x1f, 0x8b, 8]).others, ["gzip"]);
        assert_eq!(read(b"hello").scripts.len(), 0);
    }

    /// AWS-EKS: an archive's scripts are run in their order; its other parts are named.
    #[test]
    fn an_archives_scripts_are_run() {
        let part = |kind: &str, body: &str| format!("--//\nContent-Type: {kind}\n\n{body}\n");
        let text = format!(
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"//\"\n\n{}{}{}--//--\n",
            part("text/x-shellscript", "#!/bin/sh\necho 1"),
            part("text/cloud-config", "x: y"),
            part("text/x-shellscript", "#!/bin/sh\necho 2"),
        );
        let work = read(text.as_bytes());
        assert_eq!(work.scripts, [b"#!/bin/sh\necho 1", b"#!/bin/sh\necho 2"]);
        assert_eq!(work.others, ["an archive's text/cloud-config"]);
    }
}
