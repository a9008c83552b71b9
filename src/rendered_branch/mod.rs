//! What a branch of rendered manifests holds, in the layout of Argo CD's Source Hydrator: which files are written and removed, the
//! commit's message, and its note.
//!
//! ```text
//! .gitattributes                 so that forges fold what nobody has written
//! hydrator.metadata              the commit that was rendered last, which Argo CD calls dry
//! clusters/prod/manifest.yaml    the manifests, in the order in which they are applied
//! clusters/prod/hydrator.metadata
//! clusters/prod/README.md        how to render them oneself
//! ```
//!
//! Source: Argo CD's commit server (`commitserver/commit`) and `docs/user-guide/source-hydrator.md`.

mod changes;
mod dry;
mod metadata;

use std::collections::BTreeMap;

use crate::diff::Side;
use crate::diff::live::{self, Wanted};
use crate::manifest::ObjectRef;
use crate::render::TemplateError;
use crate::yaml;

pub use changes::{Changes, Foreign};
pub use dry::DryCommit;
pub use metadata::NOTES;

/// Into which files manifests go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// All into `manifest.yaml`, as Argo CD's Source Hydrator has it.
    #[default]
    Manifest,
    /// Each object into a file of its own, in the folder of its Workspace, as `kaito render --output-dir` has it.
    Files,
}

impl std::str::FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "manifest" => Ok(Self::Manifest),
            "files" => Ok(Self::Files),
            _ => Err("write manifest for one manifest.yaml, or files for one file an object".to_owned()),
        }
    }
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The object.
    pub reference: ObjectRef,
    /// The namespace and name of what it belongs to, if that is anything.
    pub owner: Option<(String, String)>,
    /// The object as a document of YAML.
    pub text: String,
}

/// Everything of a side as manifests, in the order in which they are applied; with the Workspaces and ModelMirrors themselves if that is
/// said.
///
/// # Errors
/// A template at fault.
pub fn manifests(side: &Side<'_>, include_workspaces: bool) -> Result<Vec<Manifest>, TemplateError> {
    let mut wanted = live::wanted(side)?;
    if include_workspaces {
        side.include_workspaces(&mut wanted, |_| true, Wanted::new);
        let mirrors = side.session.declared_mirrors().map(|(reference, value)| (reference, Wanted::new(value)));
        wanted.entry(None).or_default().extend(mirrors);
    }
    let all = wanted.iter().flat_map(|(owner, objects)| objects.iter().map(move |object| (owner, object)));
    let mut manifests: Vec<Manifest> = all
        .map(|(owner, (reference, Wanted { desired, .. }))| {
            let mut text = String::new();
            yaml::to_yaml(desired, &mut text);
            let owner = owner.as_ref().map(|owner| (owner.namespace.to_string(), owner.name.to_string()));
            // Of what is in no namespace the reference has one all the same.
            let reference = ObjectRef::of(desired).unwrap_or_else(|_| reference.clone());
            Manifest { reference, owner, text }
        })
        .collect();
    manifests.sort_by(|one, other| one.reference.cmp(&other.reference));
    Ok(manifests)
}

/// Two manifests that would be the file of this path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twice(pub String);

/// The name of the file that holds all manifests.
const MANIFEST: &str = "manifest.yaml";

/// Manifests as files, by their paths.
///
/// # Errors
/// Two would be one file.
pub fn files(manifests: &[Manifest], layout: Layout) -> Result<BTreeMap<String, String>, Twice> {
    if layout == Layout::Manifest {
        let texts: Vec<&str> = manifests.iter().map(|manifest| manifest.text.as_str()).collect();
        return Ok(BTreeMap::from([(MANIFEST.to_owned(), texts.join("---\n"))]));
    }
    let mut files = BTreeMap::new();
    for manifest in manifests {
        let owner = manifest.owner.as_ref().map(|(namespace, name)| (namespace.as_str(), name.as_str()));
        let paths = [false, true].map(|with_group| manifest.reference.file_path(owner, with_group));
        let free = paths.iter().find(|path| !files.contains_key(*path)).cloned();
        let path = free.ok_or_else(|| Twice(manifest.reference.file_path(owner, true)))?;
        files.insert(path, manifest.text.clone());
    }
    Ok(files)
}

/// Manifests for a branch.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The directory that they are in, from the root of the branch and without a slash at its end; empty for the root itself.
    pub directory: String,
    /// Into which files they go.
    pub layout: Layout,
    /// The manifests.
    pub manifests: Vec<Manifest>,
    /// The command that renders them.
    pub command: String,
    /// The commit that they were rendered from.
    pub dry: DryCommit,
}

impl Rendering {
    fn path(&self, name: &str) -> String {
        if self.directory.is_empty() { name.to_owned() } else { format!("{}/{name}", self.directory) }
    }
}

/// A directory of a branch as it is written here: without `.` and slashes at its ends.
///
/// # Errors
/// It is none, or leads out of the branch.
pub fn directory(text: &str) -> Result<String, String> {
    let names: Vec<&str> = text.split('/').filter(|name| !["", "."].contains(name)).collect();
    let is_bad = |name: &&str| {
        *name == ".." || name.eq_ignore_ascii_case(".git") || name.contains(['\\', ':']) || name.chars().any(char::is_control)
    };
    if text.starts_with('/') || names.iter().any(is_bad) {
        return Err("write a directory from the root of the branch, such as clusters/prod".to_owned());
    }
    Ok(names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories() {
        let table = [
            (".", Ok("")),
            ("", Ok("")),
            ("./a//b/", Ok("a/b")),
            ("a/..", Err(())),
            ("/a", Err(())),
            ("a/.Git/b", Err(())),
            ("a\\b", Err(())),
        ];
        for (text, want) in table {
            assert_eq!(directory(text).map_err(drop), want.map(ToOwned::to_owned), "{text}");
        }
    }
}
