//! Where a client is sent instead.

use std::fmt::Write;

/// Where a client is sent instead: a URL whose parts may take from the request's own.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-action-types.html#redirect-actions>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// 301 or 302.
    pub status: u16,
    /// The scheme.
    pub protocol: Template,
    /// The host.
    pub host: Template,
    /// The port.
    pub port: Template,
    /// The path, with its leading slash.
    pub path: Template,
    /// The query, without its leading question mark.
    pub query: Template,
}

/// A text that takes parts from a request's URL: `#{protocol}`, `#{host}`, `#{port}`, `#{path}` (without
/// its leading slash), `#{query}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Protocol,
    Host,
    Port,
    Path,
    Query,
}

/// What a request was addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressed<'a> {
    /// `http` or `https`.
    pub protocol: &'a str,
    /// The host's name, without a port.
    pub host: &'a str,
    /// The listener's port.
    pub port: u16,
    /// The path.
    pub path: &'a str,
    /// The query.
    pub query: Option<&'a str>,
}

const PARTS: [(&str, Piece); 5] = [
    ("#{protocol}", Piece::Protocol),
    ("#{host}", Piece::Host),
    ("#{port}", Piece::Port),
    ("#{path}", Piece::Path),
    ("#{query}", Piece::Query),
];

impl Template {
    /// A template from its text. What isn't one of the five parts stands for itself.
    pub fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let part = PARTS.iter().find(|(name, _)| rest.starts_with(name));
            if let Some((name, piece)) = part {
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(piece.clone());
                rest = &rest[name.len()..];
            } else {
                literal.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Self(pieces)
    }

    fn write(&self, from: &Addressed<'_>, to: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => to.push_str(text),
                Piece::Protocol => to.push_str(from.protocol),
                Piece::Host => to.push_str(from.host),
                // Writing to a string can't fail.
                Piece::Port => drop(write!(to, "{}", from.port)),
                Piece::Path => to.push_str(from.path.strip_prefix('/').unwrap_or(from.path)),
                Piece::Query => to.push_str(from.query.unwrap_or_default()),
            }
        }
    }
}

impl Redirect {
    /// The URL that a request is sent to: with its port always, as AWS writes it.
    pub fn location(&self, from: &Addressed<'_>) -> String {
        let mut location = String::new();
        let start = location.len();
        self.protocol.write(from, &mut location);
        location[start..].make_ascii_lowercase();
        location.push_str("://");
        self.host.write(from, &mut location);
        location.push(':');
        self.port.write(from, &mut location);
        self.path.write(from, &mut location);
        let before = location.len();
        location.push('?');
        self.query.write(from, &mut location);
        if location.len() == before + 1 {
            location.pop();
        }
        location
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect([protocol, host, port, path, query]: [&str; 5]) -> Redirect {
        Redirect {
            status: 301,
            protocol: Template::parse(protocol),
            host: Template::parse(host),
            port: Template::parse(port),
            path: Template::parse(path),
            query: Template::parse(query),
        }
    }

    const ASKED: Addressed<'_> = Addressed {
        protocol: "http",
        host: "example.com",
        port: 80,
        path: "/a/b",
        query: Some("x=1"),
    };

    /// AWS-ALB: a redirect keeps what its templates take over.
    #[test]
    fn templates() {
        let to_https = redirect(["HTTPS", "#{host}", "443", "/#{path}", "#{query}"]);
        let location = to_https.location(&ASKED);
        assert_eq!(location, "https://example.com:443/a/b?x=1");
        let without = Addressed {
            query: None,
            ..ASKED
        };
        assert_eq!(to_https.location(&without), "https://example.com:443/a/b");
        let moved = redirect([
            "#{protocol}",
            "www.#{host}",
            "#{port}",
            "/new/#{path}",
            "from=#{path}&#{query}",
        ]);
        let location = moved.location(&ASKED);
        assert_eq!(location, "http://www.example.com:80/new/a/b?from=a/b&x=1");
        let unknown = redirect(["http", "#{name}", "80", "/", ""]);
        assert_eq!(unknown.location(&ASKED), "http://#{name}:80/");
    }
}
