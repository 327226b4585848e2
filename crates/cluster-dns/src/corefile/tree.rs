//! A Corefile's blocks and lines, before anybody knows what they mean.

use super::tokens::{Token, tokens};
use super::{CorefileError, Imports, Problem};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Imports don't go deeper than this.
const DEPTH: usize = 10;

/// Where a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

impl Place {
    pub(crate) fn error(&self, problem: Problem) -> CorefileError {
        CorefileError {
            file: self.file.clone(),
            line: self.line,
            problem,
        }
    }
}

/// A directive: its name, its arguments, and the lines in its braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directive {
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) lines: Vec<Directive>,
    pub(crate) place: Place,
}

impl Directive {
    pub(crate) fn error(&self, problem: Problem) -> CorefileError {
        self.place.error(problem)
    }

    /// What is said of an argument that is missing or too much.
    pub(crate) fn count(&self) -> CorefileError {
        self.error(Problem::Count(self.name.clone()))
    }

    /// The only argument.
    pub(crate) fn one(&self) -> Result<&str, CorefileError> {
        match &self.arguments[..] {
            [one] => Ok(one),
            _ => Err(self.count()),
        }
    }

    /// At most one argument.
    pub(crate) fn at_most_one(&self) -> Result<Option<&str>, CorefileError> {
        match &self.arguments[..] {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(self.count()),
        }
    }

    /// No argument and no lines.
    pub(crate) fn nothing(&self) -> Result<(), CorefileError> {
        if self.arguments.is_empty() && self.lines.is_empty() {
            Ok(())
        } else {
            Err(self.count())
        }
    }
}

/// A server block: what it serves, and its directives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) keys: Vec<String>,
    pub(super) directives: Vec<Directive>,
    pub(super) place: Place,
}

/// Reads a file's blocks, with what it imports.
pub(super) fn read(
    text: &str,
    file: &Path,
    imports: &dyn Imports,
) -> Result<Vec<Tree>, CorefileError> {
    let mut parser = Parser {
        imports,
        snippets: HashMap::new(),
        blocks: Vec::new(),
    };
    parser.file(text, file, 0)?;
    Ok(parser.blocks)
}

struct Parser<'a> {
    imports: &'a dyn Imports,
    snippets: HashMap<String, Vec<Directive>>,
    blocks: Vec<Tree>,
}

/// A file's words, read from the front.
struct Cursor {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    file: PathBuf,
    line: usize,
}

impl Cursor {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.next()?;
        self.line = token.line;
        Some(token)
    }

    /// The next word, if it stands on the line of the last.
    fn next_on_line(&mut self) -> Option<Token> {
        let line = self.line;
        self.tokens.next_if(|token| token.line == line)
    }

    fn place(&self) -> Place {
        Place {
            file: self.file.clone(),
            line: self.line,
        }
    }
}

fn is(token: &Token, brace: &str) -> bool {
    !token.quoted && token.text == brace
}

impl Parser<'_> {
    fn cursor(&self, text: &str, file: &Path) -> Cursor {
        let environment = |name: &str| self.imports.variable(name);
        Cursor {
            tokens: tokens(text, &environment).into_iter().peekable(),
            file: file.to_owned(),
            line: 0,
        }
    }

    fn file(&mut self, text: &str, file: &Path, depth: usize) -> Result<(), CorefileError> {
        let mut cursor = self.cursor(text, file);
        while let Some(first) = cursor.next() {
            if is(&first, "import") {
                let pattern = cursor.next_on_line();
                let place = cursor.place();
                let pattern =
                    pattern.ok_or_else(|| place.error(Problem::Count("import".into())))?;
                for (path, text) in self.import(&pattern.text, &place, depth)? {
                    self.file(&text, &path, depth + 1)?;
                }
                continue;
            }
            let place = cursor.place();
            let (keys, braces) = keys(first, &mut cursor)?;
            let directives = self.lines(&mut cursor, braces, depth)?;
            match keys.first().and_then(|key| snippet(key)) {
                Some(name) => {
                    self.snippets.insert(name.to_owned(), directives);
                }
                None => self.blocks.push(Tree {
                    keys,
                    directives,
                    place,
                }),
            }
        }
        Ok(())
    }

    /// Reads directives to the closing brace, or to the end where there is no brace.
    fn lines(
        &mut self,
        cursor: &mut Cursor,
        braces: bool,
        depth: usize,
    ) -> Result<Vec<Directive>, CorefileError> {
        let mut directives = Vec::new();
        while let Some(name) = cursor.next() {
            if is(&name, "}") && braces {
                return Ok(directives);
            }
            let place = cursor.place();
            if is(&name, "{") || is(&name, "}") {
                return Err(place.error(Problem::Unexpected(name.text)));
            }
            let (mut arguments, mut lines) = (Vec::new(), Vec::new());
            while let Some(token) = cursor.next_on_line() {
                if is(&token, "{") {
                    lines = self.lines(cursor, true, depth)?;
                    break;
                }
                if is(&token, "}") {
                    return Err(place.error(Problem::Unexpected(token.text)));
                }
                arguments.push(token.text);
            }
            if name.text == "import" {
                let [pattern] = &arguments[..] else {
                    return Err(place.error(Problem::Count("import".into())));
                };
                directives.extend(self.directives_of(pattern, &place, depth)?);
                continue;
            }
            directives.push(Directive {
                name: name.text,
                arguments,
                lines,
                place,
            });
        }
        if braces {
            return Err(cursor.place().error(Problem::Unclosed));
        }
        Ok(directives)
    }

    /// What an import in a block stands for: a snippet's lines, or those of files.
    fn directives_of(
        &mut self,
        pattern: &str,
        place: &Place,
        depth: usize,
    ) -> Result<Vec<Directive>, CorefileError> {
        if let Some(snippet) = self.snippets.get(pattern) {
            return Ok(snippet.clone());
        }
        let mut directives = Vec::new();
        for (path, text) in self.import(pattern, place, depth)? {
            let mut cursor = self.cursor(&text, &path);
            directives.extend(self.lines(&mut cursor, false, depth + 1)?);
        }
        Ok(directives)
    }

    fn import(
        &self,
        pattern: &str,
        place: &Place,
        depth: usize,
    ) -> Result<Vec<(PathBuf, String)>, CorefileError> {
        let failed = |reason: String| Problem::Import(pattern.to_owned(), reason);
        if depth >= DEPTH {
            return Err(place.error(failed("it goes too deep".to_owned())));
        }
        let beside = place.file.parent().unwrap_or(Path::new("."));
        let files = self.imports.files(&beside.join(pattern));
        files.map_err(|error| place.error(failed(error.to_string())))
    }
}

/// Reads what a block serves; whether braces follow.
fn keys(first: Token, cursor: &mut Cursor) -> Result<(Vec<String>, bool), CorefileError> {
    let mut keys = Vec::new();
    let mut next = Some(first);
    while let Some(token) = next {
        if is(&token, "{") {
            return Ok((keys, true));
        }
        if is(&token, "}") {
            return Err(cursor.place().error(Problem::Unexpected(token.text)));
        }
        // A comma at a line's end goes on with the next line.
        let more = token.text.ends_with(',');
        let named = token.text.split(',').filter(|key| !key.is_empty());
        keys.extend(named.map(str::to_owned));
        next = if more {
            cursor.next()
        } else {
            cursor.next_on_line()
        };
    }
    Ok((keys, false))
}

fn snippet(key: &str) -> Option<&str> {
    key.strip_prefix('(')?.strip_suffix(')')
}
