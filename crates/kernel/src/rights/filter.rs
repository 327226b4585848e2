//! The system calls that a program with CAP_SYS_ADMIN is refused: those that would take the masks off
//! its view or reach the machine's kernel. A small BPF program, as seccomp(2) wants it; what it starts
//! has it too, and nothing takes it off.
//!
//! Programs of another instruction set than the lab's (32-bit ones) are refused every call.

use nix::errno::Errno;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
/// Calls with this bit are the x32 variants of others, by other numbers.
#[cfg(target_arch = "x86_64")]
const FOREIGN_FROM: u32 = 0x4000_0000;
#[cfg(target_arch = "aarch64")]
const FOREIGN_FROM: u32 = u32::MAX;

/// Where `struct seccomp_data` has the call's number and its instruction set.
const NUMBER: u32 = 0;
const SET: u32 = 4;

/// `open_tree_attr`, newer than the C library's list; the same number everywhere.
const OPEN_TREE_WITH_ATTRIBUTES: libc::c_long = 467;

const REFUSED: [libc::c_long; 22] = [
    // Mounts.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    OPEN_TREE_WITH_ATTRIBUTES,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Files by number, whatever lies over their path.
    libc::SYS_open_by_handle_at,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_reboot,
];

const ALLOW: u32 = 0x7fff_0000;
const REFUSE: u32 = 0x0005_0000;

/// An instruction: `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

fn load(at: u32) -> Instruction {
    Instruction {
        code: 0x20,
        if_true: 0,
        if_false: 0,
        value: at,
    }
}

/// Skips the next instruction unless the loaded word is the value.
fn skip_unless(value: u32) -> Instruction {
    Instruction {
        code: 0x15,
        if_true: 0,
        if_false: 1,
        value,
    }
}

/// Skips the next instruction if the loaded word is below the value.
fn skip_below(value: u32) -> Instruction {
    Instruction {
        code: 0x35,
        if_true: 0,
        if_false: 1,
        value,
    }
}

/// Skips the next instruction if the loaded word is the value.
fn skip_if(value: u32) -> Instruction {
    Instruction {
        code: 0x15,
        if_true: 1,
        if_false: 0,
        value,
    }
}

fn answer(value: u32) -> Instruction {
    Instruction {
        code: 0x06,
        if_true: 0,
        if_false: 0,
        value,
    }
}

fn refuse(errno: Errno) -> Instruction {
    answer(REFUSE | errno as u32)
}

fn program() -> Vec<Instruction> {
    let mut program = vec![
        load(SET),
        skip_if(ARCHITECTURE),
        refuse(Errno::ENOSYS),
        load(NUMBER),
        skip_below(FOREIGN_FROM),
        refuse(Errno::ENOSYS),
    ];
    for call in REFUSED {
        program.extend([skip_unless(call as u32), refuse(Errno::EPERM)]);
    }
    program.push(answer(ALLOW));
    program
}

/// Puts the calling process under the filter; it must have CAP_SYS_ADMIN.
pub(super) fn install() -> Result<(), Errno> {
    let instructions = program();
    let program = Program {
        length: instructions.len() as u16,
        instructions: instructions.as_ptr(),
    };
    // SAFETY: the program and its instructions have the kernel's layout and outlive the call, which
    // copies them.
    #[allow(unsafe_code)]
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would.
    fn verdict(set: u32, number: u32) -> u32 {
        let program = program();
        let (mut at, mut word) = (0, 0);
        loop {
            let Instruction {
                code,
                if_true,
                if_false,
                value,
            } = program[at];
            at += 1;
            match code {
                0x20 => word = if value == SET { set } else { number },
                0x15 => at += usize::from(if word == value { if_true } else { if_false }),
                0x35 => at += usize::from(if word >= value { if_true } else { if_false }),
                _ => return value,
            }
        }
    }

    #[test]
    fn mounting_is_refused_and_the_rest_is_not() {
        let of = |call: libc::c_long| verdict(ARCHITECTURE, call as u32);
        for call in REFUSED {
            assert_eq!(of(call), REFUSE | Errno::EPERM as u32, "{call}");
        }
        for call in [libc::SYS_read, libc::SYS_setns, libc::SYS_execve] {
            assert_eq!(of(call), ALLOW, "{call}");
        }
    }

    #[test]
    fn other_instruction_sets_have_no_calls() {
        let refused = REFUSE | Errno::ENOSYS as u32;
        assert_eq!(verdict(0x4000_0003, libc::SYS_read as u32), refused);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(
            verdict(ARCHITECTURE, FOREIGN_FROM | libc::SYS_mount as u32),
            refused
        );
    }
}
