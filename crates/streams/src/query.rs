//! A request's query.

use http::Uri;

/// The query's pairs, decoded; what isn't UTF-8 is replaced.
pub(crate) fn pairs(uri: &Uri) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or("");
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let (byte, after) = match first {
            b'+' => (b' ', after),
            b'%' => match escaped(after) {
                Some(byte) => (byte, &after[2..]),
                None => (b'%', after),
            },
            byte => (byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits.get(..2)?).ok()?;
    // from_str_radix takes a sign.
    let hexadecimal = text.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(text, 16).ok().filter(|_| hexadecimal)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn escapes_are_decoded() {
        let uri: Uri = "/exec?command=sh&command=-c&command=echo+a%20%26b%zz&tty"
            .parse()
            .unwrap();
        let found = pairs(&uri);
        let expected = [
            ("command", "sh"),
            ("command", "-c"),
            ("command", "echo a &b%zz"),
            ("tty", ""),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(found, expected);
    }
}
