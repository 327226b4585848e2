//! Logs of containers, in CRI's format: a time, `stdout` or `stderr`, `F` for a full line or `P` for
//! a part of one, and what was written.
//! <https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>

mod line;
mod options;
mod read;
mod rotate;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

pub(crate) use line::Line;
pub(crate) use options::Options;
pub(crate) use read::Reader;
pub(crate) use rotate::rotate;

/// So much of a log's end is looked at for its last lines.
const END: u64 = 64 * 1024;

/// Removes a log and what was rotated of it. Blocks.
pub(crate) fn remove(log: &Path) {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|n| n.to_str()))
    else {
        return;
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let file = entry.file_name();
        let ours = file
            .to_str()
            .and_then(|file| file.strip_prefix(name))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if ours {
            // What stays is removed with the pod.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The end of a log: so many lines and bytes at most, without times. Blocks.
pub(crate) fn end(log: &Path, lines: usize, bytes: usize) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(text)
    };
    let text = read().unwrap_or_default();
    let parsed: Vec<Line<'_>> = text
        .split(|byte| *byte == b'\n')
        .filter_map(Line::parse)
        .collect();
    let from = parsed.len().saturating_sub(lines);
    let mut said = Vec::new();
    for line in &parsed[from..] {
        said.extend_from_slice(line.text);
        if line.full {
            said.push(b'\n');
        }
    }
    let from = said.len().saturating_sub(bytes);
    String::from_utf8_lossy(&said[from..]).into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// K8S-RUN: the last lines of a log, without their times.
    #[test]
    fn the_end_of_a_log() {
        let folder =
            std::env::temp_dir().join(format!("skylab-kubelet-log-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let log = folder.join("0.log");
        let text = "2024-01-01T00:00:00.1Z stdout F one\n2024-01-01T00:00:00.2Z stderr P tw\n2024-01-01T00:00:00.3Z stderr F o\n";
        fs::write(&log, text).unwrap();
        fs::write(folder.join("0.log.20240101"), "").unwrap();
        fs::write(folder.join("10.log"), "").unwrap();
        assert_eq!(end(&log, 80, 2048), "one\ntwo\n");
        assert_eq!(end(&log, 2, 2048), "two\n");
        assert_eq!(end(&log, 80, 3), "wo\n");
        assert_eq!(end(&folder.join("none"), 80, 3), "");
        remove(&log);
        let left: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left, ["10.log"]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
