//! A repository on this machine, read and written as it is: no program runs, and of somebody else's repository nothing but objects and
//! references is taken.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid, PackBuilder, Repository};

use super::address::Address;
use super::error::RemoteError;
use super::protocol::{Cuts, Listed, Wanted};
use super::receive_pack::{Move, Report};
use crate::source::dir::limit;

/// The programs that git would run when something is pushed.
const HOOKS: [&str; 6] = ["pre-receive", "update", "post-receive", "post-update", "reference-transaction", "proc-receive"];

fn open(address: &Address, path: &Path) -> Result<Repository, RemoteError> {
    let url = address.to_string();
    let no_ceiling: [&str; 0] = [];
    let opened = Repository::open_ext(path, git2::RepositoryOpenFlags::NO_SEARCH, no_ceiling).or_else(|error| match error.code() {
        // git refuses the repository of another user, whose configuration may name programs to run.
        ErrorCode::Owner => Repository::open_bare(path).or_else(|_| Repository::open_bare(path.join(".git"))),
        _ => Err(error),
    });
    opened.map_err(|error| RemoteError::NoRepository { url, why: error.message().to_owned() })
}

/// All references and `HEAD`.
pub(super) fn list(address: &Address, path: &Path) -> Result<Vec<Listed>, RemoteError> {
    let repository = open(address, path)?;
    let fault = |error: git2::Error| RemoteError::answer(address, error.message());
    let mut names = vec!["HEAD".to_owned()];
    let mut all = repository.references().map_err(fault)?;
    names.extend(all.names().filter_map(|name| name.ok().map(ToOwned::to_owned)));
    let listed = |name: String| {
        let found = repository.find_reference(&name).ok()?;
        let target = found.symbolic_target().ok().flatten().map(ToOwned::to_owned);
        // One that leads nowhere, such as HEAD before the first commit, is not listed.
        let id = found.resolve().ok()?.target()?;
        let peeled = found.peel(ObjectType::Any).ok().map(|object| object.id()).filter(|peeled| *peeled != id);
        Some(Listed { name, id: id.to_string(), peeled: peeled.map(|id| id.to_string()), target })
    };
    Ok(names.into_iter().filter_map(listed).collect())
}

/// Writes a pack with a commit, and what of its files isn't there yet.
pub(super) fn send(
    address: &Address,
    path: &Path,
    wanted: &Wanted<'_>,
    is_there: &dyn Fn(Oid) -> bool,
    out: &mut dyn Write,
) -> Result<Cuts, RemoteError> {
    let repository = open(address, path)?;
    let fault = |error: git2::Error| RemoteError::answer(address, error.message());
    let wanted_id = Oid::from_str(wanted.commit).map_err(fault)?;
    // A tag leads to a commit.
    let tag = repository.find_tag(wanted_id).ok();
    let tip = tag.and_then(|tag| tag.peel().ok()).map_or(wanted_id, |commit| commit.id());
    if repository.find_commit(tip).is_err() {
        let help = "it may have been rewritten since: look again";
        return Err(RemoteError::NoReference { url: address.to_string(), reference: format!("commit {tip}"), help: help.to_owned() });
    }
    let commits = if wanted.newest_only { vec![tip] } else { history(&repository, tip, wanted.haves).map_err(fault)? };
    let mut builder = repository.packbuilder().map_err(fault)?;
    let mut seen = HashSet::new();
    if tip != wanted_id {
        builder.insert_object(wanted_id, None).map_err(fault)?;
    }
    for id in &commits {
        builder.insert_object(*id, None).map_err(fault)?;
        let root = repository.find_commit(*id).map_err(fault)?.tree_id();
        insert(&repository, root, is_there, &mut seen, &mut builder).map_err(fault)?;
    }
    let mut failed = None;
    let written = builder.foreach(|bytes| out.write_all(bytes).map_err(|error| failed = Some(error)).is_ok());
    match (failed, written) {
        (Some(error), _) => Err(RemoteError::Cache { url: address.to_string(), directory: "the cache".to_owned(), why: error.to_string() }),
        (None, written) => written.map_err(fault),
    }?;
    // Which of these have parents that aren't there, only the one who keeps them knows.
    Ok(Cuts { shallow: commits.iter().map(ToString::to_string).collect(), unshallow: Vec::new() })
}

