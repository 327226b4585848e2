//! Running a program in a container and hearing what it says.

use crate::shared::Shared;
use cri::{ContainerId, ExecSpec, Process};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// So much of what it says is kept.
const KEPT: usize = 10 * 1024;
/// What a program's children still say after its end is waited for so long.
const LAST_WORDS: Duration = Duration::from_millis(200);
const KILL: i32 = 9;

/// A program that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it said, on both of its outputs.
    pub(crate) output: String,
}

/// Why a program didn't run to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExecError {
    /// It can't be run.
    #[error("{0}")]
    Refused(String),
    /// It took too long.
    #[error("command timed out: {command:?} timed out after {after}")]
    TimedOut {
        /// The program and its arguments.
        command: String,
        /// The time it had.
        after: String,
    },
}

/// Runs a program in a container, for so long at most.
pub(crate) async fn run(
    shared: &Shared,
    id: &ContainerId,
    command: &[String],
    limit: Option<Duration>,
) -> Result<Ran, ExecError> {
    let refused = |why: String| ExecError::Refused(why);
    let spec = ExecSpec {
        command: command.to_vec(),
        ..ExecSpec::default()
    };
    let id = id.clone();
    let begun = shared.blocking(move |means| means.runtime.exec(&id, &spec));
    let (process, streams) = begun
        .await
        .ok_or_else(|| refused("the runtime failed".to_owned()))?
        .map_err(|error| refused(error.to_string()))?;
    let process: Arc<dyn Process> = process.into();
    let waited = process.clone();
    let ending =
        tokio::task::spawn_blocking(move || hear(&*waited, [streams.stdout, streams.stderr]));
    let ended = match limit {
        None => ending.await,
        Some(limit) => match tokio::time::timeout(limit, ending).await {
            Ok(ended) => ended,
            Err(_) => {
                // If it ended meanwhile, so much the better.
                let _ = tokio::task::spawn_blocking(move || process.signal(KILL)).await;
                return Err(ExecError::TimedOut {
                    command: command.join(" "),
                    after: crate::clock::duration(limit),
                });
            }
        },
    };
    ended
        .map_err(|error| refused(error.to_string()))?
        .map_err(|error| refused(error.to_string()))
}

/// Waits for a program's end and what it says. Blocks.
fn hear(process: &dyn Process, outputs: [Option<OwnedFd>; 2]) -> io::Result<Ran> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (done, all_done) = mpsc::channel::<()>();
    for output in outputs.into_iter().flatten() {
        let (heard, done) = (heard.clone(), done.clone());
        thread::Builder::new()
            .name("exec-output".to_owned())
            .spawn(move || {
                drain(&mut File::from(output), &heard);
                drop(done);
            })?;
    }
    drop(done);
    let code = process.wait()?;
    match all_done.recv_timeout(LAST_WORDS) {
        Ok(()) | Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
    }
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Ran {
        code,
        output: String::from_utf8_lossy(&heard).into_owned(),
    })
}

fn drain(output: &mut File, heard: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    loop {
        match output.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                let room = KEPT.saturating_sub(heard.len());
                heard.extend_from_slice(&buffer[..read.min(room)]);
            }
        }
    }
}
