//! One archive onto the disk.

use crate::layer::attributes::Attributes;
use crate::layer::place::{Parent, Place, base};
use crate::layer::whiteout::{Marker, Markers, marker};
use crate::layer::{LayerError, Stack};
use crate::tar::{Entry, Kind, Reader};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, linkat, makedev, mkdirat, mknodat, openat, statat, symlinkat,
};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Unpacks an uncompressed layer into an empty directory, to lie on top of others.
pub(crate) fn unpack(archive: impl Read, root: &Path, below: Stack<'_>) -> Result<(), LayerError> {
    let mut reader = Reader::new(archive);
    let mut place = Place::new(root, below)?;
    let mut markers = Markers::default();
    let mut buffer = vec![0; 1 << 16];
    while let Some(entry) = reader.next().map_err(LayerError::archive)? {
        let Some(path) = cleaned(&entry.path)? else {
            // The root stays as it is, as for containerd.
            continue;
        };
        let parent = place.parent(directory_of(&path))?;
        match marker(base(&path).as_bytes())? {
            Marker::None => put(&mut place, &parent, &path, &entry, &mut reader, &mut buffer)?,
            Marker::Opaque => {
                markers.opaque.insert(parent.path);
            }
            Marker::Hides(name) => {
                markers
                    .hidden
                    .insert(parent.path.join(OsStr::from_bytes(name)));
            }
            Marker::Ignored => {}
        }
    }
    markers.apply(&place)?;
    place.finish()
}

/// A name in an archive as a path from the root; none for the root itself. `..` never leads above it.
fn cleaned(name: &[u8]) -> Result<Option<PathBuf>, LayerError> {
    if name.contains(&0) {
        return Err(LayerError::archive("a name has a zero byte"));
    }
    let mut path = PathBuf::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                path.pop();
            }
            _ => path.push(OsStr::from_bytes(part)),
        }
    }
    Ok(Some(path).filter(|path| *path != Path::new("")))
}

/// Puts a member where it belongs. What comes later in an archive replaces what came before.
fn put(
    place: &mut Place<'_>,
    parent: &Parent,
    path: &Path,
    entry: &Entry,
    data: &mut impl Read,
    buffer: &mut [u8],
) -> Result<(), LayerError> {
    if let Kind::HardLink(target) = &entry.kind {
        return link(place, parent, path, target, buffer);
    }
    let (directory, name) = (&*parent.directory, base(path));
    let stays = place.clear(parent, name, entry.kind == Kind::Directory)?;
    let attributes = Attributes::from(entry);
    let failed = || LayerError::at(path);
    match &entry.kind {
        Kind::Directory => {
            if !stays {
                mkdirat(directory, name, Mode::RWXU).map_err(failed())?;
            }
            let real = parent.path.join(name);
            place.directories.insert(real, attributes);
        }
        Kind::File => {
            let file = create(directory, name).map_err(failed())?;
            let copied = copy(data, &file, path, buffer)?;
            if copied != entry.size {
                return Err(LayerError::archive("unexpected EOF"));
            }
            attributes.apply(file.as_fd()).map_err(failed())?;
        }
        Kind::Symlink(target) => {
            let target = OsStr::from_bytes(target);
            symlinkat(target, directory, name).map_err(failed())?;
            let directory = directory.as_fd();
            attributes
                .apply_at(directory, name, true)
                .map_err(failed())?;
        }
        Kind::Fifo => {
            node(parent, name, FileType::Fifo, 0, &attributes).map_err(failed())?;
        }
        // It would hide its name.
        Kind::Device {
            block: false,
            major: 0,
            minor: 0,
        } => {}
        Kind::Device {
            block,
            major,
            minor,
        } => {
            let kind = if *block {
                FileType::BlockDevice
            } else {
                FileType::CharacterDevice
            };
            match node(parent, name, kind, makedev(*major, *minor), &attributes) {
                // Only the machine's root may; containers get their devices from the runtime.
                Ok(()) | Err(Errno::PERM | Errno::ACCESS) => {}
                Err(error) => return Err(failed()(error)),
            }
        }
        Kind::HardLink(_) => {}
    }
    Ok(())
}

fn node(
    parent: &Parent,
    name: &OsStr,
    kind: FileType,
    device: u64,
    attributes: &Attributes,
) -> rustix::io::Result<()> {
    let directory = parent.directory.as_fd();
    mknodat(directory, name, kind, Mode::RUSR, device)?;
    attributes.apply_at(directory, name, false)
}

/// Another name for a file of this layer. One of a layer below is copied up first, as overlayfs does.
fn link(
    place: &mut Place<'_>,
    parent: &Parent,
    path: &Path,
    target: &[u8],
    buffer: &mut [u8],
) -> Result<(), LayerError> {
    let missing = || {
        let target = String::from_utf8_lossy(target);
        let path = path.display();
        LayerError::archive(format!("{path} links to {target}, which is not there"))
    };
    let target = cleaned(target)?.ok_or_else(missing)?;
    let mut source = place.existing(directory_of(&target))?;
    if !source
        .as_ref()
        .is_some_and(|source| has(source, base(&target)))
    {
        let (found, metadata) = place.below().find(&target).ok_or_else(missing)?;
        if !metadata.is_file() {
            return Err(missing());
        }
        let above = place.parent(directory_of(&target))?;
        let mut original = File::open(found).map_err(LayerError::at(&target))?;
        let file = create(&above.directory, base(&target)).map_err(LayerError::at(&target))?;
        copy(&mut original, &file, &target, buffer)?;
        let attributes = Attributes::of(&metadata);
        attributes
            .apply(file.as_fd())
            .map_err(LayerError::at(&target))?;
        source = Some(above);
    }
    let source = source.ok_or_else(missing)?;
    let (from, name) = (base(&target), base(path));
    if source.path == parent.path && from == name {
        return Ok(());
    }
    place.clear(parent, name, false)?;
    linkat(
        &*source.directory,
        from,
        &*parent.directory,
        name,
        AtFlags::empty(),
    )
    .map_err(LayerError::at(path))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn has(parent: &Parent, name: &OsStr) -> bool {
    statat(&*parent.directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// A new file that only the unpacker reads until it has its attributes.
fn create(directory: &OwnedFd, name: &OsStr) -> rustix::io::Result<File> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// Copies data; gives how much there was.
fn copy(
    data: &mut impl Read,
    mut file: &File,
    path: &Path,
    buffer: &mut [u8],
) -> Result<u64, LayerError> {
    let mut copied = 0;
    loop {
        let count = data.read(buffer).map_err(LayerError::archive)?;
        if count == 0 {
            return Ok(copied);
        }
        file.write_all(&buffer[..count])
            .map_err(LayerError::at(path))?;
        copied += count as u64;
    }
}
