//! Sets of completion indexes and their text, such as `0-2,5`.

use std::collections::BTreeSet;

/// Completion indexes below the number of completions.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Indexes(BTreeSet<i64>);

impl Indexes {
    /// Reads the text of `status.completedIndexes`; what is no index below `completions` is left
    /// out.
    pub(super) fn parse(text: &str, completions: i64) -> Self {
        let mut indexes = Self::default();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            if let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) {
                indexes.0.extend(first.max(0)..=last.min(completions - 1));
            }
        }
        indexes
    }

    pub(super) fn insert(&mut self, index: i64, completions: i64) {
        if (0..completions).contains(&index) {
            self.0.insert(index);
        }
    }

    pub(super) fn contains(&self, index: i64) -> bool {
        self.0.contains(&index)
    }

    pub(super) fn len(&self) -> i64 {
        i64::try_from(self.0.len()).unwrap_or(i64::MAX)
    }
}

impl std::fmt::Display for Indexes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while rest.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            // Two in a row are written one by one, as upstream does.
            match last - first {
                0 => write!(f, "{separator}{first}")?,
                1 => write!(f, "{separator}{first},{last}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_as_ranges() {
        for text in ["", "3", "0,1", "0-2,5", "1,3-5,7,8"] {
            assert_eq!(Indexes::parse(text, 10).to_string(), text);
        }
        assert_eq!(Indexes::parse("0-99999999999,x,-3", 3).to_string(), "0-2");
    }
}
