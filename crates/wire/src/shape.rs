//! What generated shapes are made of: reading from parameters, writing as XML.

use crate::error::ApiError;
use crate::query::Node;
use crate::xml::Writer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A moment, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// Bytes, base64 on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

/// The input or output of an operation that has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nothing {}

/// A value that parameters can give.
pub trait FromQuery: Sized {
    /// Reads it; `name` is the parameter's full name, for errors.
    ///
    /// # Errors
    /// AWS's error for a value that isn't one, or for an unknown or missing parameter below.
    fn from_query(node: &Node, name: &str) -> Result<Self, ApiError>;

    /// The value of a parameter that isn't there, if it needn't be.
    fn absent() -> Option<Self> {
        None
    }
}

/// A value that a response can have.
pub trait ToXml {
    /// Writes the element, or nothing if there is no value.
    fn to_xml(&self, writer: &mut Writer, name: &str) {
        writer.element(name, |writer| self.content(writer));
    }

    /// Writes what is inside the element.
    fn content(&self, writer: &mut Writer);
}

fn text<'a>(node: &'a Node, name: &str) -> Result<&'a str, ApiError> {
    match &node.value {
        Some(value) => Ok(value),
        None => match node.children.keys().next() {
            Some(child) => Err(unknown(&format!("{name}.{child}"))),
            None => Ok(""),
        },
    }
}

fn unknown(name: &str) -> ApiError {
    ApiError::new(
        "UnknownParameter",
        format!("The parameter {name} is not recognized"),
    )
}

fn invalid(value: &str, name: &str, why: &str) -> ApiError {
    ApiError::new(
        "InvalidParameterValue",
        format!("Invalid value '{value}' for {name}. {why}"),
    )
}

impl FromQuery for String {
    fn from_query(node: &Node, name: &str) -> Result<Self, ApiError> {
        text(node, name).map(str::to_owned)
    }
}

macro_rules! numbers {
    ($($kind:ty: $what:literal),*) => {$(
        impl FromQuery for $kind {
            fn from_query(node: &Node, name: &str) -> Result<Self, ApiError> {
                let text = text(node, name)?;
                text.parse().map_err(|_| invalid(text, name, concat!("Must be ", $what)))
            }
        }
        impl ToXml for $kind {
            fn content(&self, writer: &mut Writer) {
                writer.text(&self.to_string());
            }
        }
    )*};
}

numbers!(i32: "an integer", i64: "an integer", f64: "a number");

impl FromQuery for bool {
    fn from_query(node: &Node, name: &str) -> Result<Self, ApiError> {
        match text(node, name)? {
            "true" | "True" | "TRUE" | "1" => Ok(true),
            "false" | "False" | "FALSE" | "0" => Ok(false),
            other => Err(invalid(other, name, "Must be specified as true or false")),
        }
    }
}

impl FromQuery for Blob {
    fn from_query(node: &Node, name: &str) -> Result<Self, ApiError> {
        let text = text(node, name)?;
        STANDARD
            .decode(text)
            .map(Self)
            .map_err(|_| invalid("…", name, "Must be base64-encoded"))
    }
}

impl FromQuery for Timestamp {
    fn from_query(node: &Node, name: &str) -> Result<Self, ApiError> {
        let text = text(node, name)?;
        Self::parse(text).ok_or_else(|| invalid(text, name, "Must be a date in ISO 8601"))
    }
}

