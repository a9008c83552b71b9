//! What is known of a model's files without the hub: a folder with them, or with what was saved of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::dir::{LFS_POINTER, read_file, unreadable};
use super::tree::Disk;
use crate::diagnostic::{Diagnostic, plural};
use crate::preset::Repository;

/// The name of a saved list of files, as the hub answers `api/models/ID/tree/REVISION?recursive=true`.
const LISTING: &str = "tree.json";

/// The files of a list in JSON, each with its path and size: the hub's tree, or the `siblings` of a model.
pub(super) fn files_of(listing: &Value) -> Option<Vec<(String, u64)>> {
    let entries = listing.as_array().or_else(|| listing["siblings"].as_array())?;
    let files = entries.iter().filter(|entry| entry["type"].as_str().is_none_or(|kind| kind == "file"));
    let file = |entry: &Value| {
        let path = entry["path"].as_str().or_else(|| entry["rfilename"].as_str())?;
        Some((path.to_owned(), entry["size"].as_u64()?))
    };
    files.map(file).collect()
}

/// Whether a text is the name of a commit.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A text of a model's card, unless it is a strange one.
pub(super) fn card_text(text: &str) -> Option<String> {
    let is_plain = !text.is_empty() && text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    is_plain.then(|| text.to_owned())
}

/// What a folder has of a model: `config.json`, and the sizes of its files from `tree.json`, from the files themselves or from
/// the index of their shards. What is wrong with it is added to `findings`.
pub fn repository_in(directory: &Path, id: &str, revision: Option<&str>, findings: &mut Vec<Diagnostic>) -> Option<Repository> {
    if !directory.is_dir() {
        findings.extend(fs::read_dir(directory).err().map(|error| unreadable(&directory.to_string_lossy(), &error)));
        return None;
    }
    let config = ["config.json", "params.json"].map(|name| directory.join(name)).into_iter().find(|path| path.exists());
    let config = config.and_then(|path| read_file(&Disk, &path, findings));
    let files = if directory.join(LISTING).exists() {
        saved(&directory.join(LISTING), findings)?
    } else {
        let mut files = BTreeMap::new();
        measure(directory, directory, &mut files, findings);
        indexed(directory, &mut files, findings);
        files.into_iter().collect()
    };
    let revision = revision.map(ToOwned::to_owned).or_else(|| commit_of(directory));
    Some(Repository { id: id.to_owned(), revision, files, config, ..Repository::default() })
}

fn json(path: &Path, findings: &mut Vec<Diagnostic>) -> Option<Value> {
    let parsed = serde_json::from_str(&read_file(&Disk, path, findings)?.text);
    parsed.map_err(|error| findings.push(Diagnostic::error(format!("{} isn't JSON: {error}", path.display())))).ok()
}

fn saved(path: &Path, findings: &mut Vec<Diagnostic>) -> Option<Vec<(String, u64)>> {
    let listing = json(path, findings)?;
    let files = files_of(&listing);
    if files.is_none() {
        let finding = Diagnostic::error(format!("{} is no list of files with sizes", path.display()));
        findings.push(finding.help("save what the hub answers to api/models/ID/tree/REVISION?recursive=true"));
    }
    files
}

/// The files below a directory by their path, with their sizes. A link counts as the file that it leads to, as in the hub's cache.
fn measure(directory: &Path, root: &Path, files: &mut BTreeMap<String, u64>, findings: &mut Vec<Diagnostic>) {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return findings.push(unreadable(&directory.to_string_lossy(), &error)),
    };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            measure(&path, root, files, findings);
        } else if let Ok(metadata) = fs::metadata(&path).map_err(|error| findings.push(unreadable(&path.to_string_lossy(), &error))) {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.insert(name, pointed_size(&path, metadata.len()).unwrap_or(metadata.len()));
        }
    }
}

/// The size that a pointer of Git LFS tells: what a clone has without the files themselves.
fn pointed_size(path: &Path, size: u64) -> Option<u64> {
    let text = (size < 1024).then(|| fs::read_to_string(path).ok()).flatten()?;
    text.strip_prefix(LFS_POINTER)?.lines().find_map(|line| line.strip_prefix("size ")?.parse().ok())
}

/// Looks into the index of shards: some of them being there and others not is an error; if none is there, the index knows their size.
fn indexed(directory: &Path, files: &mut BTreeMap<String, u64>, findings: &mut Vec<Diagnostic>) {
    let indices: Vec<String> = files.keys().filter(|name| name.ends_with(".index.json")).cloned().collect();
    for index in indices {
        let Some(value) = json(&directory.join(&index), findings) else { continue };
        let shards: BTreeSet<&str> =
            value["weight_map"].as_object().into_iter().flatten().filter_map(|(_, shard)| shard.as_str()).collect();
        let folder = index.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
        let missing = shards.iter().filter(|shard| !files.contains_key(&format!("{folder}{shard}"))).count();
        if missing == 0 {
            continue;
        }
        if missing < shards.len() {
            let shards = plural(shards.len() as u64, "file");
            let finding = Diagnostic::error(format!("{missing} of the {shards} that {index} names are missing"));
            findings.push(finding.help("finish the download, or keep only the index"));
        } else if let Some(size) = value["metadata"]["total_size"].as_u64() {
            files.insert(index.trim_end_matches(".index.json").to_owned(), size);
        } else {
            findings.push(Diagnostic::error(format!("{index} doesn't say the total_size of its files")));
        }
    }
}

/// The commit that a folder is of, where the hub's own tools have made it: `snapshots/COMMIT` in the cache, or a download that
/// notes the commit of each file.
fn commit_of(directory: &Path) -> Option<String> {
    let path = fs::canonicalize(directory).ok()?;
    let of_cache =
        path.file_name().and_then(|name| name.to_str()).filter(|_| path.parent().is_some_and(|above| above.ends_with("snapshots")));
    let note = || fs::read_to_string(path.join(".cache/huggingface/download/config.json.metadata")).ok();
    let noted = || note()?.lines().next().map(|line| line.trim().to_owned());
    of_cache.map(ToOwned::to_owned).or_else(noted).filter(|commit| is_commit(commit))
}
