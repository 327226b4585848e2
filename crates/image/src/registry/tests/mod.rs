//! Pulls from a server that behaves, and from one that doesn't.

#![allow(clippy::unwrap_used)]

mod access;
mod server;

use crate::build::ImageBuilder;
use crate::digest::Digest;
use crate::document::{Index, MANIFEST};
use crate::node::NodeImages;
use crate::reference::Reference;
use crate::registry::{Dial, Direct, Registries};
use crate::scratch::Directory;
use crate::store::ImageStore;
use cri::{Credentials, Image, ImageError, Images};
use server::{Answer, Asked, Server};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Content of a repository called `app`.
#[derive(Clone, Default)]
struct Repository(Arc<Mutex<HashMap<String, Answer>>>);

impl Repository {
    /// Puts an image under a tag. Gives its digest and those of its blobs.
    fn put(&self, tag: &str, builder: &ImageBuilder) -> (Digest, Vec<String>) {
        let directory = Directory::new();
        let name = Reference::parse("app").unwrap();
        let digest = builder.write_layout(directory.path(), &name).unwrap();
        let index = fs::read(directory.path().join("index.json")).unwrap();
        let index: Index = serde_json::from_slice(&index).unwrap();
        assert_eq!(index.manifests[0].digest, digest);
        let mut blobs = Vec::new();
        for entry in fs::read_dir(directory.path().join("blobs/sha256")).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            let blob = Digest::of(&bytes);
            if blob == digest {
                for name in [tag, digest.as_str()] {
                    let answer = Answer::new(200, bytes.clone())
                        .with("Content-Type", MANIFEST)
                        .with("Docker-Content-Digest", digest.as_str());
                    self.set(&format!("/v2/app/manifests/{name}"), answer);
                }
            } else {
                let path = format!("/v2/app/blobs/{blob}");
                self.set(&path, Answer::new(200, bytes));
                blobs.push(path);
            }
        }
        (digest, blobs)
    }

    fn set(&self, path: &str, answer: Answer) {
        self.0.lock().unwrap().insert(path.to_owned(), answer);
    }

    fn get(&self, path: &str) -> Answer {
        let all = self.0.lock().unwrap();
        all.get(path)
            .cloned()
            .unwrap_or_else(|| Answer::new(404, ""))
    }
}

fn app() -> ImageBuilder {
    let mut builder = ImageBuilder::new();
    builder
        .file("bin/app", 0o755, "app")
        .layer()
        .file("data", 0o644, "data");
    builder.config.entrypoint = vec!["/bin/app".to_owned()];
    builder
}

/// A machine with nodes.
struct Machine {
    directory: Directory,
    store: Arc<ImageStore>,
}

impl Machine {
    fn new() -> Self {
        let directory = Directory::new();
        let store = Arc::new(ImageStore::open(directory.path().join("store")).unwrap());
        Self { directory, store }
    }

    fn node(&self, name: &str) -> NodeImages {
        self.node_by(
            name,
            Arc::new(Direct),
            Registries::new(b"", Vec::new()).unwrap(),
        )
    }

    fn node_by(&self, name: &str, dial: Arc<dyn Dial>, registries: Registries) -> NodeImages {
        NodeImages::new(self.store.clone(), name, dial, registries)
    }

    fn blobs(&self) -> usize {
        let blobs = self.directory.path().join("store/blobs/sha256");
        fs::read_dir(blobs).unwrap().count()
    }

    fn layers(&self) -> usize {
        let layers = self.directory.path().join("store/layers");
        fs::read_dir(layers).unwrap().count()
    }
}

/// A server with the image, and the name that it has there.
fn serve(repository: &Repository) -> (Server, String) {
    let repository = repository.clone();
    let server = Server::start(None, move |asked| repository.get(&asked.path));
    let name = format!("localhost:{}/app:1", server.port);
    (server, name)
}

fn pull(node: &NodeImages, name: &str) -> Result<Image, ImageError> {
    node.pull(name, &[])
}

