//! A root file system over an image's layers.

use crate::factory::{Failure, step};
use crate::guest::view;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::unistd::chdir;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// What every container has of its own.
const OWN: [&str; 3] = ["dev", "proc", "sys"];

fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let step = format!("{what} {}", path.display());
    move |error| Failure {
        step,
        errno: Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
    }
}

/// Builds the root over a disk, but for `/proc`, in a mount namespace of the caller's own. Gives its top.
pub(super) fn build(disk: &Path, layers: &[PathBuf]) -> Result<PathBuf, Failure> {
    view::cut_off()?;
    let [root, upper, work, names] = ["root", "upper", "work", "layers"].map(|n| disk.join(n));
    for directory in [&root, &upper, &work, &names] {
        view::make(directory)?;
    }
    let lower = lower(&names, layers)?;
    if let Some(top) = layers.first() {
        view::copy_owner(top, &upper);
    }
    // Relative names, since the options have to fit in a page.
    chdir(&names).map_err(step("entering the disk"))?;
    let options = format!("lowerdir={lower},upperdir=../upper,workdir=../work,userxattr");
    mount(
        Some("overlay"),
        &root,
        Some("overlay"),
        MsFlags::MS_NODEV,
        Some(options.as_str()),
    )
    .map_err(step("an overlay of the image's layers"))?;
    chdir("/").map_err(step("leaving the disk"))?;
    for name in OWN {
        own_directory(&root.join(name))?;
    }
    view::devices(&root)?;
    view::system(&root)?;
    Ok(root)
}

/// Gives the layers names of a digit or two.
fn lower(names: &Path, layers: &[PathBuf]) -> Result<String, Failure> {
    let empty = [names.join("empty")];
    let layers = if layers.is_empty() {
        view::make(&empty[0])?;
        &empty
    } else {
        layers
    };
    let mut lower = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        let name = names.join(number.to_string());
        match symlink(layer, &name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("naming the layer", layer)(error));
            }
            _ => lower.push(number.to_string()),
        }
    }
    Ok(lower.join(":"))
}

/// Where something of the container's own is mounted: a directory, and no link to somewhere else.
fn own_directory(path: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(Failure {
            step: format!(
                "the image has no directory but something else at {}",
                path.display()
            ),
            errno: Errno::ENOTDIR,
        }),
        Err(_) => view::make(path),
    }
}
