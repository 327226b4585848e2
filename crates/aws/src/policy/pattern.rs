//! Texts with wildcards and policy variables.
//!
//! `*` stands for any letters and `?` for one; `${key}` for the value of a key of the request, whose own
//! asterisks are plain letters.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use super::Keys;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Letter(char),
    One,
    Any,
}

/// The pattern of a text; `None` if it has a variable that the request has no single value for.
fn tokens(text: &str, keys: &Keys, wildcards: bool) -> Option<Vec<Token>> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some((name, after)) = rest.strip_prefix("${").and_then(|of| of.split_once('}')) {
            tokens.extend(variable(name, keys)?.chars().map(Token::Letter));
            rest = after;
            continue;
        }
        tokens.push(match letter {
            '*' if wildcards => Token::Any,
            '?' if wildcards => Token::One,
            other => Token::Letter(other),
        });
        rest = &rest[letter.len_utf8()..];
    }
    Some(tokens)
}

/// A variable's value, or its default: `${aws:PrincipalTag/team, 'none'}`.
fn variable(name: &str, keys: &Keys) -> Option<String> {
    if matches!(name, "*" | "?" | "$") {
        return Some(name.to_owned());
    }
    let (name, default) = match name.split_once(',') {
        Some((name, default)) => (name, Some(default.trim().trim_matches('\''))),
        None => (name, None),
    };
    match keys.get(name.trim()) {
        Some([value]) => Some(value.clone()),
        _ => default.map(str::to_owned),
    }
}

/// Whether a pattern covers all of a text. The time is the product of their lengths at worst.
fn covers(pattern: &[Token], text: &[char]) -> bool {
    let (mut at, mut of) = (0, 0);
    // Where the last asterisk stands, and how much it has taken.
    let mut last: Option<(usize, usize)> = None;
    while of < text.len() {
        match pattern.get(at) {
            Some(Token::Any) => {
                last = Some((at, of));
                at += 1;
            }
            Some(Token::One) => (at, of) = (at + 1, of + 1),
            Some(Token::Letter(letter)) if *letter == text[of] => (at, of) = (at + 1, of + 1),
            _ => match last {
                Some((star, taken)) => {
                    last = Some((star, taken + 1));
                    (at, of) = (star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|token| *token == Token::Any)
}

/// Whether a text is like a pattern.
pub(super) fn like(pattern: &str, text: &str, keys: &Keys) -> bool {
    let text: Vec<char> = text.chars().collect();
    tokens(pattern, keys, true).is_some_and(|pattern| covers(&pattern, &text))
}

/// Whether a text is another one, in which only variables stand for something else.
pub(super) fn equals(expected: &str, text: &str, keys: &Keys) -> bool {
    let text: Vec<char> = text.chars().collect();
    tokens(expected, keys, false).is_some_and(|expected| covers(&expected, &text))
}

/// Whether an action is one of a pattern's; case doesn't matter.
pub(super) fn action(pattern: &str, action: &str) -> bool {
    let none = Keys::default();
    like(&pattern.to_lowercase(), &action.to_lowercase(), &none)
}

/// Whether an ARN is like a pattern, part by part: no wildcard reaches over one of the first five colons.
/// A lone asterisk is every resource.
pub(super) fn arn(pattern: &str, arn: &str, keys: &Keys) -> bool {
    if pattern == "*" {
        return true;
    }
    let (patterns, parts) = (split(pattern), split(arn));
    patterns.len() == parts.len()
        && patterns
            .iter()
            .zip(&parts)
            .all(|(pattern, part)| like(pattern, part, keys))
}

/// The six parts of an ARN; colons in variables are not between parts.
fn split(arn: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut depth) = (Vec::with_capacity(6), 0, 0_usize);
    for (index, letter) in arn.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && parts.len() < 5 => {
                parts.push(&arn[begin..index]);
                begin = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&arn[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_cover_what_they_may() {
        let none = Keys::default();
        for (pattern, text, covered) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*b*c", "aXbYbZc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*", "ba", false),
            ("*a", "aab", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(like(pattern, text, &none), covered, "{pattern} {text}");
        }
        assert!(action("ec2:describe*", "ec2:DescribeVpcs"));
        assert!(!action("ec2:Describe*", "ec2:CreateVpc"));
        assert!(!equals("a*", "ab", &none) && equals("a*", "a*", &none));
    }

    #[test]
    fn wildcards_stay_in_their_part_of_an_arn() {
        let none = Keys::default();
        let group = "arn:aws:ec2:us-west-2:123456789012:security-group/sg-1";
        assert!(arn("arn:aws:ec2:*:*:security-group/*", group, &none));
        assert!(!arn("arn:aws:ec2:*:security-group/*", group, &none));
        assert!(!arn("arn:*", group, &none));
        assert!(arn("*", group, &none));
        let bucket = "arn:aws:s3:::bucket/a:b:c";
        assert!(arn("arn:aws:s3:::bucket/*", bucket, &none));
    }

    #[test]
    fn variables_are_plain_text() {
        let mut keys = Keys::default();
        keys.put("aws:username", "a*b");
        assert!(like("home/${aws:username}/*", "home/a*b/x", &keys));
        assert!(!like("home/${aws:username}/*", "home/aXb/x", &keys));
        assert!(!like("home/${aws:userid}", "home/", &keys));
        assert!(like("${aws:userid, 'no'}", "no", &keys));
        assert!(like("${*}", "*", &keys) && !like("${*}", "x", &keys));
        let own = "arn:aws:iam::*:user/${aws:username}";
        assert!(arn(own, "arn:aws:iam::123456789012:user/a*b", &keys));
    }
}
