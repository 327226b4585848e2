//! One line of a log.

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// When it was written.
    pub(crate) time: &'a str,
    /// Whether it was written to the error output.
    pub(crate) error: bool,
    /// Whether it ends here.
    pub(crate) full: bool,
    /// What was written.
    pub(crate) text: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads a line, without the newline at its end; `None` for what is none.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let time = std::str::from_utf8(parts.next()?).ok()?;
        let error = match parts.next()? {
            b"stdout" => false,
            b"stderr" => true,
            _ => return None,
        };
        // Tags may follow each other, with colons between them.
        let full = match parts.next()?.first()? {
            b'F' => true,
            b'P' => false,
            _ => return None,
        };
        Some(Self {
            time,
            error,
            full,
            text: parts.next().unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K8S-RUN: CRI's own examples.
    #[test]
    fn lines_are_read() {
        let line = Line::parse(b"2016-10-06T00:17:09.669794202Z stdout P log content 1");
        let wanted = Line {
            time: "2016-10-06T00:17:09.669794202Z",
            error: false,
            full: false,
            text: b"log content 1",
        };
        assert_eq!(line, Some(wanted));
        let line = Line::parse(b"2016-10-06T00:17:10.113242941Z stderr F ");
        assert!(line.is_some_and(|line| line.error && line.full && line.text.is_empty()));
        for wrong in [&b""[..], b"x", b"2016 nowhere F x", b"2016 stdout X y"] {
            assert_eq!(Line::parse(wrong), None);
        }
    }
}
