//! Functions that Kubernetes adds to the language.
//!
//! <https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-list-library>

use cel::common::types::{CelInt, DYN_TYPE, LIST_TYPE};
use cel::common::value::CowVal;
use cel::extractors::This;
use cel::{Context, Env, ExecutionError, Value};
use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

type Text = Arc<String>;
type List = Arc<Vec<Value>>;

/// Functions of the language itself and of its extensions that are no operators.
const OWN: [&str; 44] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "bytes",
    "dyn",
    "type",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "join",
    "lowerAscii",
    "upperAscii",
    "trim",
    "replace",
    "split",
    "substring",
    "reverse",
    "format",
    "quote",
    "strings.quote",
    "slice",
    "flatten",
    "distinct",
    "sort",
    "sortBy",
    "range",
    "lists.range",
    "math.greatest",
    "math.least",
    "abs",
    "math.abs",
    "optional.of",
    "optional.none",
    "optional.ofNonZeroValue",
    "hasValue",
    "value",
    "orValue",
    "or",
];

/// Those that are added here.
const ADDED: [&str; 28] = [
    "matches",
    "find",
    "findAll",
    "isSorted",
    "sum",
    "min",
    "max",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "isQuantity",
    "quantity",
    "isGreaterThan",
    "isLessThan",
    "compareTo",
    "add",
    "sub",
    "sign",
    "isInteger",
    "asInteger",
    "asApproximateFloat",
    "isIP",
    "isCIDR",
    "contains",
    "equivalent",
    "intersects",
    "greatest",
    "least",
];

/// Whether there is a function.
pub(super) fn exists(name: &str) -> bool {
    OWN.contains(&name) || ADDED.contains(&name)
}

fn failed(function: &str, message: impl ToString) -> ExecutionError {
    ExecutionError::FunctionError {
        function: function.to_owned(),
        message: message.to_string(),
    }
}

fn pattern(function: &str, text: &str) -> Result<regex_lite::Regex, ExecutionError> {
    regex_lite::Regex::new(text).map_err(|error| failed(function, error))
}

fn matches(This(text): This<Text>, of: Text) -> Result<bool, ExecutionError> {
    Ok(pattern("matches", &of)?.is_match(&text))
}

fn find(This(text): This<Text>, of: Text) -> Result<Text, ExecutionError> {
    let found = pattern("find", &of)?;
    let found = found.find(&text).map_or("", |found| found.as_str());
    Ok(Arc::new(found.to_owned()))
}

fn find_all(This(text): This<Text>, of: Text) -> Result<List, ExecutionError> {
    let found = pattern("findAll", &of)?;
    let all = found
        .find_iter(&text)
        .map(|found| Value::from(found.as_str()));
    Ok(Arc::new(all.collect()))
}

fn order(a: &Value, b: &Value) -> Result<Ordering, ExecutionError> {
    let incomparable = || ExecutionError::ValuesNotComparable(a.clone(), b.clone());
    a.partial_cmp(b).ok_or_else(incomparable)
}

