//! AWS's REST JSON protocol: the operation by method and path; parameters in the path, in the query string and in a
//! JSON object.
//!
//! A request's parts are joined to one JSON object, which [`crate::json`] reads.
//! <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>

use crate::error::ApiError;
use crate::json;
use crate::query::{decode, pairs};
use serde_json::Value;

/// The type of requests and responses.
pub const CONTENT_TYPE: &str = "application/json";

/// The header that says what kind of error an answer is.
pub const ERROR_TYPE: &str = "x-amzn-errortype";

/// A request as the protocol sees it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The path, as it came.
    pub path: &'a str,
    /// The query string, as it came, without the question mark.
    pub query: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Where a member of a request stands outside the body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    /// What stands there: a label of the path, or a parameter of the query string.
    pub(crate) at: &'static str,
    /// The member's name.
    pub(crate) member: &'static str,
    /// Which of the two, and of what type.
    pub(crate) kind: Kind,
}

/// Where and of what type a bound member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A part of the path.
    Label,
    /// A text in the query string.
    Text,
    /// A number there.
    Number,
    /// `true` or `false` there.
    Truth,
    /// Any number of texts there.
    Texts,
}

impl ApiError {
    /// As REST JSON services write it, beside the header [`ERROR_TYPE`].
    pub fn rest_json(&self) -> String {
        serde_json::json!({ "message": self.message }).to_string()
    }
}

