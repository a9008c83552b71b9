//! `kaito completion SHELL`, and what shells, kubectl and flux ask while somebody types.

pub(super) mod values;

use std::ffi::OsString;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_complete::engine::{self, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use super::called::Called;
use super::output::{self, Exit};

/// The variable by which the script of a shell says that it asks, and which shell it is.
const ASKS: &str = "KAITO_COMPLETE";

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "The script asks kaito itself, so that models, node sizes, contexts and Workspaces are completed too.

Examples:
  source <(kaito completion bash)
  kaito completion zsh > \"${fpath[1]}/_kaito\"
  kaito completion fish > ~/.config/fish/completions/kaito.fish")]
pub(super) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(super) fn run(args: &Args) -> Exit {
    let shells = Shells::builtins();
    let mut script = Vec::new();
    let written = shells
        .completer(&args.shell.to_string())
        .ok_or_else(|| std::io::Error::other(format!("there is no completion for {}", args.shell)))
        .and_then(|shell| shell.write_registration(ASKS, "kaito", "kaito", "kaito", &mut script));
    match written {
        Ok(()) => output::data(&String::from_utf8_lossy(&script)),
        Err(error) => output::finish(Err(error)),
    }
}

/// Answers if a shell's script asks. An answer that fails is none: nothing may be printed into what somebody types.
pub(super) fn answer_shell() -> Option<Exit> {
    std::env::var_os(ASKS)?;
    let here = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(super::Cli::command).var(ASKS).try_complete(std::env::args_os(), here.as_deref());
    asked.unwrap_or(true).then_some(Exit::Done)
}

/// Answers as programs of Cobra do: a candidate on each line, after a tab what it means, and in the end what the shell is to do.
pub(super) fn answer_cobra(called: &Called) -> Exit {
    let here = std::env::current_dir().ok();
    let words: Vec<OsString> = called.words.clone();
    let last = words.len() - 1;
    let mut command = super::Cli::command();
    // Before the first word there is nothing to complete.
    let candidates = if last == 0 { Vec::new() } else { engine::complete(&mut command, words, last, here.as_deref()).unwrap_or_default() };
    output::data(&cobra(&candidates))
}

/// What Cobra calls a `ShellCompDirective`: no space is put behind what may go on, and no files are looked for.
const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;

fn cobra(candidates: &[CompletionCandidate]) -> String {
    let mut text = String::new();
    let mut directive = NO_FILES;
    for candidate in candidates {
        let value = candidate.get_value().to_string_lossy();
        directive |= if value.ends_with(['/', '=']) { NO_SPACE } else { 0 };
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        text.push_str(&value);
        if let Some(line) = help.lines().next().filter(|line| !line.is_empty()) {
            text.push('\t');
            text.push_str(line);
        }
        text.push('\n');
    }
    text + &format!(":{directive}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cobra_reads() {
        let candidate = |value: &str, help: &str| CompletionCandidate::new(value).help(Some(help.to_owned().into()));
        let table = [
            (vec![], ":4\n"),
            (vec![candidate("aws", "")], "aws\n:4\n"),
            (vec![candidate("aws", "one\ntwo"), candidate("azure", "two")], "aws\tone\nazure\ttwo\n:4\n"),
            (vec![candidate("clusters/", "")], "clusters/\n:6\n"),
        ];
        for (candidates, want) in table {
            assert_eq!(cobra(&candidates), want);
        }
    }
}
