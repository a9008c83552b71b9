//! How Flux writes revisions of git (RFC-0005): `main@sha1:COMMIT`, or `sha1:COMMIT` where no name points there.

use std::fmt;
use std::str::FromStr;

/// A commit, and the name by which one gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// A branch or tag.
    pub pointer: Option<String>,
    /// How the id of the commit is made: `sha1`, or `sha256` in some repositories.
    pub algorithm: String,
    /// The id of the commit.
    pub id: String,
}

impl Revision {
    /// A commit by its id, and by a branch or tag if one is said.
    pub fn new(pointer: Option<String>, id: &str) -> Self {
        let algorithm = if id.len() == SHA256 { "sha256" } else { "sha1" };
        Self { pointer, algorithm: algorithm.to_owned(), id: id.to_owned() }
    }
}

/// The digits of the ids.
const SHA1: usize = 40;
const SHA256: usize = 64;

impl FromStr for Revision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let help = || "write it as Flux does: main@sha1:COMMIT, with the whole id".to_owned();
        let (pointer, commit) = match text.rsplit_once('@') {
            Some((pointer, commit)) => (Some(pointer.to_owned()), commit),
            None => (None, text),
        };
        let (algorithm, id) = commit.split_once(':').ok_or_else(help)?;
        let digits = match algorithm {
            "sha1" => SHA1,
            "sha256" => SHA256,
            _ => return Err(help()),
        };
        let is_id = id.len() == digits && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_pointer = pointer.as_ref().is_none_or(|pointer| !pointer.is_empty() && !pointer.contains(char::is_whitespace));
        if !is_id || !is_pointer {
            return Err(help());
        }
        Ok(Self { pointer, algorithm: algorithm.to_owned(), id: id.to_owned() })
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pointer) = &self.pointer {
            write!(out, "{pointer}@")?;
        }
        write!(out, "{}:{}", self.algorithm, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions() {
        let (short, long) = ("a".repeat(40), "b".repeat(64));
        let good = [format!("main@sha1:{short}"), format!("sha1:{short}"), format!("v1@sha256:{long}"), format!("a@b/c@sha1:{short}")];
        for text in good {
            assert_eq!(text.parse::<Revision>().unwrap().to_string(), text);
        }
        let id = |text: &str| text.to_owned();
        let bad = [id("main"), id("HEAD"), format!("main@{short}"), format!("main@sha1:{long}"), format!("@sha1:{short}"), id("sha1:abc")];
        for text in bad {
            assert!(text.parse::<Revision>().is_err(), "{text}");
        }
        assert_eq!(Revision::new(Some("main".to_owned()), &short).to_string(), format!("main@sha1:{short}"));
        assert_eq!(Revision::new(None, &long).to_string(), format!("sha256:{long}"));
    }
}
