//! The view of a place: the machine's files, copy on write; and what every place has beside its files.
//!
//! One overlay a top-level directory, because a user namespace may not overlay `/` itself (locked
//! mounts lie under it). `/dev` is minimal, `/run` and `/tmp` are fresh, `/proc` shows the place's
//! processes with the OCI runtime's paths masked or read-only.

use super::disk::{self, upper, work};
use crate::factory::{Failure, step};
use crate::tree;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

const NOTHING: Option<&str> = None;
/// Top-level directories that are not the machine's in a guest.
const OWN: [&str; 6] = ["dev", "proc", "sys", "run", "tmp", "lost+found"];
/// What container runtimes mask in `/proc`, and what else of it a root can command the machine's kernel
/// by or look into it.
/// <https://github.com/containerd/containerd/blob/main/pkg/oci/spec.go> (`populateDefaultUnixSpec`)
const MASKED: [&str; 16] = [
    "acpi",
    "asound",
    "dynamic_debug",
    "interrupts",
    "kcore",
    "keys",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "mtrr",
    "profile",
    "sched_debug",
    "scsi",
    "timer_list",
    "timer_stats",
];
/// Its default read-only paths.
const READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];
/// Directories below the top ones that programs of a machine's root write to.
const WRITTEN: [&str; 7] = [
    "/usr/local",
    "/usr/local/bin",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/spool",
    "/var/tmp",
];
/// Who the owners are that a user namespace doesn't know.
const NOBODY: u32 = 65534;
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Which of the kernel's switches a place may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switches {
    /// None.
    None,
    /// Those of its network.
    OfNetwork,
}

/// Builds the view of the machine's files over a disk, but for `/proc`, in a mount namespace of the
/// caller's own. Gives its top.
pub(crate) fn build(disk: &Path, hidden: &[PathBuf]) -> Result<PathBuf, Failure> {
    cut_off()?;
    let root = disk.join("root");
    make(&root)?;
    tmpfs(&root, "mode=755")?;
    own_directories(disk)?;
    top_level(disk, &root)?;
    own_program(disk, &root)?;
    devices(&root)?;
    system(&root)?;
    for (fresh, options) in [("run", "mode=755"), ("tmp", "mode=1777")] {
        let path = root.join(fresh);
        make(&path)?;
        tmpfs(&path, options)?;
    }
    for path in hidden {
        hide(&root, path)?;
    }
    Ok(root)
}

/// Puts the guest's own directories in, which show nothing of the machine's.
pub(super) fn own_state(disk: &Path, root: &Path) -> Result<(), Failure> {
    for path in disk::OWN {
        let path = Path::new(path);
        let own = disk::own(disk, path);
        let target = root.join(path.strip_prefix("/").unwrap_or(path));
        make(&own)?;
        // A top-level directory that could not be shown has no place for it.
        if make(&target).is_ok() {
            bind(&own, &target)?;
        }
    }
    Ok(())
}

/// Cuts the caller's mounts off from those they were copied from.
pub(crate) fn cut_off() -> Result<(), Failure> {
    mount(
        NOTHING,
        "/",
        NOTHING,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        NOTHING,
    )
    .map_err(step("private mounts"))
}

/// Adds the caller's own processes to a view and makes it the root.
pub(crate) fn enter(root: &Path, switches: Switches) -> Result<(), Failure> {
    processes(root, switches)?;
    change_root(root)
}

fn io_step(name: String) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| Failure {
        step: name,
        errno: Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
    }
}

pub(crate) fn make(path: &Path) -> Result<(), Failure> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path);
    made.map_err(io_step(format!("making {}", path.display())))
}

fn tmpfs(path: &Path, options: &str) -> Result<(), Failure> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some(options))
        .map_err(step(format!("a tmpfs on {}", path.display())))
}

