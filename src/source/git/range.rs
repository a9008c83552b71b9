//! What is compared with what, as `git diff` has it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Two revisions, or one and the working tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// `A..B`: A against B.
    Between(String, String),
    /// `A...B`: the merge base of A and B, which is where B left A, against B.
    SinceMergeBase(String, String),
    /// `A`: A against the files on disk.
    ToWorkingTree(String),
}

/// Why a text is no range.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} names no revision: write A..B, A...B, A.. for A..HEAD, or A alone for A against the working tree")]
pub struct RangeError(String);

impl FromStr for Range {
    type Err = RangeError;

    /// Reads `A..B`, `A...B` and `A`; a side that is left out is `HEAD`. No name of a branch or tag holds two dots.
    fn from_str(text: &str) -> Result<Self, RangeError> {
        let Some((a, rest)) = text.split_once("..") else {
            return if text.trim().is_empty() { Err(RangeError(text.to_owned())) } else { Ok(Self::ToWorkingTree(text.to_owned())) };
        };
        let (b, is_symmetric) = rest.strip_prefix('.').map_or((rest, false), |rest| (rest, true));
        if (a.is_empty() && b.is_empty()) || b.contains("..") || b.starts_with('.') {
            return Err(RangeError(text.to_owned()));
        }
        let [a, b] = [a, b].map(|side| if side.is_empty() { "HEAD".to_owned() } else { side.to_owned() });
        Ok(if is_symmetric { Self::SinceMergeBase(a, b) } else { Self::Between(a, b) })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Between(a, b) => write!(out, "{a}..{b}"),
            Self::SinceMergeBase(a, b) => write!(out, "{a}...{b}"),
            Self::ToWorkingTree(a) => out.write_str(a),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn ranges() {
        let between = |a: &str, b: &str| Ok(Range::Between(a.to_owned(), b.to_owned()));
        let since = |a: &str, b: &str| Ok(Range::SinceMergeBase(a.to_owned(), b.to_owned()));
        let alone = |a: &str| Ok(Range::ToWorkingTree(a.to_owned()));
        let table = [
            ("main..feature", between("main", "feature")),
            ("main~1..", between("main~1", "HEAD")),
            ("..v1.0", between("HEAD", "v1.0")),
            ("origin/main...HEAD", since("origin/main", "HEAD")),
            ("main...", since("main", "HEAD")),
            ("...main", since("HEAD", "main")),
            ("v1.0", alone("v1.0")),
            ("HEAD@{1}", alone("HEAD@{1}")),
        ];
        for (text, want) in table {
            let range = text.parse::<Range>();
            assert_eq!(range, want, "{text}");
            assert_eq!(range.unwrap().to_string().parse::<Range>(), want, "{text}");
        }
        for text in ["", " ", "..", "...", "....", "a....b", "a..b..c", "a...b...c"] {
            let error = text.parse::<Range>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{text:?} names no revision")), "{error}");
        }
    }
}