/// Takes a pack, and moves references. One that isn't where it is said to be stays, and those after it.
pub(super) fn receive(address: &Address, path: &Path, moves: &[Move], pack: &[u8]) -> Result<Report, RemoteError> {
    let repository = open(address, path)?;
    let fault = |error: git2::Error| RemoteError::answer(address, error.message());
    let refuse = |why: String| Err(RemoteError::Refused { url: address.to_string(), why, is_known: true });
    if let Some(hook) = hook(&repository) {
        return refuse(format!("it has a hook called {hook}, and no program is run here: push over ssh or https"));
    }
    let checked_out = repository.head().ok().filter(|_| !repository.is_bare()).and_then(|head| head.name().ok().map(ToOwned::to_owned));
    if let Some(name) = checked_out.filter(|name| moves.iter().any(|each| each.name == *name)) {
        return refuse(format!("{name} is checked out there"));
    }
    if !pack.is_empty() {
        let objects = repository.odb().map_err(fault)?;
        let mut writer = objects.packwriter().map_err(fault)?;
        writer.write_all(pack).map_err(|error| RemoteError::unreachable(address, format!("it can't be written to: {error}")))?;
        writer.commit().map_err(|error| RemoteError::unreachable(address, format!("it can't be written to: {}", error.message())))?;
    }
    let mut report = Report::default();
    for each in moves {
        let moved = Oid::from_str(&each.new).and_then(|new| match &each.old {
            None => repository.reference(&each.name, new, false, "push"),
            Some(old) => repository.reference_matching(&each.name, new, true, Oid::from_str(old)?, "push"),
        });
        match moved {
            Ok(_) => {}
            Err(error) if matches!(error.code(), ErrorCode::Exists | ErrorCode::Modified | ErrorCode::Locked | ErrorCode::NotFound) => {
                report.stale.push((each.name.clone(), error.message().to_owned()));
                break;
            }
            Err(error) => {
                report.refused.push((each.name.clone(), error.message().to_owned()));
                break;
            }
        }
    }
    Ok(report)
}

/// A program that git would run for a push.
fn hook(repository: &Repository) -> Option<&'static str> {
    let own = || repository.path().join("hooks");
    let directory = repository.config().and_then(|config| config.get_path("core.hooksPath")).unwrap_or_else(|_| own());
    HOOKS.into_iter().find(|hook| directory.join(hook).is_file())
}

/// The commits from a tip on down to known ones.
fn history(repository: &Repository, tip: Oid, known: &[String]) -> Result<Vec<Oid>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.push(tip)?;
    let known = known.iter().filter_map(|id| Oid::from_str(id).ok());
    known.filter(|id| repository.find_commit(*id).is_ok()).try_for_each(|id| walk.hide(id))?;
    let mut commits: Vec<Oid> = walk.collect::<Result<_, _>>()?;
    if !commits.contains(&tip) {
        commits.push(tip);
    }
    Ok(commits)
}

/// Adds a directory with all that is below it, but for files that are too large to be read; one that is there already is there whole.
fn insert(
    repository: &Repository,
    root: Oid,
    is_there: &dyn Fn(Oid) -> bool,
    seen: &mut HashSet<Oid>,
    builder: &mut PackBuilder<'_>,
) -> Result<(), git2::Error> {
    let objects = repository.odb()?;
    let is_large = |id: Oid| objects.read_header(id).is_ok_and(|(bytes, _)| bytes as u64 > limit());
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        if !seen.insert(id) || is_there(id) {
            continue;
        }
        builder.insert_object(id, None)?;
        for entry in &repository.find_tree(id)? {
            match entry.kind() {
                Some(ObjectType::Tree) => open.push(entry.id()),
                Some(ObjectType::Blob) if seen.insert(entry.id()) && !is_there(entry.id()) && !is_large(entry.id()) => {
                    builder.insert_object(entry.id(), None)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
