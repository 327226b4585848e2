//! User data in several parts: MIME archives (RFC 2046).
//!
//! <https://cloudinit.readthedocs.io/en/latest/explanation/format.html#mime-multi-part-archive>

/// The type of a part that is a script.
pub(crate) const SCRIPT: &str = "text/x-shellscript";

/// A part of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its type, `text/x-shellscript`.
    pub(crate) kind: String,
    /// What is in it.
    pub(crate) body: String,
}

/// The boundary of a MIME archive, if the text is one.
fn boundary(text: &str) -> Option<String> {
    let head = text.split("\n\n").next()?;
    let line = head.lines().find(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("content-type:") && line.contains("multipart/")
    })?;
    let (_, after) = line.split_once("boundary=")?;
    Some(after.trim().trim_matches('"').to_owned())
}

/// An archive's parts in their order; `None` for what is no archive.
pub(crate) fn parts(text: &str) -> Option<Vec<Part>> {
    let text = text.replace("\r\n", "\n");
    let boundary = boundary(&text)?;
    let delimiter = format!("--{boundary}");
    let mut sections: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match line.trim_end().strip_prefix(&delimiter) {
            Some("--") => break,
            Some("") => sections.push(Vec::new()),
            _ => {
                if let Some(section) = sections.last_mut() {
                    section.push(line);
                }
            }
        }
    }
    let part = |lines: Vec<&str>| {
        let end = lines.iter().position(|line| line.trim().is_empty())?;
        let kind = lines[..end].iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let own = name.eq_ignore_ascii_case("content-type");
            own.then(|| {
                value
                    .split(';')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            })
        })?;
        Some(Part {
            kind,
            body: lines[end + 1..].join("\n"),
        })
    };
    Some(sections.into_iter().filter_map(part).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_taken_apart() {
        let text = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"//\"\r\n\r\n--//\r\n\
                    Content-Type: text/x-shellscript; charset=\"us-ascii\"\r\nMIME-Version: 1.0\r\n\r\n\
                    #!/bin/sh\r\necho -- one\r\n\r\n--//\r\nContent-Type: text/cloud-config\r\n\r\nx: y\r\n--//--\r\n";
        let parts = parts(text).unwrap_or_default();
        let kinds: Vec<&str> = parts.iter().map(|part| part.kind.as_str()).collect();
        assert_eq!(kinds, [SCRIPT, "text/cloud-config"]);
        assert_eq!(parts[0].body, "#!/bin/sh\necho -- one\n");
        assert_eq!(super::parts("#!/bin/sh\n"), None);
    }
}
