//! A harness for tests with packets: it enters the lab's namespaces before it starts a thread.
//!
//! A test binary with `harness = false` calls [`run_inside`] from `main` and runs its trials there.
//! [`pod_link`] does for such tests what a CNI plugin does on a node.

use crate::launch::{self, Inside, LaunchOptions};
use crate::namespace::NetNs;
use crate::netlink::NetlinkError;
use crate::netlink::nftables;
use crate::netlink::route::link::VethEnd;
use crate::netlink::route::route::{Action, KernelRoute};
use crate::netlink::route::{address, link, neighbour};
use crate::netlink::socket::{Family, Socket};
use fabric::Mac;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::process::ExitCode;

/// Names a module's tests: a function `trials` gives them, each by its function's name. For crates that
/// have `libtest_mimic`.
#[macro_export]
macro_rules! trials {
    ($($test:ident),* $(,)?) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            vec![$(libtest_mimic::Trial::test(stringify!($test), || {
                $test();
                Ok(())
            })),*]
        }
    };
}

/// Runs the tests of modules that have [`trials!`] inside namespaces, after something that is given the
/// [`Inside`](crate::launch::Inside); for `main`, whose last words it is.
#[macro_export]
macro_rules! run_trials {
    ([$($module:ident),* $(,)?], $prepare:expr) => {
        $crate::run_trials!([$($module),*], Vec::new(), $prepare, || ())
    };
    ([$($module:ident),* $(,)?], $hidden:expr, $prepare:expr, $after:expr) => {{
        let arguments = libtest_mimic::Arguments::from_args();
        let mut trials = Vec::new();
        $(trials.extend($module::trials());)*
        if arguments.list {
            return libtest_mimic::run(&arguments, trials).exit_code();
        }
        $crate::testing::run_inside_hiding($hidden, move |inside| {
            $prepare(inside);
            let conclusion = libtest_mimic::run(&arguments, trials);
            $after();
            conclusion.exit_code()
        })
    }};
}

/// Runs `tests` inside namespaces and ends the process with its result. Where namespaces are
/// forbidden it says so and succeeds, unless `SKYLAB_REQUIRE_NAMESPACES` is set.
pub fn run_inside(tests: impl FnOnce(Inside) -> ExitCode) -> ! {
    run_inside_hiding(Vec::new(), tests)
}

/// As [`run_inside`]; guests must not see these paths.
#[allow(clippy::print_stdout)]
pub fn run_inside_hiding(hidden: Vec<PathBuf>, tests: impl FnOnce(Inside) -> ExitCode) -> ! {
    let options = LaunchOptions {
        hidden,
        die_with_parent: true,
        ..LaunchOptions::default()
    };
    let code = |code: ExitCode| if code == ExitCode::SUCCESS { 0 } else { 101 };
    let launched = launch::spawn(&options, |inside| code(tests(inside)));
    let result = launched.and_then(|lab| lab.wait().map_err(|_| launch::LaunchError::Vanished));
    std::process::exit(match result {
        Ok(code) => code,
        Err(error) if std::env::var_os("SKYLAB_REQUIRE_NAMESPACES").is_some() => {
            println!("failed: {error}");
            101
        }
        Err(error) => {
            println!("skipped: {error}");
            println!(
                "\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"
            );
            0
        }
    });
}

/// Puts a pod's namespace behind a node's, as CNI plugins do: a link with the pod's address at its inner
/// end (`eth0`) and a route to it at the outer one (`pod<number>`), through which all the pod's ways lead.
///
/// # Errors
/// The kernel refused something.
pub fn pod_link(
    node: &NetNs,
    pod: &NetNs,
    number: u32,
    pod_address: Ipv4Addr,
) -> Result<(), NetlinkError> {
    const LOOPBACK: u32 = 1;
    const INNER: u32 = 2;
    const MTU: u16 = 1500;
    const MAIN_TABLE: u32 = 254;
    let outer = 10_000 + number;
    let mac = |end: u8| {
        let [_, a, b, c] = number.to_be_bytes();
        Mac([2, end, 0, a, b, c])
    };
    let via = Ipv4Addr::new(169, 254, 1, 1);
    let name = format!("pod{number}");
    let here = VethEnd {
        name: &name,
        index: outer,
        mac: mac(1),
    };
    let there = VethEnd {
        name: "eth0",
        index: INNER,
        mac: mac(2),
    };
    let route = |prefix, link| KernelRoute {
        table: MAIN_TABLE,
        prefix,
        metric: 0,
        action: Action::Via {
            link,
            via,
            source: None,
        },
    };
    let mut node = Socket::open(node, Family::Route)?;
    node.request_all(vec![link::veth_add(
        &here,
        &there,
        pod.as_fd().as_raw_fd(),
        MTU,
    )])?;
    Socket::open(pod, Family::Route)?.request_all(vec![
        link::up(LOOPBACK),
        link::up(INNER),
        address::add(INNER, pod_address, 32),
        neighbour::put(INNER, via, mac(1)),
        route(Ipv4Net::default(), INNER).put(),
    ])?;
    node.request_all(vec![
        neighbour::put(outer, via, mac(2)),
        route(Ipv4Net::from(pod_address), outer).put(),
    ])
}

/// Gives a namespace an address that is its own whatever links it has.
///
/// # Errors
/// The kernel refused it.
pub fn own_address(namespace: &NetNs, own: Ipv4Addr) -> Result<(), NetlinkError> {
    const LOOPBACK: u32 = 1;
    let requests = vec![link::up(LOOPBACK), address::add(LOOPBACK, own, 32)];
    Socket::open(namespace, Family::Route)?.request_all(requests)
}

/// The names of the IPv4 nftables tables in a namespace.
///
/// # Errors
/// The namespace can't be entered, or the kernel doesn't say.
pub fn tables(namespace: &NetNs) -> Result<Vec<String>, NetlinkError> {
    let mut socket = Socket::open(namespace, Family::Netfilter)?;
    nftables::table_names(&mut socket, Some(nftables::NFPROTO_IPV4))
}

/// Makes an empty table in a namespace.
///
/// # Errors
/// The kernel refused it.
pub fn add_table(namespace: &NetNs, name: &str) -> Result<(), NetlinkError> {
    let mut socket = Socket::open(namespace, Family::Netfilter)?;
    socket.transaction(nftables::transaction(vec![nftables::table_add(name)]))
}

/// Removes a table of a namespace with all in it, whoever made it.
///
/// # Errors
/// The kernel refused it.
pub fn remove_table(namespace: &NetNs, name: &str) -> Result<(), NetlinkError> {
    let mut socket = Socket::open(namespace, Family::Netfilter)?;
    socket.transaction(nftables::transaction(vec![nftables::table_delete(name)]))
}
