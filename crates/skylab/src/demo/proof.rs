//! A claim about a flow, tried with packets and asked of the model.

use super::probe::SILENT;
use super::stage::Stage;
use crate::command::explain;
use crate::failure::{EXEC, Failure};
use lab::control::{self, Connection, ControlError, Ended, Exec, Reply, Request};
use lab::explain::{Explanation, Inquiry, Judgement, Protocol};
use lab::paths::StateDir;
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;

/// A claim: who calls whom, and what should come of it.
pub(super) struct Claim<'a> {
    /// The caller's place.
    pub(super) from: &'a str,
    /// What the caller is called on screen.
    pub(super) caller: &'a str,
    /// What is called, on screen.
    pub(super) called: &'a str,
    /// Its address and port.
    pub(super) to: SocketAddrV4,
    /// What the called must answer; `None` if nothing may come back.
    pub(super) answer: Option<String>,
    /// Whether its whole way is shown, or its verdict only.
    pub(super) whole: bool,
}

/// Tries a claim; whether packets and model are both as claimed.
pub(super) fn prove(stage: &Stage, claim: &Claim<'_>) -> Result<bool, Failure> {
    let heard = call(&stage.state, claim.from, claim.to)?;
    let mut explanation = ask(&stage.state, claim.from, claim.to)?;
    claim.caller.clone_into(&mut explanation.flow.from);
    claim.called.clone_into(&mut explanation.flow.to);
    let told = explanation.verdict;
    let wanted = claim.answer.is_some();
    let right = heard == claim.answer && told == judged(wanted);
    let paint = stage.paint;
    let mark = if right {
        paint.green("✓")
    } else {
        paint.red("✗")
    };
    let packets = heard
        .as_ref()
        .map_or("no answer within 1 s".to_owned(), |heard| {
            format!("“{heard}”")
        });
    let flow = format!("{} → {}", claim.caller, claim.called);
    println!("  {mark} {flow:<26} {:<18} {packets}", claim.to.to_string());
    if !right {
        let should = claim.answer.as_deref().unwrap_or("no answer");
        println!(
            "    {} packets: {should}; model: {}",
            paint.red("should be"),
            word(judged(wanted))
        );
    }
    if claim.whole || !right {
        for line in explain::told(&explanation, paint).lines().skip(1) {
            println!("      {line}");
        }
    } else {
        let reason = explanation
            .reason
            .as_deref()
            .map(|reason| format!(": {reason}"));
        let line = format!("explained: {}{}", word(told), reason.unwrap_or_default());
        println!("      {}", paint.dim(&line));
    }
    Ok(right)
}

fn judged(delivered: bool) -> Judgement {
    if delivered {
        Judgement::Delivered
    } else {
        Judgement::Dropped
    }
}

fn word(judgement: Judgement) -> &'static str {
    match judgement {
        Judgement::Delivered => "delivered",
        Judgement::Dropped => "dropped",
        Judgement::Unknown => "unknown",
    }
}

fn ask(state: &StateDir, from: &str, to: SocketAddrV4) -> Result<Explanation, Failure> {
    let inquiry = Inquiry {
        from: from.to_owned(),
        to: to.ip().to_string(),
        protocol: Protocol::Tcp,
        port: Some(to.port()),
        cluster: None,
    };
    match control::connect(state)?.ask(&Request::Explain(inquiry))? {
        Reply::Explained(explanation) => Ok(explanation),
        _ => Err(ControlError::Version.into()),
    }
}

/// A program that runs at a place as long as this lives: the lab ends what nobody holds.
pub(super) struct Running {
    lab: Connection,
    output: BufReader<PipeReader>,
}

/// Runs this program's own probe at a place.
fn start(state: &StateDir, place: &str, words: &[&str]) -> Result<Running, Failure> {
    let mut arguments = vec!["skylab".to_owned(), "probe".to_owned()];
    arguments.extend(words.iter().map(|word| (*word).to_owned()));
    let request = Request::Exec(Exec {
        place: place.to_owned(),
        cluster: None,
        arguments,
        environment: Vec::new(),
        terminal: false,
    });
    let lab = control::connect(state)?;
    let (output, theirs) = std::io::pipe()?;
    let (stdin, stderr) = (std::io::stdin(), std::io::stderr());
    lab.send(&request, &[stdin.as_fd(), theirs.as_fd(), stderr.as_fd()])?;
    lab.receive()?;
    Ok(Running {
        lab,
        output: BufReader::new(output),
    })
}

/// Starts a server at a place and waits until it listens.
pub(super) fn serve(stage: &Stage, place: &str, port: u16, name: &str) -> Result<Running, Failure> {
    let port = port.to_string();
    let mut server = start(
        &stage.state,
        place,
        &["serve", "--port", &port, "--name", name],
    )?;
    let mut line = String::new();
    server.output.read_line(&mut line)?;
    match line.trim_end() {
        "ready" => Ok(server),
        _ => Err(Failure::new(
            1,
            format!("nothing listens on port {port} of {name}"),
        )),
    }
}

/// Calls an address from a place; what was answered, if anything.
fn call(state: &StateDir, place: &str, to: SocketAddrV4) -> Result<Option<String>, Failure> {
    let mut caller = start(state, place, &["call", &to.to_string()])?;
    let mut heard = String::new();
    caller.output.read_to_string(&mut heard)?;
    match caller.lab.receive()?.0 {
        Reply::Ended(Ended::Code(0)) => Ok(Some(heard)),
        Reply::Ended(Ended::Code(code)) if code == i32::from(SILENT) => Ok(None),
        Reply::Ended(_) => Err(Failure::new(
            EXEC,
            format!("the call from {place} to {to} failed"),
        )),
        _ => Err(ControlError::Version.into()),
    }
}

/// An address and a port.
pub(super) fn at(ip: Ipv4Addr, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(ip, port)
}
