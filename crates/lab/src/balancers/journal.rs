//! Access logs: a file a balancer, in the lab's state.

use balancer::means::Journal;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// A balancer's access log, written by a thread of its own: a request doesn't wait for the disk.
pub(super) struct AccessLog {
    lines: Sender<String>,
}

impl AccessLog {
    /// Opens a log, or begins one.
    ///
    /// # Errors
    /// The file can't be opened, or there is no thread.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(path)?;
        let (lines, taken) = channel();
        thread::Builder::new()
            .name("access log".to_owned())
            .spawn(move || keep(file, &taken))?;
        Ok(Self { lines })
    }
}

/// Writes lines as they come, those that wait together at once.
fn keep(mut file: File, lines: &Receiver<String>) {
    while let Ok(first) = lines.recv() {
        let mut text = first + "\n";
        for line in lines.try_iter().take(1024) {
            text.push_str(&line);
            text.push('\n');
        }
        if let Err(error) = file.write_all(text.as_bytes()) {
            tracing::warn!(%error, "an access log can't be written");
            return;
        }
    }
}

impl Journal for AccessLog {
    fn write(&self, line: String) {
        // A log that can't be written was told of; traffic goes on.
        let _ = self.lines.send(line);
    }
}

/// No log at all.
pub(super) struct NoLog;

impl Journal for NoLog {
    fn write(&self, _line: String) {}
}
