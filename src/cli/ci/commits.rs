//! Which two commits are compared. What a shallow clone lacks of them is fetched into a directory that goes in the end; the clone itself
//! stays as it is.

use tempfile::TempDir;

use super::environment::Environment;
use crate::ci::{Base, Job};
use crate::cli::output;
use crate::diagnostic::Diagnostic;
use crate::source::{Access, Head, Mirror, Reference, Repository, Side, shown_url};

/// The commits.
pub(super) struct Commits {
    /// The change.
    pub newer: Side,
    /// What it is compared with; nothing if the job is about no change. Or why that can't be had.
    pub older: Result<Option<Side>, Diagnostic>,
    /// What was fetched, which is read from for as long as this is there.
    _fetched: Option<Fetched>,
}

/// Finds the commits that a job is about.
pub(super) fn find(environment: &Environment, base: Option<&str>) -> Result<Commits, Diagnostic> {
    let repository = Repository::open()?;
    let here = repository.side("HEAD")?.commit.unwrap_or_default();
    let (newer, base) = match base {
        Some(base) => (here, Some(Base::MergeBase(base.to_owned()))),
        None => change(&here, &repository.parents(&here), &environment.job),
    };
    let mut finder = Finder { repository: &repository, environment, fetched: None };
    let newer_side = finder.bring(&newer)?;
    let older = base.map(|base| finder.base(&base, &newer)).transpose();
    Ok(Commits { newer: newer_side, older, _fetched: finder.fetched })
}

/// The newest commit of a change, and what it is compared with. Forges check out what a merge would make, whose first parent is the base.
fn change(here: &str, parents: &[String], job: &Job) -> (String, Option<Base>) {
    match (&job.head, parents) {
        (Some(head), [first, second]) if second == head => (here.to_owned(), Some(Base::Commit(first.clone()))),
        (Some(head), _) => (head.clone(), job.base.clone()),
        (None, _) => (here.to_owned(), job.base.clone()),
    }
}

/// A mirror of the repository that was cloned, and who asks it.
struct Fetched {
    mirror: Mirror,
    access: Access,
    _directory: TempDir,
}

struct Finder<'f> {
    repository: &'f Repository,
    environment: &'f Environment,
    fetched: Option<Fetched>,
}

impl Finder<'_> {
    /// A commit with its files, be it here or not.
    fn bring(&mut self, commit: &str) -> Result<Side, Diagnostic> {
        if !self.repository.has(commit) {
            let fetched = self.fetch(commit);
            // A partial clone has commits whose files may be here.
            if fetched.is_err() && self.repository.side(commit).is_err() {
                fetched?;
            }
        }
        self.repository.side(commit)
    }

    fn fetch(&mut self, commit: &str) -> Result<(), Diagnostic> {
        let remedy = self.environment.remedy();
        let repository = self.repository;
        let Fetched { mirror, access, .. } = self.mirror()?;
        mirror.fetch(&head(commit), access).map_err(|error| error.finding().help(remedy))?;
        output::done(&format!("fetched {commit} from {}", mirror.url()));
        repository.borrow(mirror)
    }

    /// What a change is compared with.
    fn base(&mut self, base: &Base, newer: &str) -> Result<Side, Diagnostic> {
        let commit = match base {
            Base::Commit(commit) => commit.clone(),
            Base::MergeBase(other) => self.parted(other, newer)?,
        };
        self.bring(&commit)
    }

    /// Where a change has left a commit, branch or tag. If the history here doesn't tell, all of it is fetched.
    fn parted(&mut self, other: &str, newer: &str) -> Result<String, Diagnostic> {
        let known = self.repository.side(other).ok().and_then(|side| side.commit);
        if let Some(commit) = known.as_deref().and_then(|known| self.repository.parted(known, newer)) {
            return Ok(commit);
        }
        let remedy = self.environment.remedy();
        let Fetched { mirror, access, .. } = self.mirror()?;
        let fault = |error: crate::source::RemoteError| error.finding().help(remedy);
        let other = match known {
            Some(commit) => head(&commit),
            None => mirror.resolve(&reference(other), access).map_err(fault)?,
        };
        for commit in [&head(newer), &other] {
            mirror.fetch_with_history(commit, access).map_err(fault)?;
        }
        output::done(&format!("fetched the history of {newer} from {}", mirror.url()));
        let nothing = || Diagnostic::error(format!("{} and {newer} have no commit in common", other.commit));
        mirror.parted(&other, &head(newer)).ok_or_else(|| nothing().help("name what it is to be compared with: --base REVISION"))
    }

    fn mirror(&mut self) -> Result<&Fetched, Diagnostic> {
        if self.fetched.is_none() {
            self.fetched = Some(self.open()?);
        }
        self.fetched.as_ref().ok_or_else(|| Diagnostic::error("there is no mirror"))
    }

    fn open(&self) -> Result<Fetched, Diagnostic> {
        // Nobody has a key for SSH here, while the job's token is for HTTP.
        let is_ssh = |url: &String| url.starts_with("ssh:") || !url.contains("://") && url.contains('@');
        let origin = self.repository.origin().map(|url| shown_url(&url));
        let url = origin.clone().filter(|url| !is_ssh(url)).or_else(|| self.environment.job.repository.clone()).or(origin);
        let url = url.ok_or_else(|| {
            let finding =
                Diagnostic::error("the commits that are compared aren't here, and there is no remote called origin to fetch from");
            finding.help("check out all of the history")
        })?;
        let directory = tempfile::tempdir().map_err(|error| Diagnostic::error(format!("there can be no temporary directory: {error}")))?;
        let mirror = Mirror::open(directory.path(), &url).map_err(|error| error.finding().help(self.environment.remedy()))?;
        let access = self.environment.access(self.repository, &url);
        Ok(Fetched { mirror, access, _directory: directory })
    }
}

