//! Attributes: keys with defaults and the values that they take.

use super::*;

/// What values an attribute takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Values {
    /// `true` or `false`.
    Flag,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A number within bounds.
    Number(i64, i64),
    /// A number within bounds, or 0 for none.
    NumberOrNone(i64, i64),
    /// `off` or a number within bounds.
    NumberOrOff(i64, i64),
    /// A text of at most so many characters.
    Text(usize),
    /// This and nothing else, and why.
    Only(&'static str, &'static str),
}

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    pub(crate) default: &'static str,
    pub(crate) values: Values,
}

/// An attribute.
pub(crate) const fn setting(key: &'static str, default: &'static str, values: Values) -> Setting {
    Setting {
        key,
        default,
        values,
    }
}

impl Setting {
    fn check(&self, value: &str) -> Result<(), Refusal> {
        let key = self.key;
        let number = || value.parse::<i64>().ok();
        let within = |low: i64, high: i64| number().is_some_and(|of| (low..=high).contains(&of));
        let problem = match self.values {
            Values::Flag if matches!(value, "true" | "false") => return Ok(()),
            Values::OneOf(values) if values.contains(&value) => return Ok(()),
            Values::Number(low, high) if within(low, high) => return Ok(()),
            Values::NumberOrNone(low, high) if value == "0" || within(low, high) => return Ok(()),
            Values::NumberOrOff(low, high) if value == "off" || within(low, high) => return Ok(()),
            Values::Text(longest) if value.chars().count() <= longest => return Ok(()),
            Values::Only(only, _) if value == only => return Ok(()),
            Values::Flag => format!("'{key}' value '{value}' must be one of [true, false]"),
            Values::OneOf(values) => {
                format!(
                    "'{key}' value '{value}' must be one of [{}]",
                    values.join(", ")
                )
            }
            Values::Number(low, high) => {
                format!("'{key}' value '{value}' must be between '{low}-{high}' inclusive")
            }
            Values::NumberOrNone(low, high) => {
                format!("'{key}' value '{value}' must be '0' or between '{low}-{high}' inclusive")
            }
            Values::NumberOrOff(low, high) => {
                format!("'{key}' value '{value}' must be 'off' or between '{low}-{high}' inclusive")
            }
            Values::Text(longest) => {
                format!("'{key}' value is too long; the limit is '{longest}'")
            }
            Values::Only(_, why) => return Err(misconfigured(why)),
        };
        Err(invalid(problem))
    }
}

/// All attributes with their values, set or not.
pub(crate) fn all(settings: &[Setting], set: &BTreeMap<String, String>) -> Vec<(String, String)> {
    settings
        .iter()
        .map(|setting| {
            let value = set.get(setting.key).map_or(setting.default, String::as_str);
            (setting.key.to_owned(), value.to_owned())
        })
        .collect()
}

/// Checks values and adds them to those set; `what` has them, in AWS's words.
///
/// # Errors
/// `InvalidConfigurationRequest` for a key that there isn't, `ValidationError` for a value that can't be.
pub(crate) fn apply(
    settings: &[Setting],
    set: &BTreeMap<String, String>,
    what: &str,
    wanted: &[(String, String)],
) -> Result<BTreeMap<String, String>, Refusal> {
    let mut set = set.clone();
    let mut seen: Vec<&str> = Vec::with_capacity(wanted.len());
    for (key, value) in wanted {
        let known = settings.iter().find(|setting| setting.key == key);
        let setting = known.ok_or_else(|| {
            misconfigured(format!("{what} attribute key '{key}' is not recognized"))
        })?;
        if seen.contains(&key.as_str()) {
            return Err(misconfigured(format!(
                "{what} attribute key '{key}' was specified more than once"
            )));
        }
        seen.push(key);
        setting.check(value)?;
        set.insert(key.clone(), value.clone());
    }
    Ok(set)
}
