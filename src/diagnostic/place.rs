//! Texts that were read, and stretches of them.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// For so many bytes it is kept what is before them: a line may be as long as a file, and a file may have as many lines as bytes.
const BLOCK: usize = 1024;

/// The longest line that is shown, in bytes.
const LONGEST_LINE: usize = 10_000;

/// A text that was read, with the name under which people know it.
pub struct SourceFile {
    /// The path as the user gave it, `REVISION:PATH` from the root of the repository if it was read from git, or `<stdin>`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// The id of the text in git's object database, if it was read from there: with the same id, it is the same.
    pub blob: Option<String>,
    /// Where the text stands if it is a value in another file.
    within: Option<Place>,
    /// What is before each block of its bytes, found when somebody first asks.
    blocks: OnceLock<Vec<Before>>,
    /// Its documents that may not be shown, those behind one another as one, found when somebody first asks.
    hidden: OnceLock<Vec<Range<usize>>>,
}

/// What of a text is before one of its bytes.
#[derive(Clone, Copy, Default)]
struct Before {
    /// The characters that begin there.
    characters: usize,
    /// The line feeds.
    lines: usize,
    /// Where the line starts that goes on here.
    line_start: usize,
}

impl Before {
    /// Goes on by bytes that stand at an offset.
    fn add(&mut self, bytes: &[u8], offset: usize) {
        self.characters += bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        self.line_start = bytes.iter().rposition(|byte| *byte == b'\n').map_or(self.line_start, |at| offset + at + 1);
    }
}

impl SourceFile {
    /// A file of this name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Self::of_blob(name, text, None)
    }

    /// A file that was read from git's object database, if there is an id.
    pub fn of_blob(name: impl Into<String>, text: impl Into<String>, blob: Option<String>) -> Arc<Self> {
        Self::make(name.into(), text.into(), blob, None)
    }

    /// A text that is a value in another file, and the place of that value.
    pub fn within(place: Place, name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Self::make(name.into(), text.into(), None, Some(place))
    }

    fn make(name: String, text: String, blob: Option<String>, within: Option<Place>) -> Arc<Self> {
        Arc::new(Self { name, text, blob, within, blocks: OnceLock::new(), hidden: OnceLock::new() })
    }

    /// The line and column, both from 1, of a byte offset; columns count characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = self.before(offset.min(self.text.len()));
        (1 + before.lines, 1 + before.characters - self.before(before.line_start).characters)
    }

    /// The number of the line at an offset, from 1, and where it starts.
    pub(super) fn line(&self, offset: usize) -> (usize, usize) {
        let before = self.before(offset.min(self.text.len()));
        (1 + before.lines, before.line_start)
    }

    fn before(&self, offset: usize) -> Before {
        let bytes = self.text.as_bytes();
        let blocks = self.blocks.get_or_init(|| {
            let mut before = Before::default();
            let mut all = Vec::with_capacity(bytes.len() / BLOCK + 1);
            for at in (0..=bytes.len()).step_by(BLOCK) {
                all.push(before);
                before.add(&bytes[at..bytes.len().min(at + BLOCK)], at);
            }
            all
        });
        let start = offset / BLOCK * BLOCK;
        let mut before = blocks[offset / BLOCK];
        before.add(&bytes[start..offset], start);
        before
    }

    /// Whether lines around here may be shown: never those of a document that holds a Secret, nor a line without an end.
    pub(super) fn may_show(&self, offset: usize) -> bool {
        let hidden = self.hidden.get_or_init(|| {
            let mut hidden: Vec<Range<usize>> = Vec::new();
            let mut start = 0;
            loop {
                let next = next_document(&self.text, start);
                let end = next.unwrap_or(self.text.len());
                let text = &self.text[start..end];
                let is_hidden = names_a_secret(text) || text.lines().any(|line| line.len() > LONGEST_LINE);
                match hidden.last_mut().filter(|last| last.end == start) {
                    Some(last) if is_hidden => last.end = end,
                    _ if is_hidden => hidden.push(start..end),
                    _ => {}
                }
                match next {
                    Some(next) => start = next,
                    None => return hidden,
                }
            }
        });
        let stretch = hidden.partition_point(|stretch| stretch.start <= offset).checked_sub(1).map(|number| &hidden[number]);
        // What is behind the end belongs to the last document.
        stretch.is_none_or(|stretch| offset >= stretch.end && stretch.end < self.text.len())
    }
}

/// Where the first `---` stands behind an offset, on a line of its own or with a document behind it.
pub fn next_document(text: &str, from: usize) -> Option<usize> {
    let mut from = (from..text.len()).find(|at| text.is_char_boundary(*at))?;
    loop {
        let at = from + text[from..].find("\n---")? + 1;
        if text[at + 3..].chars().next().is_none_or(char::is_whitespace) {
            return Some(at);
        }
        from = at;
    }
}

