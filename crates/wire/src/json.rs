//! AWS's JSON protocol: the operation in the header `X-Amz-Target`, a JSON object each way.
//!
//! A member that AWS's model doesn't have is ignored, as AWS does; one that it has and Skylab doesn't honour is
//! refused.
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use crate::error::ApiError;
use crate::shape::{Blob, Nothing, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The type of requests and responses.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// A value that a request can give.
pub trait FromJson: Sized {
    /// Reads it; `path` is where it stands in the request, for errors.
    ///
    /// # Errors
    /// `SerializationException` for a value of another type, `ValidationException` for one that can't be.
    fn from_json(value: &Value, path: &str) -> Result<Self, ApiError>;

    /// The value of a member that isn't there, if it needn't be.
    fn absent() -> Option<Self> {
        None
    }
}

/// A value that a response can have.
pub trait ToJson {
    /// The value, if there is one.
    fn to_json(&self) -> Option<Value>;
}

impl ApiError {
    /// As JSON services write it.
    pub fn json(&self) -> String {
        serde_json::json!({ "__type": self.code, "message": self.message }).to_string()
    }
}

/// Reads a request's body.
///
/// # Errors
/// `SerializationException` for what is not a JSON object.
pub fn body(bytes: &[u8]) -> Result<Value, ApiError> {
    if bytes.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    match serde_json::from_slice(bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(serialization("Start of structure expected")),
        Err(error) => Err(serialization(&error.to_string())),
    }
}

fn serialization(message: &str) -> ApiError {
    ApiError::new("SerializationException", message)
}

fn expected(what: &str, path: &str) -> ApiError {
    serialization(&format!("The value at '{path}' must be {what}"))
}

/// AWS's words for a value that breaks a constraint.
pub(crate) fn constraint(value: &str, path: &str, constraint: &str) -> ApiError {
    ApiError::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: {constraint}"
        ),
    )
}

/// A member's path: its name with a small first letter, below its parent's.
fn below(path: &str, name: &str) -> String {
    let mut letters = name.chars();
    let small: String = letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default();
    if path.is_empty() {
        small
    } else {
        format!("{path}.{small}")
    }
}

/// Reads a member of a structure.
pub(crate) fn member<T: FromJson>(value: &Value, path: &str, name: &str) -> Result<T, ApiError> {
    match value.get(name) {
        Some(Value::Null) | None => T::absent()
            .ok_or_else(|| constraint("null", &below(path, name), "Member must not be null")),
        Some(member) => T::from_json(member, &below(path, name)),
    }
}

/// Refuses members that Skylab doesn't honour.
pub(crate) fn honoured(value: &Value, path: &str, refused: &[&str]) -> Result<(), ApiError> {
    if !value.is_object() {
        return Err(expected("a structure", path));
    }
    match refused.iter().find(|name| value.get(**name).is_some()) {
        Some(name) => Err(ApiError::new(
            "UnsupportedOperation",
            format!(
                "The parameter {} is not implemented by Skylab",
                below(path, name)
            ),
        )),
        None => Ok(()),
    }
}

/// Puts a member in a structure, if it has a value.
pub(crate) fn put(object: &mut Map<String, Value>, name: &str, member: &impl ToJson) {
    if let Some(value) = member.to_json() {
        object.insert(name.to_owned(), value);
    }
}

impl FromJson for String {
    fn from_json(value: &Value, path: &str) -> Result<Self, ApiError> {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| expected("a string", path))
    }
}

impl ToJson for String {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.clone()))
    }
}

macro_rules! numbers {
    ($($kind:ty),*) => {$(
        impl FromJson for $kind {
            fn from_json(value: &Value, path: &str) -> Result<Self, ApiError> {
                let number = value.as_i64().and_then(|number| Self::try_from(number).ok());
                number.ok_or_else(|| expected("an integer", path))
            }
        }
        impl ToJson for $kind {
            fn to_json(&self) -> Option<Value> {
                Some(Value::from(*self))
            }
        }
    )*};
}

numbers!(i32, i64);

impl FromJson for f64 {
    fn from_json(value: &Value, path: &str) -> Result<Self, ApiError> {
        value.as_f64().ok_or_else(|| expected("a number", path))
    }
}

impl ToJson for f64 {
    fn to_json(&self) -> Option<Value> {
        Some(Value::from(*self))
    }
}

impl FromJson for bool {
    fn from_json(value: &Value, path: &str) -> Result<Self, ApiError> {
        value.as_bool().ok_or_else(|| expected("a boolean", path))
    }
}

