//! What is mounted in a container, and what its root file system is.

use crate::node::{exec, node, on, run, sandbox, shell, start};
use crate::trials;
use kernel::container::{ContainerSpec, Mount, Root, Sandbox, Source};
use kernel::guest::{ExecError, Exit, Guest, PathError, PathKind};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

trials![
    the_labs_directories_are_mounted,
    read_only_mounts_stay_so,
    files_are_mounted_over_files,
    the_nodes_paths_are_the_nodes,
    no_link_leads_out_of_the_nodes_files,
    no_link_leads_through_the_labs_paths,
    memory_is_limited_and_fresh,
    mounts_lie_in_mounts,
    a_read_only_root_has_writable_volumes,
    shared_memory_is_the_pods,
    layers_make_a_root,
    an_image_cannot_redirect_what_is_mounted,
    the_nodes_paths_are_made_as_asked,
    a_node_keeps_its_own_state,
];

/// A directory of the lab's own.
fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = PathBuf::from(format!("/run/skylab/test-{number}"));
    fs::create_dir(&path).expect("a directory");
    path
}

fn mount(source: Source, target: &str) -> Mount {
    Mount {
        source,
        target: target.into(),
        read_only: false,
    }
}

fn with(words: &str, mounts: Vec<Mount>) -> ContainerSpec {
    ContainerSpec {
        mounts,
        ..shell(words)
    }
}

fn pod() -> (Guest, Sandbox) {
    let node = node();
    let sandbox = sandbox(&node, "web");
    (node, sandbox)
}

fn says(sandbox: &Sandbox, spec: &ContainerSpec) -> String {
    let (exit, text) = run(sandbox, spec);
    assert_eq!(exit, Exit::Code(0), "{text}");
    text
}

/// K8S-RUN
fn the_labs_directories_are_mounted() {
    let (_node, sandbox) = pod();
    let volume = directory();
    fs::write(volume.join("in"), "given\n").expect("a file");
    let words = "cat /data/in; echo taken > /data/out";
    let spec = with(words, vec![mount(Source::Lab(volume.clone()), "/data")]);
    assert_eq!(says(&sandbox, &spec), "given\n");
    let out = fs::read_to_string(volume.join("out"));
    assert_eq!(out.expect("a file"), "taken\n");
}

/// K8S-RUN
fn read_only_mounts_stay_so() {
    let (_node, sandbox) = pod();
    let volume = directory();
    let data = Mount {
        read_only: true,
        ..mount(Source::Lab(volume.clone()), "/data")
    };
    let spec = with("echo x > /data/x", vec![data]);
    let (exit, text) = run(&sandbox, &spec);
    assert_eq!(exit, Exit::Code(2));
    assert!(text.contains("Read-only file system"), "{text}");
    assert!(!volume.join("x").exists());
}

/// K8S-RUN
fn files_are_mounted_over_files() {
    let (_node, sandbox) = pod();
    let volume = directory();
    let hosts = volume.join("hosts");
    fs::write(&hosts, "10.0.0.1 web\n").expect("a file");
    let mounts = vec![
        mount(Source::Lab(hosts.clone()), "/etc/hosts"),
        mount(Source::Lab(hosts), "/opt/new/hosts"),
    ];
    let text = says(&sandbox, &with("cat /etc/hosts /opt/new/hosts", mounts));
    assert_eq!(text, "10.0.0.1 web\n10.0.0.1 web\n");
}

/// K8S-RUN
fn the_nodes_paths_are_the_nodes() {
    let (node, sandbox) = pod();
    let (exit, _) = on(
        &node,
        "mkdir -p /var/lib/plugin; echo hi > /var/lib/plugin/a",
    );
    assert_eq!(exit, Exit::Code(0));
    let source = Source::Node("/var/lib/plugin".into());
    let spec = with(
        "cat /plugin/a; echo there > /plugin/b",
        vec![mount(source, "/plugin")],
    );
    assert_eq!(says(&sandbox, &spec), "hi\n");
    assert_eq!(on(&node, "cat /var/lib/plugin/b").1, "there\n");
    assert!(!Path::new("/var/lib/plugin").exists());
}