fn top_level(disk: &Path, root: &Path) -> Result<(), Failure> {
    let entries = fs::read_dir("/").map_err(io_step("reading /".to_owned()))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if OWN.iter().any(|own| name == *own) {
            continue;
        }
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let (source, target) = (entry.path(), root.join(&name));
        if kind.is_symlink() {
            let to =
                fs::read_link(&source).map_err(io_step(format!("reading {}", source.display())))?;
            symlink(to, &target).map_err(io_step(format!("linking {}", target.display())))?;
        } else if kind.is_dir() {
            overlay(disk, Path::new(&name), &source, &target)?;
        }
    }
    Ok(())
}

/// In an ordinary user's lab the machine's root is nobody, and its directories can't be changed. Those
/// that programs write to are the place's own there, with the machine's files in them.
fn own_directories(disk: &Path) -> Result<(), Failure> {
    for path in WRITTEN {
        let path = Path::new(path);
        let mut inside = path.iter().skip(1);
        let Some(top) = inside.next() else { continue };
        let stranger = fs::symlink_metadata(path)
            .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == NOBODY);
        if stranger {
            let own = upper(disk, Path::new(top)).join(inside.collect::<PathBuf>());
            make(&own)?;
            copy_owner(path, &own);
        }
    }
    Ok(())
}

fn overlay(disk: &Path, name: &Path, source: &Path, target: &Path) -> Result<(), Failure> {
    let (upper, work) = (upper(disk, name), work(disk, name));
    make(target)?;
    make(&upper)?;
    make(&work)?;
    copy_owner(source, &upper);
    let text = |path: &Path| {
        path.display()
            .to_string()
            .replace('\\', "\\\\")
            .replace(',', "\\,")
            .replace(':', "\\:")
    };
    let options = format!(
        "lowerdir={},upperdir={},workdir={},userxattr",
        text(source),
        text(&upper),
        text(&work)
    );
    let mounted = mount(
        Some("overlay"),
        target,
        Some("overlay"),
        MsFlags::MS_NODEV,
        Some(options.as_str()),
    );
    match mounted {
        // What can't be overlaid (an unreadable directory, a file system that refuses) is empty in
        // the guest rather than open to writing.
        Err(Errno::EACCES | Errno::EINVAL | Errno::EPERM | Errno::ELOOP) => Ok(()),
        other => other.map_err(step(format!("an overlay on {}", target.display()))),
    }
}

/// The top of an overlay shows the upper directory's mode: it must be the machine's.
pub(crate) fn copy_owner(source: &Path, upper: &Path) {
    if let Ok(metadata) = fs::metadata(source) {
        // An owner that doesn't exist here can't be given; root's it is then.
        let _ = fs::set_permissions(upper, metadata.permissions());
    }
}

/// The lab's own program, where every shell finds it.
fn own_program(disk: &Path, root: &Path) -> Result<(), Failure> {
    let Ok(program) = fs::read_link("/proc/self/exe") else {
        return Ok(());
    };
    // One that was replaced, or lies where the lab has something of its own, can't be shown.
    if !program.is_file() {
        return Ok(());
    }
    let inside = Path::new("local/bin/skylab");
    // A link on the way would be hidden by a directory.
    let usual = Path::new("/usr/local/bin");
    if !fs::canonicalize(usual).is_ok_and(|real| real == usual) {
        return Ok(());
    }
    let name = upper(disk, Path::new("usr")).join(inside);
    if let Some(parent) = name.parent() {
        make(parent)?;
    }
    fs::write(&name, []).map_err(io_step(format!("making {}", name.display())))?;
    let target = root.join("usr").join(inside);
    bind_read_only(&program, &target)
}

fn processes(root: &Path, switches: Switches) -> Result<(), Failure> {
    let proc = root.join("proc");
    make(&proc)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), &proc, Some("proc"), flags, NOTHING).map_err(step("mounting /proc"))?;
    for name in READ_ONLY {
        read_only(&proc.join(name), flags)?;
    }
    if switches == Switches::OfNetwork {
        // Under the read-only rest, what commands its own stack.
        writable_network(&proc, &proc.join("sys/net"), flags)?;
    }
    for name in MASKED {
        mask(&proc.join(name))?;
    }
    Ok(())
}

