//! Reading a log from where it is wanted, as it grows and as it is rotated.

use super::Line;
use super::options::Options;
use crate::clock;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// So much is read at once.
const PIECE: usize = 64 * 1024;
/// A line that is longer is told in parts.
const LONGEST: usize = 1 << 20;

/// A log that is being read. Calls block.
#[derive(Debug)]
pub(crate) struct Reader {
    path: PathBuf,
    file: File,
    /// What was read and is no line yet.
    rest: Vec<u8>,
    filter: Filter,
}

impl Reader {
    /// Opens a log at the first line that is wanted.
    pub(crate) fn open(path: &Path, options: &Options) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if let Some(lines) = options.tail {
            let start = start_of_tail(&mut file, lines)?;
            file.seek(SeekFrom::Start(start))?;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            rest: Vec::new(),
            filter: Filter::new(options),
        })
    }

    /// The next piece of what is wanted; an empty one at the end of what there is.
    pub(crate) fn next(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if self.filter.done() {
                return Ok(Vec::new());
            }
            let mut piece = vec![0; PIECE];
            let read = self.file.read(&mut piece)?;
            if read == 0 && !self.reopen()? {
                return Ok(Vec::new());
            }
            self.rest.extend_from_slice(&piece[..read]);
            let end = match self.rest.iter().rposition(|byte| *byte == b'\n') {
                Some(last) => last + 1,
                None if self.rest.len() > LONGEST => self.rest.len(),
                None => continue,
            };
            let lines: Vec<u8> = self.rest.drain(..end).collect();
            let wanted = self.filter.take(&lines);
            if !wanted.is_empty() {
                return Ok(wanted);
            }
        }
    }

    /// Whether nothing more is wanted, however the log goes on.
    pub(crate) fn done(&self) -> bool {
        self.filter.done()
    }

    /// Goes on with the file that took the log's place, if one did.
    fn reopen(&mut self) -> io::Result<bool> {
        let new = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        let (old, found) = (self.file.metadata()?, new.metadata()?);
        if (old.dev(), old.ino()) == (found.dev(), found.ino()) {
            return Ok(false);
        }
        self.file = new;
        self.rest.clear();
        Ok(true)
    }
}

/// Where the last lines of a file begin.
fn start_of_tail(file: &mut File, lines: usize) -> io::Result<u64> {
    let length = file.metadata()?.len();
    if lines == 0 {
        return Ok(length);
    }
    let (mut end, mut seen) = (length, 0);
    let mut piece = vec![0; PIECE];
    while end > 0 {
        let start = end.saturating_sub(PIECE as u64);
        let size = usize::try_from(end - start).unwrap_or(PIECE);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut piece[..size])?;
        for (index, byte) in piece[..size].iter().enumerate().rev() {
            let position = start + index as u64;
            // The newline at the very end ends the last line.
            if *byte != b'\n' || position + 1 == length {
                continue;
            }
            seen += 1;
            if seen == lines {
                return Ok(position + 1);
            }
        }
        end = start;
    }
    Ok(0)
}

/// Turns lines of a log into what is wanted of them.
#[derive(Debug)]
struct Filter {
    options: Options,
    /// Whether the last line ended.
    at_start: bool,
    told: usize,
}

impl Filter {
    fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            at_start: true,
            told: 0,
        }
    }

    fn done(&self) -> bool {
        self.options.limit.is_some_and(|limit| self.told >= limit)
    }

    fn take(&mut self, lines: &[u8]) -> Vec<u8> {
        let mut wanted = Vec::new();
        let lines = lines.split(|byte| *byte == b'\n');
        for line in lines.filter_map(Line::parse) {
            if self.is_old(line.time) {
                continue;
            }
            if self.options.timestamps && self.at_start {
                wanted.extend_from_slice(fixed(line.time).as_bytes());
                wanted.push(b' ');
            }
            wanted.extend_from_slice(line.text);
            if line.full {
                wanted.push(b'\n');
            }
            self.at_start = line.full;
        }
        if let Some(limit) = self.options.limit {
            wanted.truncate(limit - self.told);
        }
        self.told += wanted.len();
        wanted
    }

    fn is_old(&self, time: &str) -> bool {
        let since = self.options.since;
        since.is_some_and(|since| clock::parse(time).is_some_and(|time| time < since))
    }
}