/// OPS-SAFE
fn no_link_leads_out_of_the_nodes_files() {
    let (node, sandbox) = pod();
    let kept = directory();
    fs::write(kept.join("secret"), "the lab's").expect("a file");
    let words = format!(
        "ln -s ../../../../../../..{} /srv/up; ln -s /proc/1/root /srv/magic; ln -s /etc/hostname /srv/name",
        kept.display()
    );
    assert_eq!(on(&node, &words).0, Exit::Code(0));
    for out in ["/srv/up", "/srv/magic"] {
        let spec = with("true", vec![mount(Source::Node(out.into()), "/data")]);
        let (streams, _output) = crate::node::streams();
        let refused = sandbox.start(&spec, streams).expect_err("no such place");
        assert!(matches!(refused, ExecError::Factory(_)), "{refused}");
    }
    let spec = with(
        "cat /data",
        vec![mount(Source::Node("/srv/name".into()), "/data")],
    );
    let name = fs::read_to_string("/etc/hostname").expect("a name");
    assert_eq!(says(&sandbox, &spec), name);
}

/// OPS-SAFE
fn no_link_leads_through_the_labs_paths() {
    let (_node, sandbox) = pod();
    let volume = directory();
    symlink("/etc", volume.join("away")).expect("a link");
    let source = Source::Lab(volume.join("away"));
    let spec = with("true", vec![mount(source, "/data")]);
    let (streams, _output) = crate::node::streams();
    let refused = sandbox.start(&spec, streams).expect_err("a link");
    assert!(refused.to_string().contains("failed to mount"), "{refused}");
}

/// K8S-RUN
fn memory_is_limited_and_fresh() {
    let (_node, sandbox) = pod();
    let words = "ls -A /cache | wc -l; head -c 2000000 /dev/zero > /cache/big";
    let spec = with(words, vec![mount(Source::Memory(Some(1 << 20)), "/cache")]);
    let (exit, text) = run(&sandbox, &spec);
    assert_eq!(exit, Exit::Code(1));
    assert!(
        text.starts_with("0\n") && text.contains("No space left"),
        "{text}"
    );
}

/// K8S-RUN
fn mounts_lie_in_mounts() {
    let (_node, sandbox) = pod();
    let (outer, inner) = (directory(), directory());
    fs::write(inner.join("x"), "deep\n").expect("a file");
    let mounts = vec![
        mount(Source::Lab(outer.clone()), "/data"),
        mount(Source::Lab(inner), "/data/below"),
    ];
    assert_eq!(says(&sandbox, &with("cat /data/below/x", mounts)), "deep\n");
    assert!(outer.join("below").is_dir());
}

/// K8S-RUN
fn a_read_only_root_has_writable_volumes() {
    let (_node, sandbox) = pod();
    let volume = directory();
    let words = "for d in / /etc /usr/bin /tmp /run; do touch $d/x 2>/dev/null && echo $d; done
        touch /srv/data/x /dev/shm/x && echo volumes";
    let spec = ContainerSpec {
        read_only_root: true,
        ..with(words, vec![mount(Source::Lab(volume), "/srv/data")])
    };
    assert_eq!(says(&sandbox, &spec), "volumes\n");
}

/// K8S-RUN
fn shared_memory_is_the_pods() {
    let (_node, sandbox) = pod();
    let memory = || vec![mount(sandbox.shared_memory(), "/dev/shm")];
    says(&sandbox, &with("echo hello > /dev/shm/x", memory()));
    assert_eq!(says(&sandbox, &with("cat /dev/shm/x", memory())), "hello\n");
    assert_eq!(
        says(
            &sandbox,
            &with("df -m --output=size /dev/shm | tail -1", memory())
        )
        .trim(),
        "64"
    );
}

/// Layers with the machine's own shell: its static parts are whatever it links to.
fn layers() -> Vec<PathBuf> {
    let base = directory();
    for file in crate::node::shell_files() {
        let target = base.join(file.strip_prefix("/").expect("absolute"));
        fs::create_dir_all(target.parent().expect("a parent")).expect("a directory");
        fs::copy(file, target).expect("a copy");
    }
    fs::create_dir(base.join("app")).expect("a directory");
    for (name, text) in [
        ("kept", "from below\n"),
        ("changed", "below\n"),
        ("removed", ""),
    ] {
        fs::write(base.join("app").join(name), text).expect("a file");
    }
    let top = directory();
    fs::create_dir(top.join("app")).expect("a directory");
    fs::write(top.join("app/changed"), "above\n").expect("a file");
    let whiteout = top.join("app/removed");
    nix::sys::stat::mknod(
        &whiteout,
        nix::sys::stat::SFlag::S_IFCHR,
        nix::sys::stat::Mode::empty(),
        0,
    )
    .expect("a whiteout");
    vec![top, base]
}

