//! What pods cost: the time from asking to a running program, beside `crun` on the same files in the same
//! run where the machine has it, and what a thousand pods hold.

#![allow(clippy::expect_used, clippy::print_stdout)]

#[allow(dead_code)] // the tests use all of it
#[path = "../tests/pods/world.rs"]
mod world;

use cri::{ContainerId, ContainerSpec, Runtime, SandboxId};
use runtime::{ImageConfig, NodeRuntime};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use world::*;

const ROUNDS: u32 = 50;

fn main() {
    world::look_for_shell();
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let count = wanted.iter().find_map(|word| word.parse().ok());
    let peer = crun();
    kernel::testing::run_inside(move |inside| {
        use_factory(inside.factory);
        println!(
            "{:44} {:>9} {:>7}",
            "from asking to running", "median", "ratio"
        );
        let layers = start_times(true);
        if let Some(peer) = peer {
            print("crun create and crun start, for comparison", peer, layers);
        }
        print("a container over an image's layer", layers, layers);
        print(
            "a container over the machine's files",
            start_times(false),
            layers,
        );
        print("a sandbox on its node's network", sandbox_times(), layers);
        for layers in [true, false] {
            many(count.unwrap_or(200), layers);
        }
        ExitCode::SUCCESS
    })
}

fn print(what: &str, time: Duration, beside: Duration) {
    let ratio = time.as_secs_f64() / beside.as_secs_f64();
    println!(
        "{what:44} {:>7.2}ms {ratio:>6.1}x",
        time.as_secs_f64() * 1000.0
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A program that sleeps until it is killed.
fn sleeper(layers: bool) -> ContainerSpec {
    ContainerSpec {
        image: if layers { "shell" } else { runtime::HOST_IMAGE }.to_owned(),
        command: ["/bin/sh", "-c", "read forever"]
            .map(str::to_owned)
            .to_vec(),
        stdin: true,
        log: None,
        ..shell("")
    }
}

fn bench_node() -> NodeRuntime {
    let mut images = Images::default();
    let root = image(ImageConfig::default(), &[]);
    images.0.insert("shell".to_owned(), root);
    node_with(images)
}

fn start_times(layers: bool) -> Duration {
    let node = bench_node();
    let sandbox = node
        .run_sandbox(&on_host_network("bench"))
        .expect("a sandbox");
    let times = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        let id = start(&node, &sandbox.id, &sleeper(layers));
        let time = began.elapsed();
        node.stop_container(&id, Duration::ZERO).expect("an end");
        node.remove_container(&id).expect("it is gone");
        time
    });
    median(times.collect())
}

fn sandbox_times() -> Duration {
    let node = bench_node();
    let times = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        let sandbox = node
            .run_sandbox(&on_host_network("bench"))
            .expect("a sandbox");
        let time = began.elapsed();
        node.remove_sandbox(&sandbox.id).expect("it is gone");
        time
    });
    median(times.collect())
}

/// `crun create` and `crun start` of the same shell over the same files. `None` where the machine has no
/// `crun`, or it does not work here.
fn crun() -> Option<Duration> {
    let bundle = PathBuf::from(format!("/tmp/skylab-bench-{}", std::process::id()));
    let root = bundle.join("rootfs");
    fs::create_dir_all(&root).ok()?;
    for file in world::shell_files() {
        let target = root.join(file.strip_prefix("/").ok()?);
        fs::create_dir_all(target.parent()?).ok()?;
        fs::copy(file, target).ok()?;
    }
    // Some versions refuse machines with control groups of both versions: in a view of its own the newer
    // one is taken away.
    let words = format!(
        "umount /sys/fs/cgroup/unified 2>/dev/null
        crun spec && sed -i 's/\"terminal\": true/\"terminal\": false/; s/\"sh\"/\"\\/bin\\/sh\", \"-c\", \"read x\"/' config.json
        for round in $(seq {ROUNDS}); do
            name=skylab-bench-$$-$round
            began=$(date +%s%N)
            crun create $name < /dev/zero > /dev/null && crun start $name || exit 1
            echo $(($(date +%s%N) - began))
            crun delete --force $name
        done"
    );
    let mut command = Command::new("unshare");
    let output = command
        .args(["-m", "sh", "-c", &words])
        .current_dir(&bundle)
        .output();
    fs::remove_dir_all(&bundle).ok()?;
    let output = output.ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let times = text.lines().filter_map(|line| line.parse().ok());
    Some(median(times.map(Duration::from_nanos).collect()))
}

/// Many pods at once: how long they take, and what they hold.
fn many(count: usize, layers: bool) {
    let node = bench_node();
    let before = Held::now();
    let began = Instant::now();
    let pods: Vec<(SandboxId, ContainerId)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let node = &node;
                scope.spawn(move || {
                    (worker..count)
                        .step_by(4)
                        .map(|number| pod_of(node, number, layers))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let pods = workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("pods"));
        pods.collect()
    });
    let took = began.elapsed();
    let after = Held::now();
    let each = |before: usize, after: usize| after.saturating_sub(before) as f64 / count as f64;
    println!(
        "{count} pods over {}: {:.1} ms each; the lab's process {:.1} descriptors, {:.1} threads and {:.0} KiB each, a pod's two processes {:.0} KiB (PSS), the kernel {:.0} KiB",
        if layers {
            "an image's layer"
        } else {
            "the machine's files"
        },
        took.as_secs_f64() * 1000.0 / count as f64,
        each(before.descriptors, after.descriptors),
        each(before.threads, after.threads),
        each(before.resident, after.resident),
        each(before.others, after.others),
        each(before.kernel, after.kernel),
    );
    let began = Instant::now();
    for (sandbox, _) in &pods {
        node.remove_sandbox(sandbox).expect("it is gone");
    }
    let each = began.elapsed().as_secs_f64() * 1000.0 / count as f64;
    println!("  removed: {each:.1} ms each");
}

fn pod_of(node: &NodeRuntime, number: usize, layers: bool) -> (SandboxId, ContainerId) {
    let spec = on_host_network(&format!("pod-{number}"));
    let sandbox = node.run_sandbox(&spec).expect("a sandbox");
    let container = start(node, &sandbox.id, &sleeper(layers));
    (sandbox.id, container)
}

/// What is held now.
struct Held {
    descriptors: usize,
    threads: usize,
    /// Of this process, in KiB.
    resident: usize,
    /// Of all others in the lab, shares of what they share, in KiB.
    others: usize,
    /// Of the kernel, unreclaimable, in KiB.
    kernel: usize,
}

impl Held {
    fn now() -> Self {
        let count = |path: &str| fs::read_dir(path).expect("a directory").count();
        let number = |path: &Path, word: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let lines = text.lines().filter_map(|line| line.strip_prefix(word));
            let numbers = lines.filter_map(|line| {
                line.trim_start_matches(':')
                    .split_whitespace()
                    .next()?
                    .parse::<usize>()
                    .ok()
            });
            numbers.sum::<usize>()
        };
        let processes = fs::read_dir("/proc").expect("processes").flatten();
        let others = processes
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.parse::<u32>()
                    .is_ok_and(|pid| pid != std::process::id())
            })
            .map(|entry| number(&entry.path().join("smaps_rollup"), "Pss:"))
            .sum();
        let memory = Path::new("/proc/meminfo");
        let kernel = ["SUnreclaim:", "KernelStack:", "PageTables:", "Percpu:"];
        Self {
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            resident: number(Path::new("/proc/self/status"), "VmRSS"),
            others,
            kernel: kernel.iter().map(|word| number(memory, word)).sum(),
        }
    }
}
