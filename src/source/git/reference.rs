//! What is followed in a remote repository, and which commit that is now.

use std::fmt;

use semver::{Comparator, Op, Version, VersionReq};
use thiserror::Error;

use super::remote::Listed;

/// What is followed in a remote repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reference {
    /// The branch that the remote's `HEAD` stands for.
    #[default]
    Default,
    /// A branch, without `refs/heads/`.
    Branch(String),
    /// A tag, without `refs/tags/`.
    Tag(String),
    /// The tag with the highest version in a range, as Flux has it: `>=1.0.0 <2.0.0`.
    SemVer(VersionRange),
    /// A commit by its whole id, and the branch that it is said to be on.
    Commit {
        /// The 40 hexadecimal digits.
        id: String,
        /// The branch, for reading alone.
        branch: Option<String>,
    },
    /// A reference by its full name, such as `refs/pull/420/head`.
    Name(String),
}

/// A commit, and what led to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Head {
    /// The branch or tag by its short name, or another reference by its full one.
    pub pointer: Option<String>,
    /// The whole id.
    pub commit: String,
    /// The id of the tag that led to it, if that is an object of its own, as tags with messages and signatures are.
    pub tag: Option<String>,
}

impl fmt::Display for Head {
    /// As Flux writes revisions (its RFC-0005): `main@sha1:3f9c2ab...`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pointer) = &self.pointer {
            write!(out, "{pointer}@")?;
        }
        write!(out, "sha1:{}", self.commit)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("HEAD"),
            Self::Branch(name) => write!(out, "branch {name}"),
            Self::Tag(name) => write!(out, "tag {name}"),
            Self::SemVer(range) => write!(out, "tag in the range {:?}", range.text),
            Self::Commit { id, .. } => write!(out, "commit {id}"),
            Self::Name(name) => write!(out, "reference {name}"),
        }
    }
}

impl Reference {
    /// The beginnings of the names that the choice is among.
    pub(super) fn prefixes(&self) -> Vec<String> {
        match self {
            Self::Default => vec!["HEAD".to_owned()],
            Self::Branch(name) => vec![format!("refs/heads/{name}")],
            Self::Tag(name) => vec![format!("refs/tags/{name}")],
            Self::SemVer(_) => vec!["refs/tags/".to_owned()],
            Self::Commit { .. } => Vec::new(),
            Self::Name(name) => vec![name.clone()],
        }
    }

    /// Where names that may be meant begin.
    pub(super) fn kin(&self) -> &'static str {
        match self {
            Self::Default | Self::Branch(_) | Self::Commit { .. } => "refs/heads/",
            Self::Tag(_) | Self::SemVer(_) => "refs/tags/",
            Self::Name(_) => "refs/",
        }
    }

    /// The commit that this means among what a remote lists; `None` if it isn't there.
    pub(super) fn choose(&self, listed: &[Listed]) -> Option<Head> {
        let named = |wanted: &str| listed.iter().find(|listed| listed.name == wanted);
        let found = match self {
            Self::Commit { id, branch } => return Some(Head { pointer: branch.clone(), commit: id.clone(), tag: None }),
            Self::Default => {
                let head = named("HEAD")?;
                // A detached one stands for no branch, and nor does one with characters that git allows in no name (git-check-ref-format(1)).
                let is_name = |name: &&str| !name.contains(|c: char| c.is_control() || c == ' ');
                let pointer = head.target.as_deref().filter(is_name).map(short);
                return Some(Head { pointer, commit: head.id.clone(), tag: None });
            }
            Self::Branch(name) => named(&format!("refs/heads/{name}")),
            Self::Tag(name) => named(&format!("refs/tags/{name}")),
            Self::Name(name) => named(name),
            Self::SemVer(range) => {
                let version = |listed: &Listed| version(listed.name.strip_prefix("refs/tags/")?);
                let known = listed.iter().filter_map(|listed| Some((version(listed)?, listed)));
                let within = known.filter(|(version, _)| range.contains(version));
                // Of two tags for one version the later name wins, whatever their order.
                within.max_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.name.cmp(&b.1.name))).map(|(_, listed)| listed)
            }
        }?;
        let pointer = Some(short(&found.name));
        Some(match &found.peeled {
            Some(commit) => Head { pointer, commit: commit.clone(), tag: Some(found.id.clone()) },
            None => Head { pointer, commit: found.id.clone(), tag: None },
        })
    }
}

/// The name of a branch or tag, as people say it.
pub(super) fn short(name: &str) -> String {
    name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name).to_owned()
}

/// The version that a tag is named after, with or without a `v`.
fn version(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// Versions, as Flux's `spec.ref.semver` has them: comparisons that all hold, with spaces or commas between them, and `||`
/// between alternatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    text: String,
    alternatives: Vec<VersionReq>,
}

/// Why a text is no range of versions.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no range of versions: write one such as >=1.0.0 <2.0.0, ~1.2, ^1.2 or 1.x")]
pub struct VersionRangeError(String);

impl std::str::FromStr for VersionRange {
    type Err = VersionRangeError;

    fn from_str(text: &str) -> Result<Self, VersionRangeError> {
        let alternative = |part: &str| VersionReq::parse(&comparisons(part)?).ok();
        let alternatives: Option<Vec<VersionReq>> = text.split("||").map(alternative).collect();
        let alternatives = alternatives.ok_or_else(|| VersionRangeError(text.to_owned()))?;
        Ok(Self { text: text.trim().to_owned(), alternatives })
    }
}

