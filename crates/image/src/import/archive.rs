//! A tar archive whose members are read in any order.

use crate::compression::{decompressed, is_compressed};
use crate::store::fresh;
use crate::tar::{Kind, Reader};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};
use std::path::Path;

/// A tar archive, and where its members are.
pub(crate) struct Archive {
    file: File,
    members: HashMap<String, Member>,
}

enum Member {
    Data {
        at: u64,
        size: u64,
    },
    /// Another member's name: layers that are equal.
    Link(String),
}

impl Archive {
    /// Opens an archive. A compressed one is decompressed into a file first, which has no name by then.
    pub(crate) fn open(path: &Path, temporary: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        file.by_ref().take(4).read_to_end(&mut head)?;
        file.rewind()?;
        if is_compressed(&head) {
            let plain = fresh(temporary);
            let mut into = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&plain)?;
            fs::remove_file(&plain)?;
            io::copy(&mut decompressed(file)?, &mut into)?;
            into.rewind()?;
            file = into;
        }
        let mut members = HashMap::new();
        let mut reader = Reader::new(BufReader::new(&file));
        while let Some(entry) = reader.seek_next()? {
            let name = String::from_utf8_lossy(&entry.path);
            let member = match entry.kind {
                Kind::File => Member::Data {
                    at: reader.position(),
                    size: entry.size,
                },
                Kind::HardLink(target) => Member::Link(plain(&String::from_utf8_lossy(&target))),
                Kind::Symlink(target) => {
                    let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
                    let target = String::from_utf8_lossy(&target);
                    Member::Link(plain(&format!("{directory}/{target}")))
                }
                _ => continue,
            };
            members.insert(plain(&name), member);
        }
        Ok(Self { file, members })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// A member's data.
    pub(crate) fn member(&mut self, name: &str) -> io::Result<Option<Take<&File>>> {
        let Some((at, size)) = self.find(name) else {
            return Ok(None);
        };
        self.file.seek(SeekFrom::Start(at))?;
        Ok(Some((&self.file).take(size)))
    }

    fn find(&self, name: &str) -> Option<(u64, u64)> {
        let mut name = plain(name);
        // No archive has more than one link in a row; a circle ends here.
        for _ in 0..8 {
            match self.members.get(&name)? {
                Member::Data { at, size } => return Some((*at, *size)),
                Member::Link(target) => name = target.clone(),
            }
        }
        None
    }
}

/// A name without what means nothing in it or leads out.
pub(super) fn plain(name: &str) -> String {
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
