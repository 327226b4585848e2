//! The lab's log: one JSON object a line.
//!
//! A request's id stands in the field `request` of everything that happens for it: the call, the
//! commit, the compilation and the application to the kernel.

mod gathered;

use gathered::Gathered;
use serde_json::{Map, Value};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Where the log goes besides its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// Nowhere.
    None,
    /// To standard error, for people (`skylab up` in the foreground).
    Stderr,
}

/// The log, begun. What it gathered is in the file when this is dropped; a lab that is killed loses the lines of its last
/// moment, warnings and errors excepted.
pub struct Logging(Arc<Gathered<File>>);

impl Drop for Logging {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// Starts logging to a file, appending.
///
/// # Errors
/// The file can't be opened, or logging was started before.
pub fn start(path: &Path, echo: Echo) -> io::Result<Logging> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    let out = Gathered::new(file);
    let lines = JsonLines { out: out.clone() };
    let people = (echo == Echo::Stderr).then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .with_target(false)
            .compact()
            .with_filter(LevelFilter::INFO)
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(LevelFilter::DEBUG))
        .with(people)
        .try_init()
        .map_err(|error: TryInitError| io::Error::other(error))?;
    Ok(Logging(out))
}

/// Writes events as JSON lines.
struct JsonLines<W> {
    out: Arc<Gathered<W>>,
}

impl<S: Subscriber, W: Write + Send + 'static> Layer<S> for JsonLines<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // Libraries' own chatter is not the lab's log.
        let target = event.metadata().target();
        if !(target.starts_with("lab") || target.starts_with("kernel")) {
            return;
        }
        let mut fields = Fields(Map::new());
        fields.0.insert("time".to_owned(), now().into());
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        fields.0.insert("level".to_owned(), level.into());
        fields.0.insert("at".to_owned(), target.into());
        event.record(&mut fields);
        let mut line = Value::Object(fields.0).to_string();
        line.push('\n');
        let urgent = *event.metadata().level() <= Level::WARN;
        self.out.line(line.as_bytes(), urgent);
    }
}

/// Seconds since 1970, with milliseconds.
fn now() -> f64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis() as f64 / 1000.0
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// OPS-SEE: a line is one JSON object, whatever the message holds.
    #[test]
    fn a_line_is_one_object() {
        let out = Shared::default();
        let lines = Gathered::new(out.clone());
        let layer = JsonLines { out: lines.clone() };
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(request = "r-1", took = 7_u64, "a \"quoted\"\nmessage");
        });
        lines.flush();
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1);
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["request"], "r-1");
        assert_eq!(line["took"], 7);
        assert_eq!(line["message"], "a \"quoted\"\nmessage");
    }
}
