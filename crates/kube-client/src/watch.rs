//! Changes as they come.

use crate::connection::unreachable;
use crate::error::Error;
use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

/// A line of a watch is no longer than this.
const LONGEST: usize = 8 << 20;

/// Something that changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is there, new or as it is now.
    Applied(Value),
    /// It is gone; this is how it was.
    Deleted(Value),
    /// Nothing changed up to this revision.
    Bookmark(String),
}

/// A watch under way.
#[derive(Debug)]
pub struct Watch {
    body: Incoming,
    buffer: BytesMut,
    searched: usize,
}

impl Watch {
    pub(crate) fn new(body: Incoming) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            searched: 0,
        }
    }

    /// The next change; `None` when the API ended the watch.
    ///
    /// # Errors
    /// The connection broke; or the revision is too old by now.
    pub async fn next(&mut self) -> Result<Option<Change>, Error> {
        loop {
            if let Some(line) = self.line() {
                return change(&line).map(Some);
            }
            if self.buffer.len() > LONGEST {
                return Err(Error::Nonsense("a change is too long".to_owned()));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(unreachable(&error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
    }

    fn line(&mut self) -> Option<BytesMut> {
        let new = &self.buffer[self.searched..];
        let Some(end) = new.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let line = self.buffer.split_to(self.searched + end);
        self.buffer.advance(1);
        self.searched = 0;
        Some(line)
    }
}

fn change(line: &[u8]) -> Result<Change, Error> {
    let mut event: Value =
        serde_json::from_slice(line).map_err(|error| Error::Nonsense(error.to_string()))?;
    let object = event["object"].take();
    match event["type"].as_str() {
        Some("ADDED" | "MODIFIED") => Ok(Change::Applied(object)),
        Some("DELETED") => Ok(Change::Deleted(object)),
        Some("BOOKMARK") => {
            let revision = object["metadata"]["resourceVersion"].as_str();
            Ok(Change::Bookmark(revision.unwrap_or_default().to_owned()))
        }
        Some("ERROR") => {
            let code = object["code"]
                .as_u64()
                .and_then(|code| u16::try_from(code).ok());
            Err(Error::refused(
                code.unwrap_or(500),
                object.to_string().as_bytes(),
            ))
        }
        other => Err(Error::Nonsense(format!("an event of type {other:?}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_told_apart() {
        let read = |event: Value| change(event.to_string().as_bytes());
        let object = json!({"metadata": {"name": "a", "resourceVersion": "7"}});
        let event = |kind: &str| json!({"type": kind, "object": object});
        assert_eq!(
            read(event("MODIFIED")).unwrap(),
            Change::Applied(object.clone())
        );
        assert_eq!(
            read(event("DELETED")).unwrap(),
            Change::Deleted(object.clone())
        );
        assert_eq!(
            read(event("BOOKMARK")).unwrap(),
            Change::Bookmark("7".into())
        );
        let gone = json!({"type": "ERROR", "object": {"code": 410, "message": "too old"}});
        assert!(read(gone).unwrap_err().is_gone());
        assert!(read(json!({"type": "NEWS"})).is_err());
    }
}
