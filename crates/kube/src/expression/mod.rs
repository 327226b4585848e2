//! Expressions in CEL, by which definitions and policies say what may be.
//!
//! The language is the `cel` crate's; here stand its functions that Kubernetes adds and the way from objects to
//! its values. Kubernetes checks types when an expression is stored; here only names are checked then, and
//! types when it is evaluated. Moments and lengths of time, URLs, and a budget of work are not modelled: an
//! expression that uses functions of theirs is refused.
//!
//! <https://kubernetes.io/docs/reference/using-api/cel/>

mod functions;
mod names;
mod typed;

pub(crate) use typed::typed;

use cel::{Context, Env, Program};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// An expression that can be evaluated.
#[derive(Clone)]
pub(crate) struct Expression(Arc<Program>);

/// Why an expression can't be had or has no value, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Fault(String);

/// Compiled expressions are kept by their text, so many at most.
const KEPT: usize = 4096;

/// What puts expressions into each other. Those within texts count too: where a text ends is for the parser to say.
const OPERATORS: &[u8] = b".?+-*/%&|<>=!([{";
/// Expressions are walked by functions that call themselves, so a long chain is as deep as it is long. Kubernetes
/// bounds what evaluating costs instead.
const MOST_OPERATORS: usize = 1000;

/// Names of types, and of the parts of the language that functions are called by.
const TYPES: [&str; 15] = [
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "lists",
    "map",
    "math",
    "null_type",
    "optional",
    "sets",
    "string",
    "strings",
    "type",
    "uint",
];

/// The language with the functions that Kubernetes adds.
fn language() -> &'static Arc<Env> {
    static LANGUAGE: OnceLock<Arc<Env>> = OnceLock::new();
    LANGUAGE.get_or_init(|| {
        let mut env = Env::stdlib();
        for extension in [
            cel::extensions::strings,
            cel::extensions::lists,
            cel::extensions::math,
        ] {
            // Each is added once, so nothing is declared twice.
            let _ = env.add_extension(extension);
        }
        functions::declare(&mut env);
        Arc::new(env)
    })
}

impl Expression {
    /// Reads an expression that may use some variables.
    ///
    /// # Errors
    /// It is none, or uses what there isn't.
    pub(crate) fn compile(text: &str, variables: &[&str]) -> Result<Self, Fault> {
        let found = Self::parse(text)?;
        let references = found.0.references();
        let unknown = |name: &&str| {
            let operator = !name.starts_with(|c: char| c.is_ascii_alphabetic());
            !operator && !functions::exists(name)
        };
        let functions = references.functions().into_iter().filter(unknown);
        let free = names::free(found.0.expression());
        let undeclared = |name: &&str| !variables.contains(name) && !TYPES.contains(name);
        match functions.chain(free.into_iter().filter(undeclared)).min() {
            Some(name) => {
                let told = format!("undeclared reference to '{name}' (in container '')");
                Err(Fault(told))
            }
            None => Ok(found),
        }
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let operators = text.bytes().filter(|byte| OPERATORS.contains(byte));
        if operators.count() > MOST_OPERATORS {
            let told =
                format!("Syntax error: an expression has {MOST_OPERATORS} operators at most");
            return Err(Fault(told));
        }
        static COMPILED: OnceLock<Mutex<HashMap<String, Expression>>> = OnceLock::new();
        let compiled = COMPILED.get_or_init(Mutex::default);
        let mut compiled = compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = compiled.get(text) {
            return Ok(found.clone());
        }
        let program = language().compile(text);
        let program = program.map_err(|error| Fault(format!("Syntax error: {error}")))?;
        let made = Self(Arc::new(program));
        if compiled.len() >= KEPT {
            compiled.clear();
        }
        compiled.insert(text.to_owned(), made.clone());
        Ok(made)
    }

    /// Whether it uses a variable.
    pub(crate) fn uses(&self, variable: &str) -> bool {
        names::free(self.0.expression()).contains(variable)
    }

