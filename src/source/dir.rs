//! Files and directories, read once and whole, within limits.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::FILE_NAME;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::preset::Layer;
use crate::rule;
use crate::yaml::{self, Limits};

/// The endings of files that a directory is searched for, as kubectl has them.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// What to read.
pub struct Inputs<'a> {
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
        for path in self.paths {
            if path.as_os_str() == "-" {
                read_into(&mut files, "<stdin>", io::stdin().lock(), 0, findings);
            } else if path.is_dir() {
                self.directory(path, path, &mut files, findings);
            } else {
                file(path, &mut files, findings);
            }
        }
        if self.paths.len() > 1 {
            // Naming a file twice, or beside its directory, means it once.
            let mut seen = BTreeSet::new();
            files.retain(|file| seen.insert(fs::canonicalize(&file.name).unwrap_or_else(|_| PathBuf::from(&file.name))));
        }
        files
    }

    fn directory(&self, path: &Path, root: &Path, files: &mut Vec<Arc<SourceFile>>, findings: &mut Vec<Diagnostic>) {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect::<BTreeSet<_>>(),
            Err(error) => return findings.push(unreadable(path, &error)),
        };
        for entry in entries {
            let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let is_link = entry.is_symlink();
            if entry.is_dir() {
                // A link to a directory can lead out of the tree or round in circles, and kubectl doesn't follow it either.
                if self.recursive && !is_link && !name.starts_with('.') && !self.is_excepted(&entry) {
                    self.directory(&entry, root, files, findings);
                }
            } else if name == FILE_NAME {
                if path != root && !self.config.is_some_and(|config| is_same(config, &entry)) {
                    let finding = rule::MISPLACED_CONFIG.says(format!("{} is not used", entry.display()));
                    let help = "one kaito.yaml holds for one run, the one beside or above the input; render that directory by itself";
                    findings.push(finding.help(help));
                }
            } else if matches!(name.as_str(), "kustomization.yaml" | "kustomization.yml" | "Kustomization") {
                let finding = rule::NEEDS_KUSTOMIZE.says(format!("{} is for kustomize", entry.display()));
                findings.push(finding.help(format!("build it first: kustomize build {} | kaito render -f -", path.display())));
            } else if entry.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) && !self.is_excepted_file(&entry)
            {
                if is_link && !entry.exists() {
                    let finding = Diagnostic::error(format!("{} is a link to nothing", entry.display()));
                    findings.push(finding.help("remove it"));
                } else if is_link && !stays_within(&entry, root) {
                    let finding = Diagnostic::error(format!("{} is a link to a place outside of {}", entry.display(), root.display()));
                    findings.push(finding.help("put a copy there instead"));
                } else {
                    file(&entry, files, findings);
                }
            }
        }
    }

    fn is_excepted(&self, path: &Path) -> bool {
        self.except.iter().any(|except| is_same(except, path))
    }

    /// The same for a file; to ask the file system about each of thousands would take its time.
    fn is_excepted_file(&self, path: &Path) -> bool {
        self.except.iter().any(|except| except.file_name() == path.file_name() && is_same(except, path))
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

fn stays_within(link: &Path, root: &Path) -> bool {
    matches!((fs::canonicalize(link), fs::canonicalize(root)), (Ok(target), Ok(root)) if target.starts_with(&root))
}

fn file(path: &Path, files: &mut Vec<Arc<SourceFile>>, findings: &mut Vec<Diagnostic>) {
    let name = path.to_string_lossy();
    if name.starts_with("http://") || name.starts_with("https://") {
        let finding = Diagnostic::error(format!("{name} is not read: rendering is offline"));
        return findings.push(finding.help("curl it, and give it to kaito as a file or as -f -"));
    }
    match File::open(path) {
        Ok(file) => {
            // As much as the file has, rather than twice as much.
            let size = file.metadata().map_or(0, |metadata| metadata.len());
            read_into(files, &name, file, size, findings);
        }
        Err(error) => findings.push(unreadable(path, &error)),
    }
}

fn read_into(files: &mut Vec<Arc<SourceFile>>, name: &str, from: impl Read, size: u64, findings: &mut Vec<Diagnostic>) {
    let limit = Limits::default().bytes as u64;
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit) + 1).unwrap_or(0));
    if let Err(error) = from.take(limit + 1).read_to_end(&mut bytes) {
        return findings.push(unreadable(Path::new(name), &error));
    }
    if bytes.len() as u64 > limit {
        let finding = Diagnostic::error(format!("{name} has more than {limit} bytes, which is the limit"));
        return findings.push(finding.help("split it into several files"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => files.push(SourceFile::new(name, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
            findings.push(Diagnostic::error(format!("{name}:{line} is not UTF-8")).help("save the file as UTF-8"));
        }
    }
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "there is no permission to read it".to_owned(),
        io::ErrorKind::NotADirectory => "this is not a directory".to_owned(),
        _ => error.to_string(),
    };
    Diagnostic::error(format!("{}: {why}", path.display()))
}

/// The `kaito.yaml` beside or above an input, up to the root of its git repository.
pub fn config_for(input: &Path) -> Option<PathBuf> {
    let start = if input.as_os_str() == "-" { Path::new(".") } else { input };
    let absolute = fs::canonicalize(start).ok()?;
    let first = if absolute.is_dir() { absolute.as_path() } else { absolute.parent()? };
    for directory in first.ancestors() {
        let candidate = directory.join(FILE_NAME);
        if candidate.is_file() {
            return Some(candidate);
        }
        if directory.join(".git").exists() {
            return None;
        }
    }
    None
}

/// Reads a `kaito.yaml`, and the files that its patches are in.
pub fn read_config(path: &Path, findings: &mut Vec<Diagnostic>) -> Option<crate::config::RenderConfig> {
    let mut documents = yaml::read(&read_file(path, findings)?, Limits::default(), findings);
    if documents.len() > 1 {
        findings.push(documents[1].finding(Diagnostic::error("a kaito.yaml holds one document"), &[]));
        return None;
    }
    let Some(document) = documents.pop() else {
        if findings.is_empty() {
            let finding = Diagnostic::error(format!("{} is empty", path.display()));
            findings
                .push(finding.help(format!("write apiVersion: {} and kind: RenderConfig, or remove the file", crate::config::API_VERSION)));
        }
        return None;
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    crate::config::RenderConfig::read(&document, |name, findings| read_file(&folder.join(name), findings), findings)
}

/// Whether an input is all of a directory, or standard input, which stands for it.
pub fn is_whole(input: &Path, directory: &Path) -> bool {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    input.as_os_str() == "-" || is_same(input, directory)
}

/// Reads one file.
pub fn read_file(path: &Path, findings: &mut Vec<Diagnostic>) -> Option<Arc<SourceFile>> {
    let mut files = Vec::new();
    file(path, &mut files, findings);
    files.pop()
}

/// The preset files of a directory.
pub fn preset_layer(directory: &Path, findings: &mut Vec<Diagnostic>) -> Layer {
    let files =
        everything_below(directory, findings, |path| path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)));
    Layer { is_embedded: false, files: files.into_iter().map(|(_, file)| file).collect() }
}

