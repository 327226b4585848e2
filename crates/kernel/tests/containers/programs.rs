//! As whom and how a container's program runs.

use crate::node::{exec, has_users, node, run, sandbox, shell, start, streams};
use crate::trials;
use kernel::container::{Capabilities, ContainerSpec, Pids, Rights, SandboxSpec, User};
use kernel::guest::{ExecError, Exit};
use std::fs::File;
use std::io::{Read, Write};

trials![
    a_user_is_a_number_or_a_name,
    rights_are_the_ones_given,
    no_new_privileges_hold,
    a_program_that_is_not_there_is_told,
    the_directory_is_made,
    terminals_work,
    pids_can_be_shared,
    a_sandbox_can_share_its_nodes_network,
    switches_are_set,
    nobody_is_left_behind,
];

fn user(user: &str, group: &str) -> User {
    User {
        user: user.to_owned(),
        group: group.to_owned(),
        groups: vec![3000],
        not_root: true,
    }
}

/// K8S-RUN
fn a_user_is_a_number_or_a_name() {
    if !has_users() {
        return;
    }
    let node = node();
    let sandbox = sandbox(&node, "web");
    for (user, said) in [
        (user("54321", "2000"), "54321 2000 2000 3000 /\n"),
        (user("daemon", ""), "1 1 1 3000 /usr/sbin\n"),
    ] {
        let spec = ContainerSpec {
            user,
            ..shell("echo $(id -u) $(id -g) $(id -G) $HOME")
        };
        assert_eq!(run(&sandbox, &spec).1, said);
    }
    let spec = ContainerSpec {
        user: user("0", ""),
        ..shell("true")
    };
    let (streams, _output) = streams();
    let refused = sandbox.start(&spec, streams).expect_err("root");
    assert!(refused.to_string().contains("runAsNonRoot"), "{refused}");
}

/// K8S-RUN
fn rights_are_the_ones_given() {
    if !has_users() {
        return;
    }
    let node = node();
    let sandbox = sandbox(&node, "web");
    let effective = |capabilities: Capabilities, user: User| {
        let spec = ContainerSpec {
            rights: Rights {
                capabilities,
                no_new_privileges: false,
            },
            user,
            ..shell("grep -E '^Cap(Eff|Bnd)' /proc/self/status")
        };
        run(&sandbox, &spec).1
    };
    let default = Capabilities::of_containers();
    let root = User::default();
    let both = |bits: &str| format!("CapEff:\t{bits}\nCapBnd:\t{bits}\n");
    assert_eq!(effective(default, root.clone()), both("00000000a80425fb"));
    let admin = default.with("NET_ADMIN").expect("a name");
    assert_eq!(effective(admin, root.clone()), both("00000000a80435fb"));
    let none = default.without("ALL").expect("a name");
    assert_eq!(effective(none, root), both("0000000000000000"));
    let other = effective(default, user("1000", ""));
    assert!(other.starts_with("CapEff:\t0000000000000000"), "{other}");
}

/// K8S-RUN
fn no_new_privileges_hold() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let words = "cp /bin/sh /tmp/sh; chmod 4755 /tmp/sh; grep NoNewPrivs /proc/self/status";
    let mut spec = shell(words);
    spec.rights.no_new_privileges = true;
    assert_eq!(run(&sandbox, &spec).1, "NoNewPrivs:\t1\n");
}

/// K8S-RUN
fn a_program_that_is_not_there_is_told() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let start = |program: &str| {
        let spec = ContainerSpec {
            arguments: vec![program.to_owned()],
            ..shell("")
        };
        let (streams, _output) = streams();
        sandbox.start(&spec, streams).expect_err("no program")
    };
    let missing = start("no-such-program");
    assert!(matches!(missing, ExecError::NotFound { .. }), "{missing}");
    let not_executable = start("/etc/hostname");
    assert!(
        matches!(not_executable, ExecError::NotExecutable { .. }),
        "{not_executable}"
    );
}

