//! What the layers below show, as overlayfs would show them.

use crate::layer::whiteout;
use std::collections::{BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// So many links are followed in one path, as in the kernel.
pub(crate) const MOST_LINKS: u32 = 40;

/// Layers, the top one first. They don't change while this is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack<'a>(pub(crate) &'a [PathBuf]);

/// What one layer has to say of a path.
enum Here {
    /// Nothing: the next layer decides.
    Nothing,
    /// Nothing, and no lower layer is asked.
    Hidden,
    /// This.
    Found(Box<Found>),
}

struct Found {
    path: PathBuf,
    metadata: Metadata,
    /// Whether lower layers add to it.
    merges: bool,
}

impl Stack<'_> {
    /// What is at a path, itself a link perhaps; none on the way is followed.
    pub(crate) fn find(&self, path: &Path) -> Option<(PathBuf, Metadata)> {
        for layer in self.0 {
            match look(layer, path) {
                Here::Nothing => {}
                Here::Hidden => return None,
                Here::Found(found) => return Some((found.path, found.metadata)),
            }
        }
        None
    }

    /// The names in a directory, all layers merged; none if it is no directory.
    pub(crate) fn names(&self, path: &Path) -> io::Result<BTreeSet<OsString>> {
        let (mut names, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for layer in self.0 {
            let (directory, merges) = match look(layer, path) {
                Here::Nothing => continue,
                Here::Found(found) if found.metadata.is_dir() => (found.path, found.merges),
                Here::Hidden | Here::Found(_) => break,
            };
            for entry in fs::read_dir(&directory)? {
                let name = entry?.file_name();
                let at = directory.join(&name);
                if whiteout::is_whiteout(&at, &fs::symlink_metadata(&at)?) {
                    gone.insert(name);
                } else if !gone.contains(&name) {
                    names.insert(name);
                }
            }
            if !merges {
                break;
            }
        }
        Ok(names)
    }

    /// A file's text, links followed within the image.
    pub(crate) fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match self.resolve(Path::new(path)) {
            Some((path, metadata)) if metadata.is_file() => fs::read(path).map(Some),
            _ => Ok(None),
        }
    }

    fn resolve(&self, path: &Path) -> Option<(PathBuf, Metadata)> {
        let mut todo = components(path);
        let mut at = PathBuf::new();
        let mut found = None;
        let mut links = 0;
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            at.push(&name);
            let (place, metadata) = self.find(&at)?;
            if metadata.is_symlink() {
                links += 1;
                if links > MOST_LINKS {
                    return None;
                }
                let target = fs::read_link(&place).ok()?;
                at.pop();
                if target.is_absolute() {
                    at.clear();
                }
                for name in components(&target).into_iter().rev() {
                    todo.push_front(name);
                }
            } else {
                found = Some((place, metadata));
            }
        }
        found
    }
}

/// The names in a path; `..` is kept, what leads nowhere isn't.
fn components(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from_vec(b"..".to_vec())),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

fn look(layer: &Path, path: &Path) -> Here {
    let mut at = layer.to_path_buf();
    let mut merges = true;
    let mut parts = path.iter().peekable();
    if parts.peek().is_none() {
        return match fs::symlink_metadata(&at) {
            Ok(metadata) => Here::Found(Box::new(Found {
                path: at,
                metadata,
                merges,
            })),
            Err(_) => Here::Nothing,
        };
    }
    while let Some(part) = parts.next() {
        at.push::<&OsStr>(part);
        let metadata = match fs::symlink_metadata(&at) {
            Ok(metadata) => metadata,
            Err(_) if merges => return Here::Nothing,
            Err(_) => return Here::Hidden,
        };
        if whiteout::is_whiteout(&at, &metadata) {
            return Here::Hidden;
        }
        merges = merges && metadata.is_dir() && !whiteout::is_opaque(&at);
        if parts.peek().is_none() {
            return Here::Found(Box::new(Found {
                path: at,
                metadata,
                merges,
            }));
        }
        if !metadata.is_dir() {
            return Here::Hidden;
        }
    }
    Here::Nothing
}
