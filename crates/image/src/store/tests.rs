#![allow(clippy::unwrap_used)]

use super::*;
use crate::build::ImageBuilder;
use crate::document::{Config, Index, LAYER, MANIFEST, Manifest, Platform, REF_NAME};
use crate::reference::Reference;
use crate::scratch::Directory;
use crate::tar::{Entry, Kind, Time, Writer};
use std::fs::File;
use std::io::Write;

fn name(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

fn store(directory: &Directory) -> ImageStore {
    ImageStore::open(directory.path().join("store")).unwrap()
}

/// A web server of two layers.
fn web() -> ImageBuilder {
    let mut builder = ImageBuilder::new();
    builder
        .directory("etc", 0o755)
        .file("etc/passwd", 0o644, "web:x:7:8:Web:/srv:/bin/sh\n")
        .file("bin/server", 0o755, "#!/bin/sh\n")
        .layer()
        .file("srv/index.html", 0o644, "hello")
        .remove("etc/motd");
    builder.config.entrypoint = vec!["/bin/server".to_owned()];
    builder.config.env = vec![("PATH".to_owned(), "/bin".to_owned())];
    builder.config.user = "web".to_owned();
    builder.config.exposed_ports = vec!["80/tcp".to_owned()];
    builder.config.stop_signal = "SIGQUIT".to_owned();
    builder
}

fn count(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

fn blobs_and_layers(store: &ImageStore) -> (usize, usize) {
    (
        count(&store.root.join("blobs/sha256")),
        count(&store.root.join("layers")),
    )
}

/// K8S-RUN: an archive becomes something to mount, with how to run it.
#[test]
fn archives_are_imported() {
    let directory = Directory::new();
    let file = directory.path().join("web.tar");
    let digest = web().write_archive(&file, &name("web:1.0")).unwrap();
    let store = store(&directory);
    let images = store.import(&file).unwrap();
    assert_eq!(images.len(), 1);
    let image = &images[0];
    assert_eq!(image.tags, ["docker.io/library/web:1.0"]);
    assert_eq!(image.digests, [format!("docker.io/library/web@{digest}")]);
    assert_eq!((image.uid, image.user.as_deref()), (None, Some("web")));
    assert!(image.size > 500);
    let by_digest = format!("web@{digest}");
    let id = image.id.to_string();
    for reference in [
        "web:1.0",
        "docker.io/library/web:1.0",
        &by_digest,
        &id,
        &id[7..],
        &id[7..19],
    ] {
        assert_eq!(store.find(reference).as_ref(), Some(image), "{reference}");
    }
    for reference in ["web", "web:2", "", "sha256:", "nothing/web:1.0"] {
        assert_eq!(store.find(reference), None, "{reference}");
    }
    let unpacked = store.unpacked("web:1.0").unwrap().unwrap();
    assert_eq!(unpacked.config, web().config);
    assert_eq!(unpacked.layers.len(), 2);
    assert_eq!(
        fs::read_to_string(unpacked.layers[0].join("srv/index.html")).unwrap(),
        "hello"
    );
    assert!(unpacked.layers[1].join("bin/server").is_file());
    let identity = unpacked.identity(&unpacked.config.user).unwrap();
    assert_eq!(
        (identity.uid, identity.gid, &*identity.home),
        (7, 8, "/srv")
    );
    // Another time it is still there.
    drop(store);
    let store = super::ImageStore::open(directory.path().join("store")).unwrap();
    assert_eq!(store.list(), images);
}

#[test]
fn layouts_need_names() {
    let directory = Directory::new();
    let layout = directory.path().join("layout");
    web().write_layout(&layout, &name("web")).unwrap();
    let index = fs::read_to_string(layout.join("index.json")).unwrap();
    let bare = index.replace("docker.io/library/web:latest", "latest");
    fs::write(layout.join("index.json"), bare).unwrap();
    let store = store(&directory);
    let refused = store.import(&layout).unwrap_err();
    assert!(matches!(refused, StoreError::Unnamed { found, .. } if found == "latest"));
    let image = store.import_as(&layout, &name("my.org/web:3")).unwrap();
    assert_eq!(image.tags, ["my.org/web:3"]);
    // containerd's own annotation is a full name.
    let full = index.replace(REF_NAME, "io.containerd.image.name");
    fs::write(layout.join("index.json"), full).unwrap();
    let image = &store.import(&layout).unwrap()[0];
    assert_eq!(image.tags, ["docker.io/library/web:latest", "my.org/web:3"]);
}

/// Layers are there once, and go with the last image that has them.
#[test]
fn layers_are_shared_and_counted() {
    let directory = Directory::new();
    let store = store(&directory);
    let (one, two) = (
        directory.path().join("one.tar"),
        directory.path().join("two.tar"),
    );
    web().write_archive(&one, &name("one")).unwrap();
    let mut other = web();
    other.layer().file("more", 0o644, "more");
    other.write_archive(&two, &name("two")).unwrap();
    store.import(&one).unwrap();
    assert_eq!(blobs_and_layers(&store), (4, 2));
    store.import(&two).unwrap();
    assert_eq!(blobs_and_layers(&store), (7, 3));
    store.remove("one").unwrap();
    assert_eq!(store.find("one"), None);
    assert!(store.find("two").is_some());
    assert_eq!(blobs_and_layers(&store), (5, 3));
    let used = store.unpacked("two").unwrap().unwrap();
    store.remove("two").unwrap();
    store.remove("two").unwrap();
    assert_eq!(store.list(), []);
    // A container still runs on them.
    assert_eq!(blobs_and_layers(&store), (0, 3));
    assert!(used.layers.iter().all(|layer| layer.is_dir()));
    drop(used);
    store.forget_node("nobody").unwrap();
    assert_eq!(blobs_and_layers(&store), (0, 0));
}

#[test]
fn a_name_that_moves_leaves_nothing() {
    let directory = Directory::new();
    let store = store(&directory);
    let file = directory.path().join("web.tar");
    web().write_archive(&file, &name("web")).unwrap();
    let old = store.import(&file).unwrap().remove(0);
    let mut newer = ImageBuilder::new();
    newer.file("new", 0o644, "new");
    newer.write_archive(&file, &name("web")).unwrap();
    let new = store.import(&file).unwrap().remove(0);
    assert_ne!(old.id, new.id);
    assert_eq!(store.list(), [new]);
    let store = super::ImageStore::open(directory.path().join("store")).unwrap();
    assert_eq!(blobs_and_layers(&store), (3, 1));
}

/// Nothing damaged gets a name, and nothing of it stays.
#[test]
fn damage_is_noticed() {
    let directory = Directory::new();
    let layout = directory.path().join("layout");
    web().write_layout(&layout, &name("web")).unwrap();
    // In a store of its own each time: one that has a blob needs it no more.
    let import = || {
        let directory = Directory::new();
        let store = store(&directory);
        let result = store.import(&layout);
        assert_eq!(store.list().is_empty(), result.is_err());
        drop(store);
        let store = super::ImageStore::open(directory.path().join("store")).unwrap();
        assert_eq!(blobs_and_layers(&store) == (0, 0), result.is_err());
        assert_eq!(count(&store.root.join("tmp")), 0);
        result
    };
    let blobs: Vec<_> = fs::read_dir(layout.join("blobs/sha256"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(blobs.len(), 4);
    for blob in &blobs {
        let good = fs::read(blob).unwrap();
        let mut bad = good.clone();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        for wrong in [bad, good[..last].to_vec(), Vec::new()] {
            fs::write(blob, wrong).unwrap();
            assert!(matches!(import(), Err(StoreError::Corrupt(_))));
        }
        fs::remove_file(blob).unwrap();
        assert!(matches!(import(), Err(StoreError::Missing(_))));
        fs::write(blob, good).unwrap();
    }
    import().unwrap();
}

#[test]
fn what_is_no_image_is_said() {
    let directory = Directory::new();
    let store = store(&directory);
    let file = directory.path().join("file");
    fs::write(&file, "no archive").unwrap();
    let said = store.import(&file).unwrap_err().to_string();
    assert!(said.contains("it is no archive"), "{said}");
    let said = store.import(directory.path()).unwrap_err().to_string();
    assert!(
        said.contains("neither an index.json nor a manifest.json"),
        "{said}"
    );
    let said = store.import(&directory.path().join("none")).unwrap_err();
    assert!(matches!(said, StoreError::Disk { .. }), "{said}");
}

/// What a process that was killed left behind.
#[test]
fn half_made_things_are_never_used() {
    let directory = Directory::new();
    let file = directory.path().join("web.tar");
    web().write_archive(&file, &name("web")).unwrap();
    let first = store(&directory);
    first.import(&file).unwrap();
    let temporary = first.temporary();
    fs::create_dir_all(temporary.join("1-1/etc")).unwrap();
    fs::write(temporary.join("1-2"), "half a blob").unwrap();
    // Somebody is at work: nothing is swept.
    let _held = lock::shared(&first.lock()).unwrap();
    let second = store(&directory);
    assert_eq!(count(&temporary), 2);
    drop(_held);
    drop((first, second));
    let third = store(&directory);
    assert_eq!(count(&temporary), 0);
    // A layer that is gone comes back from its blob.
    let layers = third.unpacked("web").unwrap().unwrap().layers;
    discard(&layers[0]).unwrap();
    let again = third.unpacked("web").unwrap().unwrap();
    assert!(again.layers[0].join("srv/index.html").is_file());
}

/// A layer that isn't what the configuration says is never used.
#[test]
fn layers_are_checked_when_unpacked() {
    let directory = Directory::new();
    let store = store(&directory);
    let layout = directory.path().join("layout");
    web().write_layout(&layout, &name("web")).unwrap();
    let blobs = layout.join("blobs/sha256");
    let put = |text: Vec<u8>| {
        let descriptor = Descriptor::of("", &text);
        fs::write(blobs.join(descriptor.digest.hex()), text).unwrap();
        descriptor
    };
    let read = |digest: &Digest| fs::read(blobs.join(digest.hex())).unwrap();
    let index: Index =
        serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let target = &index.manifests[0];
    let manifest: Manifest = serde_json::from_slice(&read(&target.digest)).unwrap();
    let mut config: Config = serde_json::from_slice(&read(&manifest.config.digest)).unwrap();
    let wrong = Digest::of(b"something else");
    let right = std::mem::replace(&mut config.rootfs.diff_ids[1], wrong.clone());
    let import = |config: &Config| {
        let manifest = Manifest {
            config: put(serde_json::to_vec(config).unwrap()),
            ..manifest.clone()
        };
        let mut target = put(serde_json::to_vec(&manifest).unwrap());
        target.annotations = index.manifests[0].annotations.clone();
        let text = serde_json::to_vec(&Index::new(vec![target])).unwrap();
        fs::write(layout.join("index.json"), text).unwrap();
        store.import(&layout).unwrap_err().to_string()
    };
    let said = import(&config);
    assert_eq!(
        said,
        format!(
            "failed to extract layer {wrong}: wrong diff id calculated on extraction \"{right}\""
        )
    );
    config.rootfs.diff_ids.pop();
    assert_eq!(
        import(&config),
        "mismatched image rootfs and manifest layers"
    );
    assert_eq!(store.list(), []);
}

/// An index for several kinds of machines, one of them described by another index.
#[test]
fn this_machines_image_is_chosen() {
    let directory = Directory::new();
    let layout = directory.path().join("layout");
    let mut targets = Vec::new();
    let platform = |architecture: &str| Platform {
        architecture: architecture.to_owned(),
        ..Platform::here()
    };
    for architecture in ["riscv64", &*Platform::here().architecture, "s390x"] {
        let mut builder = ImageBuilder::new();
        builder.platform = platform(architecture);
        builder.file("architecture", 0o644, architecture);
        builder.write_layout(&layout, &name("web")).unwrap();
        let index: Index =
            serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
        let mut target = index.manifests[0].clone();
        target.annotations.clear();
        targets.push(target);
    }
    let write = |targets: Vec<Descriptor>, deep: bool| {
        let mut targets = targets;
        for _ in 0..=u8::from(deep) {
            let text = serde_json::to_vec(&Index::new(targets)).unwrap();
            let target = Descriptor::of("", &text);
            fs::write(layout.join("blobs/sha256").join(target.digest.hex()), text).unwrap();
            targets = vec![target];
        }
        targets[0]
            .annotations
            .insert(REF_NAME.to_owned(), "my/web".to_owned());
        let text = serde_json::to_vec(&Index::new(targets)).unwrap();
        fs::write(layout.join("index.json"), text).unwrap();
    };
    let store = store(&directory);
    for deep in [false, true] {
        write(targets.clone(), deep);
        store.import(&layout).unwrap();
        let unpacked = store.unpacked("my/web").unwrap().unwrap();
        let text = fs::read_to_string(unpacked.layers[0].join("architecture")).unwrap();
        assert_eq!(text, Platform::here().architecture);
    }
    write(vec![targets[0].clone(), targets[2].clone()], false);
    let said = store.import(&layout).unwrap_err().to_string();
    assert!(
        said.starts_with("no match for platform in manifest sha256:"),
        "{said}"
    );
}

fn tar(members: &[(&str, Kind, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, kind, data) in members {
        let entry = Entry {
            path: path.as_bytes().to_vec(),
            kind: kind.clone(),
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: data.len() as u64,
            modified: Time::default(),
            xattrs: Vec::new(),
        };
        writer.append(&entry, &mut &data[..]).unwrap();
    }
    writer.finish().unwrap()
}

/// As `docker save` has written archives for years: the list comes last, and a layer that is there twice
/// is a link.
#[test]
fn archives_of_docker_are_imported() {
    let directory = Directory::new();
    let store = store(&directory);
    let layer = tar(&[("a", Kind::File, b"a")]);
    let diff_id = Digest::of(&layer);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{"Cmd":["/a"],"Env":null}},
            "rootfs":{{"type":"layers","diff_ids":["{diff_id}","{diff_id}"]}}}}"#
    );
    let list = r#"[{"Config":"abc.json","RepoTags":["app:1","quay.io/o/app:2"],
        "Layers":["one/layer.tar","two/layer.tar"]}]"#;
    let archive = tar(&[
        ("one/layer.tar", Kind::File, &layer),
        (
            "two/layer.tar",
            Kind::Symlink(b"../one/layer.tar".to_vec()),
            b"",
        ),
        ("abc.json", Kind::File, config.as_bytes()),
        ("manifest.json", Kind::File, list.as_bytes()),
    ]);
    let plain = directory.path().join("app.tar");
    fs::write(&plain, &archive).unwrap();
    let packed = directory.path().join("app.tgz");
    let file = File::create(&packed).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(&archive).unwrap();
    encoder.finish().unwrap();
    for file in [plain, packed] {
        let images = store.import(&file).unwrap();
        assert_eq!(images.len(), 1);
        assert_eq!(
            images[0].tags,
            ["docker.io/library/app:1", "quay.io/o/app:2"]
        );
        assert_eq!(images[0].id.0, Digest::of(config.as_bytes()).as_str());
        let unpacked = store.unpacked("app:1").unwrap().unwrap();
        assert_eq!(unpacked.config.cmd, ["/a"]);
        assert_eq!(unpacked.layers.len(), 2);
        let (_, digest) = images[0].digests[0].rsplit_once('@').unwrap();
        let manifest = store.blobs().read(&Digest::parse(digest).unwrap()).unwrap();
        let manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest.media_type.as_deref(), Some(MANIFEST));
        assert_eq!(manifest.layers[0].media_type, LAYER);
        store.remove("app:1").unwrap();
    }
}