impl ToJson for bool {
    fn to_json(&self) -> Option<Value> {
        Some(Value::Bool(*self))
    }
}

impl FromJson for Blob {
    fn from_json(value: &Value, path: &str) -> Result<Self, ApiError> {
        let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok());
        bytes
            .map(Self)
            .ok_or_else(|| expected("base64-encoded", path))
    }
}

impl ToJson for Blob {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(STANDARD.encode(&self.0)))
    }
}

impl FromJson for Timestamp {
    fn from_json(value: &Value, path: &str) -> Result<Self, ApiError> {
        let seconds = value.as_f64().filter(|seconds| seconds.is_finite());
        // Fractions of a second are dropped; a float beyond i64 becomes its bound.
        let seconds = seconds.map(|seconds| Self(seconds as i64));
        seconds.ok_or_else(|| expected("a time in seconds since 1970", path))
    }
}

impl ToJson for Timestamp {
    fn to_json(&self) -> Option<Value> {
        Some(Value::from(self.0))
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value, path: &str) -> Result<Self, ApiError> {
        T::from_json(value, path).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> Option<Value> {
        self.as_ref().and_then(ToJson::to_json)
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value, path: &str) -> Result<Self, ApiError> {
        let items = value.as_array().ok_or_else(|| expected("a list", path))?;
        items
            .iter()
            .enumerate()
            .map(|(index, item)| T::from_json(item, &format!("{path}.{}.member", index + 1)))
            .collect()
    }
    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> Option<Value> {
        Some(self.iter().filter_map(ToJson::to_json).collect())
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn from_json(value: &Value, path: &str) -> Result<Self, ApiError> {
        let entries = value.as_object().ok_or_else(|| expected("a map", path))?;
        entries
            .iter()
            .map(|(key, value)| Ok((key.clone(), T::from_json(value, path)?)))
            .collect()
    }
    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl<T: ToJson> ToJson for BTreeMap<String, T> {
    fn to_json(&self) -> Option<Value> {
        let entry = |(key, value): (&String, &T)| Some((key.clone(), value.to_json()?));
        Some(Value::Object(self.iter().filter_map(entry).collect()))
    }
}

impl FromJson for Nothing {
    fn from_json(_: &Value, _: &str) -> Result<Self, ApiError> {
        Ok(Self {})
    }
}

impl ToJson for Nothing {
    fn to_json(&self) -> Option<Value> {
        Some(Value::Object(Map::new()))
    }
}

/// A structure: its members with their names in requests (empty where requests don't have them or
/// Skylab doesn't honour them) and in responses.
macro_rules! shape {
    (request $name:ident { $($field:ident: $kind:ty = $asked:literal, $shown:literal;)* } $(refuses [$($refused:literal),*])?) => {
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $(pub $field: $kind,)* }
        shape!(@request $name { $($field = $asked;)* } [$($($refused),*)?]);
    };
    (response $name:ident { $($field:ident: $kind:ty = $asked:literal, $shown:literal;)* }) => {
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name { $(pub $field: $kind,)* }
        shape!(@response $name { $($field = $shown;)* });
    };
    (both $name:ident { $($field:ident: $kind:ty = $asked:literal, $shown:literal;)* } $(refuses [$($refused:literal),*])?) => {
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name { $(pub $field: $kind,)* }
        shape!(@request $name { $($field = $asked;)* } [$($($refused),*)?]);
        shape!(@response $name { $($field = $shown;)* });
    };
    (@request $name:ident { $($field:ident = $asked:literal;)* } [$($refused:literal),*]) => {
        impl $crate::json::FromJson for $name {
            fn from_json(value: &serde_json::Value, path: &str) -> Result<Self, $crate::error::ApiError> {
                $crate::json::honoured(value, path, &[$($refused,)*])?;
                Ok(Self { $($field: $crate::json::member(value, path, $asked)?,)* })
            }
        }
    };
    (@response $name:ident { $($field:ident = $shown:literal;)* }) => {
        impl $crate::json::ToJson for $name {
            #[allow(unused_mut)]
            fn to_json(&self) -> Option<serde_json::Value> {
                let mut object = serde_json::Map::new();
                $($crate::json::put(&mut object, $shown, &self.$field);)*
                Some(serde_json::Value::Object(object))
            }
        }
    };
}
pub(crate) use shape;

/// An enumeration with all values that AWS's model has.
macro_rules! closed {
    ($name:ident { $($variant:ident = $value:literal,)* }) => {
        $crate::enumeration::values! { $name { $($variant = $value,)* } }

        impl $crate::json::FromJson for $name {
            fn from_json(value: &serde_json::Value, path: &str) -> Result<Self, $crate::error::ApiError> {
                let text = <String as $crate::json::FromJson>::from_json(value, path)?;
                text.parse().map_err(|()| {
                    let values = [$($value),*].join(", ");
                    let rule = format!("Member must satisfy enum value set: [{values}]");
                    $crate::json::constraint(&format!("'{text}'"), path, &rule)
                })
            }
        }
        impl $crate::json::ToJson for $name {
            fn to_json(&self) -> Option<serde_json::Value> {
                Some(serde_json::Value::from(self.as_str()))
            }
        }
    };
}
pub(crate) use closed;

/// A service's operations.
macro_rules! operations {
    (target $target:literal;
     has { $($name:ident($input:ty) -> $output:ty;)* }
     lacks [$($lacking:literal),* $(,)?]) => {
        /// What stands before the operation in `X-Amz-Target`, without the dot.
        pub const TARGET: &str = $target;

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
            pub fn parse(operation: &str, body: &[u8]) -> Result<Self, $crate::error::ApiError> {
                match operation {
                    $(stringify!($name) => {
                        let body = $crate::json::body(body)?;
                        let input = <$input as $crate::json::FromJson>::from_json(&body, "")?;
                        Ok(Self::$name(Box::new(input)))
                    })*
                    _ if [$($lacking),*].contains(&operation) => Err($crate::error::ApiError::new(
                        "UnsupportedOperation",
                        format!("The operation {operation} is not implemented by Skylab"),
                    )),
                    _ => Err($crate::error::ApiError::new(
                        "UnknownOperationException",
                        format!("The operation {operation} does not exist"),
                    )),
                }
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
    use crate::acm::{
        CertificateSummary, KeyAlgorithm, ListCertificatesResponse, Request, respond,
    };

    fn read(operation: &str, text: &str) -> Result<Request, ApiError> {
        Request::parse(operation, text.as_bytes())
    }

    #[test]
    fn requests_are_read_and_responses_written() {
        let text = r#"{"Certificate":"aGk=","PrivateKey":"","Tags":[{"Key":"k"}],"Unheard":1}"#;
        let Request::ImportCertificate(import) = read("ImportCertificate", text).unwrap() else {
            panic!("another request");
        };
        assert_eq!(import.certificate, Blob(b"hi".to_vec()));
        assert_eq!(import.tags[0].key.as_deref(), Some("k"));
        let response = ListCertificatesResponse {
            certificate_summary_list: vec![CertificateSummary {
                created_at: Some(Timestamp(1_700_000_000)),
                key_algorithm: Some(KeyAlgorithm::ECPrime256v1),
                in_use: Some(false),
                ..Default::default()
            }],
            next_token: None,
        };
        let written = respond(&response);
        for word in [
            r#""CreatedAt":1700000000"#,
            r#""KeyAlgorithm":"EC_prime256v1""#,
            r#""InUse":false"#,
        ] {
            assert!(written.contains(word), "{written}");
        }
        assert!(!written.contains("NextToken"), "{written}");
    }

    #[test]
    fn what_cant_be_is_refused_with_its_place() {
        for (operation, text, code, word) in [
            (
                "GetCertificate",
                "[]",
                "SerializationException",
                "Start of structure",
            ),
            ("GetCertificate", "{", "SerializationException", ""),
            (
                "GetCertificate",
                r#"{"CertificateArn":1}"#,
                "SerializationException",
                "'certificateArn'",
            ),
            (
                "GetCertificate",
                "{}",
                "ValidationException",
                "Value null at 'certificateArn'",
            ),
            (
                "ListCertificates",
                r#"{"CertificateStatuses":["ISSUED","GOOD"]}"#,
                "ValidationException",
                "'certificateStatuses.2.member'",
            ),
            (
                "RequestCertificate",
                r#"{"DomainName":"a.example","CertificateAuthorityArn":"x"}"#,
                "UnsupportedOperation",
                "certificateAuthorityArn",
            ),
            (
                "RevokeCertificate",
                "{}",
                "UnsupportedOperation",
                "RevokeCertificate",
            ),
            (
                "MakeCertificate",
                "{}",
                "UnknownOperationException",
                "MakeCertificate",
            ),
        ] {
            let error = read(operation, text).unwrap_err();
            assert_eq!(error.code, code, "{text}");
            assert!(error.message.contains(word), "{text}: {error}");
        }
    }
}
