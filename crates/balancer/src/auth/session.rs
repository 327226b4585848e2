//! A user's session: sealed in as many cookies as it takes.

use crate::calendar;
use crate::front::{Seal, cookie};
use http::HeaderMap;
use serde_json::{Map, Value, json};

/// What a session's cookies are sealed for.
const PURPOSE: &str = "session";
/// How long one cookie's value may be, so that with its name it fits 4 KB.
const PIECE: usize = 3900;
/// How many cookies a session may take.
const PIECES: usize = 4;

/// A user's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// Who, by the provider's name.
    pub(super) subject: String,
    /// The provider's token.
    pub(super) access_token: String,
    /// What the provider says of the user.
    pub(super) claims: Map<String, Value>,
    /// When it ends, in seconds since 1970.
    pub(super) until: u64,
}

impl Session {
    /// The session in a request's cookies, if it hasn't ended.
    pub(super) fn read(name: &str, headers: &HeaderMap, seal: &Seal, now: u64) -> Option<Self> {
        let piece = |number| cookie(headers, &format!("{name}-{number}"));
        let sealed: String = (0..PIECES).map_while(piece).collect();
        let session: Value = serde_json::from_str(&seal.open(PURPOSE, &sealed)?).ok()?;
        let session = Self {
            subject: session["sub"].as_str()?.to_owned(),
            access_token: session["token"].as_str()?.to_owned(),
            claims: session["claims"].as_object()?.clone(),
            until: session["until"].as_u64()?,
        };
        (session.until > now).then_some(session)
    }

    /// Lines that set its cookies; `None` if it is too long for them.
    pub(super) fn write(&self, name: &str, seal: &Seal) -> Option<Vec<String>> {
        let session = json!({
            "sub": self.subject,
            "token": self.access_token,
            "claims": self.claims,
            "until": self.until,
        });
        let sealed = seal.seal(PURPOSE, &session.to_string())?;
        let until = calendar::http(self.until);
        // Sealed text is ASCII.
        let pieces: Vec<&str> = sealed
            .as_bytes()
            .chunks(PIECE)
            .map(|piece| std::str::from_utf8(piece).unwrap_or_default())
            .collect();
        let line = |(number, piece): (usize, &&str)| {
            format!("{name}-{number}={piece}; Expires={until}; Path=/; Secure; HttpOnly")
        };
        (pieces.len() <= PIECES).then(|| pieces.iter().enumerate().map(line).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// AWS-ALB: a session takes several cookies if it is long, and ends in time.
    #[test]
    fn cookies() {
        let seal = Seal::new([1; 32]);
        let session = Session {
            subject: "u1".into(),
            access_token: "t".repeat(5000),
            claims: Map::new(),
            until: 100,
        };
        let lines = session.write("AWSELBAuthSessionCookie", &seal).unwrap();
        assert_eq!(lines.len(), 2);
        let mut headers = HeaderMap::new();
        for line in &lines {
            let pair = line.split(';').next().unwrap();
            headers.append(http::header::COOKIE, pair.parse().unwrap());
        }
        let read = |now| Session::read("AWSELBAuthSessionCookie", &headers, &seal, now);
        assert_eq!(read(99), Some(session));
        assert_eq!(read(100), None);
    }
}
