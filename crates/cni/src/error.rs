//! What a plugin answers when it can't.

use serde_json::{Value, json};

/// An error with the specification's code.
/// <https://www.cni.dev/docs/spec/#error>
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PluginError {
    /// The code: below 100 the specification's own.
    pub code: u32,
    /// In words.
    pub message: String,
}

impl PluginError {
    /// The version of the configuration is none that the plugin knows.
    pub const VERSION: u32 = 1;
    /// A variable of the environment is missing or wrong.
    pub const ENVIRONMENT: u32 = 4;
    /// Reading or writing failed.
    pub const IO: u32 = 5;
    /// The configuration can't be read.
    pub const DECODE: u32 = 6;
    /// The configuration is wrong.
    pub const CONFIG: u32 = 7;
    /// Anything that the specification has no code for.
    /// <https://pkg.go.dev/github.com/containernetworking/cni/pkg/types#pkg-constants>
    pub const INTERNAL: u32 = 999;
    /// The plugin can't serve now.
    pub const UNAVAILABLE: u32 = 50;
    /// There is no address left.
    pub const EXHAUSTED: u32 = 100;
    /// The kernel refused.
    pub const KERNEL: u32 = 101;
    /// What CHECK looked at is not as it was made.
    pub const CHANGED: u32 = 102;

    /// An error.
    pub fn new(code: u32, message: impl ToString) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }

    pub(crate) fn document(&self, version: &str) -> Value {
        json!({"cniVersion": version, "code": self.code, "msg": self.message})
    }
}