/// K8S-RUN
fn the_directory_is_made() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let spec = ContainerSpec {
        directory: "/srv/app/here".to_owned(),
        ..shell("pwd")
    };
    assert_eq!(run(&sandbox, &spec).1, "/srv/app/here\n");
}

/// K8S-RUN
fn terminals_work() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let spec = shell("tty; read word; echo got $word");
    let (container, terminal) = sandbox.start_on_terminal(&spec).expect("a container");
    let mut terminal = File::from(terminal);
    terminal.write_all(b"this\n").expect("a terminal");
    let mut said = Vec::new();
    // A terminal whose program ended can't be read.
    let _ = terminal.read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.contains("/dev/pts/0") && said.contains("got this"),
        "{said}"
    );
    assert_eq!(container.process().wait().expect("an end"), Exit::Code(0));
}

/// K8S-RUN
fn pids_can_be_shared() {
    let node = node();
    let spec = SandboxSpec {
        name: "shared".to_owned(),
        hostname: Some("shared".to_owned()),
        shared_pids: true,
        ..SandboxSpec::default()
    };
    let sandbox = node.sandbox(&spec).expect("a sandbox");
    let with = |words, pids| ContainerSpec {
        pids,
        ..shell(words)
    };
    let sleeping = start(&sandbox, &with("echo; exec sleep 1000", Pids::Sandbox));
    let (_, text) = run(&sandbox, &with("cat /proc/[0-9]*/comm", Pids::Sandbox));
    assert_eq!(text, "pause\nsleep\nsh\n");
    let (_, text) = run(&sandbox, &with("cat /proc/[0-9]*/comm", Pids::Own));
    assert_eq!(text, "sh\n");
    let (_, text) = run(&sandbox, &with("cat /proc/[0-9]*/comm", Pids::Node));
    assert!(
        text.starts_with("init\n") && text.contains("sleep"),
        "{text}"
    );
    // The first process reaps whom others leave behind.
    let orphan =
        "(sh -c 'true & exec true' &) ; sleep 0.2; grep -l '^State:.Z' /proc/[0-9]*/status";
    assert_eq!(exec(&sleeping, orphan).1, "");
}

/// K8S-RUN
fn a_sandbox_can_share_its_nodes_network() {
    let node = node();
    let spec = SandboxSpec {
        name: "host".to_owned(),
        ..SandboxSpec::default()
    };
    let sandbox = node.sandbox(&spec).expect("a sandbox");
    assert_eq!(sandbox.network_path(), None);
    let (_, inside) = run(&sandbox, &shell("readlink /proc/self/ns/net; hostname"));
    let (_, outside) = crate::node::on(&node, "readlink /proc/self/ns/net; hostname");
    assert_eq!(inside, outside);
}

/// K8S-RUN
fn switches_are_set() {
    let node = node();
    let spec = SandboxSpec {
        name: "switched".to_owned(),
        hostname: Some("switched".to_owned()),
        switches: vec![
            (
                "net.ipv4.ip_unprivileged_port_start".to_owned(),
                "0".to_owned(),
            ),
            ("kernel.shm_rmid_forced".to_owned(), "1".to_owned()),
        ],
        ..SandboxSpec::default()
    };
    let sandbox = node.sandbox(&spec).expect("a sandbox");
    let words =
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced";
    assert_eq!(run(&sandbox, &shell(words)).1, "0\n1\n");
    let (_, text) = crate::node::on(&node, words);
    assert_eq!(text, "1024\n0\n");
}

/// The factory and the lab keep nothing of what has ended.
fn nobody_is_left_behind() {
    let node = node();
    let sandbox = sandbox(&node, "web");
    let count = || {
        let all = std::fs::read_dir("/proc").expect("processes");
        all.flatten()
            .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
            .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
            .filter(|stat| stat.contains(") Z "))
            .count()
    };
    for _ in 0..20 {
        assert_eq!(run(&sandbox, &shell("true")).0, Exit::Code(0));
    }
    // The last ones may just be ending.
    let gone = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        count() == 0
    });
    assert!(gone, "{} are left", count());
}
