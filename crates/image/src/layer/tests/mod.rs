#![allow(clippy::unwrap_used)]

mod generated;

use super::*;
use crate::scratch::Directory;
use crate::tar::{Entry, Kind, Time, Writer};
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;

fn member(path: &str, kind: Kind, data: &[u8]) -> (Entry, Vec<u8>) {
    let mode = if kind == Kind::Directory {
        0o755
    } else {
        0o644
    };
    let entry = Entry {
        path: path.as_bytes().to_vec(),
        kind,
        mode,
        uid: 0,
        gid: 0,
        size: data.len() as u64,
        modified: Time {
            seconds: 1_000_000,
            nanoseconds: 0,
        },
        xattrs: Vec::new(),
    };
    (entry, data.to_vec())
}

fn file(path: &str, data: &str) -> (Entry, Vec<u8>) {
    member(path, Kind::File, data.as_bytes())
}

fn directory(path: &str) -> (Entry, Vec<u8>) {
    member(path, Kind::Directory, b"")
}

fn symlink(path: &str, target: &str) -> (Entry, Vec<u8>) {
    member(path, Kind::Symlink(target.into()), b"")
}

fn hard_link(path: &str, target: &str) -> (Entry, Vec<u8>) {
    member(path, Kind::HardLink(target.into()), b"")
}

fn archive(members: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, data) in members {
        writer.append(entry, &mut &data[..]).unwrap();
    }
    writer.finish().unwrap()
}

/// Layers unpacked one on top of the other.
struct Image {
    directory: Directory,
    /// The top one first.
    layers: Vec<PathBuf>,
}

impl Image {
    fn new() -> Self {
        Self {
            directory: Directory::new(),
            layers: Vec::new(),
        }
    }

    fn of(layers: &[&[(Entry, Vec<u8>)]]) -> Self {
        let mut image = Self::new();
        for layer in layers {
            image.add(layer).unwrap();
        }
        image
    }

    fn add(&mut self, members: &[(Entry, Vec<u8>)]) -> Result<(), LayerError> {
        let name = format!("l{}", self.layers.len());
        let root = self.directory.path().join(name);
        fs::create_dir(&root).unwrap();
        let unpacked = unpack(&archive(members)[..], &root, Stack(&self.layers));
        if unpacked.is_ok() {
            self.layers.insert(0, root);
        } else {
            fs::remove_dir_all(root).unwrap();
        }
        unpacked
    }

    fn top(&self, path: &str) -> PathBuf {
        self.layers[0].join(path)
    }

    /// What all layers together show: each path with what it is.
    fn shown(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        walk(Stack(&self.layers), Path::new(""), &mut all);
        all
    }

    /// The same by overlayfs; none where mounting is forbidden.
    fn mounted(&self) -> Option<BTreeMap<String, String>> {
        let root = self.directory.path();
        for name in ["upper", "work", "merged"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let lower: Vec<_> = self
            .layers
            .iter()
            .map(|l| l.display().to_string())
            .collect();
        let script = format!(
            "cd {root} && mount -t overlay overlay -o lowerdir={lower},upperdir=upper,workdir=work,userxattr merged \
             && cd merged && find . -mindepth 1 -printf '%P\\t%y\\t%l\\n' -type f -exec cat {{}} \\; -exec echo \\;",
            root = root.display(),
            lower = lower.join(":"),
        );
        let run = Command::new("unshare")
            .args(["-Urm", "sh", "-c", &script])
            .output();
        let said = match run {
            Ok(run) if run.status.success() => run.stdout,
            Ok(run) => {
                let why = String::from_utf8_lossy(&run.stderr).into_owned();
                eprintln!("skipped: no overlay can be mounted here: {why}");
                return None;
            }
            Err(error) => {
                eprintln!("skipped: unshare: {error}");
                return None;
            }
        };
        let said = String::from_utf8(said).unwrap();
        let mut lines = said.lines();
        let mut all = BTreeMap::new();
        while let Some(line) = lines.next() {
            let [path, kind, target] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line:?}");
            };
            let what = match kind {
                "d" => "directory".to_owned(),
                "l" => format!("-> {target}"),
                "f" => format!("= {}", lines.next().unwrap()),
                other => other.to_owned(),
            };
            all.insert(path.to_owned(), what);
        }
        Some(all)
    }
}

