//! Generated layers, applied by a model that knows the specification and nothing of how it is done here.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A member of a layer.
#[derive(Clone, Debug)]
enum Step {
    File(String),
    Directory(String),
    Symlink(String),
    Hide(String),
    Opaque(String),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let path = proptest::collection::vec(proptest::sample::select(vec!["a", "b", "c"]), 1..4)
        .prop_map(|parts| parts.join("/"));
    let step = (0..10, path).prop_map(|(kind, path)| match kind {
        0..4 => Step::File(path),
        4..6 => Step::Directory(path),
        6 => Step::Symlink(path),
        7..9 => Step::Hide(path),
        _ => Step::Opaque(path),
    });
    proptest::collection::vec(step, 0..7)
}

type Model = BTreeMap<PathBuf, String>;

/// Whether the path leads through something that is no directory: then the step is left out.
fn is_blocked(own: &Model, path: &Path) -> bool {
    path.ancestors()
        .skip(1)
        .any(|above| own.get(above).is_some_and(|what| what != "directory"))
}

fn apply(lower: &Model, steps: &[Step], label: usize) -> (Model, Vec<(Entry, Vec<u8>)>) {
    let (mut own, mut members) = (Model::new(), Vec::new());
    let (mut hidden, mut opaque) = (BTreeSet::new(), BTreeSet::new());
    let add_parents = |own: &mut Model, path: &Path| {
        for above in path.ancestors().skip(1).filter(|a| *a != Path::new("")) {
            own.insert(above.to_owned(), "directory".to_owned());
        }
    };
    for (at, step) in steps.iter().enumerate() {
        let (Step::File(name)
        | Step::Directory(name)
        | Step::Symlink(name)
        | Step::Hide(name)
        | Step::Opaque(name)) = step;
        let path = PathBuf::from(name);
        if is_blocked(&own, &path) {
            continue;
        }
        let text = format!("{label}.{at}");
        let (member, what) = match step {
            Step::File(_) => (file(name, &text), format!("= {text}")),
            Step::Directory(_) => (directory(name), "directory".to_owned()),
            Step::Symlink(_) => (symlink(name, &text), format!("-> {text}")),
            Step::Hide(_) => {
                let base = path.file_name().unwrap().to_str().unwrap();
                let marker = path.with_file_name(format!(".wh.{base}"));
                members.push(file(marker.to_str().unwrap(), ""));
                add_parents(&mut own, &path);
                hidden.insert(path);
                continue;
            }
            Step::Opaque(_) => {
                if own.get(&path).is_some_and(|what| what != "directory") {
                    continue;
                }
                members.push(file(&format!("{name}/.wh..wh..opq"), ""));
                add_parents(&mut own, &path.join("x"));
                opaque.insert(path);
                continue;
            }
        };
        members.push(member);
        add_parents(&mut own, &path);
        if what != "directory" {
            own.retain(|other, _| !other.starts_with(&path));
        }
        own.insert(path, what);
    }
    let mut merged: Model = lower.clone();
    merged.retain(|path, _| {
        let hidden = path.ancestors().any(|above| hidden.contains(above));
        let opaque = path.ancestors().skip(1).any(|above| opaque.contains(above));
        let replaced = path
            .ancestors()
            .any(|above| own.get(above).is_some_and(|what| what != "directory"));
        !hidden && !opaque && !replaced
    });
    // A directory that takes the place of a file shows nothing of it, and a file has nothing below.
    merged.extend(own);
    (merged, members)
}

fn check(layers: &[Vec<Step>], mount: bool) {
    let (mut model, mut image) = (Model::new(), Image::new());
    for (label, steps) in layers.iter().enumerate() {
        let (next, members) = apply(&model, steps, label);
        image.add(&members).unwrap();
        model = next;
    }
    let expected: BTreeMap<_, _> = model
        .into_iter()
        .map(|(path, what)| (path.display().to_string(), what))
        .collect();
    assert_eq!(image.shown(), expected);
    if mount && let Some(mounted) = image.mounted() {
        assert_eq!(mounted, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn layers_are_what_the_specification_says(layers in proptest::collection::vec(steps(), 1..5)) {
        check(&layers, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// K8S-RUN: and overlayfs agrees.
    #[test]
    fn mounted_layers_are_what_the_specification_says(layers in proptest::collection::vec(steps(), 2..5)) {
        check(&layers, true);
    }
}

/// Names and targets that try to lead out, `OUT` standing for a directory beside.
fn nasty() -> impl Strategy<Value = String> {
    let part = proptest::sample::select(vec![
        "a",
        "b",
        "..",
        ".",
        "",
        "OUT",
        ".wh.a",
        ".wh..wh..opq",
    ]);
    proptest::collection::vec(part, 1..6).prop_map(|parts| parts.join("/"))
}

fn nasty_members() -> impl Strategy<Value = Vec<(u8, String, String)>> {
    proptest::collection::vec((0_u8..6, nasty(), nasty()), 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// OPS-SAFE: whatever an archive says, nothing outside of its directory changes.
    #[test]
    fn no_archive_leads_out(below in nasty_members(), above in nasty_members()) {
        let outside = Directory::new();
        fs::create_dir(outside.path().join("a")).unwrap();
        fs::write(outside.path().join("b"), "safe").unwrap();
        let mode = |path: &str| fs::metadata(outside.path().join(path)).unwrap().mode();
        let modes = [mode("."), mode("a"), mode("b")];
        let mut image = Image::new();
        for layer in [below, above] {
            let out = |text: &str| text.replace("OUT", &outside.path().display().to_string());
            let members: Vec<_> = layer
                .iter()
                .map(|(kind, path, target)| {
                    let (path, target) = (out(path), out(target));
                    let mut made = match kind {
                        0 | 1 => symlink(&path, &target),
                        2 => hard_link(&path, &target),
                        3 => directory(&path),
                        _ => file(&path, "x"),
                    };
                    made.0.mode = 0o700;
                    made
                })
                .collect();
            // Many can't be unpacked; none may do harm.
            let _ = image.add(&members);
        }
        let there: BTreeSet<_> = fs::read_dir(outside.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        prop_assert_eq!(there, ["a", "b"].map(Into::into).into());
        prop_assert_eq!(fs::read_dir(outside.path().join("a")).unwrap().count(), 0);
        prop_assert_eq!(fs::read_to_string(outside.path().join("b")).unwrap(), "safe");
        prop_assert_eq!([mode("."), mode("a"), mode("b")], modes);
        prop_assert_eq!(fs::metadata(outside.path().join("b")).unwrap().nlink(), 1);
    }
}
