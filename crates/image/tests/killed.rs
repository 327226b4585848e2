//! Importers that are killed at any moment.

#![allow(clippy::unwrap_used)]

use image::{ImageBuilder, ImageStore, Reference};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const FILES: usize = 100;

/// A directory for a test, gone when the test ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where the process that is killed imports from and to.
const TASK: &str = "SKYLAB_IMAGE_KILLED";

/// No test but what the test below runs in a process of its own.
#[test]
fn importer() {
    if let Some(directory) = std::env::var_os(TASK) {
        let directory = Path::new(&directory);
        let store = ImageStore::open(directory.join("store")).unwrap();
        store.import(&directory.join("image.tar")).unwrap();
    }
}

/// K8S-RUN: after a SIGKILL at any moment every layer that is there is whole, an image that has a name can
/// be used, and the next import succeeds.
#[test]
fn half_an_image_is_never_used() {
    let name = format!("skylab-killed-{}", std::process::id());
    let scratch = Scratch(std::env::temp_dir().join(name));
    fs::create_dir(&scratch.0).unwrap();
    let mut builder = ImageBuilder::new();
    for layer in 0..3 {
        for file in 0..FILES {
            builder.file(&format!("{layer}/{file}"), 0o644, format!("{layer}.{file}"));
        }
        builder.layer();
    }
    let archive = scratch.0.join("image.tar");
    let name = Reference::parse("killed").unwrap();
    builder.write_archive(&archive, &name).unwrap();
    let root = scratch.0.join("store");
    let began = Instant::now();
    assert!(importer_of(&scratch.0).wait().unwrap().success());
    let whole = began.elapsed();
    ImageStore::open(&root).unwrap().remove("killed").unwrap();
    let (mut interrupted, mut seen) = (0, BTreeSet::new());
    for round in 0..400 {
        // Until some were interrupted early, some late.
        if interrupted > 7 && seen.len() > 1 {
            break;
        }
        let mut child = importer_of(&scratch.0);
        std::thread::sleep(whole * (round * 7 % 20) / 20);
        child.kill().unwrap();
        interrupted += usize::from(!child.wait().unwrap().success());
        let layers = layers(&root);
        for layer in &layers {
            assert!(is_whole(layer), "{}", layer.display());
        }
        seen.insert(layers.len());
        let store = ImageStore::open(&root).unwrap();
        let unpacked = store.unpacked("killed").unwrap();
        assert_eq!(unpacked.is_some(), store.find("killed").is_some());
        if let Some(unpacked) = unpacked {
            assert!(unpacked.layers.iter().all(|layer| is_whole(layer)));
            drop(unpacked);
            store.remove("killed").unwrap();
            assert_eq!(self::layers(&root), Vec::<PathBuf>::new());
        }
    }
    assert!(interrupted > 7 && seen.len() > 1, "{interrupted} {seen:?}");
    let store = ImageStore::open(&root).unwrap();
    store.import(&archive).unwrap();
    assert_eq!(layers(&root).len(), 4);
    assert_eq!(fs::read_dir(root.join("tmp")).unwrap().count(), 0);
}

fn importer_of(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "importer"])
        .env(TASK, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn layers(store: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(store.join("layers")) else {
        return Vec::new();
    };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Whether a layer has all its files with what belongs in them.
fn is_whole(layer: &Path) -> bool {
    (0..3).any(|number| {
        (0..FILES).all(|file| {
            let text = fs::read_to_string(layer.join(format!("{number}/{file}")));
            text.is_ok_and(|text| text == format!("{number}.{file}"))
        })
    }) || fs::read_dir(layer).unwrap().count() == 0
}
