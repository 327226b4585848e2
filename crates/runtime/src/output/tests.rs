//! Pipes in place of programs.

use super::*;
use std::fs::{self, File};
use std::io::{PipeWriter, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

struct Program {
    output: Arc<Output>,
    prints: PipeWriter,
    complains: PipeWriter,
    input: File,
    log: PathBuf,
}

fn program(name: &str, input_once: bool) -> Program {
    let directory =
        std::env::temp_dir().join(format!("skylab-output-{}-{name}", std::process::id()));
    let log = directory.join("0.log");
    let (output, prints) = pipe().unwrap();
    let (errors, complains) = pipe().unwrap();
    let (input, types) = pipe().unwrap();
    let ends = Ends {
        input: Some(types.into()),
        output: Some(output.into()),
        errors: Some(errors.into()),
        terminal: None,
        input_once,
    };
    let hub = Hub::start().unwrap();
    let opened = Log::open(log.clone()).unwrap();
    Program {
        output: Output::follow(&hub, ends, Some(opened)).unwrap(),
        prints,
        complains,
        input: File::from(OwnedFd::from(input)),
        log,
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never: {what}");
}

impl Program {
    fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.log).unwrap();
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(_, rest)| rest.to_owned())
            .collect()
    }

    fn clients(&self) -> usize {
        lock(&self.output.state).clients.len()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.log.parent().unwrap());
    }
}

fn read_all(end: OwnedFd) -> String {
    let mut text = String::new();
    File::from(end).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn what_is_printed_is_logged_by_stream() {
    let mut program = program("logged", false);
    program.prints.write_all(b"one\n").unwrap();
    wait_for("a line", || {
        (program.log() == ["stdout F one"]).then_some(())
    });
    program.complains.write_all(b"oh\n").unwrap();
    program.prints.write_all(b"the end").unwrap();
    program.output.finish();
    let mut log = program.log();
    log.sort();
    assert_eq!(log, ["stderr F oh", "stdout F one", "stdout F the end"]);
}

#[test]
fn who_attaches_gets_what_comes_from_then_on() {
    let mut program = program("attached", false);
    program.prints.write_all(b"before\n").unwrap();
    wait_for("a line", || (!program.log().is_empty()).then_some(()));
    let first = program.output.attach().unwrap();
    let second = program.output.attach().unwrap();
    program.prints.write_all(b"after\n").unwrap();
    program.complains.write_all(b"oh\n").unwrap();
    program.output.finish();
    for streams in [first, second] {
        assert_eq!(read_all(streams.stdout.unwrap()), "after\n");
        assert_eq!(read_all(streams.stderr.unwrap()), "oh\n");
    }
}

#[test]
fn a_slow_reader_holds_nobody_up_and_misses_nothing() {
    let mut program = program("slow", false);
    let slow = program.output.attach().unwrap();
    let text = vec![b'x'; 1 << 20];
    program.prints.write_all(&text).unwrap();
    program.prints.write_all(b"\nend\n").unwrap();
    wait_for("the last line", || {
        (program.log().last().map(String::as_str) == Some("stdout F end")).then_some(())
    });
    program.output.finish();
    assert_eq!(read_all(slow.stdout.unwrap()).len(), text.len() + 5);
}

#[test]
fn who_goes_is_forgotten() {
    let program = program("gone", false);
    let streams = program.output.attach().unwrap();
    assert_eq!(program.clients(), 1);
    drop(streams);
    wait_for("the end", || (program.clients() == 0).then_some(()));
}

#[test]
fn an_input_outlives_its_users_unless_it_is_for_one() {
    let mut stays = program("stays", false);
    drop(stays.output.attach().unwrap());
    let mut typed = File::from(stays.output.attach().unwrap().stdin.unwrap());
    typed.write_all(b"hi").unwrap();
    let mut got = [0; 2];
    stays.input.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hi");

    let mut once = program("once", true);
    drop(once.output.attach().unwrap());
    assert_eq!(once.input.read(&mut got).unwrap(), 0);
    assert!(once.output.attach().unwrap().stdin.is_none());
}

#[test]
fn a_moved_log_is_begun_anew() {
    let mut program = program("moved", false);
    program.prints.write_all(b"old\n").unwrap();
    wait_for("a line", || (!program.log().is_empty()).then_some(()));
    let moved = program.log.with_extension("1");
    fs::rename(&program.log, &moved).unwrap();
    program.output.reopen_log().unwrap();
    program.prints.write_all(b"new\n").unwrap();
    program.output.finish();
    assert_eq!(program.log(), ["stdout F new"]);
    assert!(fs::read_to_string(moved).unwrap().ends_with("F old\n"));
}
