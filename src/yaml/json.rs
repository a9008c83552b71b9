//! What JSON lets stand as it is and YAML doesn't. It is escaped for a YAML reader, as both know the same escapes. The build reads presets with
//! it, so nothing else is named here.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// The most escapes of a text that is read, as their places take memory. With more, the YAML reader says what it can't read.
const MOST_ESCAPES: usize = 100_000;

/// Whether JSON lets a character stand as it is and YAML doesn't (YAML 1.2, `c-printable`). Whatever else isn't printable is escaped by JSON.
fn is_json_only(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

/// A text as a YAML reader takes it.
pub(super) struct Readable<'a> {
    pub(super) text: Cow<'a, str>,
    /// Where each escape ends in it, and by how many bytes it is longer than the original up to there.
    escapes: Vec<(usize, usize)>,
}

impl<'a> Readable<'a> {
    /// Of what may be JSON. What isn't is left alone: there, these characters may stand where an escape means something else.
    pub(super) fn new(text: &'a str) -> Self {
        let is_json = text.trim_start().starts_with(['{', '['])
            && text.contains(is_json_only)
            && text.matches(is_json_only).count() <= MOST_ESCAPES
            && serde_json::from_str::<&RawValue>(text).is_ok();
        if is_json { Self::of_json(text) } else { Self { text: text.into(), escapes: Vec::new() } }
    }

    /// Of JSON, where these characters stand nowhere but in strings.
    pub(super) fn of_json(json: &'a str) -> Self {
        let (mut text, mut escapes, mut start) = (String::new(), Vec::new(), 0);
        for (at, part) in json.match_indices(is_json_only) {
            text.push_str(&json[start..at]);
            text.extend(part.chars().map(|character| format!("\\u{:04x}", u32::from(character))));
            start = at + part.len();
            escapes.push((text.len(), text.len() - start));
        }
        if escapes.is_empty() {
            return Self { text: json.into(), escapes };
        }
        text.push_str(&json[start..]);
        Self { text: text.into(), escapes }
    }

    /// Which byte of the original stands at one of the text.
    pub(super) fn original(&self, at: usize) -> usize {
        let before = self.escapes.partition_point(|(end, _)| *end <= at);
        before.checked_sub(1).map_or(at, |last| at - self.escapes[last].1)
    }
}
