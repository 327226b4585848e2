//! `skylab status`: what runs, and what is wrong.

use crate::args;
use crate::failure::Failure;
use lab::control::{self, ControlError, Reply, Request, Status};
use lab::http::METRICS;
use lab::paths::StateDir;
use std::fmt::Write;

pub(crate) fn run(state: &StateDir, args: &args::Status) -> Result<u8, Failure> {
    let status = ask(state)?;
    if args.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&status).unwrap_or_default()
        );
    } else {
        print!("{}", told(&status));
    }
    Ok(0)
}

/// The running lab's status.
pub(crate) fn ask(state: &StateDir) -> Result<Status, ControlError> {
    let lab = control::connect(state)?;
    let Reply::Status(mut status) = lab.ask(&Request::Status)? else {
        return Err(ControlError::Version);
    };
    status.pid = lab.pid()?;
    Ok(status)
}

fn told(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{name:<9} {value}");
    };
    line("lab", format!("up, process {}", status.pid));
    line("state", status.state.display().to_string());
    line("aws", format!("http://127.0.0.1:{}", status.ports.aws));
    if let Some(socks) = status.ports.socks {
        line("socks", format!("127.0.0.1:{socks}"));
    }
    line(
        "metrics",
        format!("http://127.0.0.1:{}{METRICS}", status.ports.aws),
    );
    line("packets", status.packets.clone());
    let counts = &status.counts;
    line(
        "has",
        [
            (counts.vpcs, "VPCs"),
            (counts.subnets, "subnets"),
            (counts.instances, "instances"),
            (counts.network_interfaces, "interfaces"),
            (counts.nat_gateways, "NAT gateways"),
            (counts.guests, "booted"),
        ]
        .map(|(count, what)| format!("{count} {what}"))
        .join(", "),
    );
    if status.troubles.is_empty() {
        line("wrong", "nothing".to_owned());
    }
    for trouble in &status.troubles {
        line("wrong", format!("{}: {}", trouble.at, trouble.what));
    }
    text
}
