//! `kaito render --argocd`: rendering as a config management plugin of Argo CD.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;

use super::output::{self, Color, Exit};
use super::render;
use crate::argocd::{self, Given};
use crate::diagnostic::Diagnostic;
use crate::source::{Tree, Within};
use crate::yaml;

/// The Application that is rendered for.
pub(super) struct Application {
    /// What its files are read from: its repository, and nothing else of where the plugin runs.
    pub tree: Arc<dyn Tree>,
    /// The namespace that it goes to.
    pub namespace: Option<String>,
    /// Whether objects have sync waves.
    pub sync_waves: bool,
}

/// The flags that parameters stand for.
#[derive(Debug, Parser)]
struct Flags {
    #[command(flatten)]
    render: render::Args,
    #[arg(long)]
    sync_waves: bool,
}

/// Renders the Application that the environment is about.
pub(super) fn generate(color: Color) -> Exit {
    let variables: BTreeMap<String, String> =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    let mut findings = Vec::new();
    let flags = flags(&argocd::given(&variables, &mut findings), &mut findings);
    let path = variables.get("ARGOCD_APP_SOURCE_PATH").map_or("", String::as_str);
    let tree = repository(Path::new(path)).map_err(|finding| findings.push(finding));
    // Findings of what is rendered come from there.
    let has_failed = findings.iter().any(Diagnostic::is_error);
    output::findings(findings, color, "rendered");
    let (Some(flags), Ok(tree), false) = (flags, tree, has_failed) else { return Exit::Invalid };
    let namespace = variables.get("ARGOCD_APP_NAMESPACE").filter(|name| !name.is_empty()).cloned();
    let application = Application { tree: Arc::new(tree), namespace, sync_waves: flags.sync_waves };
    render::run_for(&flags.render, Some(&application), color)
}

/// Prints the parameters that there are.
pub(super) fn announce() -> Exit {
    output::data(&format!("{}\n", yaml::to_json(&argocd::announcement())))
}

/// What is given, read as flags are; what isn't right is said with the name by which it was given.
fn flags(given: &[Given], findings: &mut Vec<Diagnostic>) -> Option<Flags> {
    let parse = |words: &[String]| Flags::try_parse_from(std::iter::once("kaito").chain(words.iter().map(String::as_str)));
    let mut is_right = true;
    for Given { origin, words } in given {
        let alone = if words.iter().any(|word| word.starts_with("--filename=")) { Vec::new() } else { vec!["--filename=.".to_owned()] };
        if let Err(error) = parse(&[alone, words.clone()].concat()) {
            is_right = false;
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let text = text.split("\n\nUsage:").next().and_then(|text| text.split("\n\nFor more information").next()).unwrap_or(text);
            findings.push(Diagnostic::error(format!("{origin}: {}", text.trim_end())));
        }
    }
    if !is_right {
        return None;
    }
    let all: Vec<String> = given.iter().flat_map(|given| given.words.clone()).collect();
    parse(&all).map_err(|error| findings.push(Diagnostic::error(error.to_string()))).ok()
}

/// The files of the repository that this directory is the Application's path in. Argo CD may send only a part of it, so what is above
/// belongs to it as far as it is called as in the path.
fn repository(path: &Path) -> Result<Within, Diagnostic> {
    let read = |error: std::io::Error| Diagnostic::error(format!("the directory of the Application can't be read: {error}"));
    let here = std::env::current_dir().and_then(std::fs::canonicalize).map_err(read)?;
    Within::new(&root(&here, path)).map_err(read)
}

fn root(here: &Path, path: &Path) -> PathBuf {
    let mut root = here.to_owned();
    for name in path.components().rev() {
        if root.file_name() != Some(name.as_os_str()) || !root.pop() {
            break;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots() {
        let table = [
            ("/tmp/x/apps/prod", "apps/prod", "/tmp/x"),
            ("/tmp/x/apps/prod", "./apps/prod", "/tmp/x"),
            ("/tmp/x/prod", "apps/prod", "/tmp/x"),
            ("/tmp/x", ".", "/tmp/x"),
            ("/tmp/x", "", "/tmp/x"),
            ("/tmp/x/apps", "../apps", "/tmp/x"),
        ];
        for (here, path, want) in table {
            assert_eq!(root(Path::new(here), Path::new(path)), Path::new(want), "{here} {path}");
        }
    }
}
