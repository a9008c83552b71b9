//! Texts that were read, and stretches of them.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// For so many bytes it is kept how many characters are before them: a line may be as long as a file.
const BLOCK: usize = 4096;

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
    /// Where its lines start, found when somebody first asks.
    lines: OnceLock<Vec<usize>>,
    /// The characters before each block, found when somebody first asks.
    blocks: OnceLock<Vec<usize>>,
    /// Where its documents start and whether they may be shown, found when somebody first asks.
    documents: OnceLock<Vec<(usize, bool)>>,
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
        Arc::new(Self { name, text, blob, within, lines: OnceLock::new(), blocks: OnceLock::new(), documents: OnceLock::new() })
    }

    /// The line and column, both from 1, of a byte offset; columns count characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let (line, start) = self.line(offset);
        let offset = offset.clamp(start, self.text.len());
        (line, 1 + self.characters(offset) - self.characters(start))
    }

    /// How many characters begin before an offset.
    fn characters(&self, offset: usize) -> usize {
        let begin = |bytes: &[u8]| bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        let blocks = self.blocks.get_or_init(|| {
            let counts = self.text.as_bytes().chunks(BLOCK).scan(0, |before, block| {
                let here = *before;
                *before += begin(block);
                Some(here)
            });
            counts.chain([self.text.chars().count()]).collect()
        });
        let block = offset / BLOCK;
        blocks[block] + begin(&self.text.as_bytes()[block * BLOCK..offset])
    }

    /// The number of the line at an offset, from 1, and where it starts.
    pub(super) fn line(&self, offset: usize) -> (usize, usize) {
        let lines = self.lines.get_or_init(|| {
            let breaks = self.text.match_indices('\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(breaks).collect()
        });
        let number = lines.partition_point(|start| *start <= offset);
        (number, lines[number - 1])
    }

    /// Whether lines around here may be shown: never those of a document that holds a Secret, nor a line without an end.
    pub(super) fn may_show(&self, offset: usize) -> bool {
        let documents = self.documents.get_or_init(|| {
            let mut found = Vec::new();
            let mut start = 0;
            loop {
                let end = next_document(&self.text, start);
                let text = &self.text[start..end.unwrap_or(self.text.len())];
                let is_long = text.lines().any(|line| line.len() > LONGEST_LINE);
                found.push((start, !is_long && !names_a_secret(text)));
                match end {
                    Some(end) => start = end,
                    None => return found,
                }
            }
        });
        let number = documents.partition_point(|(start, _)| *start <= offset);
        documents[number.saturating_sub(1)].1
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
    use super::{Place, Region, SourceFile};
    use crate::yaml::{self, Step};

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
