//! What others make is read, and what is made here others read.

use super::*;

/// K8S-RUN: one image in all the forms that skopeo can give it.
#[test]
fn every_form_of_an_image_is_the_same() {
    if !has("skopeo") {
        return;
    }
    let scratch = Scratch::new();
    let layout = scratch.text("layout");
    let digest = sample()
        .write_layout(Path::new(&layout), &name("app"))
        .unwrap();
    let from = format!("oci:{layout}:docker.io/library/app:latest");
    let archive = scratch.text("archive.tar");
    sample()
        .write_archive(Path::new(&archive), &name("app"))
        .unwrap();
    let store = scratch.store();
    let original = store.import(Path::new(&layout)).unwrap().remove(0);
    let expected: Vec<_> = store.unpacked("app").unwrap().unwrap().layers;
    assert_eq!(
        store.import(Path::new(&archive)).unwrap()[0].id,
        original.id
    );
    let unpacked = |path: &str| {
        let scratch = Scratch::new();
        let store = scratch.store();
        let image = store.import_as(Path::new(path), &name("copy")).unwrap();
        let layers = store.unpacked("copy").unwrap().unwrap().layers;
        let trees = layers.iter().map(|layer| listed(layer));
        (image.id, trees.collect::<Vec<_>>())
    };
    let trees: Vec<_> = expected.iter().map(|layer| listed(layer)).collect();
    for (form, options) in [
        ("docker-archive:%:app:copied", &[][..]),
        ("oci-archive:%:copied", &[]),
        ("oci:%:copied", &[]),
        (
            "oci:%:copied",
            &["--dest-compress-format", "zstd", "--dest-compress"],
        ),
        ("docker-archive:%:app:copied", &["--format", "v2s2"]),
    ] {
        let file = scratch.text(&format!("copy-{}-{}", form.len(), options.len()));
        let to = form.replace('%', &file);
        skopeo(&[&["copy"], options, &[&from, &to]].concat());
        let (id, found) = unpacked(&file);
        // Docker's own kind of configuration has other bytes.
        assert!(id == original.id || form.starts_with("docker"), "{form}");
        assert_eq!(found, trees, "{form} {options:?}");
    }
    // The archive keeps its image's digest, and skopeo finds what was built.
    let said = skopeo(&["inspect", &format!("oci-archive:{archive}")]);
    assert!(said.contains(digest.as_str()), "{said}");
    let said = skopeo(&["inspect", "--config", &from]);
    for part in [
        "\"80/tcp\"",
        "\"/sbin/init\"",
        "\"SIGQUIT\"",
        "\"7:8\"",
        "\"/data\"",
        "\"PATH=/bin\"",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    // The store is a layout that others read.
    let store = scratch.text("store");
    let said = skopeo(&[
        "inspect",
        &format!("oci:{store}:docker.io/library/app:latest"),
    ]);
    assert!(said.contains(digest.as_str()), "{said}");
}
