//! What the verbs use: the APIs, a terminal, a clock.

use crate::Error;
use serde_json::Value;
use std::time::Duration;
use wire::call::Service;

/// How a line is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What goes on.
    Info,
    /// What is done.
    Success,
    /// What should be known.
    Warning,
}

impl Level {
    /// The mark in front of a line.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Info => "ℹ",
            Self::Success => "✔",
            Self::Warning => "!",
        }
    }
}

/// The means of a command.
pub trait Means {
    /// Calls AWS.
    ///
    /// # Errors
    /// AWS's own.
    fn call(&self, service: Service, operation: &str, given: Value) -> Result<Value, Error>;
    /// Asks a cluster's Kubernetes API: method, path, body; `None` if the object isn't there.
    ///
    /// # Errors
    /// The API can't be reached, or refuses.
    fn kubernetes(
        &self,
        cluster: &Value,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Option<Value>, Error>;
    /// Writes the kubeconfig of a cluster; gives where.
    ///
    /// # Errors
    /// The file can't be written.
    fn write_kubeconfig(&self, cluster: &Value, region: &str) -> Result<String, Error>;
    /// Writes a line.
    fn say(&self, level: Level, line: &str);
    /// Writes what was asked for.
    fn print(&self, text: &str);
    /// Lets time pass.
    fn wait(&self, how_long: Duration);
    /// Seconds since 1970.
    fn now(&self) -> i64;
    /// A random number.
    fn chance(&self) -> u64;
}
