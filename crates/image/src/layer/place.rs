//! The directory that a layer is unpacked into. Every path is walked from its root by descriptors.

use crate::layer::attributes::Attributes;
use crate::layer::stack::MOST_LINKS;
use crate::layer::{LayerError, Stack};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, readlinkat,
    statat, unlinkat,
};
use rustix::io::Errno;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A directory to unpack into.
pub(crate) struct Place<'a> {
    root: Rc<OwnedFd>,
    below: Stack<'a>,
    /// How directories are to look in the end. While unpacking they are open to the unpacker.
    pub(crate) directories: BTreeMap<PathBuf, Attributes>,
    /// The directory that was asked for last: archives stay in one for a while.
    last: Option<(PathBuf, Parent)>,
}

/// A directory of the layer: its descriptor, and its path without links.
#[derive(Clone)]
pub(crate) struct Parent {
    pub(crate) directory: Rc<OwnedFd>,
    pub(crate) path: PathBuf,
}

const WALK: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Directories are so while the layer is being unpacked.
const OPEN: Mode = Mode::RWXU;

impl<'a> Place<'a> {
    pub(crate) fn new(root: &Path, below: Stack<'a>) -> Result<Self, LayerError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(root, flags, Mode::empty()).map_err(LayerError::at(root))?;
        Ok(Self {
            root: Rc::new(opened),
            below,
            directories: BTreeMap::new(),
            last: None,
        })
    }

    pub(crate) fn below(&self) -> Stack<'a> {
        self.below
    }

    /// The directory at a path that an archive named, made if it isn't there.
    pub(crate) fn parent(&mut self, path: &Path) -> Result<Parent, LayerError> {
        if let Some((asked, parent)) = &self.last
            && asked == path
        {
            return Ok(parent.clone());
        }
        let missing = LayerError::at(path);
        let parent = self.walk(path, true)?;
        let parent = parent.ok_or_else(|| missing(Errno::NOENT))?;
        self.last = Some((path.to_owned(), parent.clone()));
        Ok(parent)
    }

    /// The directory at a path that an archive named, if it is in this layer.
    pub(crate) fn existing(&mut self, path: &Path) -> Result<Option<Parent>, LayerError> {
        self.walk(path, false)
    }

    /// Goes from the root name by name. Links are followed as if the layer's root were the root.
    fn walk(&mut self, path: &Path, make: bool) -> Result<Option<Parent>, LayerError> {
        let mut todo = names(path.as_os_str());
        let mut at = vec![self.root.clone()];
        let mut real = PathBuf::new();
        let mut links = 0;
        while let Some(name) = todo.pop_front() {
            let here = at.last().unwrap_or(&self.root).clone();
            if name == ".." {
                if real.pop() {
                    at.pop();
                }
                continue;
            }
            let next = match openat(&here, &name, WALK, Mode::empty()) {
                Err(Errno::NOENT) if make => {
                    self.make_directory(&here, &real.join(&name))?;
                    openat(&here, &name, WALK, Mode::empty())
                }
                Err(Errno::NOENT) => return Ok(None),
                opened => opened,
            };
            match next {
                Ok(next) => {
                    at.push(Rc::new(next));
                    real.push(&name);
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let Ok(target) = readlinkat(&here, &name, Vec::new()) else {
                        return Err(LayerError::at(path)(Errno::NOTDIR));
                    };
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(LayerError::at(path)(Errno::LOOP));
                    }
                    let target = OsStr::from_bytes(target.to_bytes()).to_owned();
                    if target.as_bytes().starts_with(b"/") {
                        at.truncate(1);
                        real.clear();
                    }
                    for name in names(&target).into_iter().rev() {
                        todo.push_front(name);
                    }
                }
                Err(error) => return Err(LayerError::at(path)(error)),
            }
        }
        Ok(at.pop().map(|directory| Parent {
            directory,
            path: real,
        }))
    }

    /// A directory that the archive doesn't mention looks as it does below.
    fn make_directory(&mut self, parent: &OwnedFd, path: &Path) -> Result<(), LayerError> {
        mkdirat(parent, base(path), OPEN).map_err(LayerError::at(path))?;
        let attributes = match self.below.find(path) {
            Some((_, found)) if found.is_dir() => Attributes::of(&found),
            _ => Attributes::default(),
        };
        self.directories.insert(path.to_owned(), attributes);
        Ok(())
    }

    /// Makes room for something: what is there goes away, except a directory that stays one. Gives
    /// whether it did.
    pub(crate) fn clear(
        &mut self,
        parent: &Parent,
        name: &OsStr,
        directory_stays: bool,
    ) -> Result<bool, LayerError> {
        let path = parent.path.join(name);
        let found = match statat(&*parent.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => FileType::from_raw_mode(found.st_mode),
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(LayerError::at(&path)(error)),
        };
        if found == FileType::Directory && directory_stays {
            return Ok(true);
        }
        // What was walked through may be gone now.
        self.last = None;
        if found == FileType::Directory {
            self.directories
                .retain(|other, _| !other.starts_with(&path));
            remove_tree(parent.directory.as_fd(), name).map_err(LayerError::at(&path))?;
        } else {
            unlinkat(&*parent.directory, name, AtFlags::empty()).map_err(LayerError::at(&path))?;
        }
        Ok(false)
    }

    /// Opens a directory at a path without links.
    pub(crate) fn open_directory(&self, path: &Path) -> Result<OwnedFd, LayerError> {
        let path = if path == Path::new("") {
            Path::new(".")
        } else {
            path
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        openat2(&*self.root, path, flags, Mode::empty(), resolve).map_err(LayerError::at(path))
    }

    /// What is at a path without links.
    fn kind(&self, path: &Path) -> Result<Option<FileType>, LayerError> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Some(name) = path.file_name() else {
            return Ok(Some(FileType::Directory));
        };
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => {
                openat2(&*self.root, parent, flags, Mode::empty(), resolve).map(Rc::new)
            }
            _ => Ok(self.root.clone()),
        };
        let found = parent.and_then(|parent| statat(&*parent, name, AtFlags::SYMLINK_NOFOLLOW));
        match found {
            Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(LayerError::at(path)(error)),
        }
    }

    /// Whether this layer has something at a path without links.
    pub(crate) fn exists(&self, path: &Path) -> Result<bool, LayerError> {
        Ok(self.kind(path)?.is_some())
    }

    /// Whether this layer has a directory at a path without links.
    pub(crate) fn is_directory(&self, path: &Path) -> Result<bool, LayerError> {
        Ok(self.kind(path)? == Some(FileType::Directory))
    }

    /// Gives the directories the attributes that they are to have, the deepest first: a closed one
    /// couldn't be walked through.
    pub(crate) fn finish(self) -> Result<(), LayerError> {
        for (path, attributes) in self.directories.iter().rev() {
            let directory = self.open_directory(path)?;
            attributes
                .apply(directory.as_fd())
                .map_err(LayerError::at(path))?;
        }
        Ok(())
    }
}

/// The names in a path that an archive or a link says.
fn names(path: &OsStr) -> VecDeque<OsString> {
    let names = path.as_bytes().split(|byte| *byte == b'/');
    names
        .filter(|name| !matches!(*name, b"" | b"."))
        .map(|name| OsString::from_vec(name.to_vec()))
        .collect()
}

pub(crate) fn base(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// Removes a directory with all that is in it; no link is followed.
fn remove_tree(parent: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(parent, name, flags, Mode::empty())?;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        match unlinkat(&directory, name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => remove_tree(directory.as_fd(), name)?,
            other => other?,
        }
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR)
}
