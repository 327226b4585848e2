//! The lab's own mounts.

use super::{LaunchError, failed};
use crate::factory::holder;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use std::fs;

/// Where the lab keeps what must go with it: guests' disks. A tmpfs of its own hides the host's
/// `/run`, so nothing is written there.
pub(crate) const RUNTIME: &str = "/run/skylab";

const NOTHING: Option<&str> = None;

/// Cuts the mounts off from the host's, and puts a fresh `/proc` and `/run` in.
pub(super) fn prepare() -> Result<(), LaunchError> {
    mount(
        NOTHING,
        "/",
        NOTHING,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        NOTHING,
    )
    .map_err(failed("private mounts"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, NOTHING).map_err(failed("mounting /proc"))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("skylab"),
        "/run",
        Some("tmpfs"),
        flags,
        Some("mode=755"),
    )
    .map_err(failed("mounting /run"))?;
    fs::create_dir(RUNTIME)
        .and_then(|()| holder::install())
        .map_err(|error| LaunchError::Failed {
            step: format!("making {RUNTIME}"),
            errno: Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
        })
}
