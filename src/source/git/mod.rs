//! The revisions of the git repository at hand, read from its object database, and of remote ones, which are fetched into one of
//! ours: nothing is checked out and no program is run.

mod cloned;
mod gitmodules;
mod mirror;
mod objects;
mod push;
mod range;
mod reference;
pub(super) mod remote;
mod revision;
mod signature;
mod store;
mod submodules;
mod verify;
mod working_tree;

use std::path::Path;
use std::sync::Arc;

pub use mirror::Mirror;
pub use objects::{Commit, is_branch};
pub use push::{Destination, Person, PushError, Pushed};
pub use range::{Range, RangeError};
pub use reference::{Head, Reference, VersionRange, VersionRangeError};
pub use remote::{Access, Data, ReadValues, RemoteError, Values, head_in, is_same_repository, normal_url, shown_url, site_of};
pub use signature::{Fault, Signer, SigningKey};
pub use verify::{Verifier, Verify, VerifyError, VerifyMode};

use super::tree::Tree;
use crate::diagnostic::{Diagnostic, did_you_mean};
use objects::{Found, Missing, Objects};
use revision::Revision;
use working_tree::WorkingTree;

/// A git repository.
pub struct Repository {
    objects: Arc<Objects>,
}

/// Files as they are at a revision, or on disk.
#[derive(Clone)]
pub struct Side {
    /// What people call it: `main~1 (3f9c2ab)`, or `the working tree`.
    pub name: String,
    /// The full id of the commit; `None` for the working tree, and for a directory's id in the place of a commit.
    pub commit: Option<String>,
    /// The files.
    pub tree: Arc<dyn Tree>,
}

impl Repository {
    /// The repository of the current directory, or the one that `GIT_DIR` names.
    ///
    /// # Errors
    ///
    /// If there is none, or it can't be read.
    pub fn open() -> Result<Self, Diagnostic> {
        Self::open_at(None)
    }

    /// The repository around a directory, where the relative paths of revisions start; those of the working tree start at the
    /// current directory all the same.
    ///
    /// # Errors
    ///
    /// As for [`Self::open`].
    pub fn around(directory: &Path) -> Result<Self, Diagnostic> {
        Self::open_at(Some(directory))
    }

    fn open_at(directory: Option<&Path>) -> Result<Self, Diagnostic> {
        let objects = Objects::open(directory).map_err(|error| match error {
            Missing::Other(why) => Diagnostic::error(format!("the git repository can't be read: {why}")),
            _ => Diagnostic::error("there is no git repository here or above, and so no revision")
                .help("change into the repository whose files are meant, or name it with GIT_DIR"),
        })?;
        Ok(Self { objects: Arc::new(objects) })
    }

    /// The files of a revision: of a commit, a branch, a tag, or whatever else `git rev-parse` takes for one.
    ///
    /// # Errors
    ///
    /// If there is no such revision.
    pub fn side(&self, revision: &str) -> Result<Side, Diagnostic> {
        Ok(self.side_of(revision, &self.find(revision)?))
    }

    /// Both sides of a range, older first. What is doubtful about it is added to `findings`.
    ///
    /// # Errors
    ///
    /// All reasons why there aren't two sides.
    pub fn sides(&self, range: &Range, findings: &mut Vec<Diagnostic>) -> Result<(Side, Side), Vec<Diagnostic>> {
        match range {
            Range::ToWorkingTree(a) => {
                let a = self.side(a).map_err(|finding| vec![finding])?;
                let Some(root) = self.objects.worktree.as_deref() else {
                    let finding = Diagnostic::error("this repository is bare: it has no working tree to compare with");
                    return Err(vec![finding.help("name the other revision too, as in main~1..main")]);
                };
                let tree = Arc::new(WorkingTree::new(Arc::clone(&self.objects), root));
                Ok((a, Side { name: "the working tree".to_owned(), commit: None, tree }))
            }
            Range::Between(a, b) => both(self.side(a), self.side(b)),
            Range::SinceMergeBase(a, b) => {
                let (found_a, found_b) = both(self.find(a), self.find(b))?;
                let base = self.merge_base((a, &found_a), (b, &found_b), findings).map_err(|finding| vec![finding])?;
                Ok((base, self.side_of(b, &found_b)))
            }
        }
    }

    /// What a commit says of itself, by its whole id.
    pub fn commit(&self, id: &str) -> Option<Commit> {
        self.objects.described(id)
    }

    /// The branch or tag that a revision is called by, if it is one; for `HEAD` the branch that it stands for.
    pub fn pointer(&self, revision: &str) -> Option<String> {
        self.objects.pointer(revision)
    }

