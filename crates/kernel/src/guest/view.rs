//! The view: the machine's files, copy on write.
//!
//! One overlay a top-level directory, because a user namespace may not overlay `/` itself (locked
//! mounts lie under it). `/dev` is minimal, `/run` and `/tmp` are fresh, `/proc` shows the guest's
//! processes with the OCI runtime's paths masked or read-only.

use super::disk::{upper, work};
use crate::factory::{Failure, step};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

const NOTHING: Option<&str> = None;
/// Top-level directories that are not the machine's in a guest.
const OWN: [&str; 6] = ["dev", "proc", "sys", "run", "tmp", "lost+found"];
/// The OCI runtime specification's default masked paths.
const MASKED: [&str; 10] = [
    "acpi",
    "asound",
    "interrupts",
    "kcore",
    "keys",
    "latency_stats",
    "sched_debug",
    "scsi",
    "timer_list",
    "timer_stats",
];
/// Its default read-only paths.
const READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Builds the view and makes it the root.
pub(super) fn enter(disk: &Path, hidden: &[PathBuf]) -> Result<(), Failure> {
    mount(
        NOTHING,
        "/",
        NOTHING,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        NOTHING,
    )
    .map_err(step("private mounts"))?;
    let root = disk.join("root");
    make(&root)?;
    tmpfs(&root, "mode=755")?;
    top_level(disk, &root)?;
    processes(&root)?;
    devices(&root)?;
    for fresh in ["run", "tmp"] {
        let path = root.join(fresh);
        make(&path)?;
        tmpfs(
            &path,
            if fresh == "tmp" {
                "mode=1777"
            } else {
                "mode=755"
            },
        )?;
    }
    for path in hidden {
        hide(&root, path)?;
    }
    change_root(&root)
}

fn io_step(name: String) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| Failure {
        step: name,
        errno: Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
    }
}

fn make(path: &Path) -> Result<(), Failure> {
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
fn copy_owner(source: &Path, upper: &Path) {
    if let Ok(metadata) = fs::metadata(source) {
        // An owner that doesn't exist here can't be given; root's it is then.
        let _ = fs::set_permissions(upper, metadata.permissions());
    }
}

fn processes(root: &Path) -> Result<(), Failure> {
    let proc = root.join("proc");
    make(&proc)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), &proc, Some("proc"), flags, NOTHING)
        .map_err(step("mounting the guest's /proc"))?;
    for name in READ_ONLY {
        read_only(&proc.join(name), flags)?;
    }
    let network = proc.join("sys/net");
    // A guest commands its own stack: its network's switches stay writable under the read-only rest.
    writable_network(&proc, &network, flags)?;
    for name in MASKED {
        mask(&proc.join(name))?;
    }
    let sys = root.join("sys");
    make(&sys)?;
    let flags = flags | MsFlags::MS_RDONLY;
    match mount(Some("sysfs"), &sys, Some("sysfs"), flags, NOTHING) {
        // Where the kernel won't show it, the guest has none.
        Err(Errno::EPERM | Errno::EBUSY) => Ok(()),
        other => other.map_err(step("mounting the guest's /sys")),
    }
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
        Ok(_) => bind(Path::new("/dev/null"), path),
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

fn devices(root: &Path) -> Result<(), Failure> {
    let dev = root.join("dev");
    make(&dev)?;
    let flags = MsFlags::MS_NOSUID;
    mount(Some("tmpfs"), &dev, Some("tmpfs"), flags, Some("mode=755"))
        .map_err(step("the guest's /dev"))?;
    for name in DEVICES {
        let target = dev.join(name);
        fs::write(&target, []).map_err(io_step(format!("making {}", target.display())))?;
        bind(&Path::new("/dev").join(name), &target)?;
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
    .map_err(step("the guest's terminals"))?;
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
