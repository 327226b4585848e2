//! Snapshots saved, damaged, loaded.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::credentials::Credentials;
use aws::model::{Settings, State};
use std::os::unix::fs::PermissionsExt;

fn settings() -> Settings {
    Settings {
        account: "123456789012".to_owned(),
        seed: 1,
    }
}

/// A state directory of a test's own.
fn scratch(name: &str) -> StateDir {
    let root = std::env::temp_dir().join(format!("skylab-snapshot-{name}-{}", std::process::id()));
    StateDir::choose(Some(&root)).unwrap()
}

/// A state with an account, and its snapshot.
fn saved(name: &str) -> (StateDir, Vec<u8>) {
    let state = scratch(name);
    state.create().unwrap();
    Credentials::load_or_make(&state).unwrap();
    let store = Store::open(&state.store()).unwrap();
    cloud::restore(&store, || Ok(State::with_defaults(settings()))).unwrap();
    drop(store);
    let mut file = Vec::new();
    save_stopped(&state, &mut file).unwrap();
    (state, file)
}

fn load(file: &[u8], into: &StateDir, force: bool) -> Result<Saved, SnapshotError> {
    Snapshot::read(file)?.load(into, force)
}

fn records(state: &StateDir) -> Vec<Record> {
    Store::open(&state.store()).unwrap().load().unwrap()
}

fn remove(states: &[&StateDir]) {
    for state in states {
        remove_all(state.path()).unwrap();
    }
}

/// OPS-STATE: what was saved is what is loaded, keys and all, for its user alone.
#[test]
fn a_lab_comes_back_elsewhere() {
    let (from, file) = saved("from");
    let to = scratch("to");
    let loaded = load(&file, &to, false).unwrap();
    assert_eq!(records(&to), records(&from));
    assert_eq!(loaded.records, records(&from).len());
    let keys = |state| Credentials::load(state).unwrap().unwrap();
    assert!(keys(&to) == keys(&from));
    for path in [to.store(), to.credentials()] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o077, 0);
    }
    let left = fs::read_dir(to.path()).unwrap().count();
    assert_eq!(left, 3, "the store, the keys and the lock");
    remove(&[&from, &to]);
}

/// OPS-STATE: a state is replaced only when that is asked for, and never under a running lab.
#[test]
fn what_is_there_is_not_lost_by_accident() {
    let (state, file) = saved("there");
    let before = records(&state);
    let refused = load(&file, &state, false);
    assert!(matches!(refused, Err(SnapshotError::Occupied(_))));
    let lock = StateLock::take(&state).unwrap();
    let refused = load(&file, &state, true);
    assert!(matches!(refused, Err(SnapshotError::Running)));
    let refused = save_stopped(&state, Vec::new());
    assert!(matches!(refused, Err(SnapshotError::Running)));
    drop(lock);
    Store::open(&state.store())
        .unwrap()
        .commit(&[RecordChange {
            table: "kube".into(),
            key: "later".into(),
            value: Some(b"1".to_vec()),
        }])
        .unwrap();
    load(&file, &state, true).unwrap();
    assert_eq!(records(&state), before);
    remove(&[&state]);
}

/// A file that is cut, changed or of another kind is refused, and the state stays as it was.
#[test]
fn damage_is_found() {
    let (state, file) = saved("damage");
    let before = records(&state);
    let text = String::from_utf8(file.clone()).unwrap();
    for end in [0, 1, file.len() / 2, file.len() - 2] {
        assert!(load(&file[..end], &state, true).is_err(), "cut at {end}");
    }
    let lines: Vec<&str> = text.lines().collect();
    let without = |gone: usize| {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != gone);
        kept.map(|(_, line)| format!("{line}\n"))
            .collect::<String>()
    };
    for gone in 0..lines.len() {
        assert!(load(without(gone).as_bytes(), &state, true).is_err());
    }
    let other = text.replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(
        load(other.as_bytes(), &state, true),
        Err(SnapshotError::Version { version: 2, .. })
    ));
    assert!(matches!(
        load(b"PK\x03\x04 something else", &state, true),
        Err(SnapshotError::Foreign)
    ));
    assert_eq!(records(&state), before);
    remove(&[&state]);
}

/// A snapshot can't write anywhere else.
#[test]
fn only_a_labs_own_files_are_written() {
    let state = scratch("foreign");
    let outside = state.path().with_extension("outside");
    let snapshot = Snapshot {
        files: vec![(
            format!("../{}", outside.file_name().unwrap().display()),
            b"x".to_vec(),
        )],
        records: Vec::new(),
    };
    assert!(matches!(
        snapshot.load(&state, false),
        Err(SnapshotError::Damaged(_))
    ));
    assert!(!outside.exists() && !state.store().exists());
    remove(&[&state]);
}
