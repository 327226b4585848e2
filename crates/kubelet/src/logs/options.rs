//! Which part of a log is wanted, and in which form.
//! <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod>

use crate::clock;
use std::time::{Duration, SystemTime};

/// What is wanted of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Whether what is written later is wanted too.
    pub(crate) follow: bool,
    /// Whether the log of the instance before is wanted.
    pub(crate) previous: bool,
    /// Whether each line begins with its time.
    pub(crate) timestamps: bool,
    /// So many lines from the end at most.
    pub(crate) tail: Option<usize>,
    /// Nothing older.
    pub(crate) since: Option<SystemTime>,
    /// So many bytes at most.
    pub(crate) limit: Option<usize>,
}

impl Options {
    /// Reads a request's query.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(query: &[(String, String)], now: SystemTime) -> Result<Self, String> {
        let mut options = Self::default();
        for (name, value) in query {
            let flag = || match value.to_ascii_lowercase().as_str() {
                "" | "1" | "t" | "true" => Ok(true),
                "0" | "f" | "false" => Ok(false),
                _ => Err(format!(
                    "unable to decode the request as v1.PodLogOptions: {name}: invalid value {value:?}"
                )),
            };
            let number = |least: i64| match value.parse::<i64>() {
                Ok(number) if number >= least => Ok(number.unsigned_abs()),
                _ => Err(format!(
                    "{name}: Invalid value: {value:?}: must be greater than or equal to {least}"
                )),
            };
            match name.as_str() {
                "follow" => options.follow = flag()?,
                "previous" => options.previous = flag()?,
                "timestamps" => options.timestamps = flag()?,
                "tailLines" => {
                    options.tail = Some(usize::try_from(number(0)?).unwrap_or(usize::MAX));
                }
                "limitBytes" => {
                    options.limit = Some(usize::try_from(number(1)?).unwrap_or(usize::MAX));
                }
                "sinceSeconds" => {
                    options.since = now.checked_sub(Duration::from_secs(number(1)?));
                }
                "sinceTime" => {
                    let time = clock::parse(value);
                    let wrong = || format!("sinceTime: Invalid value: {value:?}: no time");
                    options.since = Some(time.ok_or_else(wrong)?);
                }
                _ => {}
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::at;

    fn read(query: &[(&str, &str)]) -> Result<Options, String> {
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Options::read(&query, at(100))
    }

    #[test]
    fn queries_are_read() {
        let wanted = Options {
            follow: true,
            tail: Some(5),
            since: Some(at(90)),
            ..Options::default()
        };
        let query = [
            ("follow", "true"),
            ("tailLines", "5"),
            ("sinceSeconds", "10"),
            ("x", "y"),
        ];
        assert_eq!(read(&query), Ok(wanted));
        let since = read(&[("sinceTime", "1970-01-01T00:00:07Z")]);
        assert_eq!(since.map(|options| options.since), Ok(Some(at(7))));
        for wrong in [
            ("tailLines", "-1"),
            ("limitBytes", "0"),
            ("sinceSeconds", "x"),
            ("sinceTime", "now"),
            ("follow", "maybe"),
        ] {
            assert!(read(&[wrong]).is_err(), "{wrong:?}");
        }
    }
}
