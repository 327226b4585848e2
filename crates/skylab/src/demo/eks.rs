//! `skylab demo eks`: the chapter's section on EKS, command for command, by the clouds' own clients.
//!
//! The walkthrough is the script that stands in `walkthroughs/eks`; here it gets a lab, its own folder and this program
//! as the `skylab` that it calls.

use super::stage::Stage;
use crate::command::env;
use crate::failure::Failure;
use lab::paths::StateDir;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = include_str!("../../../../walkthroughs/eks/chapter.sh");
/// What the script applies, by file names.
const MANIFESTS: [(&str, &str); 3] = [
    (
        "dnsutils.yml",
        include_str!("../../../../examples/manifests/dnsutils.yml"),
    ),
    (
        "database.yml",
        include_str!("../../../../examples/manifests/database.yml"),
    ),
    (
        "web.yml",
        include_str!("../../../../examples/manifests/web.yml"),
    ),
];
/// The script doesn't know that its `skylab` plays on one lab among others.
const WRAPPER: &str = "#!/bin/sh\nexec \"$SKYLAB_PROGRAM\" --state \"$SKYLAB_PLACE\" \"$@\"\n";
/// Google's SDK calls a dispatcher `kubectl`; its own are beside it.
const OF_THE_SDK: &str = "/usr/lib/google-cloud-sdk/bin/kubectl.1.32";

/// Plays the walkthrough; `keep` leaves out its cleanup.
pub(crate) fn run(state: Option<&StateDir>, keep: bool) -> Result<u8, Failure> {
    needs("aws", "the Debian package awscli has it")?;
    needs("curl", "the Debian package curl has it")?;
    let kubectl = kubectl()?;
    let program = std::env::current_exe().map_err(|error| Failure::new(1, error))?;
    let stage = Stage::open(state)?;
    let folder = Folder::make().map_err(|error| Failure::new(1, error))?;
    let script = folder.0.join("chapter.sh");
    let mut command = Command::new("bash");
    command
        .arg(script)
        .envs(env::keys(&stage.state)?)
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE")
        .env("SKYLAB", folder.0.join("skylab"))
        .env("SKYLAB_PROGRAM", program)
        .env("SKYLAB_PLACE", stage.state.path())
        .env("KUBECTL", kubectl)
        .env("MANIFESTS", &folder.0)
        .env("POLICY", folder.0.join("iam-policy.json"));
    if keep {
        command.env("KEEP", "yes");
    }
    let played = command.status().map_err(|error| Failure::new(1, error))?;
    if played.success() {
        return Ok(0);
    }
    Err(Failure::new(
        1,
        "the walkthrough ended at the command above, which did not answer as the chapter has it",
    ))
}

/// A folder of the script's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Self> {
        let name = format!("skylab-walkthrough-{}", std::process::id());
        let this = Self(std::env::temp_dir().join(name));
        fs::create_dir(&this.0)?;
        let put = |name: &str, text: &str| fs::write(this.0.join(name), text);
        put("chapter.sh", SCRIPT)?;
        put("skylab", WRAPPER)?;
        put(
            "iam-policy.json",
            load_balancer_controller::manifest::POLICY,
        )?;
        for (name, text) in MANIFESTS {
            put(name, text)?;
        }
        fs::set_permissions(this.0.join("skylab"), fs::Permissions::from_mode(0o700))?;
        Ok(this)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays in the machine's temporary one does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Checks that a program is there.
fn needs(program: &str, where_from: &str) -> Result<(), Failure> {
    if on_path(program).is_some() {
        return Ok(());
    }
    let message =
        format!("the walkthrough calls {program}, which is not on this machine; {where_from}");
    Err(Failure::new(1, message))
}

/// The `kubectl` to call.
fn kubectl() -> Result<PathBuf, Failure> {
    let of_the_sdk = Path::new(OF_THE_SDK);
    if of_the_sdk.exists() {
        return Ok(of_the_sdk.to_owned());
    }
    needs("kubectl", "see https://kubernetes.io/docs/tasks/tools/")?;
    Ok(PathBuf::from("kubectl"))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join(OsStr::new(program)));
    found.find(|file| file.is_file())
}
