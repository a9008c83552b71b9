//! Whether a commit may be followed: it is signed by somebody who may, or it and every commit that it comes from is, or the tag that leads to it.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use thiserror::Error;

use super::mirror::Mirror;
use super::objects::{Id, Objects};
use super::reference::Head;
use super::remote::{Access, RemoteError, Values};
use super::signature::{self, Fault, Keys, Signed, SignedTag, Signer, parents};
use crate::diagnostic::Diagnostic;

/// Which commits must be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyMode {
    /// The one that is followed. Who has signed it vouches for all files as they are in it, whoever changed them.
    Head,
    /// Every one that it comes from, over all parents of merges, too: none gets in under another's.
    Every,
    /// The tag that is followed, which names its commit: who has signed it vouches for that, and for its name.
    Tag,
    /// Both the tag that is followed and its commit.
    TagAndHead,
}

impl std::str::FromStr for VerifyMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_lowercase().as_str() {
            "head" => Ok(Self::Head),
            "every" => Ok(Self::Every),
            "tag" => Ok(Self::Tag),
            "tagandhead" | "tag-and-head" => Ok(Self::TagAndHead),
            _ => Err(format!("{text:?} is none of head, every, tag and tag-and-head")),
        }
    }
}

impl VerifyMode {
    /// Whether it is a tag that must be signed.
    pub fn is_of_tags(self) -> bool {
        matches!(self, Self::Tag | Self::TagAndHead)
    }
}

/// What must be signed, and by whom.
#[derive(Clone, Debug)]
pub struct Verify {
    /// Which commits.
    pub mode: VerifyMode,
    /// The keys that may sign, under any names. They are read whenever they are used.
    pub keys: Values,
    /// Where what must be signed begins, with [`VerifyMode::Every`]: this commit and those that it comes from needn't be.
    pub since: Option<String>,
}

/// Why a commit isn't followed.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// It, or one that it comes from, isn't signed by anybody who may.
    #[error("commit {commit} of {url} {fault}")]
    Unverified {
        /// The whole id of the commit.
        commit: String,
        /// The repository.
        url: String,
        /// Why.
        fault: Fault,
        /// Whether it is one that the head comes from.
        is_before: bool,
    },
    /// The tag isn't signed by anybody who may.
    #[error("tag {tag} of {url} {fault}")]
    UnverifiedTag {
        /// The tag.
        tag: String,
        /// The repository.
        url: String,
        /// Why.
        fault: Fault,
    },
    /// It isn't known who may sign.
    #[error("it isn't known who may sign: {0}")]
    Keys(String),
    /// There is more history than the remote gives.
    #[error("the history of {url} ends at commit {commit}, of which the remote has no parents")]
    Cut {
        /// The repository.
        url: String,
        /// The whole id of the commit.
        commit: String,
    },
    /// The commit can't be had.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// What was fetched can't be read.
    #[error("{url}: the commit {commit} can't be read: {why}")]
    Damaged {
        /// The repository.
        url: String,
        /// The whole id of the commit.
        commit: String,
        /// Why.
        why: String,
    },
}

impl VerifyError {
    /// What people are told.
    pub fn finding(&self) -> Diagnostic {
        let finding = Diagnostic::error(self.to_string());
        match self {
            Self::Remote(error) => error.finding(),
            Self::UnverifiedTag { fault: Fault::Unsigned, .. } => finding.help("sign it with `git tag -s`, and push it again"),
            Self::Unverified { fault, is_before: false, .. } | Self::UnverifiedTag { fault, .. } => finding.help(fault.help()),
            Self::Unverified { .. } => finding
                .help("what follows it isn't applied either: take it out of the history, with `git rebase` and a push by force")
                .help("or, if it is known to be good, say that verification begins with a commit after it: --verify-since, `since`"),
            Self::Keys(_) => finding.help("put allowed signers, or public keys of SSH or OpenPGP, into the directory or Secret"),
            Self::Cut { .. } => finding.help("follow a repository that has all its history, or say where verification begins"),
            Self::Damaged { .. } => finding.help("remove the mirror from the cache directory; it is fetched anew"),
        }
    }
}

/// Verifies commits, and remembers which it has verified.
///
/// There is no exception for a history that was rewritten, or that begins anew: whatever the head comes from and was not verified yet must
/// be signed, wherever it parted from what was followed before. And as nothing is remembered beyond the process, it begins with the whole history,
/// or where [`Verify::since`] says: a restart is no way around an unsigned commit.
pub struct Verifier {
    policy: Verify,
    verified: HashSet<Id>,
}

/// What is not as it should be on the way through a history.
enum Stop {
    /// This commit has parents that aren't here.
    Cut(Id),
    Failed(Box<VerifyError>),
}

impl Verifier {
    /// One that has verified nothing yet.
    pub fn new(policy: Verify) -> Self {
        Self { policy, verified: HashSet::new() }
    }