    fn evaluate(&self, variables: &[(&str, cel::Value)]) -> Result<cel::Value, Fault> {
        let mut context = Context::with_env(language().clone());
        functions::add(&mut context);
        for (name, value) in variables {
            context.add_variable_from_value(*name, value.clone());
        }
        self.0.execute(&context).map_err(|error| {
            let told = error.to_string();
            let mut letters = told.chars();
            let first = letters.next().map(|first| first.to_ascii_lowercase());
            Fault(first.into_iter().chain(letters).collect())
        })
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// It has no value, or another than true and false.
    pub(crate) fn holds(&self, variables: &[(&str, cel::Value)]) -> Result<bool, Fault> {
        match self.evaluate(variables)? {
            cel::Value::Bool(held) => Ok(held),
            other => Err(Fault(format!("got {}, wanted bool", other.type_of()))),
        }
    }

    /// The text that it makes.
    ///
    /// # Errors
    /// It has no value, or one that is no text.
    pub(crate) fn text(&self, variables: &[(&str, cel::Value)]) -> Result<String, Fault> {
        match self.evaluate(variables)? {
            cel::Value::String(text) => Ok(text.to_string()),
            other => Err(Fault(format!("got {}, wanted string", other.type_of()))),
        }
    }

    /// Its value, for other expressions.
    ///
    /// # Errors
    /// It has none.
    pub(crate) fn value(&self, variables: &[(&str, cel::Value)]) -> Result<cel::Value, Fault> {
        self.evaluate(variables)
    }
}

/// A value of which no schema says more than JSON.
pub(crate) fn plain(value: &Value) -> cel::Value {
    typed(value, &Value::Null)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(text: &str) -> bool {
        let this = json!({"name": "web-1", "count": 3, "list": [3, 1, 2], "map": {"a": "b"}, "size": "1Gi"});
        let expression = Expression::compile(text, &["self"]).unwrap();
        expression.holds(&[("self", plain(&this))]).unwrap()
    }

    /// K8S-API: the functions that Kubernetes documents.
    #[test]
    fn kubernetes_functions_are_there() {
        for text in [
            "self.count > 2 && self.name.startsWith('web')",
            "has(self.name) && !has(self.other)",
            "self.list.all(x, x > 0) && self.list.exists(x, x == 2)",
            "self.list.map(x, x * 2).sum() == 12",
            "self.list.filter(x, x > 1).size() == 2",
            "self.list.max() == 3 && self.list.min() == 1 && !self.list.isSorted()",
            "self.list.indexOf(1) == 1 && self.list.lastIndexOf(9) == -1",
            "self.name.matches('^[a-z]+-[0-9]$')",
            "self.name.find('[0-9]') == '1' && self.name.findAll('[a-z]').size() == 3",
            "'a' in self.map && self.map.all(k, k == 'a')",
            "self.name.split('-')[0].upperAscii() == 'WEB'",
            "sets.contains(self.list, [1, 2]) && sets.intersects([1], [1, 2]) && sets.equivalent([1, 1], [1])",
            "isQuantity(self.size) && quantity(self.size).isGreaterThan(quantity('500Mi'))",
            "isIP('10.0.0.1') && !isIP('x') && isCIDR('10.0.0.0/8')",
            "self.count == 3 ? true : false",
            "type(self.count) == int && string(self.count) == '3'",
        ] {
            assert!(holds(text), "{text}");
        }
        assert!(!holds("self.count < 2"));
    }

    /// K8S-API: what isn't an expression, or uses what isn't there, is told.
    #[test]
    fn faults_are_told() {
        let fault = |text: &str| {
            Expression::compile(text, &["self"])
                .err()
                .unwrap()
                .to_string()
        };
        assert!(fault("self.x >").starts_with("Syntax error"));
        assert!(fault("other.x > 1").contains("undeclared reference to 'other'"));
        assert!(fault("duration('1h') > self.x").contains("undeclared reference to 'duration'"));
        let wrong = Expression::compile("self.none > 1", &["self"]).unwrap();
        let told = wrong.holds(&[("self", plain(&json!({})))]).unwrap_err();
        assert_eq!(told.to_string(), "no such key: none");
        let number = Expression::compile("1 + 1", &[]).unwrap();
        assert_eq!(
            number.holds(&[]).unwrap_err().to_string(),
            "got int, wanted bool"
        );
    }
}
