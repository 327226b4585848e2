//! EC2's answers: elements and texts, without attributes that mean something.

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

/// What a document that can't be read is: one without elements.
static NOTHING: Element = Element {
    name: String::new(),
    text: String::new(),
    children: Vec::new(),
};

impl Element {
    /// A document's root; an empty one of a document that isn't well formed.
    pub(super) fn parse(document: &str) -> Self {
        let mut open: Vec<Self> = vec![Self::default()];
        for piece in document.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
            if tag.starts_with(['?', '!']) {
                continue;
            }
            if tag.starts_with('/') {
                if let Some(done) = open.pop()
                    && let Some(parent) = open.last_mut()
                {
                    parent.children.push(done);
                } else {
                    return Self::default();
                }
                continue;
            }
            let name = tag.split([' ', '/']).next().unwrap_or_default().to_owned();
            let element = Self {
                name,
                text: unescape(text.trim()),
                children: Vec::new(),
            };
            match (tag.ends_with('/'), open.last_mut()) {
                (true, Some(parent)) => parent.children.push(element),
                _ => open.push(element),
            }
        }
        let root = open.into_iter().next().unwrap_or_default();
        root.children.into_iter().next().unwrap_or_default()
    }

    /// The child of a name, or an empty element.
    pub(super) fn child(&self, name: &str) -> &Self {
        let found = self.children.iter().find(|child| child.name == name);
        found.unwrap_or(&NOTHING)
    }

    /// The text of the child of a name.
    pub(super) fn text(&self, name: &str) -> String {
        self.child(name).text.clone()
    }

    /// The items of the list in the child of a name.
    pub(super) fn items(&self, list: &str) -> impl Iterator<Item = &Self> {
        let children = self.child(list).children.iter();
        children.filter(|child| child.name == "item")
    }

    /// The first element of a name, however deep.
    pub(super) fn deep(&self, name: &str) -> Option<&Self> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.deep(name))
    }

    /// Its own text.
    pub(super) fn own_text(&self) -> &str {
        &self.text
    }
}

fn unescape(text: &str) -> String {
    let mut plain = text.to_owned();
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(entity, character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_trees() {
        let text = "<?xml version=\"1.0\"?>\n<R xmlns=\"x\"><set><item><id>a</id><tags/></item>\
                    <item><id>b &amp; c</id></item></set><empty></empty></R>";
        let root = Element::parse(text);
        let ids: Vec<_> = root.items("set").map(|item| item.text("id")).collect();
        assert_eq!(ids, ["a", "b & c"]);
        assert_eq!(root.deep("id").map(Element::own_text), Some("a"));
        assert_eq!(root.text("missing"), "");
        assert_eq!(Element::parse("</a>").deep("a"), None);
    }
}