/// The template files of a directory, by their path below it.
pub fn template_overrides(directory: &Path, known: &[String], findings: &mut Vec<Diagnostic>) -> HashMap<String, Arc<SourceFile>> {
    let files = everything_below(directory, findings, |_| true);
    for (name, file) in &files {
        if !known.contains(name) {
            let mut finding = Diagnostic::error(format!("{} replaces no template", file.name));
            finding.help.extend(crate::diagnostic::did_you_mean(name, known.iter().map(String::as_str)));
            findings.push(finding.help(format!("the templates are {}", known.join(", "))));
        }
    }
    files.into_iter().collect()
}

fn everything_below(directory: &Path, findings: &mut Vec<Diagnostic>, wanted: impl Fn(&Path) -> bool) -> Vec<(String, Arc<SourceFile>)> {
    let mut found = Vec::new();
    if directory.is_file() {
        findings.push(Diagnostic::error(format!("{} is not a directory", directory.display())));
        return found;
    }
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        match fs::read_dir(&next) {
            Err(error) => findings.push(unreadable(&next, &error)),
            Ok(entries) => {
                for path in entries.filter_map(Result::ok).map(|entry| entry.path()).collect::<BTreeSet<_>>() {
                    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
                    if hidden || (path.is_symlink() && !stays_within(&path, directory)) {
                        continue;
                    }
                    if path.is_dir() && !path.is_symlink() {
                        open.push(path);
                    } else if path.is_file() && wanted(&path) {
                        let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                        found.extend(read_file(&path, findings).map(|file| (name, file)));
                    }
                }
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}
