//! Patterns with wildcards.

/// A text to compare others with, in which `*` stands for any characters and `?` for any one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    tokens: Vec<Token>,
    case: Case,
}

/// Whether upper and lower case are different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Case {
    /// They are.
    Kept,
    /// They aren't: ASCII letters are the same either way.
    Ignored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Token {
    /// This byte.
    Byte(u8),
    /// Any one byte.
    One,
    /// Any number of bytes.
    Many,
}

impl Pattern {
    /// A pattern in which `*` and `?` always are wildcards.
    pub fn new(text: &str, case: Case) -> Self {
        Self::parse(text, case, false)
    }

    /// A pattern in which a backslash makes the `*`, `?` or backslash behind it stand for itself.
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html#query-string-conditions>
    pub fn escaped(text: &str, case: Case) -> Self {
        Self::parse(text, case, true)
    }

    /// A text that matches itself alone.
    pub fn exact(text: &str, case: Case) -> Self {
        let byte = |byte| Token::Byte(fold(byte, case));
        let tokens = text.bytes().map(byte).collect();
        Self { tokens, case }
    }

    fn parse(text: &str, case: Case, escapes: bool) -> Self {
        let mut tokens = Vec::with_capacity(text.len());
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            let token = match byte {
                b'*' => Token::Many,
                b'?' => Token::One,
                b'\\' if escapes => match bytes.next_if(|next| matches!(next, b'*' | b'?' | b'\\'))
                {
                    Some(literal) => Token::Byte(literal),
                    None => Token::Byte(byte),
                },
                _ => Token::Byte(fold(byte, case)),
            };
            if token != Token::Many || tokens.last() != Some(&Token::Many) {
                tokens.push(token);
            }
        }
        Self { tokens, case }
    }

    /// Whether it fits a text, all of it.
    pub fn fits(&self, text: &[u8]) -> bool {
        // Where to go on when what followed the last `*` fails: the `*`, and how far it reached.
        let mut retry: Option<(usize, usize)> = None;
        let (mut token, mut at) = (0, 0);
        loop {
            match self.tokens.get(token) {
                Some(Token::Many) => {
                    retry = Some((token, at));
                    token += 1;
                    continue;
                }
                Some(Token::One) if at < text.len() => {
                    (token, at) = (token + 1, at + 1);
                    continue;
                }
                Some(Token::Byte(byte))
                    if text.get(at).is_some_and(|b| fold(*b, self.case) == *byte) =>
                {
                    (token, at) = (token + 1, at + 1);
                    continue;
                }
                None if at == text.len() => return true,
                _ => {}
            }
            match retry {
                Some((many, reached)) if reached < text.len() => {
                    retry = Some((many, reached + 1));
                    (token, at) = (many + 1, reached + 1);
                }
                _ => return false,
            }
        }
    }

    /// Whether upper and lower case are different to it.
    pub fn case(&self) -> Case {
        self.case
    }

    /// The bytes before its first wildcard, in lower case if it ignores case, and whether there is no
    /// wildcard at all.
    pub fn head(&self) -> (Vec<u8>, bool) {
        literal(self.tokens.iter())
    }

    /// The bytes behind its last wildcard, from the last one to the first, in lower case if it ignores
    /// case, and whether there is no wildcard at all.
    pub fn tail(&self) -> (Vec<u8>, bool) {
        literal(self.tokens.iter().rev())
    }
}

fn literal<'a>(tokens: impl ExactSizeIterator<Item = &'a Token>) -> (Vec<u8>, bool) {
    let all = tokens.len();
    let byte = |token: &Token| match token {
        Token::Byte(byte) => Some(*byte),
        Token::One | Token::Many => None,
    };
    let bytes: Vec<u8> = tokens.map_while(byte).collect();
    let whole = bytes.len() == all;
    (bytes, whole)
}

fn fold(byte: u8, case: Case) -> u8 {
    match case {
        Case::Kept => byte,
        Case::Ignored => byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern, Case::Kept).fits(text.as_bytes())
    }

    /// AWS-ALB: `*` stands for 0 or more characters and `?` for exactly 1.
    #[test]
    fn wildcards() {
        assert!(kept("/img/*", "/img/"));
        assert!(kept("/img/*/pics", "/img/a/b/pics"));
        assert!(!kept("/img/*/pics", "/img/pics"));
        assert!(kept("/a?c", "/abc"));
        assert!(!kept("/a?c", "/ac"));
        assert!(kept("*a*b*", "xxaxxb"));
        assert!(!kept("*a*b", "xxaxxbc"));
        assert!(kept("*", ""));
        assert!(!kept("", "a"));
        assert!(!kept("?", ""));
    }

    /// AWS-ALB: paths keep case, hosts don't.
    #[test]
    fn case() {
        assert!(!kept("/IMG", "/img"));
        let host = Pattern::new("*.Example.com", Case::Ignored);
        assert!(host.fits(b"WWW.example.COM"));
        assert!(!host.fits(b"example.com"));
    }

    /// AWS-ALB: in query strings a backslash makes a wildcard a character.
    #[test]
    fn escapes() {
        let star = Pattern::escaped(r"a\*", Case::Ignored);
        assert!(star.fits(b"a*"));
        assert!(!star.fits(b"ab"));
        assert!(Pattern::escaped(r"a\b", Case::Ignored).fits(br"a\b"));
    }

    /// AWS-ALB: what a pattern begins and ends with, for those who look many up at once.
    #[test]
    fn ends() {
        let pattern = Pattern::new("Ab*cD", Case::Ignored);
        assert_eq!(pattern.head(), (b"ab".to_vec(), false));
        assert_eq!(pattern.tail(), (b"dc".to_vec(), false));
        assert_eq!(
            Pattern::new("/x", Case::Kept).head(),
            (b"/x".to_vec(), true)
        );
    }
}
