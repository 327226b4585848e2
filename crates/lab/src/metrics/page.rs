//! The text that Prometheus reads.

use super::{Family, Labels};
use std::fmt::{Display, Write};

/// A page under way.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    /// Begins a family: `counter`, `gauge` or `histogram`. Its samples follow.
    pub fn family(&mut self, family: Family, kind: &str) {
        let Family { name, help } = family;
        // Writing to a string can't fail, here and below.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self.name = name;
    }

    /// A sample of the family that was begun last.
    pub fn sample(&mut self, suffix: &str, labels: &Labels, value: &impl Display) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (index, (name, of)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{name}=\"{}\"", escaped(of));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// A family with one sample that has no labels.
    pub fn gauge(&mut self, family: Family, value: &impl Display) {
        self.family(family, "gauge");
        self.sample("", &Labels::new(), value);
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
}
