//! What is to be written and removed, given what is on the branch.
//!
//! Nothing is touched that kaito or a hydrator has not written: other directories stay, and other files in this one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::metadata::attributes;
use super::{Layout, MANIFEST, Rendering, Twice};

/// What is beside the manifests in their directory.
pub(super) const METADATA: &str = "hydrator.metadata";
const README: &str = "README.md";
const ATTRIBUTES: &str = ".gitattributes";
/// The name of the list of files of the layout that has many.
const LIST: &str = ".kaito-render";

/// What is done to the files of a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The files that are written, with what is in them.
    pub written: BTreeMap<String, String>,
    /// The files of earlier commits that are no longer wanted.
    pub removed: BTreeSet<String>,
}

/// A file that stands where one is wanted, and that neither kaito nor a hydrator has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign(pub String);

impl Rendering {
    /// What is to be done to a branch whose files `read` reads; nothing if its manifests are the wanted ones. What only tells of the
    /// commit that they come from is no reason to write.
    ///
    /// # Errors
    /// Something is in the way that isn't ours.
    pub fn changes(&self, read: &dyn Fn(&str) -> Option<String>) -> Result<Option<Changes>, Foreign> {
        let is_there = |name: &str| read(&self.path(name)).is_some();
        let listed = read(&self.path(LIST)).map(|list| self.listed(&list)).unwrap_or_default();
        let mut ours: BTreeSet<String> = listed.clone();
        if is_there(METADATA) && is_there(MANIFEST) {
            ours.insert(self.path(MANIFEST));
        }
        let is_ours = !ours.is_empty() || is_there(LIST);
        let mut written = self.files()?;
        let foreign = written.keys().find(|path| !ours.contains(*path) && **path != self.path(LIST) && read(path).is_some());
        if let Some(path) = foreign.cloned().or_else(|| (is_there(README) && !is_ours).then(|| self.path(README))) {
            return Err(Foreign(path));
        }
        if is_there(LIST) {
            ours.insert(self.path(LIST));
        }
        let removed: BTreeSet<String> = ours.into_iter().filter(|path| !written.contains_key(path) && read(path).is_some()).collect();
        if removed.is_empty() && written.iter().all(|(path, text)| read(path).as_ref() == Some(text)) {
            return Ok(None);
        }
        written.insert(self.path(README), self.readme());
        written.insert(self.path(METADATA), self.metadata());
        written.insert(METADATA.to_owned(), self.root_metadata());
        written.insert(ATTRIBUTES.to_owned(), attributes(read(ATTRIBUTES).as_deref()));
        Ok(Some(Changes { written, removed }))
    }

    /// The manifests as files of the branch, and the list of these if there are many.
    fn files(&self) -> Result<BTreeMap<String, String>, Foreign> {
        let files = super::files(&self.manifests, self.layout).map_err(|Twice(path)| Foreign(self.path(&path)))?;
        let mut list = "# The files that kaito has written here, and may replace and remove.\n".to_owned();
        files.keys().for_each(|path| _ = writeln!(list, "{path}"));
        let mut files: BTreeMap<String, String> = files.into_iter().map(|(path, text)| (self.path(&path), text)).collect();
        if self.layout == Layout::Files {
            files.insert(self.path(LIST), list);
        }
        Ok(files)
    }

