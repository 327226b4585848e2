//! `skylab`: arguments in, words out. One module a command.

#![allow(clippy::print_stdout, clippy::print_stderr)] // it is what a command is for

mod args;
mod command;
mod demo;
mod failure;
mod program;
mod terminal;

use args::{Args, Command, Probe};
use clap::Parser;
use clap::error::ErrorKind;
use failure::{Failure, USAGE};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return unparsed(&error),
    };
    match run(args) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("skylab: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run(args: Args) -> Result<u8, Failure> {
    let state = lab::paths::StateDir::choose(args.state.as_deref())?;
    match args.command {
        Command::Capacity(capacity) => command::capacity::run(&state, capacity),
        Command::Demo(demo) => {
            // What is kept is kept in a lab that stays.
            let named = args.state.is_some() || demo.keep;
            command::demo::run(named.then_some(&state), &demo)
        }
        Command::Probe(Probe::Serve { port, name }) => demo::probe::serve(port, &name),
        Command::Probe(Probe::Call { to }) => demo::probe::call(to),
        Command::Up(up) => command::up::run(&state, &up),
        Command::Status(status) => command::status::run(&state, &status),
        Command::Down => command::down::run(&state),
        Command::Metrics(metrics) => command::metrics::run(&state, &metrics),
        Command::Reset => command::reset::run(&state),
        Command::Snapshot(snapshot) => command::snapshot::run(&state, snapshot),
        Command::Env(env) => command::env::run(&state, &env),
        Command::Exec(exec) => command::exec::run(&state, exec),
        Command::Shell(shell) => command::shell::run(&state, shell),
        Command::Explain(explain) => command::explain::run(&state, explain),
        Command::Capture(capture) => command::capture::run(&state, capture),
        Command::Image(image) => command::image::run(&state, image),
        Command::Eks(eks) => command::eks::run(&state, *eks),
        Command::Kube(kube) => command::kube::run(&state, kube),
        Command::Program(program) => program::run(program),
        Command::Version => {
            println!("skylab {}", env!("CARGO_PKG_VERSION"));
            Ok(0)
        }
    }
}

/// Help is no error; anything else is the user's mistake and has a code that no verdict and no
/// program's exit status is taken for.
fn unparsed(error: &clap::Error) -> ExitCode {
    // A closed pipe is nobody's loss.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => match command().as_deref() {
            Some("exec" | "shell") => ExitCode::from(failure::EXEC),
            _ => ExitCode::from(USAGE),
        },
    }
}

/// The command that was meant: the first word that is neither a flag nor a flag's value.
fn command() -> Option<String> {
    let mut words = std::env::args().skip(1);
    loop {
        let word = words.next()?;
        match word.as_str() {
            "--state" => drop(words.next()),
            flag if flag.starts_with('-') => {}
            _ => return Some(word),
        }
    }
}
