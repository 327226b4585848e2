//! The plugins: what a Corefile says of each, and what each does with a question. Those that only decide are
//! pure.

pub(crate) mod cache;
mod duration;
pub(crate) mod forward;
pub(crate) mod hosts;
pub(crate) mod kubernetes;
pub(crate) mod log;
pub(crate) mod resolv;
pub(crate) mod rewrite;
pub(crate) mod template;
#[cfg(test)]
mod tests;

use crate::corefile::{CorefileError, Directive, Problem, zones};
use crate::question::within;
use std::time::Duration;

/// Whether the next plugin is asked where one knows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fallthrough {
    /// It isn't.
    #[default]
    No,
    /// It is.
    All,
    /// For names in these zones.
    Zones(Vec<String>),
}

impl Fallthrough {
    /// Reads `fallthrough [ZONES...]`.
    pub(crate) fn read(directive: &Directive) -> Result<Self, CorefileError> {
        let zones = zones_of(directive, &directive.arguments)?;
        Ok(if zones.is_empty() {
            Self::All
        } else {
            Self::Zones(zones)
        })
    }

    /// Whether the next plugin is asked for a name.
    pub(crate) fn lets(&self, name: &str) -> bool {
        match self {
            Self::No => false,
            Self::All => true,
            Self::Zones(zones) => zones.iter().any(|zone| within(name, zone)),
        }
    }
}

/// The zones that some words stand for.
pub(crate) fn zones_of(
    directive: &Directive,
    words: &[String],
) -> Result<Vec<String>, CorefileError> {
    let mut found = Vec::new();
    for word in words {
        let more = zones(word).ok_or_else(|| directive.error(Problem::Key(word.clone())))?;
        found.extend(more);
    }
    Ok(found)
}

/// A plugin's property that isn't known here: CoreDNS's, or nobody's.
pub(crate) fn unknown(plugin: &str, line: &Directive, coredns: &[&str]) -> CorefileError {
    let (plugin, property) = (plugin.to_owned(), line.name.clone());
    line.error(if coredns.contains(&property.as_str()) {
        Problem::UnsupportedProperty { plugin, property }
    } else {
        Problem::UnknownProperty { plugin, property }
    })
}

/// Something else that is wrong with a plugin.
pub(crate) fn bad(plugin: &str, line: &Directive, reason: impl Into<String>) -> CorefileError {
    line.error(Problem::Bad {
        plugin: plugin.to_owned(),
        reason: reason.into(),
    })
}

/// Reads a number.
pub(crate) fn number<N: std::str::FromStr>(
    plugin: &str,
    line: &Directive,
    word: &str,
) -> Result<N, CorefileError> {
    let reason = || format!("{word:?} is no number that fits '{}'", line.name);
    word.parse().map_err(|_| bad(plugin, line, reason()))
}

/// Reads a duration as Go writes them: `1h30m`, `300ms`; a bare number is seconds.
pub(crate) fn duration(
    plugin: &str,
    line: &Directive,
    word: &str,
) -> Result<Duration, CorefileError> {
    duration::parse(word).ok_or_else(|| bad(plugin, line, format!("invalid duration {word:?}")))
}