/// The kernel's view of its devices, to read only.
pub(crate) fn system(root: &Path) -> Result<(), Failure> {
    let sys = root.join("sys");
    make(&sys)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    match mount(Some("sysfs"), &sys, Some("sysfs"), flags, NOTHING) {
        // Where the kernel won't show it, there is none.
        Err(Errno::EPERM | Errno::EBUSY) => return Ok(()),
        other => other.map_err(step("mounting /sys"))?,
    }
    mask(&sys.join("firmware"))
}

fn read_only(path: &Path, flags: MsFlags) -> Result<(), Failure> {
    if !path.exists() {
        return Ok(());
    }
    bind(path, path)?;
    let flags = flags | MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(NOTHING, path, NOTHING, flags, NOTHING)
        .map_err(step(format!("making {} read-only", path.display())))
}

fn writable_network(proc: &Path, network: &Path, flags: MsFlags) -> Result<(), Failure> {
    if !network.exists() {
        return Ok(());
    }
    bind(network, network)?;
    let flags = flags | MsFlags::MS_BIND | MsFlags::MS_REMOUNT;
    mount(NOTHING, network, NOTHING, flags, NOTHING).map_err(step(format!(
        "{} in {}",
        network.display(),
        proc.display()
    )))
}

fn bind_read_only(source: &Path, target: &Path) -> Result<(), Failure> {
    bind(source, target)?;
    tree::set_read_only(target).map_err(step(format!("making {} read-only", target.display())))
}

fn bind(source: &Path, target: &Path) -> Result<(), Failure> {
    mount(Some(source), target, NOTHING, MsFlags::MS_BIND, NOTHING)
        .map_err(step(format!("binding {}", target.display())))
}

/// Puts nothing over a file or directory.
fn mask(path: &Path) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let flags =
                MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some("mode=555"))
                .map_err(step(format!("masking {}", path.display())))
        }
        Ok(_) => bind_read_only(Path::new("/dev/null"), path),
        Err(_) => Ok(()),
    }
}

/// Hides one of the machine's paths in the view.
fn hide(root: &Path, path: &Path) -> Result<(), Failure> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let Ok(inside) = real.strip_prefix("/") else {
        return Ok(());
    };
    mask(&root.join(inside))
}

/// A minimal `/dev`.
pub(crate) fn devices(root: &Path) -> Result<(), Failure> {
    let dev = root.join("dev");
    make(&dev)?;
    let flags = MsFlags::MS_NOSUID;
    mount(Some("tmpfs"), &dev, Some("tmpfs"), flags, Some("mode=755"))
        .map_err(step("a fresh /dev"))?;
    for name in DEVICES {
        let target = dev.join(name);
        fs::write(&target, []).map_err(io_step(format!("making {}", target.display())))?;
        // Read-only: programs write to what is behind it all the same, and the machine's own file keeps
        // its mode and owner.
        bind_read_only(&Path::new("/dev").join(name), &target)?;
    }
    let pts = dev.join("pts");
    make(&pts)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(
        Some("devpts"),
        &pts,
        Some("devpts"),
        flags,
        Some("newinstance,ptmxmode=0666,mode=0620"),
    )
    .map_err(step("terminals"))?;
    let shared = dev.join("shm");
    make(&shared)?;
    tmpfs(&shared, "mode=1777")?;
    let links = [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
    ];
    let more = [("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")];
    for (name, to) in links.into_iter().chain(more) {
        symlink(to, dev.join(name)).map_err(io_step(format!("linking /dev/{name}")))?;
    }
    Ok(())
}

fn change_root(root: &Path) -> Result<(), Failure> {
    chdir(root).map_err(step("entering the view"))?;
    // The old root is stacked on the new one and taken off again (pivot_root(2), "pivot_root(".", ".")").
    pivot_root(".", ".").map_err(step("making the view the root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(step("taking the machine's root away"))?;
    chdir("/").map_err(step("entering the view"))
}