fn walk(stack: Stack<'_>, at: &Path, all: &mut BTreeMap<String, String>) {
    for name in stack.names(at).unwrap() {
        let path = at.join(name);
        let (real, metadata) = stack.find(&path).unwrap();
        let what = if metadata.is_dir() {
            "directory".to_owned()
        } else if metadata.is_symlink() {
            format!("-> {}", fs::read_link(real).unwrap().display())
        } else {
            format!("= {}", fs::read_to_string(real).unwrap())
        };
        all.insert(path.display().to_string(), what);
        if metadata.is_dir() {
            walk(stack, &path, all);
        }
    }
}

#[test]
fn files_keep_what_they_have() {
    let (mut program, data) = file("bin/su", "program");
    program.mode = 0o4755;
    (program.uid, program.gid) = (33, 34);
    let image = Image::of(&[&[
        directory("bin/"),
        (program, data),
        hard_link("./bin/other", "bin/su"),
        symlink("bin/link", "/etc/passwd"),
        member("pipe", Kind::Fifo, b""),
    ]]);
    let su = fs::metadata(image.top("bin/su")).unwrap();
    assert_eq!(su.permissions().mode() & 0o7777, 0o4755);
    assert_eq!(su.mtime(), 1_000_000);
    // An ordinary user can give nothing away, and that is fine.
    let top = fs::metadata(&image.layers[0]).unwrap();
    let kept = if top.uid() == 0 {
        (33, 34)
    } else {
        (top.uid(), top.gid())
    };
    assert_eq!((su.uid(), su.gid()), kept);
    assert_eq!(
        fs::metadata(image.top("bin/other")).unwrap().ino(),
        su.ino()
    );
    assert_eq!(
        fs::read_link(image.top("bin/link")).unwrap(),
        Path::new("/etc/passwd")
    );
    assert!(
        fs::metadata(image.top("pipe"))
            .unwrap()
            .file_type()
            .is_fifo()
    );
    assert_eq!(fs::metadata(image.top("bin")).unwrap().mtime(), 1_000_000);
}

