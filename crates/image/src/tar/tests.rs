#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;
use std::io::Read;
use std::process::{Command, Stdio};

fn file(path: &str, data: &[u8]) -> Entry {
    Entry {
        path: path.as_bytes().to_vec(),
        kind: Kind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        size: data.len() as u64,
        modified: Time::default(),
        xattrs: Vec::new(),
    }
}

fn read_all(archive: &[u8]) -> io::Result<Vec<(Entry, Vec<u8>)>> {
    let mut reader = Reader::new(archive);
    let mut all = Vec::new();
    while let Some(entry) = reader.next()? {
        let mut data = Vec::new();
        reader.read_to_end(&mut data)?;
        all.push((entry, data));
    }
    Ok(all)
}

fn entries() -> impl Strategy<Value = (Entry, Vec<u8>)> {
    let bytes = |longest| proptest::collection::vec(1_u8..255, 1..longest);
    let kind = prop_oneof![
        Just(Kind::File),
        Just(Kind::Directory),
        Just(Kind::Fifo),
        bytes(300).prop_map(Kind::Symlink),
        bytes(300).prop_map(Kind::HardLink),
        (any::<bool>(), 0_u32..4096, 0_u32..4096).prop_map(|(block, major, minor)| {
            Kind::Device {
                block,
                major,
                minor,
            }
        }),
    ];
    let xattr = (bytes(20), proptest::collection::vec(any::<u8>(), 0..40)).prop_map(
        |(name, value): (Vec<u8>, Vec<u8>)| {
            let name = name.into_iter().filter(|b| *b != b'=' && *b != b'\n');
            (name.chain(*b"n").collect(), value)
        },
    );
    let data = proptest::collection::vec(any::<u8>(), 0..2000);
    let rest = (any::<u32>(), any::<u32>(), 0_u32..0o10000, 0_i64..1 << 33);
    (
        bytes(300),
        kind,
        rest,
        proptest::collection::vec(xattr, 0..3),
        data,
    )
        .prop_map(|(path, kind, (uid, gid, mode, seconds), xattrs, data)| {
            let data = if kind == Kind::File { data } else { Vec::new() };
            let path: Vec<u8> = path.into_iter().chain(*b"x").collect();
            let entry = Entry {
                path,
                kind,
                mode,
                uid,
                gid,
                size: data.len() as u64,
                modified: Time {
                    seconds,
                    nanoseconds: 0,
                },
                xattrs,
            };
            (entry, data)
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read(members in proptest::collection::vec(entries(), 0..5)) {
        let mut writer = Writer::new(Vec::new());
        for (entry, data) in &members {
            writer.append(entry, &mut &data[..]).unwrap();
        }
        let archive = writer.finish().unwrap();
        prop_assert_eq!(read_all(&archive).unwrap(), members);
    }

    #[test]
    fn no_bytes_make_it_panic(mut archive in proptest::collection::vec(any::<u8>(), 0..2048), at in 0_usize..512) {
        let _ = read_all(&archive);
        // And with a sum that is right, so that the fields are looked at.
        if archive.len() >= BLOCK {
            archive[148..156].fill(b' ');
            archive[156] = b"05xgLKS\0"[at % 8];
            let sum: u64 = archive[..BLOCK].iter().copied().map(u64::from).sum();
            archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            let _ = read_all(&archive);
        }
    }
}

/// A capability set is bytes, and a newline may be among them.
#[test]
fn attributes_may_hold_newlines() {
    let capabilities = b"\x01\0\0\x02\x0a\0\0\0\x0a\x0a=\0".to_vec();
    let mut entry = file("ping", b"x");
    entry.xattrs = vec![
        (b"security.capability".to_vec(), capabilities.clone()),
        (b"user.other".to_vec(), b"1".to_vec()),
    ];
    let mut writer = Writer::new(Vec::new());
    writer.append(&entry, &mut &b"x"[..]).unwrap();
    let archive = writer.finish().unwrap();
    assert_eq!(read_all(&archive).unwrap()[0].0.xattrs[0].1, capabilities);
}

#[test]
fn what_is_cut_off_is_an_error() {
    let mut writer = Writer::new(Vec::new());
    writer
        .append(&file("a", b"hello"), &mut &b"hello"[..])
        .unwrap();
    let archive = writer.finish().unwrap();
    assert_eq!(read_all(&archive).unwrap().len(), 1);
    // What fills the last block may be missing.
    assert_eq!(read_all(&archive[..BLOCK + 5]).unwrap().len(), 1);
    for cut in [1, 300, BLOCK + 2] {
        assert!(read_all(&archive[..cut]).is_err(), "{cut}");
    }
    let mut wrong = archive;
    wrong[0] = b'b';
    assert!(read_all(&wrong).is_err());
}

/// Archives by GNU tar in three formats, with names that need each format's extension.
#[test]
fn archives_of_gnu_tar_are_read() {
    let directory = crate::scratch::Directory::new();
    let root = directory.path();
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(120));
    std::fs::create_dir(root.join("d".repeat(90))).unwrap();
    std::fs::write(root.join(&long), b"long").unwrap();
    std::os::unix::fs::symlink("t".repeat(150), root.join("link")).unwrap();
    std::fs::write(root.join("b"), vec![7; 1500]).unwrap();
    std::fs::hard_link(root.join("b"), root.join("c")).unwrap();
    for format in ["gnu", "pax", "oldgnu"] {
        let made = Command::new("tar")
            .args([
                "--format",
                format,
                "--sort=name",
                "--mtime=@1700000000.5",
                "-cf",
                "-",
            ])
            .args(["b", "c", "link", &"d".repeat(90)])
            .current_dir(root)
            .stderr(Stdio::inherit())
            .output();
        let Ok(made) = made else {
            eprintln!("skipped: no tar here");
            return;
        };
        assert!(made.status.success());
        let all = read_all(&made.stdout).unwrap();
        let names: Vec<_> = all
            .iter()
            .map(|(entry, _)| String::from_utf8_lossy(&entry.path).into_owned())
            .collect();
        let directory = format!("{}/", "d".repeat(90));
        assert_eq!(names, ["b", "c", "link", &directory, &long], "{format}");
        assert_eq!(all[0].1, vec![7; 1500]);
        assert_eq!(all[1].0.kind, Kind::HardLink(b"b".to_vec()));
        assert_eq!(all[2].0.kind, Kind::Symlink("t".repeat(150).into_bytes()));
        assert_eq!(all[4].1, b"long");
        assert_eq!(all[0].0.modified.seconds, 1_700_000_000);
        if format == "pax" {
            assert_eq!(all[0].0.modified.nanoseconds, 500_000_000);
        }
    }
}
