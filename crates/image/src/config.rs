//! How an image is to be run.

use crate::document::Execution;
use std::collections::BTreeMap;

/// How an image is to be run, by its maker.
/// <https://github.com/opencontainers/image-spec/blob/main/config.md>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The program, and its first arguments.
    pub entrypoint: Vec<String>,
    /// More arguments, or the program where there is no entry point.
    pub cmd: Vec<String>,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// Where it starts; empty for `/`.
    pub working_dir: String,
    /// As whom: `user`, `uid`, `user:group`, `uid:gid`; empty for root.
    pub user: String,
    /// The signal that asks it to end, `SIGQUIT` or `3`; empty for `SIGTERM`.
    pub stop_signal: String,
    /// Ports that it says it listens on, `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Whatever else is said of it.
    pub labels: BTreeMap<String, String>,
    /// Directories whose contents don't belong to the image.
    pub volumes: Vec<String>,
}

impl From<Execution> for ImageConfig {
    fn from(said: Execution) -> Self {
        let env = said.env.iter().map(|variable| {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            (name.to_owned(), value.to_owned())
        });
        Self {
            env: env.collect(),
            entrypoint: said.entrypoint,
            cmd: said.cmd,
            working_dir: said.working_dir,
            user: said.user,
            stop_signal: said.stop_signal,
            exposed_ports: said.exposed_ports.into_keys().collect(),
            labels: said.labels,
            volumes: said.volumes.into_keys().collect(),
        }
    }
}

impl From<ImageConfig> for Execution {
    fn from(config: ImageConfig) -> Self {
        let nothing = |name| (name, serde_json::json!({}));
        let env = config.env.into_iter();
        Self {
            env: env.map(|(name, value)| format!("{name}={value}")).collect(),
            entrypoint: config.entrypoint,
            cmd: config.cmd,
            working_dir: config.working_dir,
            user: config.user,
            stop_signal: config.stop_signal,
            exposed_ports: config.exposed_ports.into_iter().map(nothing).collect(),
            labels: config.labels,
            volumes: config.volumes.into_iter().map(nothing).collect(),
        }
    }
}