/// Whether the word `Secret` or `SecretList` stands in a text: as the kind of an object, wherever that may be written.
fn names_a_secret(text: &str) -> bool {
    let is_word = |at: usize| {
        let before = text[..at].chars().next_back();
        let after = &text[at + "Secret".len()..];
        let after = after.strip_prefix("List").unwrap_or(after).chars().next();
        [before, after].into_iter().flatten().all(|c| !c.is_alphanumeric())
    };
    text.match_indices("Secret").any(|(at, _)| is_word(at))
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SourceFile({})", self.name)
    }
}

/// A stretch of a file, as byte offsets.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The bytes.
    pub span: Range<usize>,
}

/// Lines and columns, both from 1; the end is behind the last character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The line and column of the first character.
    pub start: (usize, usize),
    /// The line and column behind the last one.
    pub end: (usize, usize),
}

impl Place {
    /// The place on disk: that of the value where the text is one of a file.
    pub fn outermost(&self) -> &Self {
        self.file.within.as_ref().map_or(self, Self::outermost)
    }

    /// The file on disk, and where in it: for a text that is a value of a file, the same line of that value.
    pub fn region(&self) -> (&Arc<SourceFile>, Region) {
        let text = &self.file.text;
        let end = self.span.end.min(text.len());
        let start = self.span.start.min(end);
        let shown = text.as_bytes()[start..end].trim_ascii_end().len();
        let own = Region { start: self.file.line_column(start), end: self.file.line_column(start + shown) };
        let Some(outer) = &self.file.within else { return (&self.file, own) };
        let (file, whole) = outer.region();
        (file, own.in_block(text, &file.text, whole).unwrap_or(whole))
    }
}

impl Region {
    /// This region of a text that is a block scalar (`|`), as one of the file in which that stands at `outer`.
    fn in_block(self, text: &str, file: &str, outer: Self) -> Option<Self> {
        let inner = text.lines().nth(self.start.0 - 1)?;
        // The text begins on the line of the value, or on the one below its `|`.
        let (number, line) =
            file.lines().enumerate().skip(outer.start.0 + self.start.0 - 2).take(2).find(|(_, line)| line.trim() == inner.trim())?;
        let indent = |line: &str| line.chars().take_while(|c| *c == ' ').count();
        let (lines, columns) = (number + 1 - self.start.0, indent(line).checked_sub(indent(inner))?);
        let moved = |(line, column): (usize, usize)| (line + lines, column + columns);
        Some(Self { start: moved(self.start), end: moved(self.end) })
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Place, Region, SourceFile};
    use crate::yaml::{self, Step};

    #[test]
    fn lines_and_columns() {
        let long = "\u{e9}".repeat(BLOCK);
        for text in ["", "\n", "a\n\nb", &"\n".repeat(3 * BLOCK), &format!("{long}\n{long}x\n\n{long}"), &"ab\n".repeat(BLOCK)] {
            let file = SourceFile::new("file", text);
            for offset in (0..=text.len()).filter(|offset| text.is_char_boundary(*offset)) {
                let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
                let want = (1 + text[..offset].matches('\n').count(), 1 + text[start..offset].chars().count());
                assert_eq!((file.line_column(offset), file.line(offset)), (want, (want.0, start)), "{offset} of {text:?}");
            }
            assert_eq!(file.line_column(text.len() + 5), file.line_column(text.len()));
        }
    }

    #[test]
    fn secrets_and_long_lines_are_not_shown() {
        let long = "x".repeat(super::LONGEST_LINE + 1);
        let text = format!("a\n---\nkind: Secret\n---\n{long}\n---\nb\n---\nkind: SecretList");
        let file = SourceFile::new("file", text.as_str());
        for (word, want) in [("a", true), ("kind", false), ("xx", false), ("b\n", true), ("SecretList", false)] {
            assert_eq!(file.may_show(text.find(word).unwrap()), want, "{word}");
        }
        assert!(!file.may_show(text.len()));
        assert!(SourceFile::new("file", "").may_show(0));
    }

    #[test]
    fn texts_in_values_are_found_in_their_file() {
        let block = |(line, column), length| Region { start: (line, column), end: (line, column + length) };
        let table = [
            ("data:\n  k: |\n    a: 1\n    b: 2\n", block((4, 8), 1)),
            ("data:\n  k: |-\n      a: 1\n      b: 2", block((4, 10), 1)),
            ("data:\n  k: |2\n    a: 1\n    b: 2\n", block((4, 8), 1)),
            ("data: {k: \"a: 1\\nb: 2\"}\n", block((1, 11), 12)),
            ("data:\n  k: >\n    a: 1\n\n    b: 2\n", block((5, 8), 1)),
        ];
        for (text, want) in table {
            let file = SourceFile::new("outer", text);
            let document = yaml::read(&file, yaml::Limits::default(), &mut Vec::new()).remove(0);
            let path = [Step::Field("data"), Step::Field("k")];
            let inner = document.root.get("data").and_then(|data| data.get("k")?.as_str()).unwrap();
            let within = SourceFile::within(document.place(&path), "inner", inner);
            let at = inner.find('2').unwrap();
            let place = Place { file: within, span: at..at + 1 };
            let (outer, region) = place.region();
            assert_eq!((outer.name.as_str(), region), ("outer", want), "{text}");
        }
    }
}
