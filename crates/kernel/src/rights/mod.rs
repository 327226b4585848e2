//! What programs in the lab may do.
//!
//! The guests' user namespace already keeps them from the machine's own things; dropping capabilities
//! keeps them from undoing their own view: without CAP_SYS_ADMIN they can neither remount nor unmount
//! what masks `/proc/sys` and the hidden paths, and in a user namespace that they make themselves those
//! mounts are locked. Those who keep CAP_SYS_ADMIN (privileged containers, network plugins, which enter
//! pods' networks) run under a [`filter`] that takes mounting away.

mod capability;
mod filter;

use crate::factory::{Failure, step};
pub use capability::Capabilities;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

const LAST: u32 = 63;

/// What a program may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// Whether what it starts can have no more than it has.
    pub no_new_privileges: bool,
}

impl Rights {
    /// A guest's programs.
    pub(crate) fn of_guests() -> Self {
        Self {
            capabilities: Capabilities::of_guests(),
            no_new_privileges: true,
        }
    }

    /// A guest's own programs that enter other networks: CNI plugins.
    pub(crate) fn of_plugins() -> Self {
        let guests = Capabilities::of_guests();
        Self {
            capabilities: guests.with("SYS_ADMIN").unwrap_or(guests),
            no_new_privileges: true,
        }
    }

    /// Takes what is not in the set out of reach for ever, with the system calls that it must not have.
    /// Comes before another user is taken on.
    pub(crate) fn bound(&self) -> Result<(), Failure> {
        let kept = self.capabilities.bits();
        for capability in (0..=LAST).filter(|capability| kept & 1 << capability == 0) {
            // SAFETY: prctl with integer arguments touches no memory of ours.
            #[allow(unsafe_code)]
            let result = unsafe {
                libc::prctl(
                    libc::PR_CAPBSET_DROP,
                    libc::c_ulong::from(capability),
                    0,
                    0,
                    0,
                )
            };
            // Capabilities beyond the kernel's last one don't exist.
            if let Err(errno) = Errno::result(result)
                && errno != Errno::EINVAL
            {
                return Err(step("dropping capabilities")(errno));
            }
        }
        if self.capabilities.has("SYS_ADMIN") {
            filter::install().map_err(step("filtering system calls"))?;
        }
        Ok(())
    }

    /// Holds the set, as root; the rest of the way to the program. Another user holds nothing.
    pub(crate) fn hold(&self, root: bool) -> Result<(), Failure> {
        if root {
            set_capabilities(self.capabilities.bits()).map_err(step("limiting capabilities"))?;
        }
        if self.no_new_privileges {
            nix::sys::prctl::set_no_new_privs().map_err(step("forbidding new privileges"))?;
        }
        Ok(())
    }
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn set_capabilities(bits: u64) -> Result<(), Errno> {
    /// `_LINUX_CAPABILITY_VERSION_3`.
    const VERSION: u32 = 0x2008_0522;
    let header = Header {
        version: VERSION,
        pid: 0,
    };
    let half = |bits: u64| {
        let bits = (bits & u64::from(u32::MAX)) as u32;
        Data {
            effective: bits,
            permitted: bits,
            inheritable: 0,
        }
    };
    let data = [half(bits), half(bits >> 32)];
    // SAFETY: both structures have the kernel's layout for this version and outlive the call.
    #[allow(unsafe_code)]
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    Errno::result(result).map(drop)
}