/// K8S-RUN
fn layers_make_a_root() {
    let (_node, sandbox) = pod();
    let layers = layers();
    let words = "while read line; do echo $line; done < /app/kept
        while read line; do echo $line; done < /app/changed
        test -e /app/removed || echo removed
        echo /*; echo new > /app/new; test -c /dev/null && test -d /proc/1 && echo more";
    let spec = ContainerSpec {
        root: Root::Layers(layers.clone()),
        ..shell(words)
    };
    let text = says(&sandbox, &spec);
    assert!(
        text.starts_with("from below\nabove\nremoved\n/app /bin /dev"),
        "{text}"
    );
    assert!(text.ends_with("more\n"), "{text}");
    assert!(layers.iter().all(|layer| !layer.join("app/new").exists()));
}

/// OPS-SAFE
fn an_image_cannot_redirect_what_is_mounted() {
    let (_node, sandbox) = pod();
    let outside = directory();
    for name in ["dev", "proc", "sys"] {
        let mut layers = layers();
        let evil = directory();
        symlink(&outside, evil.join(name)).expect("a link");
        layers.insert(0, evil);
        let spec = ContainerSpec {
            root: Root::Layers(layers),
            ..shell("true")
        };
        let (streams, _output) = crate::node::streams();
        let refused = sandbox.start(&spec, streams).expect_err("no directory");
        assert!(refused.to_string().contains(name), "{refused}");
    }
    // A link in the way of a volume leads to a place in the image.
    let mut layers = layers();
    let evil = directory();
    symlink(&outside, evil.join("data")).expect("a link");
    layers.insert(0, evil);
    let volume = directory();
    let spec = ContainerSpec {
        root: Root::Layers(layers),
        ..with(
            "echo x > /data/inner/x",
            vec![mount(Source::Lab(volume), "/data/inner")],
        )
    };
    let (streams, _output) = crate::node::streams();
    let started = sandbox.start(&spec, streams);
    if let Ok(container) = started {
        container.process().wait().expect("an end");
    }
    assert_eq!(fs::read_dir(&outside).expect("a directory").count(), 0);
}

/// K8S-RUN
fn the_nodes_paths_are_made_as_asked() {
    let node = node();
    let files = node.files();
    let path = |text: &str| PathBuf::from(text);
    files
        .ensure(&path("/var/lib/x/y"), PathKind::DirectoryOrCreate)
        .expect("a directory");
    files
        .ensure(&path("/var/lib/x/y/f"), PathKind::FileOrCreate)
        .expect("a file");
    assert_eq!(
        on(&node, "stat -c '%a %F' /var/lib/x/y /var/lib/x/y/f").1,
        "755 directory\n644 regular empty file\n"
    );
    let refused = files.ensure(&path("/var/lib/x/y/f"), PathKind::Directory);
    let refused = refused.expect_err("a file");
    assert!(matches!(refused, PathError::Kind { .. }));
    let words = "hostPath type check failed: /var/lib/x/y/f is not a directory";
    assert_eq!(refused.to_string(), words);
    assert!(files.ensure(&path("/nothing"), PathKind::File).is_err());
    assert!(
        files
            .ensure(&path("/dev/null"), PathKind::CharDevice)
            .is_ok()
    );
    on(&node, "ln -s /../../etc /srv/etc; mkfifo /srv/pipe");
    assert!(files.read(&path("/srv/etc/hostname")).is_ok());
    assert!(files.read(&path("/srv/pipe")).is_err());
    files
        .write(&path("/etc/cni/net.d/10-x.conf"), b"{}", 0o600)
        .expect("a file");
    let names = files.list(&path("/etc/cni/net.d")).expect("names");
    assert!(names.contains(&"10-x.conf".into()));
    assert_eq!(on(&node, "cat /etc/cni/net.d/10-x.conf").1, "{}");
    let container = exec_in_new_pod(&node);
    assert_eq!(container, Exit::Code(0));
}

/// What the lab wrote in the node's files is there for a pod that mounts them.
fn exec_in_new_pod(node: &Guest) -> Exit {
    let sandbox = sandbox(node, "reader");
    let source = Source::Node("/etc/cni".into());
    let spec = with("echo; exec sleep 1000", vec![mount(source, "/host/cni")]);
    let container = start(&sandbox, &spec);
    exec(&container, "test -s /host/cni/net.d/10-x.conf").0
}

/// A machine that is a node itself lends nothing to the lab's; what a node keeps survives its reboot.
fn a_node_keeps_its_own_state() {
    let node = node();
    let state = "/etc/cni /etc/kubernetes /opt/cni /var/lib/cni /var/lib/kubelet /var/log/pods";
    assert_eq!(on(&node, &format!("find {state} -mindepth 1")).1, "");
    on(&node, "mkdir /etc/cni/net.d; echo kept > /etc/cni/net.d/x");
    let disk = node.disk().clone();
    drop(node);
    let again = crate::node::node_on(disk);
    assert_eq!(on(&again, "cat /etc/cni/net.d/x").1, "kept\n");
}