    /// The files that a list names, as paths from the root. One that somebody has edited must not lead out of the directory.
    fn listed(&self, list: &str) -> BTreeSet<String> {
        let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let is_below = |line: &&str| super::directory(line).is_ok_and(|path| path == **line);
        lines.filter(is_below).map(|line| self.path(line)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DryCommit, Manifest};
    use super::*;
    use crate::manifest::ObjectRef;

    fn manifest(kind: &str, name: &str, owner: Option<&str>) -> Manifest {
        let owner = owner.map(|owner| ("n".to_owned(), owner.to_owned()));
        Manifest { reference: ObjectRef::new("", kind, Some("n"), name), owner, text: format!("name: {name}\n") }
    }

    fn rendering(directory: &str, layout: Layout) -> Rendering {
        Rendering {
            directory: directory.to_owned(),
            layout,
            manifests: vec![manifest("ConfigMap", "c", None), manifest("Service", "phi", Some("phi"))],
            command: "kaito render".to_owned(),
            dry: DryCommit { sha: "a".repeat(40), ..DryCommit::default() },
        }
    }

    /// The files of a branch.
    type There<'t> = &'t [(&'t str, &'t str)];

    /// What becomes of a branch with these files: the names of those that are written and removed, or what is in the way.
    fn done(rendering: &Rendering, there: &[(&str, &str)]) -> String {
        let there: BTreeMap<&str, &str> = there.iter().copied().collect();
        match rendering.changes(&|path| there.get(path).map(|text| (*text).to_owned())) {
            Err(Foreign(path)) => format!("foreign {path}"),
            Ok(None) => "nothing".to_owned(),
            Ok(Some(changes)) => {
                let written = changes.written.into_keys().map(|path| format!("+{path}"));
                written.chain(changes.removed.into_iter().map(|path| format!("-{path}"))).collect::<Vec<_>>().join(" ")
            }
        }
    }

    #[test]
    fn what_is_done_to_a_branch() {
        let (root, prod) = (rendering("", Layout::Manifest), rendering("prod", Layout::Manifest));
        let (files, text) = (rendering("prod", Layout::Files), "name: c\n---\nname: phi\n");
        let all = "+.gitattributes +hydrator.metadata";
        let at_root = "+.gitattributes +README.md +hydrator.metadata +manifest.yaml".to_owned();
        let at_prod = format!("{all} +prod/README.md +prod/hydrator.metadata +prod/manifest.yaml");
        let of_files = format!(
            "{all} +prod/.kaito-render +prod/README.md +prod/hydrator.metadata +prod/n/configmap-c.yaml +prod/n/phi/service-phi.yaml"
        );
        let (meta, ours) = (("prod/hydrator.metadata", ""), ("prod/manifest.yaml", text));
        let list = ("prod/.kaito-render", "# x\nn/configmap-c.yaml\nn/old.yaml\n../main.tf\nn/gone.yaml\n");
        let table: [(&Rendering, There<'_>, String); 14] = [
            (&root, &[], at_root.clone()),
            (&prod, &[], at_prod.clone()),
            (&files, &[], of_files.clone()),
            (&prod, &[meta, ours], "nothing".to_owned()),
            (&prod, &[meta, ("prod/manifest.yaml", "name: c\n")], at_prod.clone()),
            // Somebody else's files.
            (&prod, &[ours], "foreign prod/manifest.yaml".to_owned()),
            (&prod, &[("prod/README.md", "")], "foreign prod/README.md".to_owned()),
            (&root, &[("hydrator.metadata", ""), ("README.md", "")], "foreign README.md".to_owned()),
            (&root, &[("hydrator.metadata", ""), ("prod/manifest.yaml", "")], at_root),
            (&files, &[("prod/n/configmap-c.yaml", "")], "foreign prod/n/configmap-c.yaml".to_owned()),
            (&prod, &[("README.md", ""), ("prod/kustomization.yaml", "")], at_prod.clone()),
            // Files of an earlier commit, and of the other layout.
            (
                &files,
                &[meta, list, ("prod/n/configmap-c.yaml", ""), ("prod/n/old.yaml", ""), ("main.tf", "")],
                format!("{of_files} -prod/n/old.yaml"),
            ),
            (&prod, &[meta, list, ("prod/n/old.yaml", "")], format!("{at_prod} -prod/.kaito-render -prod/n/old.yaml")),
            (&files, &[meta, ours], format!("{of_files} -prod/manifest.yaml")),
        ];
        for (rendering, there, want) in table {
            assert_eq!(done(rendering, there), want, "{there:?}");
        }
    }

    #[test]
    fn what_was_written_is_not_written_again() {
        for (directory, layout) in [("", Layout::Manifest), ("a/b", Layout::Manifest), ("", Layout::Files), ("a", Layout::Files)] {
            let mut rendering = rendering(directory, layout);
            let first = rendering.changes(&|_| None).unwrap().unwrap().written;
            rendering.dry.sha = "b".repeat(40);
            assert_eq!(rendering.changes(&|path| first.get(path).cloned()), Ok(None), "{directory} {layout:?}");
        }
    }
}
