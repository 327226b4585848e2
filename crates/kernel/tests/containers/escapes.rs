//! What must not work: from a container, a privileged one, a network plugin, a node.

use crate::node::{SECRET, as_plugin, exec, has_users, keys, node, on, run, sandbox, shell, start};
use crate::trials;
use kernel::container::{Capabilities, ContainerSpec, Rights, SandboxSpec, User};
use kernel::guest::Exit;
use std::fs;
use std::os::unix::fs::PermissionsExt;

trials![
    a_container_cannot_touch_the_machine,
    a_privileged_container_cannot_touch_the_machine,
    a_plugin_cannot_touch_the_machine,
    an_ordinary_user_cannot_touch_the_machine,
    a_plugin_enters_pods_networks,
    a_privileged_container_commands_its_network,
    nobody_sees_the_machine_while_a_container_is_made,
    first_processes_keep_nothing_of_the_factorys,
];

/// Words that try everything; what worked is printed.
fn attempts() -> String {
    format!(
        "
try() {{ name=$1; shift; \"$@\" >/dev/null 2>&1 && echo \"$name worked\"; }}
put() {{ echo \"$2\" > \"$1\"; }}
own() {{ unshare -Urm sh -c \"$1\"; }}
try core put /proc/sys/kernel/core_pattern '|/bin/true'
try swappiness put /proc/sys/vm/swappiness 1
try sysrq put /proc/sysrq-trigger h
try pressure put /proc/irq/default_smp_affinity 1
try host-name put /proc/sys/kernel/hostname x
try null chmod 600 /dev/null
try null-owner chown 1 /dev/null
try zero touch -d 2000-01-01 /dev/zero
try unmask umount /proc/sys
try unmask-lazily umount -l /proc/sys/kernel
try unmask-kcore umount /proc/kcore
try remount mount -o remount,rw,bind /proc/sys
try remount-sys mount -o remount,rw /sys
try sys put /sys/kernel/mm/transparent_hugepage/enabled always
try fresh-proc mount -t proc proc /mnt
try fresh-tmpfs mount -t tmpfs x /mnt
try root-bind mount --bind / /mnt
try new-root sh -c 'mkdir -p /mnt/n && cd /mnt && pivot_root . n'
try own-unmask own 'umount /proc/sys && echo x > /proc/sys/kernel/core_pattern'
try own-proc own 'mount -t proc proc /mnt && echo x > /mnt/sys/kernel/core_pattern'
try own-pid-proc unshare -Urpmf sh -c 'mount -t proc proc /mnt && echo x > /mnt/sys/kernel/core_pattern'
try own-remount own 'mount -o remount,rw,bind /proc/sys && echo x > /proc/sys/kernel/core_pattern'
try disk sh -c 'mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk'
try memory sh -c 'mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem'
try kmem head -c 1 /proc/kcore
try keys cat {keys}/key
try keys-through-init cat /proc/1/root{keys}/key
try keys-through-cwd cat /proc/1/cwd{keys}/key
try module insmod /lib/modules/x.ko
true
",
        keys = keys().display()
    )
}

/// The switches that attempts would change, and the devices.
fn machine() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mode = |path: &str| format!("{:?}", fs::metadata(path).map(|m| m.permissions().mode()));
    vec![
        read("/proc/sys/kernel/core_pattern"),
        read("/proc/sys/vm/swappiness"),
        mode("/dev/null"),
        mode("/dev/zero"),
        read("/sys/kernel/mm/transparent_hugepage/enabled"),
    ]
}

fn assert_nothing_worked(before: &[String], (exit, text): (Exit, String)) {
    assert_eq!(exit, Exit::Code(0), "{text}");
    assert_eq!(text, "");
    assert_eq!(machine(), before);
    assert_eq!(
        fs::read_to_string(keys().join("key")).expect("the keys"),
        SECRET
    );
}

/// OPS-SAFE
fn a_container_cannot_touch_the_machine() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let before = machine();
    assert_nothing_worked(&before, run(&sandbox, &shell(&attempts())));
    let container = start(&sandbox, &shell("echo; exec sleep 1000"));
    assert_nothing_worked(&before, exec(&container, &attempts()));
}

fn privileged(words: &str) -> ContainerSpec {
    ContainerSpec {
        rights: Rights {
            capabilities: Capabilities::ALL,
            no_new_privileges: false,
        },
        ..shell(words)
    }
}

/// OPS-SAFE
fn a_privileged_container_cannot_touch_the_machine() {
    let node = node();
    let spec = SandboxSpec {
        name: "agent".to_owned(),
        node_ipc: true,
        ..SandboxSpec::default()
    };
    let sandbox = node.sandbox(&spec).expect("a sandbox");
    let before = machine();
    assert_nothing_worked(&before, run(&sandbox, &privileged(&attempts())));
    let container = start(&sandbox, &privileged("echo; exec sleep 1000"));
    assert_nothing_worked(&before, exec(&container, &attempts()));
}

/// OPS-SAFE
fn a_plugin_cannot_touch_the_machine() {
    let node = node();
    let before = machine();
    assert_nothing_worked(&before, as_plugin(&node, &attempts()));
}

/// OPS-SAFE
fn an_ordinary_user_cannot_touch_the_machine() {
    if !has_users() {
        return;
    }
    let node = node();
    let sandbox = sandbox(&node, "web");
    let spec = ContainerSpec {
        user: User {
            user: "1000".to_owned(),
            ..User::default()
        },
        ..shell(&attempts())
    };
    assert_nothing_worked(&machine(), run(&sandbox, &spec));
}

/// K8S-NET
fn a_plugin_enters_pods_networks() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let path = sandbox.network_path().expect("a network of its own");
    let words = format!(
        "nsenter --net={path} ip link add eth0 type veth peer name host && nsenter --net={path} ip -o link | wc -l",
        path = path.display()
    );
    assert_eq!(as_plugin(&node, &words), (Exit::Code(0), "3\n".to_owned()));
    let (exit, _) = on(&node, &words);
    assert_ne!(exit, Exit::Code(0), "a node's other programs may not");
    sandbox.end().expect("the end");
    let (_, text) = on(&node, "ls -A /run/netns; ls -A /run/skylab/sandboxes");
    assert_eq!(text, "");
}

/// K8S-NET
fn a_privileged_container_commands_its_network() {
    let node = node();
    let sandbox = sandbox(&node, "agent");
    let words = "ip link add type veth && echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward";
    let (exit, text) = run(&sandbox, &privileged(words));
    assert_eq!((exit, text.as_str()), (Exit::Code(0), "1\n"));
    let (exit, _) = run(&sandbox, &shell(words));
    assert_ne!(exit, Exit::Code(0));
}

/// OPS-SAFE
fn nobody_sees_the_machine_while_a_container_is_made() {
    let node = node();
    let spy = format!(
        "while :; do for p in /proc/[0-9]*; do cat $p/root{}/key 2>/dev/null && exit 0; done; test -e /tmp/stop && exit 1; done",
        keys().display()
    );
    std::thread::scope(|scope| {
        let spying = scope.spawn(|| on(&node, &spy));
        let sandbox = sandbox(&node, "web");
        for _ in 0..40 {
            assert_eq!(run(&sandbox, &shell("true")).0, Exit::Code(0));
        }
        on(&node, "touch /tmp/stop");
        let (exit, text) = spying.join().expect("the spy");
        assert_eq!((exit, text.as_str()), (Exit::Code(1), ""));
    });
}

/// OPS-SAFE
fn first_processes_keep_nothing_of_the_factorys() {
    let node = node();
    let _sandbox = sandbox(&node, "web");
    let words = "for p in /proc/[0-9]*; do
            p=${p#/proc/}
            case $(cat /proc/$p/comm) in
            init|pause) cat /proc/$p/environ; ls /proc/$p/fd; tr '\\0' '\\n' < /proc/$p/cmdline
                awk '/^VmRSS/ { print ($2 < 64) }' /proc/$p/status;;
            esac
        done";
    assert_eq!(on(&node, words).1, "init\n1\npause\n1\n");
}
