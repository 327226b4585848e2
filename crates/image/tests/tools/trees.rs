//! Layers put together by umoci and by overlayfs.

use super::*;

/// An image's layout by umoci's rules: with a plain tag.
fn retagged(scratch: &Scratch, builder: &ImageBuilder) -> String {
    let (layout, plain) = (scratch.text("built"), scratch.text("plain"));
    builder
        .write_layout(Path::new(&layout), &name("app"))
        .unwrap();
    let from = format!("oci:{layout}:docker.io/library/app:latest");
    skopeo(&["copy", &from, &format!("oci:{plain}:latest")]);
    plain
}

fn compare(scratch: &Scratch, layout: &str, tag: &str) {
    let bundle = scratch.text(&format!("bundle-{tag}"));
    let image = format!("{layout}:{tag}");
    umoci(&[&["unpack"], rootless(), &["--image", &image, &bundle]].concat());
    let expected = listed(&Path::new(&bundle).join("rootfs"));
    let store = scratch.store();
    // The layout may have several tags.
    let copy = scratch.text(&format!("copy-{tag}"));
    skopeo(&[
        "copy",
        &format!("oci:{image}"),
        &format!("oci:{copy}:{tag}"),
    ]);
    store.import_as(Path::new(&copy), &name(tag)).unwrap();
    let unpacked = store.unpacked(tag).unwrap().unwrap();
    if let Some(found) = mounted(scratch, &unpacked.layers) {
        assert_eq!(found, expected, "{tag}");
    }
}

/// K8S-RUN: an image built here looks the same, unpacked by umoci or mounted from the store.
#[test]
fn built_images_look_the_same() {
    if has("skopeo") && has("umoci") {
        let scratch = Scratch::new();
        let layout = retagged(&scratch, &sample());
        compare(&scratch, &layout, "latest");
    }
}

/// K8S-RUN: so does one whose layers umoci made of what somebody changed.
#[test]
fn changed_images_look_the_same() {
    if !has("skopeo") || !has("umoci") {
        return;
    }
    let scratch = Scratch::new();
    let layout = retagged(&scratch, &sample());
    let bundle = scratch.text("work");
    let image = format!("{layout}:latest");
    umoci(&[&["unpack"], rootless(), &["--image", &image, &bundle]].concat());
    let script = format!(
        "cd {bundle}/rootfs && rm -r var/cache long && mkdir -p var/cache/again && echo x > var/cache/again/x \
         && rm bin/su && mkdir bin/su && echo y > bin/su/y && ln etc/passwd etc/other && mkfifo pipe \
         && rm -r sbin && ln -s ../bin sbin && touch -d @12345 etc/passwd && chmod 2755 tmp"
    );
    run("sh", &["-c", &script]);
    let changed = format!("{layout}:changed");
    umoci(&["repack", "--image", &changed, &bundle]);
    compare(&scratch, &layout, "changed");
    // And what umoci puts in and hides by itself.
    fs::create_dir(scratch.join("files")).unwrap();
    fs::write(scratch.join("files/z"), "z").unwrap();
    let files = scratch.text("files");
    let insert = [&["insert"], rootless(), &["--image", &changed]].concat();
    umoci(&[&insert[..], &["--opaque", &files, "/var/lib"]].concat());
    umoci(&[&insert[..], &["--whiteout", "/etc/passwd"]].concat());
    umoci(&["tag", "--image", &changed, "more"]);
    compare(&scratch, &layout, "more");
}
