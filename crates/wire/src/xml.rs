//! XML, as AWS writes it.

/// Writes elements; text is escaped, and characters that XML 1.0 has no way to write are dropped.
#[derive(Debug)]
pub struct Writer {
    text: String,
    /// What the elements of lists are called: `item` in EC2, `member` in the query protocol.
    pub(crate) item: &'static str,
}

impl Writer {
    /// A document whose list elements have a name.
    pub fn new(item: &'static str) -> Self {
        Self {
            text: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"),
            item,
        }
    }

    /// An element with what `fill` writes into it.
    pub fn element(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        fill(self);
        self.close(name);
    }

    /// The same with a default namespace.
    pub fn element_in(&mut self, name: &str, namespace: &str, fill: impl FnOnce(&mut Self)) {
        self.text
            .push_str(&format!("<{name} xmlns=\"{namespace}\">"));
        fill(self);
        self.close(name);
    }

    fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// Text inside an element.
    pub fn text(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\r' => self.text.push_str("&#13;"),
                '\t' | '\n' => self.text.push(letter),
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
                _ => self.text.push(letter),
            }
        }
    }

    /// The document.
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_what_cant_be_written_is_dropped() {
        let mut writer = Writer::new("item");
        writer.element("a", |w| w.text("<&>\"\u{0}\u{8}é"));
        assert!(writer.finish().ends_with("<a>&lt;&amp;&gt;&quot;é</a>"));
    }
}