/// Comparisons as the crate reads them. A version without a sign is that version alone in Flux, and `^` in Cargo.
fn comparisons(text: &str) -> Option<String> {
    let text = text.replace(',', " ");
    let words: Vec<&str> = text.split_whitespace().collect();
    if let [from, "-", to] = words[..] {
        return Some(format!(">={}, <={}", bare(from), bare(to)));
    }
    let mut all: Vec<String> = Vec::new();
    let mut sign = "";
    for word in words {
        let rest = word.trim_start_matches(['<', '>', '=', '^', '~']);
        let signs = &word[..word.len() - rest.len()];
        if rest.is_empty() {
            sign = signs;
            continue;
        }
        let sign = if signs.is_empty() { std::mem::take(&mut sign) } else { signs };
        let number = bare(rest);
        let is_wild = number.contains(['x', 'X', '*']) && !number.contains('-');
        all.push(match sign {
            "" | "=" if is_wild => number.to_owned(),
            "" => format!("={number}"),
            "=>" => format!(">={number}"),
            "=<" => format!("<={number}"),
            sign => format!("{sign}{number}"),
        });
    }
    (!all.is_empty() && sign.is_empty()).then(|| all.join(", "))
}

fn bare(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

impl VersionRange {
    /// Whether a version is in the range. One before a release is only if the range names such a one, as in `>=1.0.0-0`.
    fn contains(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|range| {
            let names_pre = |comparator: &Comparator| !comparator.pre.is_empty() && comparator.op != Op::Less;
            let is_about = |comparator: &Comparator| {
                names_pre(comparator)
                    && (comparator.major, comparator.minor, comparator.patch) == (version.major, Some(version.minor), Some(version.patch))
            };
            if version.pre.is_empty() || range.comparators.iter().any(is_about) {
                return range.matches(version);
            }
            let release = Version::new(version.major, version.minor, version.patch);
            range.comparators.iter().any(names_pre) && range.matches(&release)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, digit: char) -> Listed {
        let id: String = std::iter::repeat_n(digit, 40).collect();
        Listed { name: name.to_owned(), id, peeled: None, target: None }
    }

    fn remote() -> Vec<Listed> {
        let target = Some("refs/heads/main".to_owned());
        let peeled = Some("e".repeat(40));
        vec![
            Listed { target, ..listed("HEAD", '1') },
            listed("refs/heads/main", '1'),
            listed("refs/heads/main-2", '2'),
            listed("refs/heads/v1.0.0", '3'),
            listed("refs/pull/1/head", '4'),
            Listed { peeled, ..listed("refs/tags/v1.0.0", '5') },
            listed("refs/tags/1.2.0", '6'),
            listed("refs/tags/v1.10.0", '7'),
            listed("refs/tags/v2.0.0-rc.1", '8'),
            listed("refs/tags/nightly", '9'),
        ]
    }

    #[test]
    fn the_choice() {
        let range = |text: &str| Reference::SemVer(text.parse().unwrap());
        let commit = |branch: Option<&str>| Reference::Commit { id: "a".repeat(40), branch: branch.map(ToOwned::to_owned) };
        let table = [
            (Reference::Default, Some("main@sha1:1")),
            (Reference::Branch("main".to_owned()), Some("main@sha1:1")),
            (Reference::Branch("mai".to_owned()), None),
            (Reference::Branch("v1.0.0".to_owned()), Some("v1.0.0@sha1:3")),
            (Reference::Tag("v1.0.0".to_owned()), Some("v1.0.0@sha1:e")),
            (Reference::Tag("nightly".to_owned()), Some("nightly@sha1:9")),
            (Reference::Name("refs/pull/1/head".to_owned()), Some("refs/pull/1/head@sha1:4")),
            (Reference::Name("refs/heads/main".to_owned()), Some("main@sha1:1")),
            (Reference::Name("refs/heads".to_owned()), None),
            (commit(None), Some("sha1:a")),
            (commit(Some("main")), Some("main@sha1:a")),
            (range("*"), Some("v1.10.0@sha1:7")),
            (range("1.x"), Some("v1.10.0@sha1:7")),
            (range("~1.2"), Some("1.2.0@sha1:6")),
            (range(">=1.0.0 <1.2.0"), Some("v1.0.0@sha1:e")),
            (range(">= 1.0.0, < 1.2.0"), Some("v1.0.0@sha1:e")),
            (range("1.0.0"), Some("v1.0.0@sha1:e")),
            (range("1.0.0 - 1.2.0 || 0.9"), Some("1.2.0@sha1:6")),
            (range(">=1.0.0-0"), Some("v2.0.0-rc.1@sha1:8")),
            (range(">=2.0.0-rc.2"), None),
            (range("^3"), None),
        ];
        for (reference, want) in table {
            let have = reference.choose(&remote()).map(|head| head.to_string());
            let want = want.map(|want| {
                let (rest, digit) = want.split_at(want.len() - 1);
                format!("{rest}{}", digit.repeat(40))
            });
            assert_eq!(have, want, "{reference}");
        }
    }

    #[test]
    fn a_detached_head_has_no_pointer() {
        for target in [None, Some("refs/heads/a\u{1b}[2Jb"), Some("refs/heads/a b")] {
            let head = Listed { target: target.map(ToOwned::to_owned), ..listed("HEAD", '1') };
            assert_eq!(Reference::Default.choose(&[head]).unwrap().pointer, None, "{target:?}");
        }
    }

    #[test]
    fn what_is_no_range() {
        for text in ["", "main", ">=", "1.0.0 >", "1.0.0 || ", "!=1.0.0", "1..2"] {
            assert!(text.parse::<VersionRange>().is_err(), "{text:?}");
        }
    }
}