/// The labels of a path that has the form of a template.
pub(crate) fn labels(
    template: &'static str,
    method: &str,
    call: &Call<'_>,
) -> Option<Vec<(&'static str, String)>> {
    let (mut wanted, mut given) = (template.split('/'), call.path.split('/'));
    let mut labels = Vec::new();
    if method != call.method {
        return None;
    }
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(labels),
            (Some(part), Some(text)) => match label(part) {
                Some(name) if !text.is_empty() => labels.push((name, segment(text))),
                None if part == text => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}

fn label(part: &'static str) -> Option<&'static str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

/// Decodes a part of a path, where a plus is a plus.
fn segment(text: &str) -> String {
    decode(&text.replace('+', "%2B"))
}

/// A request's members, from wherever they stand.
///
/// # Errors
/// `SerializationException` for a body that is no object, or a parameter of another type.
pub(crate) fn members(
    call: &Call<'_>,
    labels: Vec<(&'static str, String)>,
    bindings: &[Binding],
) -> Result<Value, ApiError> {
    let mut members = json::body(call.body)?;
    let parameters = pairs(call.query);
    let Some(object) = members.as_object_mut() else {
        return Ok(members);
    };
    for binding in bindings {
        let named = parameters.iter().filter(|(name, _)| name == binding.at);
        let mut texts: Vec<String> = named.map(|(_, value)| value.clone()).collect();
        if binding.kind == Kind::Label {
            let found = labels.iter().filter(|(name, _)| *name == binding.at);
            texts = found.map(|(_, value)| value.clone()).collect();
        }
        // A bound member is never read from the body.
        object.remove(binding.member);
        if let Some(value) = value(binding, texts)? {
            object.insert(binding.member.to_owned(), value);
        }
    }
    Ok(members)
}

fn value(binding: &Binding, mut texts: Vec<String>) -> Result<Option<Value>, ApiError> {
    if binding.kind == Kind::Texts {
        return Ok((!texts.is_empty()).then(|| Value::from(texts)));
    }
    let Some(text) = texts.pop() else {
        return Ok(None);
    };
    let read = match binding.kind {
        Kind::Number => text.parse::<i64>().ok().map(Value::from),
        Kind::Truth => text.parse::<bool>().ok().map(Value::from),
        Kind::Label | Kind::Text | Kind::Texts => Some(Value::from(text.as_str())),
    };
    read.map(Some).ok_or_else(|| {
        let at = binding.at;
        ApiError::new(
            "SerializationException",
            format!("'{text}' can't be the value of '{at}'"),
        )
    })
}

/// A service's operations.
macro_rules! operations {
    (has { $($name:ident($input:ty) -> $output:ty, $method:literal $path:literal
        [$($kind:ident $at:literal => $member:literal;)*];)* }
     lacks [$($no_method:literal $no_path:literal $lacking:literal,)*]) => {
        /// A request.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::large_enum_variant)]
        pub enum Request { $($name(Box<$input>),)* }

        impl Request {
            /// Reads a request.
            ///
            /// # Errors
            /// AWS's own for an unknown operation, a missing or invalid member, and
            /// `UnsupportedOperation` for what AWS has and Skylab hasn't.
            pub fn parse(call: &$crate::rest_json::Call<'_>) -> Result<Self, $crate::error::ApiError> {
                $(if let Some(labels) = $crate::rest_json::labels($path, $method, call) {
                    let bindings: &[$crate::rest_json::Binding] = &[$($crate::rest_json::Binding {
                        at: $at,
                        member: $member,
                        kind: $crate::rest_json::Kind::$kind,
                    },)*];
                    let members = $crate::rest_json::members(call, labels, bindings)?;
                    let input = <$input as $crate::json::FromJson>::from_json(&members, "")?;
                    return Ok(Self::$name(Box::new(input)));
                })*
                let lacking: &[(&str, &'static str, &str)] = &[$(($no_method, $no_path, $lacking),)*];
                let mut lacking = lacking.iter();
                Err(match lacking.find(|(method, path, _)| {
                    $crate::rest_json::labels(path, method, call).is_some()
                }) {
                    Some((_, _, operation)) => $crate::error::ApiError::new(
                        "UnsupportedOperation",
                        format!("The operation {operation} is not implemented by Skylab"),
                    ),
                    None => $crate::error::ApiError::new(
                        "UnknownOperationException",
                        format!("No operation is {} {}", call.method, call.path),
                    ),
                })
            }

            /// The names of all operations that Skylab has.
            pub const OPERATIONS: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The operation's name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }
        }

        /// An operation's response as a document.
        pub fn respond(output: &impl $crate::json::ToJson) -> String {
            output.to_json().unwrap_or_default().to_string()
        }
    };
}
pub(crate) use operations;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::eks::{DescribeClusterResponse, Request, respond};

    fn read(method: &str, target: &str, body: &str) -> Result<Request, ApiError> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request::parse(&Call {
            method,
            path,
            query,
            body: body.as_bytes(),
        })
    }

    /// AWS-EKS: the path says which operation it is, and holds members.
    #[test]
    fn paths_are_operations_and_hold_members() {
        let target = "/clusters/c/access-entries/arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx%2By";
        let Request::DescribeAccessEntry(entry) = read("GET", target, "").unwrap() else {
            panic!("another request");
        };
        assert_eq!(entry.cluster_name, "c");
        assert_eq!(entry.principal_arn, "arn:aws:iam::1:role/x+y");
        let delete = read("DELETE", target, "").unwrap();
        assert_eq!(delete.name(), "DeleteAccessEntry");
        // What the path says, the body can't.
        let body = r#"{"clusterName":"other","principalArn":"p"}"#;
        let Request::CreateAccessEntry(entry) =
            read("POST", "/clusters/c/access-entries", body).unwrap()
        else {
            panic!("another request");
        };
        assert_eq!(
            (entry.cluster_name.as_str(), entry.principal_arn.as_str()),
            ("c", "p")
        );
    }

    /// AWS-EKS: query strings hold numbers, truths and lists.
    #[test]
    fn query_strings_are_typed() {
        let target = "/cluster-versions?maxResults=7&clusterVersions=1.33&clusterVersions=1.34";
        let Request::DescribeClusterVersions(asked) = read("GET", target, "").unwrap() else {
            panic!("another request");
        };
        assert_eq!(asked.max_results, Some(7));
        assert_eq!(asked.cluster_versions, ["1.33", "1.34"]);
        let code = |target| read("GET", target, "").unwrap_err().code;
        assert_eq!(code("/clusters?maxResults=x"), "SerializationException");
        assert_eq!(code("/clusters/c/nothing"), "UnknownOperationException");
        assert_eq!(code("/clusters/c/capabilities"), "UnsupportedOperation");
    }

    #[test]
    fn answers_and_errors_are_objects() {
        assert_eq!(respond(&DescribeClusterResponse::default()), "{}");
        let error = ApiError::new("ResourceNotFoundException", "No cluster found for name: c.");
        assert_eq!(error.status, 404);
        assert_eq!(
            error.rest_json(),
            r#"{"message":"No cluster found for name: c."}"#
        );
    }
}
