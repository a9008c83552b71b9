//! What this program was called as: kaito, or one of the names by which kubectl and flux start their plugins.

use std::ffi::OsString;
use std::path::Path;

use clap::Command;

/// The name of a plugin of kubectl begins so; what follows are verbs, `-` between them and `_` in them for a dash.
const KUBECTL: &str = "kubectl-kaito";
/// That of what kubectl asks to complete the arguments of such a plugin.
const KUBECTL_COMPLETE: &str = "kubectl_complete-kaito";
/// The name of the plugin of flux.
const FLUX: &str = "flux-kaito";
/// The verbs by which Cobra asks its own programs, and flux its plugins, with descriptions or without.
const COBRA_COMPLETE: [&str; 2] = ["__complete", "__completeNoDesc"];

/// What is wanted of this process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Called {
    /// What people write to call it so.
    pub name: &'static str,
    /// The words of the command line, of which the first is the program's.
    pub words: Vec<OsString>,
    /// Whether candidates for the last word are wanted instead.
    pub completes: bool,
}

impl Called {
    /// By the words of a command line, of which the first is the path of the program.
    pub(super) fn of(words: impl IntoIterator<Item = OsString>) -> Self {
        let mut words = words.into_iter();
        let program = words.next().unwrap_or_default();
        let file = Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
        let file = file.strip_suffix(".exe").unwrap_or(&file);
        let (name, verbs, mut completes) = if let Some(verbs) = file.strip_prefix(KUBECTL_COMPLETE) {
            ("kubectl kaito", verbs, true)
        } else if let Some(verbs) = file.strip_prefix(KUBECTL) {
            ("kubectl kaito", verbs, false)
        } else if file == FLUX {
            ("flux kaito", "", false)
        } else {
            ("kaito", "", false)
        };
        let mut rest: Vec<OsString> = verbs.split('-').filter(|verb| !verb.is_empty()).map(|verb| verb.replace('_', "-").into()).collect();
        rest.extend(words);
        if rest.first().is_some_and(|first| COBRA_COMPLETE.iter().any(|verb| first == verb)) {
            rest.remove(0);
            completes = true;
        }
        Self { name, words: std::iter::once("kaito".into()).chain(rest).collect(), completes }
    }

    /// The command line under this name, so that usage and examples can be copied as they are shown.
    pub(super) fn command(&self, command: Command) -> Command {
        let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        let mut command = command.bin_name(self.name);
        if self.name == "kaito" {
            return command;
        }
        command.build();
        renamed(command, self.name, &verbs)
    }
}

/// The same with other examples: each `kaito VERB` becomes `NAME VERB`.
fn renamed(command: Command, name: &str, verbs: &[String]) -> Command {
    let command = command.mut_subcommands(|verb| renamed(verb, name, verbs));
    let Some(text) = command.get_after_help().map(ToString::to_string) else { return command };
    let rename = |text: String, verb: &String| text.replace(&format!("kaito {verb}"), &format!("{name} {verb}"));
    command.after_help(verbs.iter().fold(text, rename))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_they_mean() {
        // The words; the name, the words that are meant, whether they are completed.
        let table: [(&str, &str, &str, bool); 12] = [
            ("kaito render -f .", "kaito", "render -f .", false),
            ("/usr/bin/kaito", "kaito", "", false),
            ("/opt/kubectl-kaito-render -f .", "kubectl kaito", "render -f .", false),
            ("kubectl-kaito-render.exe -f .", "kubectl kaito", "render -f .", false),
            ("kubectl-kaito-preset-list", "kubectl kaito", "preset list", false),
            ("kubectl-kaito-install_plugins a", "kubectl kaito", "install-plugins a", false),
            ("kubectl-kaito status", "kubectl kaito", "status", false),
            ("kubectl_complete-kaito-render --cl", "kubectl kaito", "render --cl", true),
            ("kubectl_complete-kaito re", "kubectl kaito", "re", true),
            ("flux-kaito render", "flux kaito", "render", false),
            ("flux-kaito __complete render --cl", "flux kaito", "render --cl", true),
            ("kaito __completeNoDesc re", "kaito", "re", true),
        ];
        for (line, name, words, completes) in table {
            let called = Called::of(line.split(' ').map(OsString::from));
            let want = std::iter::once("kaito").chain(words.split_terminator(' ')).map(OsString::from).collect();
            assert_eq!(called, Called { name, words: want, completes }, "{line}");
        }
    }
}
