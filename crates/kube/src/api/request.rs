//! What a request asks: its path and query, read.

use super::status::Status;
use crate::resource::Subresource;

/// A request's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Make.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// The method of HTTP with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "GET" | "HEAD" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, decoded.
    pub path: String,
    /// The query's parameters, decoded.
    pub query: Vec<(String, String)>,
    /// `Content-Type`.
    pub content_type: String,
    /// `Accept`.
    pub accept: String,
    /// `User-Agent`: field managers are named after it unless they name themselves.
    pub user_agent: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is set.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.parameter(name), Some("" | "1" | "true" | "True"))
    }

    /// A number in the query.
    ///
    /// # Errors
    /// It isn't one.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Status> {
        let Some(text) = self.parameter(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let wrong = |_| {
            Status::bad_request(format!(
                "strconv.ParseInt: parsing {text:?}: invalid syntax"
            ))
        };
        text.parse().map(Some).map_err(wrong)
    }

    /// Who makes the change, for the fields' ownership.
    pub fn field_manager(&self) -> &str {
        let own = self
            .parameter("fieldManager")
            .filter(|name| !name.is_empty());
        own.unwrap_or_else(|| self.user_agent.split('/').next().unwrap_or("unknown"))
    }
}

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The group, empty for the core one.
    pub group: String,
    /// The version.
    pub version: String,
    /// The resource's plural.
    pub plural: String,
    /// The namespace, where one is named.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: Option<String>,
    /// What is asked below the object.
    pub subresource: Option<Subresource>,
    /// What follows a `proxy`.
    pub rest: String,
}

impl Target {
    /// What a path below `/api/v1` or `/apis/<group>/<version>` names; `None` for any other path.
    ///
    /// # Errors
    /// A path that goes on where there is nothing.
    pub fn parse(path: &str) -> Result<Option<Self>, Status> {
        let mut parts = path.trim_matches('/').split('/');
        let (group, version) = match parts.next() {
            Some("api") => ("", parts.next()),
            Some("apis") => (parts.next().unwrap_or_default(), parts.next()),
            _ => return Ok(None),
        };
        let mut rest: Vec<&str> = parts.collect();
        let (Some(version), false) = (version, rest.is_empty()) else {
            return Ok(None);
        };
        let mut namespace = None;
        // A namespace's own subresources are not resources in it.
        let within = rest.len() >= 3 && rest[0] == "namespaces";
        if within && !["status", "finalize"].contains(&rest[2]) {
            namespace = Some(rest[1].to_owned());
            rest.drain(..2);
        }
        let mut rest = rest.into_iter();
        let plural = rest.next().unwrap_or_default().to_owned();
        let name = rest.next().map(str::to_owned);
        let subresource = rest.next().map(|name| {
            Subresource::ALL
                .into_iter()
                .find(|sub| sub.as_str() == name)
                .ok_or_else(Status::no_such_path)
        });
        let subresource = subresource.transpose()?;
        let rest: Vec<&str> = rest.collect();
        if !rest.is_empty() && subresource != Some(Subresource::Proxy) {
            return Err(Status::no_such_path());
        }
        Ok(Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural,
            namespace,
            name,
            subresource,
            rest: rest.join("/"),
        }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_they_name() {
        let target = |path| Target::parse(path).unwrap();
        let pod = target("/api/v1/namespaces/default/pods/p1/log").unwrap();
        assert_eq!(pod.namespace.as_deref(), Some("default"));
        assert_eq!(
            (pod.plural.as_str(), pod.name.as_deref()),
            ("pods", Some("p1"))
        );
        assert_eq!(pod.subresource, Some(Subresource::Log));
        let namespace = target("/api/v1/namespaces/default/finalize").unwrap();
        assert_eq!(namespace.plural, "namespaces");
        assert_eq!(namespace.name.as_deref(), Some("default"));
        let all = target("/apis/apps/v1/deployments").unwrap();
        assert_eq!((all.group.as_str(), all.name), ("apps", None));
        assert_eq!(target("/version"), None);
        assert_eq!(target("/apis/apps/v1"), None);
        assert!(Target::parse("/api/v1/namespaces/a/pods/p/logs").is_err());
    }
}