/// K8S-RUN: an image is pulled, unpacked and named; a second pull asks whether the tag moved.
#[test]
fn images_are_pulled() {
    let repository = Repository::default();
    let (digest, _) = repository.put("1", &app());
    let (server, name) = serve(&repository);
    let machine = Machine::new();
    let node = machine.node("a");
    assert_eq!(node.find(&name), None);
    let image = pull(&node, &name).unwrap();
    assert_eq!(image.tags.join(" "), name);
    assert_eq!(
        image.digests,
        [format!("localhost:{}/app@{digest}", server.port)]
    );
    assert_eq!(node.find(&name), Some(image.clone()));
    assert_eq!(node.find(&image.digests[0]), Some(image.clone()));
    assert_eq!(node.list(), std::slice::from_ref(&image));
    let unpacked = node.unpacked(&name).unwrap().unwrap();
    assert_eq!(unpacked.config.entrypoint, ["/bin/app"]);
    let text = fs::read_to_string(unpacked.layers[1].join("bin/app")).unwrap();
    assert_eq!(text, "app");
    let lines = server.lines();
    assert_eq!(lines[0], "HEAD /v2/app/manifests/1");
    assert_eq!(lines[1], format!("GET /v2/app/manifests/{digest}"));
    assert_eq!(lines.len(), 5);
    assert_eq!(pull(&node, &name).unwrap(), image);
    assert_eq!(server.lines(), ["HEAD /v2/app/manifests/1"]);
    // By digest, with the tag that nobody asks for.
    let by_digest = format!("{name}@{digest}");
    assert_eq!(pull(&node, &by_digest).unwrap().id, image.id);
    assert_eq!(server.lines(), [format!("HEAD /v2/app/manifests/{digest}")]);
}

/// What one node has another one has not; the content comes once to the machine, though each asks.
#[test]
fn each_node_pulls_for_itself() {
    let repository = Repository::default();
    let (digest, blobs) = repository.put("1", &app());
    let (server, name) = serve(&repository);
    let machine = Machine::new();
    let (a, b) = (machine.node("a"), machine.node("b"));
    pull(&a, &name).unwrap();
    assert_eq!(b.find(&name), None);
    assert_eq!(b.list(), []);
    server.lines();
    let good = repository.get(&blobs[0]);
    repository.set(&blobs[0], Answer::new(403, ""));
    let refused = pull(&b, &name).unwrap_err();
    assert!(matches!(refused, ImageError::Corrupt(..)), "{refused}");
    assert_eq!(b.find(&name), None);
    repository.set(&blobs[0], good);
    let bytes = AtomicU64::new(0);
    let count = |piece| {
        bytes.fetch_add(piece, Ordering::Relaxed);
    };
    b.pull_with(&name, &[], &count).unwrap();
    assert_eq!(bytes.load(Ordering::Relaxed), 0);
    assert!(
        server
            .lines()
            .contains(&format!("GET /v2/app/manifests/{digest}"))
    );
    a.remove(&name).unwrap();
    assert_eq!(a.find(&name), None);
    assert!(b.unpacked(&name).unwrap().is_some());
    assert_eq!(machine.store.nodes().unwrap().len(), 2);
    machine.store.forget_node("b").unwrap();
    assert_eq!(b.find(&name), None);
    assert_eq!((machine.blobs(), machine.layers()), (0, 0));
}

/// A daemon set: every node wants the image at once.
#[test]
fn many_nodes_pull_at_once() {
    let repository = Repository::default();
    let mut builder = app();
    let noise: Vec<u8> = (0_u32..100_000)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    builder.layer().file("large", 0o644, noise);
    repository.put("1", &builder);
    let (_server, name) = serve(&repository);
    let machine = Machine::new();
    let bytes = AtomicU64::new(0);
    let size = std::thread::scope(|scope| {
        let pulls: Vec<_> = (0..8)
            .map(|number| {
                let (machine, name, bytes) = (&machine, &name, &bytes);
                scope.spawn(move || {
                    let node = machine.node(&format!("n{number}"));
                    let count = |piece| {
                        bytes.fetch_add(piece, Ordering::Relaxed);
                    };
                    let image = node.pull_with(name, &[], &count).unwrap();
                    assert!(node.unpacked(name).unwrap().is_some());
                    image.size
                })
            })
            .collect();
        pulls
            .into_iter()
            .map(|pull| pull.join().unwrap())
            .max()
            .unwrap()
    });
    assert_eq!(bytes.load(Ordering::Relaxed), size);
    assert_eq!(machine.layers(), 3);
}

