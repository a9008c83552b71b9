//! Files and directories, read once and whole, within limits.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tree::{Content, Kind, Tree, read_whole};
use super::walk::Walk;
use crate::config::FILE_NAME;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::preset::Layer;
use crate::rule;
use crate::yaml::{self, Limits};

/// The endings of files that a directory is searched for, as kubectl has them.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// A file for kustomize that has no ending.
const KUSTOMIZATION: &str = "Kustomization";

/// The most bytes of a template: as a program it takes a hundred times as much, and Kaito's own have a few thousand.
const LARGEST_TEMPLATE: usize = 256 << 10;

/// How a file begins that Git LFS keeps elsewhere.
pub(super) const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/";

/// What to read.
pub struct Inputs<'a> {
    /// What it is read from.
    pub tree: &'a dyn Tree,
    /// Files, directories, and `-` for standard input.
    pub paths: &'a [PathBuf],
    /// Whether directories are searched below their first level.
    pub recursive: bool,
    /// Directories and files that hold no manifests.
    pub except: &'a [PathBuf],
    /// The configuration in use.
    pub config: Option<&'a Path>,
}

impl Inputs<'_> {
    /// The files in the order of their paths; what can't be read is added to `findings`.
    pub fn read(&self, findings: &mut Vec<Diagnostic>) -> Vec<Arc<SourceFile>> {
        let mut files = Vec::new();
        let mut walk = Walk::default();
        for path in self.paths {
            if path.as_os_str() == "-" {
                files.extend(self.standard_input(findings).map(|file| (path.clone(), file)));
            } else if self.tree.kind(path) == Some(Kind::Directory) {
                self.directory(path, path, &mut walk, &mut files, findings);
            } else {
                self.file(path, &mut walk, &mut files, findings);
            }
        }
        if self.paths.len() > 1 {
            // Naming a file twice, or beside its directory, means it once.
            let mut seen = BTreeSet::new();
            files.retain(|(path, _)| seen.insert(self.tree.real(path).unwrap_or_else(|_| path.clone())));
        }
        files.into_iter().map(|(_, file)| file).collect()
    }

    fn standard_input(&self, findings: &mut Vec<Diagnostic>) -> Option<Arc<SourceFile>> {
        if !self.tree.has_stdin() {
            let finding = Diagnostic::error("standard input is not part of a git revision");
            findings.push(finding.help("name files and directories with -f"));
            return None;
        }
        text("<stdin>", read_whole(io::stdin().lock(), 0, limit()), findings)
    }

    fn file(&self, path: &Path, walk: &mut Walk, files: &mut Vec<(PathBuf, Arc<SourceFile>)>, findings: &mut Vec<Diagnostic>) {
        files.extend(walk.read(self.tree, path, findings).map(|file| (path.to_owned(), file)));
    }

    fn directory(
        &self,
        path: &Path,
        root: &Path,
        walk: &mut Walk,
        files: &mut Vec<(PathBuf, Arc<SourceFile>)>,
        findings: &mut Vec<Diagnostic>,
    ) {
        let shown = |path: &Path| self.tree.name(path);
        let Some(entries) = walk.entries(self.tree, path, root, findings) else { return };
        for entry in entries {
            let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            // What is hidden is for tools: .git, .github, .gitlab-ci.yml, .sops.yaml.
            if name.starts_with('.') {
                continue;
            }
            let is_link = self.tree.is_link(&entry);
            // Where a link leads matters only if it may be a manifest.
            if is_link && (!is_manifest(&entry) || !walk.link(self.tree, root, findings)) {
                continue;
            }
            let kind = self.tree.kind(&entry);
            if kind == Some(Kind::Directory) {
                // A link to a directory can lead out of the tree or round in circles, and kubectl doesn't follow it either.
                if self.recursive && !is_link && !self.is_excepted(&entry) {
                    self.directory(&entry, root, walk, files, findings);
                }
            } else if kind == Some(Kind::Submodule) {
                if self.recursive && !is_link && !self.is_excepted(&entry) {
                    findings.push(not_read(&shown(&entry)));
                }
            } else if name == FILE_NAME {
                if path != root && !self.config.is_some_and(|config| is_same(self.tree, config, &entry)) {
                    let finding = rule::MISPLACED_CONFIG.says(format!("{} is not used", shown(&entry)));
                    let help = "one kaito.yaml holds for one run, the one beside or above the input; render that directory by itself";
                    findings.push(finding.help(help));
                }
            } else if matches!(name.as_str(), "kustomization.yaml" | "kustomization.yml" | KUSTOMIZATION) {
                let finding = rule::NEEDS_KUSTOMIZE.says(format!("{} is for kustomize", shown(&entry)));
                findings.push(finding.help(format!("build it first: kustomize build {} | kaito render -f -", path.display())));
            } else if is_manifest(&entry) && !self.is_excepted_file(&entry) {
                match if is_link { leads(self.tree, &entry, root) } else { Leads::Within } {
                    // Who reads from a pipe waits for somebody who writes.
                    Leads::Within if kind == Some(Kind::Other) => {
                        let finding = Diagnostic::error(format!("{} is not a file, but a pipe or a device", shown(&entry)));
                        findings.push(finding.help("remove it, or name it with -f"));
                    }
                    Leads::Within => self.file(&entry, walk, files, findings),
                    Leads::Nowhere => {
                        let finding = Diagnostic::error(format!("{} is a link to nothing", shown(&entry)));
                        findings.push(finding.help("remove it"));
                    }
                    Leads::Outside => {
                        let finding = Diagnostic::error(format!("{} is a link to a place outside of {}", shown(&entry), shown(root)));
                        findings.push(finding.help("put a copy there instead"));
                    }
                }
            }
        }
    }

    fn is_excepted(&self, path: &Path) -> bool {
        self.except.iter().any(|except| is_same(self.tree, except, path))
    }

    /// The same for a file; to ask the file system about each of thousands would take its time.
    fn is_excepted_file(&self, path: &Path) -> bool {
        self.except.iter().any(|except| except.file_name() == path.file_name() && is_same(self.tree, except, path))
    }
}

