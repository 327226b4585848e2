//! Docker's own registry on a loopback port.

use super::*;
use cri::{Credentials, ImageError, Images};
use image::{Direct, NodeImages, Registries};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// A registry that ends with this.
struct Registry {
    child: Child,
    port: u16,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// bcrypt of `secret`.
const USERS: &str = "me:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";

fn start(scratch: &Scratch) -> Registry {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let (users, content) = (scratch.text("users"), scratch.text("content"));
    fs::write(&users, USERS).unwrap();
    let config = format!(
        "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {content}\n\
         http:\n  addr: 127.0.0.1:{port}\nauth:\n  htpasswd:\n    realm: test\n    path: {users}\n"
    );
    fs::write(scratch.join("config.yml"), config).unwrap();
    let child = Command::new("docker-registry")
        .args(["serve", &scratch.text("config.yml")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let registry = Registry { child, port };
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    registry
}

/// K8S-RUN: what skopeo pushed is pulled, by tag and digest, by those who may.
#[test]
fn images_are_pulled() {
    if !has("skopeo") || !has("docker-registry") {
        return;
    }
    let scratch = Scratch::new();
    let registry = start(&scratch);
    let layout = scratch.text("layout");
    sample()
        .write_layout(Path::new(&layout), &name("app"))
        .unwrap();
    let from = format!("oci:{layout}:docker.io/library/app:latest");
    let repository = format!("localhost:{}/team/app", registry.port);
    for (tag, format) in [("oci", "oci"), ("docker", "v2s2")] {
        let to = format!("docker://{repository}:{tag}");
        let who = ["--dest-tls-verify=false", "--dest-creds", "me:secret"];
        skopeo(&[&["copy", "--format", format], &who[..], &[&from, &to]].concat());
    }
    let store = Arc::new(scratch.store());
    let registries = Registries::new(b"", Vec::new()).unwrap();
    let node = NodeImages::new(store, "node", Arc::new(Direct), registries);
    let me = [Credentials {
        username: "me".to_owned(),
        password: "secret".to_owned(),
    }];
    let tag = |tag: &str| format!("{repository}:{tag}");
    let refused = node.pull(&tag("oci"), &[]).unwrap_err();
    assert!(matches!(refused, ImageError::Denied(..)), "{refused}");
    let refused = node.pull(&tag("none"), &me).unwrap_err();
    assert!(matches!(refused, ImageError::NotFound(..)), "{refused}");
    let image = node.pull(&tag("oci"), &me).unwrap();
    let docker = node.pull(&tag("docker"), &me).unwrap();
    assert_eq!(node.pull(&docker.digests[0], &me).unwrap(), docker);
    let [one, other] = [&tag("oci"), &docker.digests[0]].map(|reference| {
        let unpacked = node.unpacked(reference).unwrap().unwrap();
        assert_eq!(unpacked.config, sample().config);
        unpacked.layers
    });
    // The same layers, there once.
    assert_eq!(one, other);
    let creds = ["--tls-verify=false", "--creds", "me:secret"];
    let what = format!("docker://{repository}:oci");
    let said = skopeo(&[&["inspect"], &creds[..], &[&what]].concat());
    let digest = image.digests[0].split('@').nth(1).unwrap();
    assert!(said.contains(digest), "{said}");
}
