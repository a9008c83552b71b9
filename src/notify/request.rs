//! A request that tells something, as values: nothing is sent here, and no secret is in it.

use std::fmt::Write as _;

use serde_json::Value;

/// A request with a body of JSON. Its method is `POST`.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Where it goes, below the channel's address: a path that begins with a slash, or nothing.
    pub path: String,
    /// Headers, without those that prove who asks.
    pub headers: Vec<(&'static str, &'static str)>,
    /// What is said.
    pub body: Value,
}

/// The first characters of a text in one line, with an ellipsis if there are more.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let mut short: String = line.chars().take(most.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shortened_by_characters() {
        let table = [
            ("short", 10, "short"),
            ("two\nlines", 20, "two lines"),
            ("exactly ten", 11, "exactly ten"),
            ("one too many", 11, "one too ma…"),
            ("ends at a blank", 9, "ends at…"),
            ("äöüäöü", 4, "äöü…"),
        ];
        for (text, most, want) in table {
            assert_eq!(shortened(text, most), want);
            assert!(shortened(text, most).chars().count() <= most);
        }
    }

    #[test]
    fn segments_hold_no_slash() {
        assert_eq!(segment("group/sub/my project"), "group%2Fsub%2Fmy%20project");
        assert_eq!(segment("a-b._~9"), "a-b._~9");
    }
}
