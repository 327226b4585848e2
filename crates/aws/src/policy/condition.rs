//! Conditions of statements.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use super::pattern;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use wire::Timestamp;

/// The keys of a request and their values. Names are compared without regard to case, a tag's key inside a
/// name too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    values: BTreeMap<String, Vec<String>>,
}

impl Keys {
    /// Gives a key one more value.
    pub fn put(&mut self, name: &str, value: impl Into<String>) {
        let values = self.values.entry(name.to_lowercase()).or_default();
        values.push(value.into());
    }

    /// Takes all of another set's values in.
    pub fn extend(&mut self, other: Self) {
        for (name, values) in other.values {
            self.values.entry(name).or_default().extend(values);
        }
    }

    /// A key's values, if the request has the key.
    pub fn get(&self, name: &str) -> Option<&[String]> {
        self.values.get(&name.to_lowercase()).map(Vec::as_slice)
    }
}

/// How a key of several values is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Several {
    /// The key has one value.
    No,
    /// All that the request has must do; none do too.
    All,
    /// One must do.
    Any,
}

/// What two values are held against each other by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equals,
    EqualsIgnoreCase,
    Like,
    Arn,
    Number(Order),
    Date(Order),
    Bool,
    Address,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds<T: PartialOrd>(self, actual: &T, expected: &T) -> bool {
        match self {
            Self::Equal => actual == expected,
            Self::Less => actual < expected,
            Self::LessOrEqual => actual <= expected,
            Self::Greater => actual > expected,
            Self::GreaterOrEqual => actual >= expected,
        }
    }
}

/// An operator, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    /// Whether the key is absent.
    Null,
    /// Values are compared.
    Compare {
        comparison: Comparison,
        /// Whether no value may be equal: then a key that is absent does.
        negated: bool,
        several: Several,
        /// Whether an absent key does.
        if_exists: bool,
    },
}

/// One condition: an operator, a key and the values that do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    operator: Operator,
    key: String,
    values: Vec<String>,
}

impl Condition {
    /// A condition; `None` if there is no such operator.
    pub(super) fn new(operator: &str, key: &str, values: Vec<String>) -> Option<Self> {
        Some(Self {
            operator: parse(operator)?,
            key: key.to_owned(),
            values,
        })
    }

    /// Whether a request meets it.
    pub fn holds(&self, keys: &Keys) -> bool {
        let actual = keys.get(&self.key);
        match self.operator {
            Operator::Null => {
                let absent = actual.is_none();
                self.values.iter().any(|value| {
                    let wanted = value.eq_ignore_ascii_case("true");
                    wanted == absent
                })
            }
            Operator::Compare {
                comparison,
                negated,
                several,
                if_exists,
            } => {
                let Some(actual) = actual else {
                    return if_exists
                        || several == Several::All
                        || (negated && several == Several::No);
                };
                let one = |value: &String| {
                    let known = |expected: &String| compare(comparison, expected, value, keys);
                    self.values.iter().any(known) != negated
                };
                match several {
                    Several::All => actual.iter().all(one),
                    // Of a key with one value there is one; several under a plain operator must all do.
                    Several::No => !actual.is_empty() && actual.iter().all(one),
                    Several::Any => actual.iter().any(one),
                }
            }
        }
    }
}

fn parse(operator: &str) -> Option<Operator> {
    let (several, rest) = match operator.split_once(':') {
        Some(("ForAllValues", rest)) => (Several::All, rest),
        Some(("ForAnyValue", rest)) => (Several::Any, rest),
        Some(_) => return None,
        None => (Several::No, operator),
    };
    let (name, if_exists) = match rest.strip_suffix("IfExists") {
        Some(name) => (name, true),
        None => (rest, false),
    };
    if name == "Null" {
        return (several == Several::No && !if_exists).then_some(Operator::Null);
    }
    let (comparison, negated) = match name {
        "StringEquals" | "BinaryEquals" => (Comparison::Equals, false),
        "StringNotEquals" => (Comparison::Equals, true),
        "StringEqualsIgnoreCase" => (Comparison::EqualsIgnoreCase, false),
        "StringNotEqualsIgnoreCase" => (Comparison::EqualsIgnoreCase, true),
        "StringLike" => (Comparison::Like, false),
        "StringNotLike" => (Comparison::Like, true),
        // The two operators for ARNs behave alike.
        "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
        "Bool" => (Comparison::Bool, false),
        "IpAddress" => (Comparison::Address, false),
        "NotIpAddress" => (Comparison::Address, true),
        other => match other.strip_prefix("Numeric") {
            Some(order) => ordered(order, Comparison::Number)?,
            None => ordered(other.strip_prefix("Date")?, Comparison::Date)?,
        },
    };
    Some(Operator::Compare {
        comparison,
        negated,
        several,
        if_exists,
    })
}

fn ordered(order: &str, kind: fn(Order) -> Comparison) -> Option<(Comparison, bool)> {
    let (order, negated) = match order {
        "Equals" => (Order::Equal, false),
        "NotEquals" => (Order::Equal, true),
        "LessThan" => (Order::Less, false),
        "LessThanEquals" => (Order::LessOrEqual, false),
        "GreaterThan" => (Order::Greater, false),
        "GreaterThanEquals" => (Order::GreaterOrEqual, false),
        _ => return None,
    };
    Some((kind(order), negated))
}

