//! Lines that are written together: a system call for many of them, not for each.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// No line waits longer.
const LONGEST: Duration = Duration::from_millis(50);
/// So many bytes wait for nothing.
const MOST: usize = 32 << 10;

/// Where lines go.
pub(super) struct Gathered<W> {
    lines: Mutex<Lines<W>>,
    some: Condvar,
}

struct Lines<W> {
    out: W,
    waiting: Vec<u8>,
}

impl<W: Write> Lines<W> {
    fn write_out(&mut self) {
        // A full disk must not take the lab down: the lines are lost.
        let _ = self.out.write_all(&self.waiting);
        self.waiting.clear();
    }
}

impl<W: Write + Send + 'static> Gathered<W> {
    /// Gathers lines for a writer, by a thread that ends with them. Without the thread each line is written at once.
    pub(super) fn new(out: W) -> Arc<Self> {
        let this = Arc::new(Self {
            lines: Mutex::new(Lines {
                out,
                waiting: Vec::with_capacity(MOST),
            }),
            some: Condvar::new(),
        });
        let weak = Arc::downgrade(&this);
        // Without the thread lines wait for the next urgent one, or for many.
        let _ = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_in_time(&weak));
        this
    }

    /// Takes a line. What is urgent is in the file when this returns, and all before it.
    pub(super) fn line(&self, line: &[u8], urgent: bool) {
        let mut lines = self.lock();
        let first = lines.waiting.is_empty();
        lines.waiting.extend_from_slice(line);
        if urgent || lines.waiting.len() >= MOST {
            lines.write_out();
        } else if first {
            self.some.notify_one();
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&self) {
        self.lock().write_out();
    }

    fn lock(&self) -> MutexGuard<'_, Lines<W>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what has waited long enough, until nobody can add to it any more.
fn write_in_time<W: Write + Send + 'static>(of: &Weak<Gathered<W>>) {
    while let Some(gathered) = of.upgrade() {
        let lines = gathered.lock();
        let idle = Duration::from_secs(1);
        let empty = |lines: &mut Lines<W>| lines.waiting.is_empty();
        let waited = gathered.some.wait_timeout_while(lines, idle, empty);
        let (lines, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let some = !lines.waiting.is_empty();
        drop(lines);
        if some {
            thread::sleep(LONGEST);
            gathered.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io;
    use std::sync::mpsc::{Sender, channel};

    struct Told(Sender<Vec<u8>>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// OPS-SEE: lines come out in their order, an urgent one at once with all before it, others by themselves.
    #[test]
    fn lines_come_out_in_their_order() {
        let (tell, told) = channel();
        let gathered = Gathered::new(Told(tell));
        gathered.line(b"one\n", false);
        gathered.line(b"two\n", true);
        let mut all = Vec::new();
        while !all.ends_with(b"two\n") {
            all.extend(told.recv().unwrap());
        }
        gathered.line(b"three\n", false);
        while !all.ends_with(b"three\n") {
            all.extend(told.recv().unwrap());
        }
        assert_eq!(all, b"one\ntwo\nthree\n");
    }
}