fn head(commit: &str) -> Head {
    Head { commit: commit.to_owned(), ..Head::default() }
}

/// What is meant by a name that isn't here.
fn reference(name: &str) -> Reference {
    match name {
        _ if name.starts_with("refs/") => Reference::Name(name.to_owned()),
        _ if name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Reference::Commit { id: name.to_owned(), branch: None }
        }
        _ => Reference::Branch(name.strip_prefix("origin/").unwrap_or(name).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::Platform;

    /// The head that an event tells, the parents of what is checked out, and what follows.
    type Row<'a> = (Option<&'a str>, &'a [&'a str], &'a str, &'a Option<Base>);

    #[test]
    fn what_is_compared() {
        let job = |head: Option<&str>| Job {
            platform: Platform::GitHub,
            head: head.map(ToOwned::to_owned),
            base: Some(Base::MergeBase("base".to_owned())),
            request: None,
            repository: None,
        };
        let (merge_base, first) = (Some(Base::MergeBase("base".to_owned())), Some(Base::Commit("first".to_owned())));
        let table: [Row<'_>; 5] = [
            // What a merge would make is checked out.
            (Some("head"), &["first", "head"], "here", &first),
            // The branch itself, which has merged something.
            (Some("here"), &["first", "second"], "here", &merge_base),
            (Some("here"), &["first"], "here", &merge_base),
            // Something else, as for `pull_request_target`.
            (Some("head"), &["first"], "head", &merge_base),
            (None, &["first", "second"], "here", &merge_base),
        ];
        for (head, parents, newer, base) in table {
            let parents: Vec<String> = parents.iter().map(|parent| (*parent).to_owned()).collect();
            assert_eq!(change("here", &parents, &job(head)), (newer.to_owned(), base.clone()), "{head:?} {parents:?}");
        }
    }

    #[test]
    fn names_that_are_not_here() {
        let id = "0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655";
        let table = [
            ("origin/main", Reference::Branch("main".to_owned())),
            ("main", Reference::Branch("main".to_owned())),
            ("refs/tags/v1", Reference::Name("refs/tags/v1".to_owned())),
            (id, Reference::Commit { id: id.to_owned(), branch: None }),
        ];
        for (name, want) in table {
            assert_eq!(reference(name), want);
        }
    }
}