impl<T: FromQuery> FromQuery for Option<T> {
    fn from_query(node: &Node, name: &str) -> Result<Self, ApiError> {
        T::from_query(node, name).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromQuery> FromQuery for Vec<T> {
    fn from_query(node: &Node, name: &str) -> Result<Self, ApiError> {
        // The query protocol puts a list's elements below `member`, EC2 right below the name.
        let (node, name) = match node.children.get("member") {
            Some(member) => (member, format!("{name}.member")),
            None => (node, name.to_owned()),
        };
        if let Some(odd) = node.children.keys().find(|key| key.parse::<u32>().is_err()) {
            return Err(unknown(&format!("{name}.{odd}")));
        }
        node.items()
            .into_iter()
            .enumerate()
            .map(|(index, item)| T::from_query(item, &format!("{name}.{}", index + 1)))
            .collect()
    }
    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
}

impl FromQuery for Nothing {
    fn from_query(node: &Node, _: &str) -> Result<Self, ApiError> {
        match node.children.keys().next() {
            Some(name) => Err(unknown(name)),
            None => Ok(Self {}),
        }
    }
}

impl ToXml for String {
    fn content(&self, writer: &mut Writer) {
        writer.text(self);
    }
}

impl ToXml for bool {
    fn content(&self, writer: &mut Writer) {
        writer.text(if *self { "true" } else { "false" });
    }
}

impl ToXml for Blob {
    fn content(&self, writer: &mut Writer) {
        writer.text(&STANDARD.encode(&self.0));
    }
}

impl ToXml for Timestamp {
    fn content(&self, writer: &mut Writer) {
        writer.text(&self.iso());
    }
}

impl<T: ToXml> ToXml for Option<T> {
    fn to_xml(&self, writer: &mut Writer, name: &str) {
        if let Some(value) = self {
            value.to_xml(writer, name);
        }
    }
    fn content(&self, writer: &mut Writer) {
        if let Some(value) = self {
            value.content(writer);
        }
    }
}

impl<T: ToXml> ToXml for Vec<T> {
    fn content(&self, writer: &mut Writer) {
        let item = writer.item;
        for value in self {
            value.to_xml(writer, item);
        }
    }
}

impl ToXml for Nothing {
    /// EC2 answers operations without output with `<return>true</return>`.
    fn content(&self, writer: &mut Writer) {
        if writer.item == "item" {
            writer.element("return", |writer| writer.text("true"));
        }
    }
}

impl Timestamp {
    /// `2026-11-23T18:12:00.000Z`.
    pub fn iso(&self) -> String {
        let (days, seconds) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
    }

    /// Reads `2026-11-23T18:12:00Z`, with or without fractions of a second.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('Z')?;
        let (date, time) = text.split_once('T')?;
        let number = |text: Option<&str>| text?.parse::<i64>().ok();
        let mut date = date.split('-');
        let (year, month, day) = (
            number(date.next())?,
            number(date.next())?,
            number(date.next())?,
        );
        let mut time = time.split('.').next()?.split(':');
        let (hour, minute, second) = (
            number(time.next())?,
            number(time.next())?,
            number(time.next())?,
        );
        let sane =
            (1..=12).contains(&month) && (1..=31).contains(&day) && (0..=9999).contains(&year);
        let sane = sane && hour < 24 && minute < 60 && second < 61;
        sane.then(|| Self(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second))
    }
}

/// Year, month and day of a day since 1970 (Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (
        year_of_era + era * 400 + i64::from(month <= 2),
        month,
        of_year - (153 * shifted + 2) / 5 + 1,
    )
}

/// Days since 1970 of a date (Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

/// Reads a member of a structure.
pub(crate) fn member<T: FromQuery>(node: &Node, parent: &str, name: &str) -> Result<T, ApiError> {
    let full = || {
        if parent.is_empty() {
            name.to_owned()
        } else {
            format!("{parent}.{name}")
        }
    };
    match node.children.get(name) {
        Some(child) => T::from_query(child, &full()),
        None => T::absent().ok_or_else(|| {
            ApiError::new(
                "MissingParameter",
                format!("The request must contain the parameter {}", full()),
            )
        }),
    }
}

/// Refuses parameters that the structure doesn't have, or that Skylab doesn't honour.
pub(crate) fn known_only(
    node: &Node,
    parent: &str,
    known: &[&str],
    refused: &[&str],
) -> Result<(), ApiError> {
    // Members that requests don't have stand in `known` without a name.
    if let Some(name) = node
        .children
        .keys()
        .find(|name| name.is_empty() || !known.contains(&name.as_str()))
    {
        let full = if parent.is_empty() {
            name.clone()
        } else {
            format!("{parent}.{name}")
        };
        if refused.contains(&name.as_str()) {
            let message = format!("The parameter {full} is not implemented by Skylab");
            return Err(ApiError::new("UnsupportedOperation", message));
        }
        return Err(unknown(&full));
    }
    Ok(())
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
        shape!(@type $name { $($field: $kind;)* });
        shape!(@response $name { $($field = $shown;)* });
    };
    (both $name:ident { $($field:ident: $kind:ty = $asked:literal, $shown:literal;)* } $(refuses [$($refused:literal),*])?) => {
        shape!(@type $name { $($field: $kind;)* });
        shape!(@request $name { $($field = $asked;)* } [$($($refused),*)?]);
        shape!(@response $name { $($field = $shown;)* });
    };
    (@type $name:ident { $($field:ident: $kind:ty;)* }) => {
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name { $(pub $field: $kind,)* }
    };
    (@request $name:ident { $($field:ident = $asked:literal;)* } [$($refused:literal),*]) => {
        impl $crate::shape::FromQuery for $name {
            fn from_query(node: &$crate::query::Node, name: &str) -> Result<Self, $crate::error::ApiError> {
                $crate::shape::known_only(node, name, &[$($asked,)*], &[$($refused,)*])?;
                Ok(Self { $($field: $crate::shape::member(node, name, $asked)?,)* })
            }
        }
    };
    (@response $name:ident { $($field:ident = $shown:literal;)* }) => {
        impl $crate::shape::ToXml for $name {
            #[allow(unused_variables)]
            fn content(&self, writer: &mut $crate::xml::Writer) {
                $($crate::shape::ToXml::to_xml(&self.$field, writer, $shown);)*
            }
        }
    };
}
pub(crate) use shape;

