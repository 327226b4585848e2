//! A node's files and memory, for its kubelet.

use kernel::guest::{Guest, PathKind};
use kernel::launch::{mount_memory, unmount};
use kubelet::{FileKind, Memory, NodeFiles};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The files of the guest that is the node.
pub(super) struct GuestFiles(pub(super) Arc<Guest>);

/// Memory in the lab's own view.
pub(super) struct LabMemory;

impl Memory for LabMemory {
    fn mount(&self, at: &Path, size: u64) -> io::Result<()> {
        mount_memory(at, size)
    }

    fn unmount(&self, at: &Path) -> io::Result<()> {
        unmount(at)
    }
}

/// What can be at a path, with the kubelet's word for each.
const KINDS: [(PathKind, FileKind); 5] = [
    (PathKind::Directory, FileKind::Directory),
    (PathKind::File, FileKind::File),
    (PathKind::Socket, FileKind::Socket),
    (PathKind::CharDevice, FileKind::CharacterDevice),
    (PathKind::BlockDevice, FileKind::BlockDevice),
];

impl NodeFiles for GuestFiles {
    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        let files = self.0.files();
        let is = |kind| files.ensure(path, kind).is_ok();
        let found = KINDS.iter().find(|(kind, _)| is(*kind));
        Ok(found.map(|(_, kind)| *kind))
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        let made = self.0.files().ensure(path, PathKind::DirectoryOrCreate);
        made.map_err(io::Error::other)
    }

    fn make_file(&self, path: &Path) -> io::Result<()> {
        let made = self.0.files().ensure(path, PathKind::FileOrCreate);
        made.map_err(io::Error::other)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.files().read(path)
    }
}