/// OPS-SAFE: nothing that an archive says leads out of its directory.
#[test]
fn nothing_leads_out() {
    let outside = Directory::new();
    let out = outside.path().display().to_string();
    fs::write(outside.path().join("victim"), "safe").unwrap();
    let members = [
        file("../../../../../../../../tmp/skylab-image-escaped", "x"),
        file("/absolute", "x"),
        symlink("up", "../../../../../../../.."),
        file(&format!("up{out}/a"), "x"),
        symlink("door", &out),
        file("door/b", "x"),
        directory("door/made"),
        symlink("one", "two"),
        symlink("two", &format!("{out}/victim")),
        file("one", "x"),
        file("two", "x"),
        symlink("dir", &out),
        directory("dir"),
        file("dir/c", "x"),
        symlink("w", &out),
        file("w/.wh.victim", ""),
        file("w/.wh..wh..opq", ""),
    ];
    let image = Image::of(&[&members]);
    let there: Vec<_> = fs::read_dir(outside.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(there, ["victim"]);
    assert_eq!(
        fs::read_to_string(outside.path().join("victim")).unwrap(),
        "safe"
    );
    assert!(!Path::new("/tmp/skylab-image-escaped").exists());
    assert_eq!(image.shown()["tmp/skylab-image-escaped"], "= x");
    // A link on the way counts from the layer's root.
    assert_eq!(image.shown()[&format!("{}/b", &out[1..])], "= x");
    // One at the end is replaced.
    assert_eq!(image.shown()["one"], "= x");
}

/// OPS-SAFE: neither does a link's source.
#[test]
fn no_foreign_file_is_linked() {
    let outside = Directory::new();
    let secret = outside.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let secret = secret.display().to_string();
    for members in [
        vec![hard_link("got", &secret)],
        vec![hard_link(
            "got",
            &format!("../../../../../../../..{secret}"),
        )],
        vec![
            symlink("door", &outside.path().display().to_string()),
            hard_link("got", "door/secret"),
        ],
    ] {
        let mut image = Image::new();
        let refused = image.add(&members).unwrap_err().to_string();
        assert!(refused.contains("which is not there"), "{refused}");
    }
}

#[test]
fn impossible_archives_are_refused() {
    let loops = [symlink("a", "b"), symlink("b", "a"), file("a/x", "")];
    let through_a_file = [file("a", ""), file("a/b", "")];
    let no_name = [file("a/.wh.", "")];
    let parent = [file("a/.wh...", "")];
    let mut zero = file("a", "");
    zero.0.path = b"a\0b".repeat(60);
    for members in [&loops[..], &through_a_file, &no_name, &parent, &[zero]] {
        assert!(Image::new().add(members).is_err(), "{members:?}");
    }
    let mut image = Image::new();
    let root = image.directory.path().join("cut");
    fs::create_dir(&root).unwrap();
    let whole = archive(&[file("a", &"x".repeat(5000))]);
    assert!(unpack(&whole[..2000], &root, Stack(&[])).is_err());
    assert!(image.add(&[file("ok", "")]).is_ok());
}

#[test]
fn later_members_replace_earlier_ones() {
    let image = Image::of(&[&[
        directory("a"),
        file("a/x", "old"),
        file("a", "file now"),
        file("b", "old"),
        symlink("b", "a"),
        symlink("c", "a"),
        directory("c"),
        file("c/y", "y"),
        file("d", "same"),
        hard_link("d", "d"),
        directory("e"),
        file("e/kept", ""),
        directory("e/"),
    ]]);
    let shown: Vec<_> = image.shown().into_iter().collect();
    let expected = [
        ("a", "= file now"),
        ("b", "-> a"),
        ("c", "directory"),
        ("c/y", "= y"),
        ("d", "= same"),
        ("e", "directory"),
        ("e/kept", "= "),
    ];
    assert_eq!(shown, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

/// What a layer uses and doesn't mention looks as it did.
#[test]
fn directories_in_between_are_taken_from_below() {
    let mut private = directory("home/private");
    private.0.mode = 0o1700;
    let image = Image::of(&[
        &[private, file("base", "linked")],
        &[file("home/private/new", ""), file("fresh/new", "")],
        &[file("home/private/.wh.new", ""), hard_link("copy", "base")],
    ]);
    for layer in &image.layers[..2] {
        let mode = fs::metadata(layer.join("home/private")).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o1700);
    }
    let fresh = fs::metadata(image.layers[1].join("fresh")).unwrap();
    assert_eq!(fresh.mode() & 0o7777, 0o755);
    // A link to a file of a layer below: both names are in this layer.
    let copied = fs::metadata(image.top("copy")).unwrap();
    assert_eq!(copied.ino(), fs::metadata(image.top("base")).unwrap().ino());
    assert_eq!(image.shown()["copy"], "= linked");
}

#[test]
fn an_image_cannot_speak_to_overlayfs() {
    let mut sneaky = directory("etc");
    sneaky.0.xattrs = vec![(b"user.overlay.opaque".to_vec(), b"y".to_vec())];
    let mut ghost = member(
        "shown",
        Kind::Device {
            block: false,
            major: 0,
            minor: 0,
        },
        b"",
    );
    ghost.0.mode = 0o666;
    let image = Image::of(&[
        &[file("etc/passwd", "x"), file("shown", "x")],
        &[sneaky, ghost],
    ]);
    assert_eq!(image.shown()["etc/passwd"], "= x");
    assert_eq!(image.shown()["shown"], "= x");
}

/// K8S-RUN: what layers remove is gone, by overlayfs itself.
#[test]
fn whiteouts_hide() {
    let image = Image::of(&[
        &[
            file("etc/a", "a"),
            file("etc/b", "b"),
            file("var/lib/x", "x"),
            file("var/lib/deep/y", "y"),
            file("again/old", ""),
            file("gone/z", ""),
        ],
        &[
            file("etc/.wh.a", ""),
            file("etc/.wh.never-there", ""),
            directory("var/lib"),
            file("var/lib/new", "new"),
            file("var/lib/.wh.x", ""),
            file("var/lib/.wh..wh..opq", ""),
            file("var/lib/deep/z", "z"),
            file(".wh.again", ""),
            directory("again"),
            file("again/young", ""),
            file(".wh.gone", ""),
            file(".wh..wh.plnk", ""),
        ],
    ]);
    let expected: BTreeMap<_, _> = [
        ("again", "directory"),
        ("again/young", "= "),
        ("etc", "directory"),
        ("etc/b", "= b"),
        ("var", "directory"),
        ("var/lib", "directory"),
        ("var/lib/deep", "directory"),
        ("var/lib/deep/z", "= z"),
        ("var/lib/new", "= new"),
    ]
    .map(|(path, what)| (path.to_owned(), what.to_owned()))
    .into();
    assert_eq!(image.shown(), expected);
    if let Some(mounted) = image.mounted() {
        assert_eq!(mounted, expected);
    }
}

/// A layer that starts over: overlayfs reads no mark on a layer's root.
#[test]
fn a_root_can_be_opaque() {
    let image = Image::of(&[
        &[file("a", ""), file("b/c", ""), file("b/d", "")],
        &[file(".wh..wh..opq", ""), file("b/c", "new")],
    ]);
    let shown: Vec<_> = image.shown().into_keys().collect();
    assert_eq!(shown, ["b", "b/c"]);
    if let Some(mounted) = image.mounted() {
        assert_eq!(mounted, image.shown());
    }
}

/// Where no device can be made an attribute hides a name.
#[test]
fn attributes_hide_too() {
    let mut image = Image::of(&[&[file("a", ""), file("d/b", ""), file("d/c", "")]]);
    let top = image.directory.path().join("top");
    fs::create_dir_all(top.join("d")).unwrap();
    let parent = fs::File::open(top.join("d")).unwrap();
    if whiteout::hide_by_attribute(parent.as_fd(), Path::new("b")).is_err() {
        eprintln!("skipped: no attributes on this file system");
        return;
    }
    image.layers.insert(0, top);
    let shown: Vec<_> = image.shown().into_keys().collect();
    assert_eq!(shown, ["a", "d", "d/c"]);
    if let Some(mounted) = image.mounted() {
        if mounted.contains_key("d/b") {
            eprintln!("skipped: this kernel is older than 6.7");
        } else {
            assert_eq!(mounted, image.shown());
        }
    }
}

#[test]
fn links_are_followed_within_the_image() {
    let image = Image::of(&[
        &[
            file("usr/lib/passwd", "root:x:0:0"),
            symlink("etc", "/usr/etc"),
        ],
        &[
            symlink("usr/etc/passwd", "../../../../usr/lib/passwd"),
            symlink("loop", "loop"),
        ],
    ]);
    let stack = Stack(&image.layers);
    assert_eq!(stack.read("/etc/passwd").unwrap().unwrap(), b"root:x:0:0");
    assert_eq!(stack.read("etc/group").unwrap(), None);
    assert_eq!(stack.read("loop").unwrap(), None);
    assert_eq!(stack.read("usr").unwrap(), None);
}
