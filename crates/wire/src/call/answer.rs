//! Answers of every protocol as JSON values.

use super::{Protocol, Service};
use crate::error::ApiError;
use serde_json::{Map, Value};

/// An answer's value: of XML, what stands below the operation's result; every leaf is a text there, and a
/// list of `item`s or `member`s an array.
///
/// # Errors
/// The service's own error; `InternalFailure` for an answer that can't be read.
pub fn read(
    service: Service,
    status: u16,
    error_type: Option<&str>,
    body: &str,
) -> Result<Value, ApiError> {
    match service.protocol() {
        Protocol::Ec2(_) | Protocol::Query(_) => xml_answer(status, body),
        Protocol::Json(_) | Protocol::Rest => json_answer(status, error_type, body),
    }
}

fn unreadable(status: u16) -> ApiError {
    let mut error = ApiError::new("InternalFailure", format!("status {status}, unreadable"));
    error.status = status;
    error
}

fn json_answer(status: u16, error_type: Option<&str>, body: &str) -> Result<Value, ApiError> {
    let value = if body.is_empty() {
        Ok(Value::Object(Map::new()))
    } else {
        serde_json::from_str(body)
    };
    let value: Value = value.map_err(|_| unreadable(status))?;
    if (200..300).contains(&status) {
        return Ok(value);
    }
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let code = error_type
        .or_else(|| text("__type"))
        .or_else(|| text("code"));
    let code = code.unwrap_or("UnknownError");
    let code = code.rsplit('#').next().unwrap_or(code);
    let code = code.split(':').next().unwrap_or(code);
    let message = text("message")
        .or_else(|| text("Message"))
        .unwrap_or_default();
    let mut error = ApiError::new(code, message);
    error.status = status;
    Err(error)
}

fn xml_answer(status: u16, body: &str) -> Result<Value, ApiError> {
    let (name, value) = document(body).ok_or_else(|| unreadable(status))?;
    if (200..300).contains(&status) {
        let result = name
            .strip_suffix("Response")
            .map(|name| format!("{name}Result"));
        let result = result.and_then(|name| value.get(&name).cloned());
        return Ok(result.unwrap_or(value));
    }
    let error = value
        .get("Error")
        .or_else(|| value.pointer("/Errors/Error"));
    let text = |name: &str| {
        let text = error
            .and_then(|error| error.get(name))
            .and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let mut error = ApiError::new(text("Code"), text("Message"));
    error.status = status;
    Err(error)
}

/// A document's root: its name and its value.
fn document(text: &str) -> Option<(String, Value)> {
    let rest = match text.trim_start().strip_prefix("<?") {
        Some(rest) => rest.split_once("?>")?.1,
        None => text,
    };
    let mut reader = Reader { rest };
    reader.element()
}

/// The most elements within elements.
const DEEPEST: usize = 64;

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// The next element: its name and its value.
    fn element(&mut self) -> Option<(String, Value)> {
        self.nested(0)
    }

    fn nested(&mut self, depth: usize) -> Option<(String, Value)> {
        let (tag, rest) = self.rest.trim_start().strip_prefix('<')?.split_once('>')?;
        self.rest = rest;
        let closed = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let name = tag.split_whitespace().next()?.to_owned();
        if closed {
            return Some((name, Value::Null));
        }
        let mut children: Vec<(String, Value)> = Vec::new();
        loop {
            let (text, rest) = self.rest.split_once('<')?;
            if let Some(rest) = rest.strip_prefix('/') {
                let (end, rest) = rest.split_once('>')?;
                self.rest = rest;
                let matches = end.trim() == name && depth < DEEPEST;
                return matches.then(|| (name, value_of(children, text)));
            }
            self.rest = self.rest.get(text.len()..)?;
            if depth == DEEPEST {
                return None;
            }
            children.push(self.nested(depth + 1)?);
        }
    }
}

fn value_of(children: Vec<(String, Value)>, text: &str) -> Value {
    if children.is_empty() {
        return Value::String(unescape(text));
    }
    if children
        .iter()
        .all(|(name, _)| name == "item" || name == "member")
    {
        return Value::Array(children.into_iter().map(|(_, value)| value).collect());
    }
    Value::Object(children.into_iter().collect())
}

fn unescape(text: &str) -> String {
    let replaced = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"");
    let replaced = replaced.replace("&#13;", "\r").replace("&apos;", "'");
    replaced.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_values() {
        let body = "<?xml version=\"1.0\"?>\n<CreateVpcResponse xmlns=\"x\"><requestId>r</requestId><vpc><vpcId>vpc-1</vpcId><tagSet><item><key>a&amp;b</key></item></tagSet><none/></vpc></CreateVpcResponse>";
        let value = read(Service::Ec2, 200, None, body).unwrap();
        assert_eq!(value.pointer("/vpc/vpcId"), Some(&json!("vpc-1")));
        assert_eq!(value.pointer("/vpc/tagSet/0/key"), Some(&json!("a&b")));
        let body = "<AResponse><AResult><L><member>x</member></L></AResult></AResponse>";
        let value = read(Service::Iam, 200, None, body).unwrap();
        assert_eq!(value, json!({ "L": ["x"] }));
    }

    #[test]
    fn refusals_keep_their_code_and_words() {
        let body = "<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>no &lt;vpc&gt;</Message></Error></Errors></Response>";
        let error = read(Service::Ec2, 400, None, body).unwrap_err();
        assert_eq!(error.code, "InvalidVpcID.NotFound");
        assert_eq!(error.message, "no <vpc>");
        let body = r#"{"message":"No cluster found for name: x."}"#;
        let error = read(Service::Eks, 404, Some("ResourceNotFoundException"), body).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.status),
            ("ResourceNotFoundException", 404)
        );
        assert_eq!(
            read(Service::Ec2, 200, None, "<a><b></a>")
                .unwrap_err()
                .code,
            "InternalFailure"
        );
    }
}