/// What a user imported is every node's, and no registry is asked.
#[test]
fn imported_images_need_no_registry() {
    let machine = Machine::new();
    let file = machine.directory.path().join("app.tar");
    let name = "registry.invalid/app:1";
    app()
        .write_archive(&file, &Reference::parse(name).unwrap())
        .unwrap();
    machine.store.import(&file).unwrap();
    let node = machine.node("a");
    let image = pull(&node, name).unwrap();
    assert_eq!(node.find(name), Some(image));
    assert!(node.unpacked(name).unwrap().is_some());
    node.remove(name).unwrap();
    assert!(machine.node("b").find(name).is_some());
    machine.store.remove(name).unwrap();
    assert_eq!(node.find(name), None);
}

/// As with containerd, the image that had the tag before stays under its digest.
#[test]
fn tags_move() {
    let repository = Repository::default();
    repository.put("1", &app());
    let (_server, name) = serve(&repository);
    let machine = Machine::new();
    let node = machine.node("a");
    let old = pull(&node, &name).unwrap();
    let mut newer = app();
    newer.layer().file("new", 0o644, "new");
    repository.put("1", &newer);
    assert_eq!(node.find(&name).unwrap().id, old.id);
    let new = pull(&node, &name).unwrap();
    assert_ne!(new.id, old.id);
    let kept = node.find(&old.id.0).unwrap();
    assert_eq!((kept.tags.len(), kept.digests), (0, old.digests));
    assert_eq!(node.list().len(), 2);
    node.remove(&old.id.0).unwrap();
    assert_eq!(node.list(), [new]);
    assert_eq!((machine.blobs(), machine.layers()), (5, 3));
}

/// Registries that leave out what others say.
#[test]
fn taciturn_registries_are_understood() {
    let repository = Repository::default();
    let (digest, _) = repository.put("1", &app());
    let manifest = repository.get("/v2/app/manifests/1");
    let server = Server::start(None, move |asked| match &*asked.method {
        "HEAD" => Answer::new(405, ""),
        _ if asked.path.ends_with("/1") => Answer::new(200, manifest.body.clone()),
        _ => repository.get(&asked.path),
    });
    let machine = Machine::new();
    let name = format!("127.0.0.1:{}/app:1", server.port);
    let image = pull(&machine.node("a"), &name).unwrap();
    assert!(image.digests[0].ends_with(digest.as_str()));
}

fn refusal(repository: &Repository, what: &str) -> String {
    let (server, name) = serve(repository);
    let machine = Machine::new();
    let node = machine.node("a");
    let refused = pull(&node, &name).unwrap_err();
    assert_eq!(node.list(), [], "{what}");
    assert_eq!(machine.layers(), 0, "{what}");
    let prefix = format!("failed to pull and unpack image {name:?}: ");
    let said = refused.to_string();
    let said = said
        .strip_prefix(&prefix)
        .unwrap_or_else(|| panic!("{said}"));
    said.replace(&server.port.to_string(), "PORT")
}