    /// The address of the remote repository that is called `origin`, as it stands in the configuration: there may be a secret in it.
    pub fn origin(&self) -> Option<String> {
        self.objects.origin()
    }

    fn side_of(&self, revision: &str, found: &Found) -> Side {
        let id = found.commit.unwrap_or(found.root).to_string();
        // The whole id of a commit is a name that nobody can read; one with a colon doesn't go before a path.
        let is_id = id.starts_with(revision);
        let name = if is_id { found.short.clone() } else { format!("{revision} ({})", found.short) };
        let label = if is_id || revision.contains(':') { found.short.clone() } else { revision.to_owned() };
        let tree = Arc::new(Revision::new(Arc::clone(&self.objects), found.root, label));
        Side { name, commit: found.commit.map(|id| id.to_string()), tree }
    }

    fn find(&self, revision: &str) -> Result<Found, Diagnostic> {
        self.objects.find(revision).map_err(|error| match error {
            Missing::NotFound => self.unknown(revision),
            Missing::Ambiguous => Diagnostic::error(format!("several objects of the git repository have ids that begin with {revision}"))
                .help("say more of it"),
            Missing::NoRoot => Diagnostic::error(format!("the git revision {revision} is not a commit, but something within one"))
                .help("name the commit alone, and the file or directory by its path"),
            Missing::Invalid if revision.contains("..") => {
                Diagnostic::error(format!("{revision} is a range, and one git revision is wanted")).help(ALLOWED)
            }
            Missing::Invalid => Diagnostic::error(format!("{revision:?} is not a git revision")).help(ALLOWED),
            Missing::Other(why) => Diagnostic::error(format!("the git revision {revision} can't be read: {why}")),
        })
    }

    fn unknown(&self, revision: &str) -> Diagnostic {
        let mut finding = Diagnostic::error(format!("there is no git revision {revision}"));
        let stem = &revision[..revision.find(['~', '^', '@', ':']).unwrap_or(revision.len())];
        let is_known = !stem.is_empty() && stem != revision && self.objects.find(stem).is_ok();
        let known = self.objects.references();
        if is_known {
            finding = finding.help(format!("there is {stem}, but not {}", &revision[stem.len()..]));
        } else if known.is_empty() {
            finding = finding.help("the repository has no commit on any branch yet");
        } else {
            finding.help.extend(did_you_mean(stem, known.iter().map(String::as_str)));
        }
        if self.objects.is_shallow() {
            finding = finding.help(UNSHALLOW);
        }
        if is_known { finding } else { finding.help(ALLOWED) }
    }

    /// The commit where two revisions parted.
    fn merge_base(&self, a: (&str, &Found), b: (&str, &Found), findings: &mut Vec<Diagnostic>) -> Result<Side, Diagnostic> {
        let names = format!("{} and {}", a.0, b.0);
        let commit = |(name, found): (&str, &Found)| {
            let finding = || Diagnostic::error(format!("{name} is no commit, and so has no merge base")).help("write A..B instead");
            found.commit.ok_or_else(finding)
        };
        let bases = self.objects.merge_bases(commit(a)?, commit(b)?).or_else(|error| match error {
            Missing::Other(why) => Err(Diagnostic::error(format!("the merge base of {names} can't be found: {why}"))),
            _ => Ok(Vec::new()),
        })?;
        let Some(base) = bases.first() else {
            let finding = Diagnostic::error(format!("{names} have no commit in common"));
            let help = if self.objects.is_shallow() { UNSHALLOW.to_owned() } else { format!("compare their files with {}..{}", a.0, b.0) };
            return Err(finding.help(help));
        };
        let base = self.side(&base.to_string())?;
        if bases.len() > 1 {
            let finding = Diagnostic::warning(format!("{names} have {} merge bases; {} is taken", bases.len(), base.name));
            findings.push(finding.help("name the commit that is meant, as in A..B"));
        }
        Ok(Side { name: format!("{} (merge base of {names})", base.name), ..base })
    }
}

/// What a revision may be.
const ALLOWED: &str = "a revision is a branch, a tag, a commit's id, or one relative to these such as HEAD~1";

/// What to do where the history is cut off.
const UNSHALLOW: &str = "this is a shallow clone, which has only the newest commits; `git fetch --unshallow` gets the rest";

fn both<T>(a: Result<T, Diagnostic>, b: Result<T, Diagnostic>) -> Result<(T, T), Vec<Diagnostic>> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => Err([a.err(), b.err()].into_iter().flatten().collect()),
    }
}
