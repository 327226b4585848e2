//! A Corefile's words.
//!
//! <https://coredns.io/manual/configuration/>: words stand apart by white space; quotes keep it; `#` at a word's
//! beginning starts a comment; `{$NAME}` is the environment's.

/// A word and the line that it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
    /// Whether it was quoted: then it is never a brace.
    pub(super) quoted: bool,
}

/// Splits a text into words.
pub(super) fn tokens(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().peekable();
    let mut line = 1;
    while let Some(first) = characters.next() {
        match first {
            '\n' => line += 1,
            '#' => while characters.next_if(|next| *next != '\n').is_some() {},
            '"' => {
                let start = line;
                let mut text = String::new();
                while let Some(next) = characters.next() {
                    match next {
                        '"' => break,
                        '\\' if characters.peek() == Some(&'"') => {
                            text.extend(characters.next());
                        }
                        next => {
                            line += usize::from(next == '\n');
                            text.push(next);
                        }
                    }
                }
                tokens.push(Token {
                    text: expand(&text, environment),
                    line: start,
                    quoted: true,
                });
            }
            first if first.is_whitespace() => {}
            first => {
                let mut text = String::from(first);
                while let Some(next) = characters.next_if(|next| !next.is_whitespace()) {
                    text.push(next);
                }
                tokens.push(Token {
                    text: expand(&text, environment),
                    line,
                    quoted: false,
                });
            }
        }
    }
    tokens
}

/// Puts the environment's values in; a variable that isn't set is nothing.
fn expand(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{$").or_else(|| rest.find("{%")) {
        let closing = if rest[at..].starts_with("{$") {
            "}"
        } else {
            "%}"
        };
        let Some(end) = rest[at..].find(closing) else {
            break;
        };
        expanded.push_str(&rest[..at]);
        expanded.push_str(&environment(&rest[at + 2..at + end]).unwrap_or_default());
        rest = &rest[at + end + closing.len()..];
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let environment = |name: &str| (name == "PORT").then(|| "53".to_owned());
        let tokens = tokens(text, &environment);
        tokens.into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_are_split_as_caddy_does() {
        let text = ".:{$PORT} { # all\n  match \"a b\\\"c\" d#e\n\tx{%NONE%}y }";
        let expected = [".:53", "{", "match", "a b\"c", "d#e", "xy", "}"];
        assert_eq!(words(text), expected);
        let lines = tokens("a\n\"b\nc\"\nd", &|_| None);
        let lines: Vec<_> = lines.iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 4]);
    }

    #[test]
    fn regular_expressions_stay_as_they_are() {
        assert_eq!(
            words(r#""^(?:[^.]+\.){4,}net\.$""#),
            [r"^(?:[^.]+\.){4,}net\.$"]
        );
    }
}