/// An enumeration with all values that AWS's model has.
macro_rules! closed {
    ($name:ident { $($variant:ident = $value:literal,)* }) => {
        $crate::enumeration::values! { $name { $($variant = $value,)* } }

        impl $crate::shape::FromQuery for $name {
            fn from_query(node: &$crate::query::Node, name: &str) -> Result<Self, $crate::error::ApiError> {
                let text = <String as $crate::shape::FromQuery>::from_query(node, name)?;
                text.parse().map_err(|()| $crate::error::ApiError::new(
                    "InvalidParameterValue",
                    format!("Value ({text}) for parameter {name} is invalid. Valid values are: {}", [$($value),*].join(", ")),
                ))
            }
        }
        impl $crate::shape::ToXml for $name {
            fn content(&self, writer: &mut $crate::xml::Writer) {
                writer.text(self.as_str());
            }
        }
    };
}
pub(crate) use closed;

/// A service's operations.
macro_rules! operations {
    (protocol $protocol:literal; namespace $namespace:literal;
     has { $($name:ident($input:ty) -> $output:ty, $wrapper:literal, $dry:ident;)* }
     lacks [$($lacking:literal),* $(,)?]) => {
        /// XML namespace of the service's responses.
        pub const NAMESPACE: &str = $namespace;

        /// A request.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::large_enum_variant)]
        pub enum Request { $($name(Box<$input>),)* }

        impl Request {
            /// Reads a request.
            ///
            /// # Errors
            /// AWS's own for an unknown action or parameter, a missing or invalid one, and
            /// `UnsupportedOperation` for what AWS has and Skylab hasn't.
            pub fn parse(action: &str, parameters: &$crate::query::Node) -> Result<Self, $crate::error::ApiError> {
                match action {
                    $(stringify!($name) => {
                        let input = <$input as $crate::shape::FromQuery>::from_query(parameters, "")?;
                        Ok(Self::$name(Box::new(input)))
                    })*
                    _ if [$($lacking),*].contains(&action) => Err($crate::error::ApiError::new(
                        "UnsupportedOperation",
                        format!("The operation {action} is not implemented by Skylab"),
                    )),
                    _ => Err($crate::error::ApiError::new(
                        "InvalidAction",
                        format!("The action {action} is not valid for this web service."),
                    )),
                }
            }

            /// The names of all operations that Skylab has.
            pub const OPERATIONS: &'static [&'static str] = &[$(stringify!($name)),*];

            /// The operation's name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)* }
            }

            /// Whether the request only asks if it would succeed.
            pub fn dry_run(&self) -> bool {
                match self { $(Self::$name(_input) => operations!(@dry $dry _input),)* }
            }
        }

        /// An operation's response as a document.
        pub fn respond(action: &str, output: &impl $crate::shape::ToXml, request_id: &str) -> String {
            $crate::shape::respond($protocol, NAMESPACE, action, output, request_id)
        }
    };
    (@dry dry $input:ident) => { $input.dry_run.unwrap_or(false) };
    (@dry wet $input:ident) => { false };
}
pub(crate) use operations;

/// A response document of either protocol.
pub(crate) fn respond(
    protocol: &str,
    namespace: &str,
    action: &str,
    output: &impl ToXml,
    request_id: &str,
) -> String {
    let ec2 = protocol == "ec2";
    let mut writer = Writer::new(if ec2 { "item" } else { "member" });
    writer.element_in(&format!("{action}Response"), namespace, |writer| {
        if ec2 {
            writer.element("requestId", |writer| writer.text(request_id));
            output.content(writer);
        } else {
            writer.element(&format!("{action}Result"), |writer| output.content(writer));
            writer.element("ResponseMetadata", |writer| {
                writer.element("RequestId", |writer| writer.text(request_id));
            });
        }
    });
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_457_520, "2026-11-23T18:12:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
        ] {
            assert_eq!(Timestamp(seconds).iso(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp(seconds)));
        }
        assert_eq!(Timestamp::parse("2026-13-01T00:00:00Z"), None);
    }
}
