//! Filters of EC2's Describe operations.
//!
//! A resource passes when for every filter one of its values matches one of the filter's. Values may
//! have `*` for any letters and `?` for one, and a backslash takes their meaning away.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html>

use crate::ec2::Filter;
use crate::error::ApiError;

/// The most filters and values in a request.
const MOST: usize = 200;

/// A request's filters.
#[derive(Clone, Debug, Default)]
pub struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Takes a request's filters.
    ///
    /// # Errors
    /// A filter without a name, or more values than EC2 takes.
    pub fn new(filters: Vec<Filter>) -> Result<Self, ApiError> {
        let count: usize = filters
            .iter()
            .map(|filter| filter.values.len().max(1))
            .sum();
        if count > MOST {
            return Err(ApiError::new(
                "FilterLimitExceeded",
                format!("The maximum number of filter values specified on a single call is {MOST}"),
            ));
        }
        let named = |filter: Filter| match filter.name {
            Some(name) => Ok((name, filter.values)),
            None => Err(ApiError::new(
                "InvalidParameterValue",
                "A filter must have a name",
            )),
        };
        filters
            .into_iter()
            .map(named)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a resource passes. `field` gives its values for a filter's name, `None` if the
    /// operation has no such filter.
    ///
    /// # Errors
    /// `InvalidParameterValue` for a name that the operation doesn't have.
    pub fn pass(&self, field: impl Fn(&str) -> Option<Vec<String>>) -> Result<bool, ApiError> {
        for (name, wanted) in &self.0 {
            let values = field(name).ok_or_else(|| unknown(name))?;
            if !values
                .iter()
                .any(|value| wanted.iter().any(|pattern| matches(pattern, value)))
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Refuses names that the operation doesn't have, also when there is no resource to ask.
    ///
    /// # Errors
    /// `InvalidParameterValue`, naming the filter.
    pub fn check_names(&self, known: impl Fn(&str) -> bool) -> Result<(), ApiError> {
        match self.0.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) => Err(unknown(name)),
            None => Ok(()),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn unknown(name: &str) -> ApiError {
    ApiError::new(
        "InvalidParameterValue",
        format!("The filter '{name}' is invalid"),
    )
}

/// Whether a value matches a pattern.
pub fn matches(pattern: &str, value: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let value: Vec<char> = value.chars().collect();
    let (mut p, mut v) = (0, 0);
    // Where to go back to when what follows the last star doesn't match.
    let mut star: Option<(usize, usize)> = None;
    while v < value.len() {
        let (literal, width) = match pattern.get(p) {
            Some('\\') if p + 1 < pattern.len() => (pattern.get(p + 1), 2),
            other => (other, 1),
        };
        let special = width == 1;
        match literal {
            Some('*') if special => {
                star = Some((p + 1, v));
                p += 1;
            }
            Some(letter) if *letter == value[v] || (special && *letter == '?') => {
                p += width;
                v += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, v) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_unless_escaped() {
        for (pattern, value, expected) in [
            ("a*c", "abbbc", true),
            ("a*c", "abbb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("", "", true),
            ("a\\*c", "a*c", true),
            ("a\\*c", "abc", false),
            ("*web*", "my-web-1", true),
        ] {
            assert_eq!(matches(pattern, value), expected, "{pattern} {value}");
        }
    }
}
