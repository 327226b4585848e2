//! What a guest's root may not do.
//!
//! The guest's user namespace already keeps it from the host; dropping capabilities keeps it from
//! undoing its own view: without CAP_SYS_ADMIN it can neither remount nor unmount what masks
//! `/proc/sys` and the hidden paths, and in a user namespace that it makes itself those mounts are
//! locked.

use crate::factory::{Failure, step};
use nix::errno::Errno;

/// The OCI runtime's defaults, and commanding its own network stack:
/// chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_admin,
/// net_raw, ipc_lock, sys_chroot, sys_ptrace, mknod, audit_write, setfcap.
const KEPT: [u32; 17] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14, 18, 19, 27, 29, 31];
const LAST: u32 = 63;

/// Drops what is not kept from the bounding, permitted, effective and inheritable sets, and forbids
/// new privileges.
pub(crate) fn drop_capabilities() -> Result<(), Failure> {
    for capability in (0..=LAST).filter(|capability| !KEPT.contains(capability)) {
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
    set_capabilities().map_err(step("limiting capabilities"))?;
    nix::sys::prctl::set_no_new_privs().map_err(step("forbidding new privileges"))
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

fn set_capabilities() -> Result<(), Errno> {
    /// `_LINUX_CAPABILITY_VERSION_3`.
    const VERSION: u32 = 0x2008_0522;
    let mask = KEPT
        .iter()
        .fold(0u32, |mask, capability| mask | 1 << capability);
    let header = Header {
        version: VERSION,
        pid: 0,
    };
    let low = Data {
        effective: mask,
        permitted: mask,
        inheritable: 0,
    };
    let data = [
        low,
        Data {
            effective: 0,
            permitted: 0,
            inheritable: 0,
        },
    ];
    // SAFETY: both structures have the kernel's layout for this version and outlive the call.
    #[allow(unsafe_code)]
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    Errno::result(result).map(drop)
}