/// Whether a file is called as those are that are looked into.
fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) || path.ends_with(KUSTOMIZATION)
}

fn is_same(tree: &dyn Tree, a: &Path, b: &Path) -> bool {
    matches!((tree.real(a), tree.real(b)), (Ok(a), Ok(b)) if a == b)
}

/// Where a link leads, seen from a directory.
#[derive(PartialEq, Eq)]
enum Leads {
    Within,
    Outside,
    Nowhere,
}

fn leads(tree: &dyn Tree, link: &Path, root: &Path) -> Leads {
    match (tree.real(link), tree.real(root)) {
        (Ok(target), Ok(root)) if target.starts_with(&root) => Leads::Within,
        (Err(error), _) if error.kind() != io::ErrorKind::Unsupported => Leads::Nowhere,
        _ => Leads::Outside,
    }
}

/// Reads one file.
pub fn read_file(tree: &dyn Tree, path: &Path, findings: &mut Vec<Diagnostic>) -> Option<Arc<SourceFile>> {
    let given = path.to_string_lossy();
    if given.starts_with("http://") || given.starts_with("https://") {
        let finding = Diagnostic::error(format!("{given} is not read: rendering is offline"));
        findings.push(finding.help("curl it, and give it to kaito as a file or as -f -"));
        return None;
    }
    text(&tree.name(path), tree.read(path, limit()), findings)
}

/// The most bytes that a file may have, and all that are read at once.
pub(super) fn limit() -> u64 {
    Limits::default().bytes as u64
}

fn text(name: &str, read: io::Result<Content>, findings: &mut Vec<Diagnostic>) -> Option<Arc<SourceFile>> {
    let finding = match read.map(|content| (String::from_utf8(content.bytes), content.blob)) {
        Ok((Ok(text), _)) if text.starts_with(LFS_POINTER) => {
            let finding = Diagnostic::error(format!("{name} is a pointer of Git LFS, and not the file itself"));
            finding.help("`git lfs pull` gets the file on disk; a revision holds the pointer alone")
        }
        Ok((Ok(text), blob)) => return Some(SourceFile::of_blob(name, text, blob)),
        Ok((Err(error), _)) => {
            let at = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
            Diagnostic::error(format!("{name}:{line} is not UTF-8")).help("save the file as UTF-8")
        }
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            let finding = Diagnostic::error(format!("{name} has more than {} bytes, which is the limit", limit()));
            finding.help("split it into several files")
        }
        Err(error) => unreadable(name, &error),
    };
    findings.push(finding);
    None
}

pub(super) fn unreadable(name: &str, error: &io::Error) -> Diagnostic {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "there is no permission to read it".to_owned(),
        io::ErrorKind::NotADirectory => "this is not a directory".to_owned(),
        _ => error.to_string(),
    };
    Diagnostic::error(format!("{name}: {why}"))
}