/// Nothing that is wrong is unpacked. The words are containerd's.
#[test]
fn what_was_not_promised_is_refused() {
    let whole = || {
        let repository = Repository::default();
        let (digest, blobs) = repository.put("1", &app());
        (repository, digest, blobs)
    };
    let (repository, _, blobs) = whole();
    let mut wrong = repository.get(&blobs[0]);
    wrong.body[20] ^= 1;
    repository.set(&blobs[0], wrong);
    let said = refusal(&repository, "another digest");
    assert!(
        said.starts_with("unexpected commit digest sha256:"),
        "{said}"
    );
    let (repository, _, blobs) = whole();
    let mut longer = repository.get(&blobs[1]);
    longer.body.push(0);
    repository.set(&blobs[1], longer);
    let said = refusal(&repository, "too much");
    assert!(said.starts_with("unexpected commit size "), "{said}");
    let (repository, _, blobs) = whole();
    let mut cut = repository.get(&blobs[2]);
    cut.cut = Some(cut.body.len() / 2);
    repository.set(&blobs[2], cut);
    assert_eq!(
        refusal(&repository, "cut off"),
        "failed to copy: unexpected EOF"
    );
    let (repository, digest, blobs) = whole();
    repository.set(&blobs[0], Answer::new(404, ""));
    let said = refusal(&repository, "a blob is missing");
    assert!(
        said.starts_with("failed to copy: httpReadSeeker: failed open: could not fetch content descriptor sha256:")
            && said.ends_with("from remote: not found"),
        "{said}"
    );
    let path = format!("/v2/app/manifests/{digest}");
    repository.set(&path, Answer::new(200, "{}"));
    let said = refusal(&repository, "another manifest");
    assert!(said.starts_with("unexpected commit size 2,"), "{said}");
    let (repository, _, blobs) = whole();
    let denied = r#"{"errors":[{"code":"DENIED","message":"no more"}]}"#;
    repository.set(&blobs[0], Answer::new(403, denied));
    assert_eq!(
        refusal(&repository, "a blob is denied"),
        format!(
            "failed to copy: httpReadSeeker: failed open: unexpected status code \
             http://localhost:PORT{}: 403 Forbidden - Server message: denied: no more",
            blobs[0]
        )
    );
}

/// What can't even be looked up.
#[test]
fn what_is_not_there_is_said() {
    let repository = Repository::default();
    assert_eq!(
        refusal(&repository, "no image"),
        "failed to resolve reference \"localhost:PORT/app:1\": localhost:PORT/app:1: not found"
    );
    repository.set("/v2/app/manifests/1", Answer::new(403, ""));
    assert_eq!(
        refusal(&repository, "forbidden"),
        "failed to resolve reference \"localhost:PORT/app:1\": unexpected status from HEAD request to \
         http://localhost:PORT/v2/app/manifests/1: 403 Forbidden"
    );
    let machine = Machine::new();
    let node = machine.node("a");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let said = pull(&node, &format!("127.0.0.1:{port}/app"))
        .unwrap_err()
        .to_string();
    assert!(
        said.ends_with(&format!(
            "failed to do request: Head \"http://127.0.0.1:{port}/v2/app/manifests/latest\": \
             dial tcp 127.0.0.1:{port}: connect: connection refused"
        )),
        "{said}"
    );
    let said = pull(&node, "Not A Name").unwrap_err();
    assert_eq!(said, ImageError::InvalidName("Not A Name".to_owned()));
}

/// Connections to given hosts, on whatever port they are here.
struct Table(Vec<(&'static str, u16, u16)>);

impl Dial for Table {
    fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let known = self
            .0
            .iter()
            .find(|(name, at, _)| *name == host && *at == port);
        match known {
            Some((_, _, here)) => TcpStream::connect(("127.0.0.1", *here)),
            None => Err(io::Error::other(format!("lookup {host}: no such host"))),
        }
    }
}

fn credentials(username: &str, password: &str) -> Credentials {
    Credentials {
        username: username.to_owned(),
        password: password.to_owned(),
    }
}

fn bearer(realm: &str, more: &str) -> Answer {
    let value =
        format!("Bearer realm=\"{realm}\",service=\"reg\",scope=\"repository:app:pull\"{more}");
    Answer::new(401, "").with("WWW-Authenticate", value)
}

fn token_of(asked: &Asked) -> &str {
    asked
        .authorization()
        .strip_prefix("Bearer ")
        .unwrap_or_default()
}
