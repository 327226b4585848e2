//! Images from files: OCI image layouts (directories, or archives of them) and what `docker save` writes.
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>

mod archive;
mod docker;
mod layout;

use crate::document::Descriptor;
use crate::reference::Reference;
use crate::store::{Content, Holder, ImageStore, Name, StoreError};
use archive::Archive;
use cri::Image;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A set of files that holds images.
pub(crate) enum Source {
    Directory(PathBuf),
    Archive(Archive),
}

impl Source {
    fn open(store: &ImageStore, path: &Path) -> Result<Self, StoreError> {
        let found = fs::metadata(path).map_err(StoreError::disk(path))?;
        if found.is_dir() {
            return Ok(Self::Directory(path.to_owned()));
        }
        let archive = Archive::open(path, &store.temporary());
        let archive = archive.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => StoreError::NotImages {
                path: path.to_owned(),
                why: format!("it is no archive ({error})"),
            },
            _ => StoreError::disk(path)(error),
        })?;
        Ok(Self::Archive(archive))
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Directory(root) => root.join(archive::plain(name)).is_file(),
            Self::Archive(archive) => archive.has(name),
        }
    }

    /// One of the files.
    fn file(&mut self, name: &str) -> Result<Box<dyn Read + '_>, StoreError> {
        match self {
            Self::Directory(root) => {
                let path = root.join(archive::plain(name));
                match File::open(&path) {
                    Ok(file) => Ok(Box::new(file)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        Err(StoreError::Missing(name.to_owned()))
                    }
                    Err(error) => Err(StoreError::disk(&path)(error)),
                }
            }
            Self::Archive(archive) => match archive.member(name) {
                Ok(Some(member)) => Ok(Box::new(member)),
                Ok(None) => Err(StoreError::Missing(name.to_owned())),
                Err(error) => Err(StoreError::disk(Path::new(name))(error)),
            },
        }
    }

    /// One of the files that are documents.
    fn document(&mut self, name: &str) -> Result<Vec<u8>, StoreError> {
        let mut text = Vec::new();
        let mut file = self.file(name)?.take(crate::document::LARGEST);
        file.read_to_end(&mut text)
            .map_err(|error| StoreError::Corrupt(format!("{name}: {error}")))?;
        Ok(text)
    }
}

/// An image that was found in a source; its documents may still be there only.
pub(crate) struct Candidate {
    target: Descriptor,
    names: Vec<Reference>,
    /// What stood where a name should have been.
    unusable: Option<String>,
}

impl ImageStore {
    /// Imports the images of a layout or an archive for every node.
    ///
    /// # Errors
    /// There are none, one has no name, one is damaged, or the disk refuses. Then nothing is imported.
    pub fn import(&self, path: &Path) -> Result<Vec<Image>, StoreError> {
        self.import_named(path, None)
    }

    /// Imports the one image of a layout or an archive under a name.
    ///
    /// # Errors
    /// As [`ImageStore::import`], and if there are several images.
    pub fn import_as(&self, path: &Path, name: &Reference) -> Result<Image, StoreError> {
        let images = self.import_named(path, Some(name))?;
        images
            .into_iter()
            .next()
            .ok_or_else(|| not_images(path, "it holds no image"))
    }

    fn import_named(
        &self,
        path: &Path,
        name: Option<&Reference>,
    ) -> Result<Vec<Image>, StoreError> {
        let names = self.adding(|| -> Result<_, StoreError> {
            let mut source = Source::open(self, path)?;
            let mut found = if source.has("index.json") {
                layout::candidates(&mut source)?
            } else if source.has("manifest.json") {
                docker::candidates(&mut source, self.blobs())?
            } else {
                let why = "it has neither an index.json nor a manifest.json";
                return Err(not_images(path, why));
            };
            if let Some(name) = name {
                rename(path, &mut found, name)?;
            }
            self.take_all(path, &mut source, found)
        })?;
        let images = names.iter().map(|name| self.find(&name.to_string()));
        let mut images: Vec<Image> = images.flatten().collect();
        images.dedup();
        Ok(images)
    }

    /// Takes the images in one by one; they get their names when all are there.
    fn take_all(
        &self,
        path: &Path,
        source: &mut Source,
        found: Vec<Candidate>,
    ) -> Result<Vec<Reference>, StoreError> {
        let mut ready = Vec::new();
        for candidate in found {
            if candidate.names.is_empty() {
                return Err(StoreError::Unnamed {
                    path: path.to_owned(),
                    found: candidate.unusable.unwrap_or_else(|| "none".to_owned()),
                });
            }
            let content = Content::gather(
                self.blobs(),
                &candidate.target,
                |part, _| -> Result<(), StoreError> {
                    let obtained = self.blobs().obtain(part, |incoming| {
                        incoming.copy(&mut source.file(&layout::blob(&part.digest))?)
                    });
                    obtained.map(drop)
                },
            )?;
            ready.push((content, candidate));
        }
        let mut all = Vec::new();
        for (content, candidate) in ready {
            let names = candidate.names.iter().map(|reference| Name {
                reference: reference.clone(),
                target: candidate.target.clone(),
            });
            self.add(&Holder::Everybody, &content, names.collect())?;
            all.extend(candidate.names);
        }
        Ok(all)
    }
}

fn rename(path: &Path, found: &mut [Candidate], name: &Reference) -> Result<(), StoreError> {
    let mut targets: Vec<_> = found.iter().map(|one| &one.target.digest).collect();
    targets.dedup();
    if targets.len() > 1 {
        return Err(not_images(
            path,
            "it holds several images, which can't have one name",
        ));
    }
    for candidate in found {
        candidate.names = vec![name.clone()];
    }
    Ok(())
}

fn not_images(path: &Path, why: &str) -> StoreError {
    StoreError::NotImages {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}
