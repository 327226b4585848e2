//! Containers' log files, in the format that kubelets read: a time, a stream, whether the line is whole,
//! and the text.
//! <https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// As long as a line gets; longer ones are cut in parts. containerd's `max_container_log_line_size`.
const LONGEST: usize = 16 * 1024;

/// Where something was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Errors,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Output => "stdout",
            Self::Errors => "stderr",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Output => 0,
            Self::Errors => 1,
        }
    }
}

/// Cuts what a container prints into lines.
#[derive(Debug, Default)]
struct Lines {
    /// What of each stream is no whole line yet.
    begun: [Vec<u8>; 2],
}

impl Lines {
    /// Adds what was printed and gives the entries that are complete.
    fn take(&mut self, stream: Stream, mut text: &[u8], at: SystemTime) -> Vec<u8> {
        let begun = &mut self.begun[stream.index()];
        let mut entries = Vec::new();
        while !text.is_empty() {
            let room = LONGEST - begun.len();
            let part = &text[..text.len().min(room)];
            match part.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    begun.extend_from_slice(&part[..end]);
                    // As terminals end lines.
                    if begun.last() == Some(&b'\r') {
                        begun.pop();
                    }
                    entry(&mut entries, stream, true, begun, at);
                    begun.clear();
                    text = &text[end + 1..];
                }
                None => {
                    begun.extend_from_slice(part);
                    text = &text[part.len()..];
                    if begun.len() == LONGEST {
                        entry(&mut entries, stream, false, begun, at);
                        begun.clear();
                    }
                }
            }
        }
        entries
    }

    /// A stream's last line, where no newline ends it.
    fn last(&mut self, stream: Stream, at: SystemTime) -> Vec<u8> {
        let begun = std::mem::take(&mut self.begun[stream.index()]);
        let mut entries = Vec::new();
        if !begun.is_empty() {
            entry(&mut entries, stream, true, &begun, at);
        }
        entries
    }
}

fn entry(entries: &mut Vec<u8>, stream: Stream, whole: bool, line: &[u8], at: SystemTime) {
    let tag = if whole { "F" } else { "P" };
    entries.extend(format!("{} {} {tag} ", rfc3339(at), stream.name()).bytes());
    entries.extend_from_slice(line);
    entries.push(b'\n');
}

/// A time in UTC with nanoseconds.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:09}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        since.subsec_nanos()
    )
}

/// Year, month and day of a day since 1970 (Hinnant's `civil_from_days`).
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// A container's log file.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    lines: Lines,
}

impl Log {
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let file = open(&path)?;
        Ok(Self {
            path,
            file,
            lines: Lines::default(),
        })
    }

    /// Begins a new file where the old one was moved away.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        self.file = open(&self.path)?;
        Ok(())
    }

    /// Writes what a container printed.
    pub(crate) fn write(&mut self, stream: Stream, text: &[u8], at: SystemTime) -> io::Result<()> {
        let entries = self.lines.take(stream, text, at);
        self.file.write_all(&entries)
    }

    /// Writes what a stream had begun when it ended.
    pub(crate) fn finish(&mut self, stream: Stream, at: SystemTime) -> io::Result<()> {
        let entries = self.lines.last(stream, at);
        self.file.write_all(&entries)
    }
}

fn open(path: &PathBuf) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(entries: &[u8]) -> String {
        String::from_utf8_lossy(entries).into_owned()
    }

    #[test]
    fn lines_are_entries_and_what_is_begun_waits() {
        let mut lines = Lines::default();
        let at = UNIX_EPOCH + Duration::new(1_704_067_200, 5);
        let entries = lines.take(Stream::Output, b"one\n\ntw", at);
        assert_eq!(
            text(&entries),
            "2024-01-01T00:00:00.000000005Z stdout F one\n2024-01-01T00:00:00.000000005Z stdout F \n"
        );
        let entries = lines.take(Stream::Errors, b"oh\r\n", at);
        assert_eq!(
            text(&entries),
            "2024-01-01T00:00:00.000000005Z stderr F oh\n"
        );
        assert!(lines.last(Stream::Errors, at).is_empty());
        let entries = lines.last(Stream::Output, at);
        assert!(text(&entries).ends_with("Z stdout F tw\n"));
        assert!(lines.last(Stream::Output, at).is_empty());
    }

    #[test]
    fn long_lines_come_in_parts() {
        let mut lines = Lines::default();
        let long = vec![b'x'; LONGEST + 3];
        let mut entries = lines.take(Stream::Output, &long[..10], UNIX_EPOCH);
        assert!(entries.is_empty());
        entries.extend(lines.take(Stream::Output, &long[10..], UNIX_EPOCH));
        entries.extend(lines.take(Stream::Output, b"\n", UNIX_EPOCH));
        let entries = text(&entries);
        let lines: Vec<_> = entries.lines().collect();
        assert_eq!(lines.len(), 2);
        let tags = lines.iter().map(|line| line.split(' ').nth(2));
        assert_eq!(tags.collect::<Vec<_>>(), [Some("P"), Some("F")]);
        assert_eq!(lines[0].len() - lines[1].len(), LONGEST - 3);
        assert!(lines[1].ends_with(" F xxx"));
    }

    #[test]
    fn times_are_calendar_times() {
        let of = |seconds| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(of(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(of(951_782_400), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(of(1_735_689_599), "2024-12-31T23:59:59.000000000Z");
    }
}