/// Ten at once unpack one layer once, and all succeed.
#[test]
fn many_import_the_same() {
    let directory = Directory::new();
    let store = store(&directory);
    let file = directory.path().join("web.tar");
    web().write_archive(&file, &name("web")).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| {
                store.import(&file).unwrap();
                assert!(store.unpacked("web").unwrap().is_some());
            });
        }
    });
    assert_eq!(blobs_and_layers(&store), (4, 2));
    assert_eq!(store.list().len(), 1);
}

#[test]
fn what_is_built_twice_is_the_same() {
    let directory = Directory::new();
    let tree = directory.path().join("tree");
    fs::create_dir_all(tree.join("a.d")).unwrap();
    fs::write(tree.join("a"), "one").unwrap();
    fs::write(tree.join("a.d/x"), "two").unwrap();
    fs::hard_link(tree.join("a.d/x"), tree.join("z")).unwrap();
    std::os::unix::fs::symlink("a", tree.join("link")).unwrap();
    let build = |file: &str| {
        let mut builder = ImageBuilder::new();
        builder.tree(&tree, "/opt/app").unwrap();
        builder.owner("opt/app/a", 5, 6).unwrap();
        let path = directory.path().join(file);
        let digest = builder.write_archive(&path, &name("app")).unwrap();
        (digest, fs::read(path).unwrap())
    };
    assert_eq!(build("first"), build("second"));
    let store = store(&directory);
    store.import(&directory.path().join("first")).unwrap();
    let layers = store.unpacked("app").unwrap().unwrap().layers;
    let app = layers[0].join("opt/app");
    assert_eq!(fs::read_to_string(app.join("z")).unwrap(), "two");
    assert_eq!(fs::read_to_string(app.join("link")).unwrap(), "one");
}