fn compare(comparison: Comparison, expected: &str, actual: &str, keys: &Keys) -> bool {
    match comparison {
        Comparison::Equals => pattern::equals(expected, actual, keys),
        Comparison::EqualsIgnoreCase => {
            pattern::equals(&expected.to_lowercase(), &actual.to_lowercase(), keys)
        }
        Comparison::Like => pattern::like(expected, actual, keys),
        Comparison::Arn => pattern::arn(expected, actual, keys),
        Comparison::Number(order) => both(expected, actual, |text| text.parse::<f64>().ok())
            .is_some_and(|(expected, actual)| order.holds(&actual, &expected)),
        Comparison::Date(order) => both(expected, actual, moment)
            .is_some_and(|(expected, actual)| order.holds(&actual, &expected)),
        Comparison::Bool => expected.eq_ignore_ascii_case(actual),
        Comparison::Address => {
            let range = expected.parse().ok().or_else(|| {
                let address: IpAddr = expected.parse().ok()?;
                Some(IpNet::from(address))
            });
            let address: Option<IpAddr> = actual.parse().ok();
            matches!((range, address), (Some(range), Some(address)) if range.contains(&address))
        }
    }
}

fn both<T>(expected: &str, actual: &str, read: impl Fn(&str) -> Option<T>) -> Option<(T, T)> {
    Some((read(expected)?, read(actual)?))
}

/// A moment in ISO 8601 or in seconds since 1970.
fn moment(text: &str) -> Option<i64> {
    match text.parse() {
        Ok(seconds) => Some(seconds),
        Err(_) => Timestamp::parse(text).map(|moment| moment.0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keys(pairs: &[(&str, &str)]) -> Keys {
        let mut keys = Keys::default();
        for (name, value) in pairs {
            keys.put(name, *value);
        }
        keys
    }

    fn holds(operator: &str, key: &str, values: &[&str], has: &[(&str, &str)]) -> bool {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let condition = Condition::new(operator, key, values).unwrap();
        condition.holds(&keys(has))
    }

    /// AWS-IAM: what the load balancer controller's policy asks of tags.
    #[test]
    fn null_asks_whether_a_key_is_there() {
        let tag = "aws:RequestTag/elbv2.k8s.aws/cluster";
        let given = [(tag, "c")];
        assert!(holds("Null", tag, &["false"], &given));
        assert!(!holds("Null", tag, &["false"], &[]));
        assert!(holds("Null", tag, &["true"], &[]));
        assert!(!holds("Null", tag, &["true"], &given));
    }

    #[test]
    fn absent_keys_do_for_negations_and_if_exists_only() {
        for (operator, held) in [
            ("StringEquals", false),
            ("StringNotEquals", true),
            ("StringEqualsIfExists", true),
            ("ForAllValues:StringEquals", true),
            ("ForAnyValue:StringEquals", false),
            ("Bool", false),
            ("NumericLessThan", false),
        ] {
            assert_eq!(holds(operator, "k", &["1"], &[]), held, "{operator}");
        }
    }

    #[test]
    fn values_are_compared_as_the_operator_says() {
        for (operator, expected, actual, held) in [
            ("StringEquals", "a*", "ab", false),
            ("StringEqualsIgnoreCase", "Ab", "aB", true),
            ("StringLike", "a*", "ab", true),
            ("StringNotLike", "a*", "ab", false),
            (
                "ArnLike",
                "arn:aws:iam::*:role/x*",
                "arn:aws:iam::1:role/xy",
                true,
            ),
            (
                "ArnEquals",
                "arn:aws:iam::*:role/x",
                "arn:aws:iam::1:role/x",
                true,
            ),
            ("NumericLessThanEquals", "10", "9.5", true),
            ("NumericGreaterThan", "10", "x", false),
            ("DateLessThan", "2026-01-01T00:00:00Z", "1700000000", true),
            ("Bool", "true", "True", true),
            ("IpAddress", "10.0.0.0/8", "10.1.2.3", true),
            ("IpAddress", "10.0.0.1", "10.0.0.2", false),
            ("NotIpAddress", "10.0.0.0/8", "192.0.2.1", true),
        ] {
            let held_now = holds(operator, "k", &[expected], &[("K", actual)]);
            assert_eq!(held_now, held, "{operator} {expected} {actual}");
        }
        assert!(Condition::new("StringIs", "k", Vec::new()).is_none());
        assert!(Condition::new("ForSome:StringEquals", "k", Vec::new()).is_none());
    }

    #[test]
    fn sets_are_compared_value_by_value() {
        let has = [("aws:TagKeys", "a"), ("aws:TagKeys", "b")];
        let any = "ForAnyValue:StringEquals";
        let all = "ForAllValues:StringEquals";
        assert!(holds(any, "aws:TagKeys", &["b", "c"], &has));
        assert!(!holds(any, "aws:TagKeys", &["c"], &has));
        assert!(holds(all, "aws:TagKeys", &["a", "b", "c"], &has));
        assert!(!holds(all, "aws:TagKeys", &["a"], &has));
    }
}
