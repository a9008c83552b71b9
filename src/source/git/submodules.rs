//! Submodules of a commit that was fetched: their commits come into the same repository, from wherever they are.

use std::collections::VecDeque;
use std::path::Path;

use super::gitmodules::{self, Submodule};
use super::mirror::{History, bring_into};
use super::objects::{Id, Objects};
use super::reference::Head;
use super::remote::{Access, Remote, RemoteError};
use super::store::Store;

/// How deep submodules may be in one another.
const DEEPEST: usize = 8;

/// The most submodules of a commit.
const MOST: usize = 200;

/// The most bytes of a `.gitmodules`.
const MOST_BYTES: u64 = 1 << 20;

/// A commit whose submodules are wanted.
struct Open {
    root: Id,
    url: String,
    depth: usize,
}

/// Fetches the submodules of a commit that is here, and theirs. Credentials go to the host of the repository alone; others are
/// asked without. Nobody leads from a remote repository to files of this machine.
pub(super) fn fetch(store: &Store, url: &str, head: &Head, access: &Access) -> Result<(), RemoteError> {
    let top = Remote::new(url)?;
    let fault = |why: String| RemoteError::Answer { url: url.to_owned(), why, broke_off: false };
    let root = store.objects.find(&head.commit).map_err(|_| fault(format!("the commit {} isn't here", head.commit)))?.root;
    let mut open = VecDeque::from([Open { root, url: url.to_owned(), depth: 1 }]);
    let mut count = 0;
    while let Some(next) = open.pop_front() {
        for (submodule, commit) in submodules(&store.objects, next.root).map_err(fault)? {
            count += 1;
            if count > MOST || next.depth > DEEPEST {
                return Err(fault(format!("it has more than {MOST} submodules, or more than {DEEPEST} in one another")));
            }
            let there = gitmodules::resolve(&next.url, &submodule.url);
            let there = there.ok_or_else(|| fault(format!("the submodule {} leads out of its host", submodule.path)))?;
            let mut remote = Remote::new(&there)?;
            if remote.is_local() && !top.is_local() {
                return Err(fault(format!("the submodule {} is a file of this machine", submodule.path)));
            }
            let (head, nobody) = (Head { commit: commit.to_string(), ..Head::default() }, Access::anonymous());
            if !store.has(&head.commit) {
                let access = if remote.is_beside(&top) { access } else { &nobody };
                bring_into(&mut remote, store, &head, History::None, access)?;
            }
            if let Some(root) = store.objects.root_of(commit) {
                open.push_back(Open { root, url: remote.url(), depth: next.depth + 1 });
            }
        }
    }
    Ok(())
}

/// The submodules below a root directory, with the commits that are wanted of them.
fn submodules(objects: &Objects, root: Id) -> Result<Vec<(Submodule, Id)>, String> {
    let Some(file) = objects.file_at(root, Path::new(gitmodules::FILE)) else { return Ok(Vec::new()) };
    let text = objects.blob(file, MOST_BYTES).map_err(|error| format!("{}: {error}", gitmodules::FILE))?;
    let all = gitmodules::read(&String::from_utf8_lossy(&text)).into_iter();
    // One that is said and isn't there is none.
    Ok(all.filter_map(|submodule| objects.submodule_at(root, Path::new(&submodule.path)).map(|commit| (submodule, commit))).collect())
}
