//! Files of the machine's.

use crate::build::{Content, ImageBuilder, entry};
use crate::tar::Kind;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

pub(super) fn add(builder: &mut ImageBuilder, from: &Path, to: &[u8]) -> io::Result<()> {
    let about =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", from.display()));
    let found = fs::symlink_metadata(from).map_err(about)?;
    let kind = found.file_type();
    let mode = found.mode() & 0o7777;
    let nothing = Content::Bytes(Vec::new());
    if kind.is_dir() {
        builder.add(entry(to, Kind::Directory, mode), nothing);
        for child in fs::read_dir(from).map_err(about)? {
            let child = child.map_err(about)?;
            let to = [to, child.file_name().as_bytes()].join(&b'/');
            add(builder, &child.path(), &to)?;
        }
    } else if kind.is_symlink() {
        let target = fs::read_link(from).map_err(about)?;
        let kind = Kind::Symlink(target.as_os_str().as_bytes().to_vec());
        builder.add(entry(to, kind, 0o777), nothing);
    } else if kind.is_file() {
        let mut entry = entry(to, Kind::File, mode);
        entry.size = found.len();
        let content = Content::File {
            path: from.to_owned(),
            inode: (found.nlink() > 1).then(|| (found.dev(), found.ino())),
        };
        builder.add(entry, content);
    } else if kind.is_fifo() {
        builder.add(entry(to, Kind::Fifo, mode), nothing);
    } else {
        let why = format!(
            "{}: a socket or device can't be put into an image",
            from.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(())
}
