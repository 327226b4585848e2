//! Names and values as queries and forms write them.
//! <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>

/// Pairs, written.
pub(super) fn encoded<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        write(name, &mut text);
        text.push('=');
        write(value, &mut text);
    }
    text
}

fn write(text: &str, to: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            to.push(char::from(byte));
        } else {
            to.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// A value by its name, read.
pub(super) fn decoded(text: &str, name: &str) -> Option<String> {
    let mut pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &rest[2..];
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-ALB: what is written is read again, and broken text isn't.
    #[test]
    fn round_trip() {
        let text = encoded([("a", "x y&=+/"), ("b", "ü")].into_iter());
        assert_eq!(text, "a=x%20y%26%3D%2B%2F&b=%C3%BC");
        assert_eq!(decoded(&text, "a").as_deref(), Some("x y&=+/"));
        assert_eq!(decoded(&text, "b").as_deref(), Some("ü"));
        assert_eq!(decoded("a=%4", "a"), None);
        assert_eq!(decoded("a=1", "b"), None);
    }
}