    /// Fetches a commit, with as much of its history as is verified, and verifies that; who has signed it.
    ///
    /// # Errors
    ///
    /// If it can't be fetched or isn't signed as it must be.
    pub fn fetch(&mut self, mirror: &Mirror, head: &Head, access: &Access) -> Result<Signer, VerifyError> {
        let keys = Keys::read(&self.policy.keys).map_err(VerifyError::Keys)?;
        let now = jiff::Timestamp::now().as_second();
        match self.policy.mode {
            VerifyMode::Head => {
                mirror.fetch(head, access)?;
                Walk::new(mirror, &keys, now, head)?.verify(None).map(|(signer, _)| signer)
            }
            VerifyMode::Tag => {
                mirror.fetch(head, access)?;
                verify_tag(mirror, &keys, now, head, access)
            }
            VerifyMode::TagAndHead => {
                mirror.fetch(head, access)?;
                verify_tag(mirror, &keys, now, head, access)?;
                Walk::new(mirror, &keys, now, head)?.verify(None).map(|(signer, _)| signer)
            }
            VerifyMode::Every => {
                if !mirror.has(head) {
                    mirror.fetch_with_history(head, access)?;
                }
                let cut = match self.walk(&Walk::new(mirror, &keys, now, head)?) {
                    Ok(signer) => return Ok(signer),
                    Err(Stop::Failed(error)) => return Err(*error),
                    Err(Stop::Cut(commit)) => commit,
                };
                // It was fetched alone, before anybody asked for its history.
                tracing::debug!(commit = cut.to_string(), "all history is fetched");
                mirror.fetch_all(head, access)?;
                self.walk(&Walk::new(mirror, &keys, now, head)?).map_err(|stop| match stop {
                    Stop::Failed(error) => *error,
                    Stop::Cut(commit) => VerifyError::Cut { url: mirror.url().to_owned(), commit: commit.to_string() },
                })
            }
        }
    }

    /// Verifies all that a commit comes from and was not verified yet.
    fn walk(&mut self, walk: &Walk<'_>) -> Result<Signer, Stop> {
        let failed = |error| Stop::Failed(Box::new(error));
        let (signer, mut next) = walk.verify(None).map_err(failed)?;
        let begin = self.policy.since.as_deref().and_then(|since| Id::from_str(since).ok()).filter(|since| walk.objects.has(*since));
        let before = begin.map(|since| walk.ancestry(since)).unwrap_or_default();
        let (mut seen, mut open) = (HashSet::from([walk.head]), VecDeque::new());
        let mut child = walk.head;
        if before.contains(&child) || self.verified.contains(&child) {
            return Ok(signer);
        }
        loop {
            for parent in next {
                if before.contains(&parent) || self.verified.contains(&parent) || !seen.insert(parent) {
                    continue;
                }
                if !walk.objects.has(parent) {
                    return Err(Stop::Cut(child));
                }
                open.push_back(parent);
            }
            let Some(commit) = open.pop_front() else { break };
            (_, next) = walk.verify(Some(commit)).map_err(failed)?;
            child = commit;
        }
        self.verified.extend(seen);
        Ok(signer)
    }
}

/// Who has signed the tag that led to a commit. It must be for this commit and of this name: another one's text is signed as well.
fn verify_tag(mirror: &Mirror, keys: &Keys, now: i64, head: &Head, access: &Access) -> Result<Signer, VerifyError> {
    let name = head.pointer.clone().unwrap_or_default();
    let fail = |fault| VerifyError::UnverifiedTag { tag: name.clone(), url: mirror.url().to_owned(), fault };
    // One without a text of its own has no place for a signature.
    let Some(tag) = &head.tag else { return Err(fail(Fault::Unsigned)) };
    mirror.fetch_tag(head, access)?;
    let text = Id::from_str(tag).map_err(|error| error.to_string());
    let text = text.and_then(|id| mirror.objects().tag(id).map_err(|error| error.to_string()));
    let text = text.map_err(|why| VerifyError::Damaged { url: mirror.url().to_owned(), commit: tag.clone(), why })?;
    let read = SignedTag::tag(&text).map_err(fail)?;
    let signer = signature::verify(&read.signed, keys, now).map_err(fail)?;
    let other = match () {
        () if read.name != name => format!("is the tag {} under another name", read.name),
        () if (read.kind.as_str(), &read.object) != ("commit", &head.commit) => format!("is of the {} {}", read.kind, read.object),
        () => return Ok(signer),
    };
    Err(fail(Fault::OfAnother(other)))
}

/// A way through a history, and by which keys.
struct Walk<'w> {
    url: &'w str,
    objects: Arc<Objects>,
    keys: &'w Keys,
    now: i64,
    head: Id,
}

impl<'w> Walk<'w> {
    fn new(mirror: &'w Mirror, keys: &'w Keys, now: i64, head: &Head) -> Result<Self, VerifyError> {
        let (url, commit) = (mirror.url().to_owned(), head.commit.clone());
        let head = Id::from_str(&commit).map_err(|error| VerifyError::Damaged { url, commit, why: error.to_string() })?;
        Ok(Self { url: mirror.url(), objects: mirror.objects(), keys, now, head })
    }

    /// Who has signed a commit, the head without another; and its parents.
    fn verify(&self, before: Option<Id>) -> Result<(Signer, Vec<Id>), VerifyError> {
        let commit = before.unwrap_or(self.head);
        let (url, id) = (self.url.to_owned(), commit.to_string());
        let text = self.objects.commit(commit).map_err(|error| VerifyError::Damaged { url, commit: id, why: error.to_string() })?;
        let signer = Signed::commit(&text).and_then(|signed| signature::verify(&signed, self.keys, self.now));
        let (url, id) = (self.url.to_owned(), commit.to_string());
        let signer = signer.map_err(|fault| VerifyError::Unverified { commit: id, url, fault, is_before: before.is_some() })?;
        Ok((signer, ids(&text)))
    }

    /// A commit and all that it comes from, as far as it is here.
    fn ancestry(&self, commit: Id) -> HashSet<Id> {
        let (mut known, mut open) = (HashSet::from([commit]), vec![commit]);
        while let Some(commit) = open.pop() {
            let parents = self.objects.commit(commit).map(|text| ids(&text)).unwrap_or_default();
            open.extend(parents.into_iter().filter(|parent| known.insert(*parent)));
        }
        known
    }
}

fn ids(text: &[u8]) -> Vec<Id> {
    parents(text).iter().filter_map(|id| Id::from_str(id).ok()).collect()
}