/// A time with all its nine digits, so that lines stand below each other.
fn fixed(time: &str) -> String {
    let zone = time
        .char_indices()
        .skip(19)
        .find(|(_, c)| matches!(c, 'Z' | '+' | '-'));
    let Some((end, _)) = zone else {
        return time.to_owned();
    };
    let (moment, zone) = time.split_at(end);
    let (moment, fraction) = moment.split_once('.').unwrap_or((moment, ""));
    format!("{moment}.{fraction:0<9.9}{zone}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    struct Log(PathBuf);

    impl Log {
        fn new(name: &str, text: &str) -> Self {
            let name = format!("skylab-kubelet-read-{name}-{}.log", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::write(&path, text).unwrap();
            Self(path)
        }

        fn read(&self, options: &Options) -> String {
            let mut reader = Reader::open(&self.0, options).unwrap();
            let mut all = Vec::new();
            loop {
                let piece = reader.next().unwrap();
                if piece.is_empty() {
                    return String::from_utf8(all).unwrap();
                }
                all.extend(piece);
            }
        }
    }

    impl Drop for Log {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    const TEXT: &str = "2024-01-01T00:00:01.5Z stdout F one\n\
        2024-01-01T00:00:02Z stderr F two\n\
        2024-01-01T00:00:03.123456789+00:00 stdout P thr\n\
        2024-01-01T00:00:04Z stdout F ee\n";

    /// K8S-RUN: what `kubectl logs` can ask for.
    #[test]
    fn what_is_wanted_is_told() {
        let log = Log::new("wanted", TEXT);
        let all = Options::default();
        assert_eq!(log.read(&all), "one\ntwo\nthree\n");
        let tail = |lines| Options {
            tail: Some(lines),
            ..Options::default()
        };
        for (lines, told) in [
            (0, ""),
            (1, "ee\n"),
            (3, "two\nthree\n"),
            (9, "one\ntwo\nthree\n"),
        ] {
            assert_eq!(log.read(&tail(lines)), told, "{lines}");
        }
        let since = Options {
            since: clock::parse("2024-01-01T00:00:02Z"),
            ..Options::default()
        };
        assert_eq!(log.read(&since), "two\nthree\n");
        let timed = Options {
            timestamps: true,
            tail: Some(3),
            ..Options::default()
        };
        assert_eq!(
            log.read(&timed),
            "2024-01-01T00:00:02.000000000Z two\n2024-01-01T00:00:03.123456789+00:00 three\n"
        );
        let short = Options {
            limit: Some(6),
            ..Options::default()
        };
        assert_eq!(log.read(&short), "one\ntw");
    }

    #[test]
    fn a_long_log_has_an_end() {
        let lines = (0..5000).map(|n| {
            format!(
                "2024-01-01T00:00:00Z stdout F line {n} {}\n",
                "x".repeat(50)
            )
        });
        let log = Log::new("long", &lines.collect::<String>());
        let tail = Options {
            tail: Some(2000),
            ..Options::default()
        };
        let told = log.read(&tail);
        assert_eq!(told.lines().count(), 2000);
        assert!(told.starts_with("line 3000 "));
    }

    /// K8S-RUN: a log that is followed goes on after it was rotated, and lines come whole.
    #[test]
    fn a_log_grows_and_is_rotated() {
        let log = Log::new("grows", "2024-01-01T00:00:00Z stdout F one\n2024-01-01T00:");
        let mut reader = Reader::open(&log.0, &Options::default()).unwrap();
        assert_eq!(reader.next().unwrap(), b"one\n");
        assert_eq!(reader.next().unwrap(), b"");
        let mut text = fs::read_to_string(&log.0).unwrap();
        text.push_str("00:00Z stdout F two\n");
        fs::write(&log.0, text).unwrap();
        assert_eq!(reader.next().unwrap(), b"two\n");
        let old = log.0.with_extension("old");
        fs::rename(&log.0, &old).unwrap();
        assert_eq!(reader.next().unwrap(), b"");
        fs::write(&log.0, "2024-01-01T00:00:00Z stdout F three\n").unwrap();
        assert_eq!(reader.next().unwrap(), b"three\n");
        fs::remove_file(&old).unwrap();
    }
}
