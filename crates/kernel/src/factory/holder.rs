//! The process that holds a place's namespaces: a guest's first one, a sandbox's `pause`.
//!
//! A program of its own, so that no copy of the factory's memory stays behind, where a guest's root
//! could read it, and so small that a thousand of them are nothing: it takes its name from its first
//! argument and sleeps. Children that are left to it are reaped by the kernel, since it is started with
//! SIGCHLD ignored.

use super::{Failure, step};
use crate::launch::RUNTIME;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::stat::Mode;
use std::ffi::CStr;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// `prctl(PR_SET_NAME, argv[0]); for (;;) pause();`
#[cfg(target_arch = "x86_64")]
const CODE: [u8; 28] = [
    0xb8, 0x9d, 0x00, 0x00, 0x00, // mov eax, 157 (prctl)
    0xbf, 0x0f, 0x00, 0x00, 0x00, // mov edi, 15 (PR_SET_NAME)
    0x48, 0x8b, 0x74, 0x24, 0x08, // mov rsi, [rsp+8]
    0x0f, 0x05, // syscall
    0xb8, 0x22, 0x00, 0x00, 0x00, // again: mov eax, 34 (pause)
    0x0f, 0x05, // syscall
    0xeb, 0xf7, // jmp again
    0x90, 0x90, // to a multiple of four
];
/// `prctl(PR_SET_NAME, argv[0]); for (;;) ppoll(0, 0, 0, 0);`
#[cfg(target_arch = "aarch64")]
const CODE: [u8; 44] = [
    0xe0, 0x01, 0x80, 0xd2, // mov x0, #15 (PR_SET_NAME)
    0xe1, 0x07, 0x40, 0xf9, // ldr x1, [sp, #8]
    0xe8, 0x14, 0x80, 0xd2, // mov x8, #167 (prctl)
    0x01, 0x00, 0x00, 0xd4, // svc #0
    0x00, 0x00, 0x80, 0xd2, // again: mov x0, #0
    0x01, 0x00, 0x80, 0xd2, // mov x1, #0
    0x02, 0x00, 0x80, 0xd2, // mov x2, #0
    0x03, 0x00, 0x80, 0xd2, // mov x3, #0
    0x28, 0x09, 0x80, 0xd2, // mov x8, #73 (ppoll)
    0x01, 0x00, 0x00, 0xd4, // svc #0
    0xfa, 0xff, 0xff, 0x17, // b again
];

#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

/// The headers' sizes, and where the program lies in memory.
const FILE_HEADER: u16 = 64;
const SEGMENT_HEADER: u16 = 56;
const SEGMENTS: u16 = 2;
const BASE: u64 = 0x40_0000;

/// The program's file: an ELF header, a segment that holds all of it, a stack that isn't executable.
fn image() -> Vec<u8> {
    let start = u64::from(FILE_HEADER + SEGMENTS * SEGMENT_HEADER);
    let length = start + CODE.len() as u64;
    // 64 bits, little-endian, version 1.
    let mut image = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let halves = |image: &mut Vec<u8>, numbers: &[u16]| {
        numbers
            .iter()
            .for_each(|number| image.extend(number.to_le_bytes()));
    };
    let words = |image: &mut Vec<u8>, numbers: &[u32]| {
        numbers
            .iter()
            .for_each(|number| image.extend(number.to_le_bytes()));
    };
    let longs = |image: &mut Vec<u8>, numbers: &[u64]| {
        numbers
            .iter()
            .for_each(|number| image.extend(number.to_le_bytes()));
    };
    // An executable for this machine; the entry, the segments' headers, no sections.
    halves(&mut image, &[2, MACHINE]);
    words(&mut image, &[1]);
    longs(&mut image, &[BASE + start, u64::from(FILE_HEADER), 0]);
    words(&mut image, &[0]);
    halves(
        &mut image,
        &[FILE_HEADER, SEGMENT_HEADER, SEGMENTS, 0, 0, 0],
    );
    // PT_LOAD, read and execute: the whole file.
    words(&mut image, &[1, 5]);
    longs(&mut image, &[0, BASE, BASE, length, length, 0x1_0000]);
    // PT_GNU_STACK, read and write.
    words(&mut image, &[0x6474_e551, 6]);
    longs(&mut image, &[0, 0, 0, 0, 0, 16]);
    image.extend(CODE);
    image
}

fn path() -> PathBuf {
    Path::new(RUNTIME).join("holder")
}

/// Puts the program where [`open_program`] finds it.
pub(crate) fn install() -> io::Result<()> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(path())?
        .write_all(&image())
}

/// The program, to be started from inside any view.
pub(super) fn open_program() -> nix::Result<OwnedFd> {
    open(&path(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
}

/// Becomes the holder; comes back only when that failed.
pub(crate) fn become_holder(program: BorrowedFd<'_>, name: &CStr) -> Failure {
    match prepare().and_then(|()| execute(program, name)) {
        Ok(never) => match never {},
        Err(errno) => step("starting the first process")(errno),
    }
}

fn prepare() -> Result<(), Errno> {
    // SAFETY: ignoring a signal runs no handler.
    #[allow(unsafe_code)]
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    for stream in 0..3 {
        // SAFETY: the descriptor is only borrowed for the call; one that isn't open is refused.
        #[allow(unsafe_code)]
        let stream = unsafe { BorrowedFd::borrow_raw(stream) };
        match fcntl(stream, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
            Ok(_) | Err(Errno::EBADF) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn execute(program: BorrowedFd<'_>, name: &CStr) -> Result<std::convert::Infallible, Errno> {
    let arguments = [name.as_ptr(), std::ptr::null()];
    let environment: [*const libc::c_char; 1] = [std::ptr::null()];
    // SAFETY: the path is empty and the lists end with a null pointer; all outlive the call.
    #[allow(unsafe_code)]
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
    Err(Errno::last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    #[test]
    fn the_program_runs_and_has_the_name_it_is_given() {
        let directory = std::env::temp_dir().join(format!("skylab-holder-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("holder");
        std::fs::write(&file, image()).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let mut holder = Command::new(&file).arg0("pause").spawn().unwrap();
        let name = format!("/proc/{}/comm", holder.id());
        let named = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            std::fs::read_to_string(&name).is_ok_and(|name| name == "pause\n")
        });
        let running = holder.try_wait().unwrap().is_none();
        holder.kill().unwrap();
        holder.wait().unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(named && running);
    }
}