fn is_sorted(This(list): This<List>) -> Result<bool, ExecutionError> {
    for pair in list.windows(2) {
        if order(&pair[0], &pair[1])? == Ordering::Greater {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The element that all others are on one side of.
fn extreme(function: &str, list: &[Value], side: Ordering) -> Result<Value, ExecutionError> {
    let mut all = list.iter();
    let empty = || failed(function, format!("{function} called on empty list"));
    let mut best = all.next().ok_or_else(empty)?;
    for value in all {
        if order(value, best)? == side {
            best = value;
        }
    }
    Ok(best.clone())
}

fn sum(This(list): This<List>) -> Result<Value, ExecutionError> {
    let (mut whole, mut fraction, mut floats) = (0_i64, 0.0_f64, false);
    for value in list.iter() {
        match value {
            Value::Int(number) => {
                let sum = whole.checked_add(*number);
                whole = sum.ok_or_else(|| failed("sum", "integer overflow"))?;
            }
            Value::Float(number) => {
                fraction += number;
                floats = true;
            }
            _ => return Err(failed("sum", "no such overload")),
        }
    }
    Ok(if floats {
        Value::Float(fraction)
    } else {
        Value::Int(whole)
    })
}

fn within(all: &[Value], some: &[Value]) -> bool {
    some.iter().all(|value| all.contains(value))
}

/// Amounts are compared as numbers.
fn quantity(text: Text) -> Result<f64, ExecutionError> {
    let amount = crate::quantity::parse(&text);
    amount.ok_or_else(|| failed("quantity", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"))
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    match (address.parse::<IpAddr>(), length.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(length)) => length <= 32,
        (Ok(IpAddr::V6(_)), Ok(length)) => length <= 128,
        _ => false,
    }
}

fn compare(a: f64, b: f64) -> i64 {
    match a.partial_cmp(&b) {
        Some(Ordering::Less) => -1,
        Some(Ordering::Greater) => 1,
        _ => 0,
    }
}

/// Where an element stands in a list, from one end or the other; -1 where it doesn't.
fn place<'b, 'v>(args: &[CowVal<'b, 'v>], last: bool) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [list, wanted] = args else {
        return Err(ExecutionError::MissingArgumentOrTarget);
    };
    let list = list
        .as_ref()
        .as_iterable()
        .ok_or_else(|| failed("indexOf", "no such overload"))?;
    let (mut items, mut at, mut found) = (list.iter(), 0_i64, -1);
    while let Some(item) = items.next() {
        if item.equals(wanted.as_ref()) && (last || found < 0) {
            found = at;
        }
        at += 1;
    }
    Ok(CowVal::owned(CelInt::from(found)))
}

fn index_of<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    place(&args, false)
}

fn last_index_of<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    place(&args, true)
}

/// Declares functions of lists whose names texts have too.
pub(super) fn declare(env: &mut Env) {
    for (name, id, function) in [
        (
            "indexOf",
            "list.indexOf(dyn)",
            index_of as cel::common::functions::Function,
        ),
        ("lastIndexOf", "list.lastIndexOf(dyn)", last_index_of),
    ] {
        let _ = env.add_member_overload(name, id, LIST_TYPE, vec![DYN_TYPE], function);
    }
}

/// Adds the functions to a context. None of the names is the language's own, so none is refused.
#[allow(clippy::cast_possible_truncation)] // an amount as a whole number, where it is one
pub(super) fn add(context: &mut Context<'_, '_>) {
    let _ = context.add_function("matches", matches);
    let _ = context.add_function("find", find);
    let _ = context.add_function("findAll", find_all);
    let _ = context.add_function("isSorted", is_sorted);
    let _ = context.add_function("sum", sum);
    let _ = context.add_function("min", |This(list): This<List>| {
        extreme("min", &list, Ordering::Less)
    });
    let _ = context.add_function("max", |This(list): This<List>| {
        extreme("max", &list, Ordering::Greater)
    });
    let _ = context.add_function("sets.contains", |a: List, b: List| within(&a, &b));
    let _ = context.add_function("sets.equivalent", |a: List, b: List| {
        within(&a, &b) && within(&b, &a)
    });
    let _ = context.add_function("sets.intersects", |a: List, b: List| {
        b.iter().any(|v| a.contains(v))
    });
    let _ = context.add_function("isQuantity", |text: Text| {
        crate::quantity::parse(&text).is_some()
    });
    let _ = context.add_function("quantity", quantity);
    let _ = context.add_function("isGreaterThan", |This(a): This<f64>, b: f64| a > b);
    let _ = context.add_function("isLessThan", |This(a): This<f64>, b: f64| a < b);
    let _ = context.add_function("compareTo", |This(a): This<f64>, b: f64| compare(a, b));
    let _ = context.add_function("add", |This(a): This<f64>, b: f64| a + b);
    let _ = context.add_function("sub", |This(a): This<f64>, b: f64| a - b);
    let _ = context.add_function("sign", |This(a): This<f64>| compare(a, 0.0));
    let _ = context.add_function("isInteger", |This(a): This<f64>| a.fract() == 0.0);
    let _ = context.add_function("asInteger", |This(a): This<f64>| a as i64);
    let _ = context.add_function("asApproximateFloat", |This(a): This<f64>| a);
    let _ = context.add_function("isIP", |text: Text| text.parse::<IpAddr>().is_ok());
    let _ = context.add_function("isCIDR", |text: Text| is_cidr(&text));
}
