//! Corefiles: what a `coredns` ConfigMap says.
//!
//! <https://coredns.io/manual/configuration/>. Known are the plugins that managed clusters and kubeadm ship, and
//! the usual additions; another one, or a property that isn't known, is an error that names it. Not modelled:
//! other schemes than `dns://`, and arguments of snippets.

mod block;
mod tokens;
mod tree;
mod zones;

pub(crate) use block::Block;
use std::io;
use std::path::{Path, PathBuf};
pub(crate) use tree::Directive;
pub(crate) use zones::zones;

/// What a Corefile takes from outside itself.
pub trait Imports {
    /// The files that a path names, whose last part may have stars, and their text.
    ///
    /// # Errors
    /// A file can't be read, or one that is named without stars isn't there.
    fn files(&self, pattern: &Path) -> io::Result<Vec<(PathBuf, String)>>;

    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
}

/// What is wrong with a Corefile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line} - Error during parsing: {problem}", file.display())]
pub struct CorefileError {
    /// The file.
    pub(crate) file: PathBuf,
    /// The line.
    pub(crate) line: usize,
    pub(crate) problem: Problem,
}

/// What is wrong in a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("Unknown directive '{0}'")]
    UnknownDirective(String),
    #[error("plugin '{0}' is CoreDNS's, but is not served here")]
    Unsupported(String),
    #[error("plugin/{plugin}: unknown property '{property}'")]
    UnknownProperty { plugin: String, property: String },
    #[error("plugin/{plugin}: property '{property}' is CoreDNS's, but is not served here")]
    UnsupportedProperty { plugin: String, property: String },
    #[error("Wrong argument count or unexpected line ending after '{0}'")]
    Count(String),
    #[error("plugin/{plugin}: {reason}")]
    Bad { plugin: String, reason: String },
    #[error("Syntax error: Unexpected token '{0}'")]
    Unexpected(String),
    #[error("Unexpected EOF")]
    Unclosed,
    #[error("Could not import {0}: {1}")]
    Import(String, String),
    #[error("'{0}' is no zone that can be served here")]
    Key(String),
    #[error("cannot serve {0} - it is already defined")]
    Twice(String),
    #[error("plugin/{0}: this plugin can only be used once per Server Block")]
    OncePerBlock(String),
}

/// A Corefile.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) blocks: Vec<Block>,
}

impl Config {
    /// Reads a Corefile. Where it is says where its imports are.
    ///
    /// # Errors
    /// It isn't understood.
    pub fn parse(text: &str, file: &Path, imports: &dyn Imports) -> Result<Self, CorefileError> {
        let mut blocks: Vec<Block> = Vec::new();
        for tree in tree::read(text, file, imports)? {
            let place = tree.place.clone();
            let block = Block::read(tree)?;
            for other in &blocks {
                if let Some(zone) = block.shared_with(other) {
                    return Err(place.error(Problem::Twice(zone)));
                }
            }
            blocks.push(block);
        }
        Ok(Self { blocks })
    }

    /// Whether the names of pods have to be verified: then the zone has to know the pods.
    #[must_use]
    pub fn wants_pods(&self) -> bool {
        use crate::plugin::kubernetes::Pods;
        let plugins = self
            .blocks
            .iter()
            .filter_map(|block| block.kubernetes.as_ref());
        plugins
            .into_iter()
            .any(|plugin| plugin.pods == Pods::Verified)
    }
}

#[cfg(test)]
pub(crate) mod tests;