fn not_read(submodule: &str) -> Diagnostic {
    Diagnostic::warning(format!("{submodule} is a submodule, and not read: its files are in another repository"))
        .help("leave out --revision to read what is checked out there")
}

/// The `kaito.yaml` beside or above an input, up to the root of its git repository.
pub fn config_for(tree: &dyn Tree, input: &Path) -> Option<PathBuf> {
    let start = if input.as_os_str() == "-" { Path::new(".") } else { input };
    let absolute = tree.real(start).ok()?;
    let first = if tree.kind(&absolute) == Some(Kind::Directory) { absolute.as_path() } else { absolute.parent()? };
    for directory in first.ancestors() {
        let candidate = directory.join(FILE_NAME);
        if tree.kind(&candidate) == Some(Kind::File) {
            return Some(candidate);
        }
        if tree.is_root(directory) {
            return None;
        }
    }
    None
}

/// Reads a `kaito.yaml`, and the files that its patches are in.
pub fn read_config(tree: &dyn Tree, path: &Path, findings: &mut Vec<Diagnostic>) -> Option<crate::config::RenderConfig> {
    let mut documents = yaml::read(&read_file(tree, path, findings)?, Limits::default(), findings);
    if documents.len() > 1 {
        findings.push(documents[1].finding(Diagnostic::error("a kaito.yaml holds one document"), &[]));
        return None;
    }
    let Some(document) = documents.pop() else {
        if findings.is_empty() {
            let finding = Diagnostic::error(format!("{} is empty", tree.name(path)));
            findings
                .push(finding.help(format!("write apiVersion: {} and kind: RenderConfig, or remove the file", crate::config::API_VERSION)));
        }
        return None;
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut walk = Walk::default();
    crate::config::RenderConfig::read(&document, |name, findings| walk.read(tree, &folder.join(name), findings), findings)
}

/// Whether an input is all of a directory, or standard input, which stands for it.
pub fn is_whole(tree: &dyn Tree, input: &Path, directory: &Path) -> bool {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    input.as_os_str() == "-" || is_same(tree, input, directory)
}

/// The preset files of a directory.
pub fn preset_layer(tree: &dyn Tree, directory: &Path, findings: &mut Vec<Diagnostic>) -> Layer {
    let is_wanted = |path: &Path| path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known));
    let files = everything_below(tree, directory, findings, is_wanted);
    Layer::Own(files.into_iter().map(|(_, file)| file).collect())
}

/// The template files of a directory, by their path below it.
pub fn template_overrides(
    tree: &dyn Tree,
    directory: &Path,
    known: &[String],
    findings: &mut Vec<Diagnostic>,
) -> HashMap<String, Arc<SourceFile>> {
    let files = everything_below(tree, directory, findings, |_| true);
    let (files, large): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, file)| file.text.len() <= LARGEST_TEMPLATE);
    for (_, file) in large {
        let finding = Diagnostic::error(format!("{} has more than {LARGEST_TEMPLATE} bytes, which is the limit for a template", file.name));
        findings.push(finding.help("Kaito's own have a few thousand"));
    }
    for (name, file) in &files {
        if !known.contains(name) {
            let mut finding = Diagnostic::error(format!("{} replaces no template", file.name));
            finding.help.extend(crate::diagnostic::did_you_mean(name, known.iter().map(String::as_str)));
            findings.push(finding.help(format!("the templates are {}", known.join(", "))));
        }
    }
    files.into_iter().collect()
}

fn everything_below(
    tree: &dyn Tree,
    directory: &Path,
    findings: &mut Vec<Diagnostic>,
    wanted: impl Fn(&Path) -> bool,
) -> Vec<(String, Arc<SourceFile>)> {
    let mut found = Vec::new();
    if tree.kind(directory) == Some(Kind::File) {
        findings.push(Diagnostic::error(format!("{} is not a directory", tree.name(directory))));
        return found;
    }
    let mut walk = Walk::default();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        let entries = walk.entries(tree, &next, directory, findings);
        for path in entries.into_iter().flatten() {
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            let is_link = tree.is_link(&path);
            if hidden || (is_link && leads(tree, &path, directory) != Leads::Within) {
                continue;
            }
            match tree.kind(&path) {
                Some(Kind::Directory) if !is_link => open.push(path),
                Some(Kind::Submodule) => findings.push(not_read(&tree.name(&path))),
                Some(Kind::File) if wanted(&path) => {
                    let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                    found.extend(walk.read(tree, &path, findings).map(|file| (name, file)));
                }
                _ => {}
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}
