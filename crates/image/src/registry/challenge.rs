//! `WWW-Authenticate`: what a server wants to see. RFC 9110, 11.6.1.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use std::collections::BTreeMap;

/// What a server wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// In lower case.
    pub(super) scheme: String,
    pub(super) parameters: BTreeMap<String, String>,
}

impl Challenge {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// All that a server would take.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let mut all = Vec::new();
    for header in headers.get_all(WWW_AUTHENTICATE) {
        read(&mut all, &String::from_utf8_lossy(header.as_bytes()));
    }
    all
}

/// A word begins a challenge if no `=` follows it, and a parameter otherwise.
fn read(all: &mut Vec<Challenge>, mut text: &str) {
    loop {
        text = text.trim_start_matches([' ', '\t', ',']);
        let end = text.find(['=', ' ', '\t', ',']).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        if word.is_empty() {
            // Nothing more, or nothing that can be understood.
            return;
        }
        match rest.strip_prefix('=') {
            Some(rest) => {
                let (value, rest) = value(rest);
                if let Some(challenge) = all.last_mut() {
                    challenge.parameters.insert(word.to_lowercase(), value);
                }
                text = rest;
            }
            None => {
                all.push(Challenge {
                    scheme: word.to_lowercase(),
                    parameters: BTreeMap::new(),
                });
                text = rest;
            }
        }
    }
}

fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn of(lines: &[&str]) -> Vec<(String, Vec<(String, String)>)> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap());
        }
        challenges(&headers)
            .into_iter()
            .map(|challenge| (challenge.scheme, challenge.parameters.into_iter().collect()))
            .collect()
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn registries_challenges_are_read() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull",error="insufficient_scope""#;
        let said = of(&[hub]);
        assert_eq!(said[0].0, "bearer");
        assert_eq!(
            said[0].1,
            pairs(&[
                ("error", "insufficient_scope"),
                ("realm", "https://auth.docker.io/token"),
                ("scope", "repository:library/nginx:pull"),
                ("service", "registry.docker.io"),
            ])
        );
        let ecr = r#"Basic realm="https://1.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com""#;
        assert_eq!(of(&[ecr])[0].0, "basic");
        let two = of(&[
            r#"Basic realm=plain, Bearer realm="a, \"b\"" , service=x"#,
            "Negotiate",
        ]);
        assert_eq!(
            two,
            [
                ("basic".to_owned(), pairs(&[("realm", "plain")])),
                (
                    "bearer".to_owned(),
                    pairs(&[("realm", "a, \"b\""), ("service", "x")])
                ),
                ("negotiate".to_owned(), pairs(&[])),
            ]
        );
    }

    proptest! {
        #[test]
        fn anything_is_read(text in "[ -~]{0,60}") {
            of(&[&text]);
        }
    }
}
