//! The reference in docs/reference is what the binary says of itself, and no key or metric is missing there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory};

use crate::support::{expect, run};

/// A page of Markdown for all verbs.
fn cli() -> String {
    let mut command = kaito::cli::Cli::command();
    command.build();
    let mut page = String::from(
        "# Commands\n\n\
        <!-- Written by `KAITO_BLESS=1 cargo test reference`. -->\n\n\
        What `kaito VERB --help` says, for all verbs. `--color auto|always|never` goes with each of them.\n\n",
    );
    let verbs: Vec<&Command> = visible(&command).collect();
    for verb in &verbs {
        let name = verb.get_name();
        _ = writeln!(page, "- [`kaito {name}`](#kaito-{name}): {}", text(verb.get_about()));
    }
    verbs.into_iter().for_each(|verb| describe(verb, &format!("kaito {}", verb.get_name()), &mut page));
    page
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
}

fn describe(verb: &Command, name: &str, page: &mut String) {
    _ = writeln!(page, "\n## {name}\n\n{}", text(verb.get_long_about().or_else(|| verb.get_about())));
    let aliases: Vec<String> = verb.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
    if !aliases.is_empty() {
        _ = writeln!(page, "\nAlso called {}.", aliases.join(", "));
    }
    let usage = verb.clone().render_usage().to_string();
    _ = writeln!(page, "\n```\n{}\n```", usage.trim_start_matches("Usage: "));
    let args: Vec<&Arg> = verb.get_arguments().filter(|arg| is_own(arg)).collect();
    let mut headings: Vec<&str> = Vec::new();
    for arg in &args {
        let heading = heading(arg);
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for wanted in headings {
        _ = writeln!(page, "\n| {wanted} | |\n|---|---|");
        for arg in args.iter().filter(|arg| heading(arg) == wanted) {
            _ = writeln!(page, "| {} | {} |", spelled(arg), cell(&meaning(arg)));
        }
    }
    if let Some(after) = verb.get_after_help() {
        _ = writeln!(page, "\n```\n{}\n```", after.to_string().trim());
    }
    visible(verb).for_each(|sub| describe(sub, &format!("{name} {}", sub.get_name()), page));
}

fn is_own(arg: &Arg) -> bool {
    !arg.is_hide_set() && !["help", "version", "color"].contains(&arg.get_id().as_str())
}

fn heading(arg: &Arg) -> &str {
    arg.get_help_heading().unwrap_or(if arg.is_positional() { "Arguments" } else { "Options" })
}

fn spelled(arg: &Arg) -> String {
    let names: Vec<String> = arg.get_value_names().into_iter().flatten().map(|name| format!("<{name}>")).collect();
    let takes_value = arg.get_action().takes_values() && !arg.is_positional();
    let value = if takes_value { names.join(" ") } else { String::new() };
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let flag = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    let shown = if arg.is_positional() {
        names.join(" ")
    } else if value.is_empty() {
        flag
    } else {
        format!("{flag} {value}")
    };
    format!("`{}`", cell(&shown))
}

fn meaning(arg: &Arg) -> String {
    let mut meaning = text(arg.get_long_help().or_else(|| arg.get_help()));
    let values: Vec<String> = if arg.get_action().takes_values() {
        arg.get_possible_values().iter().filter(|value| !value.is_hide_set()).map(value_text).collect()
    } else {
        Vec::new()
    };
    if !values.is_empty() && values != ["`true`", "`false`"] {
        _ = write!(meaning, ". Values: {}", values.join(", "));
    }
    let defaults: Vec<String> = arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    if arg.get_action().takes_values() && !defaults.is_empty() && !arg.is_hide_default_value_set() && defaults != ["``"] {
        _ = write!(meaning, ". Default: {}", defaults.join(", "));
    }
    meaning
}

fn value_text(value: &clap::builder::PossibleValue) -> String {
    let name = format!("`{}`", value.get_name());
    value.get_help().map_or(name.clone(), |help| format!("{name} ({})", help.to_string().trim_end_matches('.')))
}

fn text(styled: Option<&clap::builder::StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default().replace('\n', " ")
}

/// A text within a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A page of Markdown for the metrics of `kaito watch`.
fn metrics() -> String {
    let text = kaito::telemetry::Metrics::new().text();
    let mut page = String::from(
        "# Metrics\n\n\
        <!-- Written by `KAITO_BLESS=1 cargo test reference`. -->\n\n\
        What `kaito watch --metrics-listen` serves, in the format of OpenMetrics; [their labels](../watch.md#metrics).\n\n\
        | metric | type | meaning |\n|---|---|---|\n",
    );
    let mut help: BTreeSet<(String, String)> = BTreeSet::new();
    for line in text.lines() {
        if let Some((name, meaning)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            help.insert((name.to_owned(), meaning.trim_end_matches('.').to_owned()));
        }
    }
    for (name, meaning) in help {
        let is_of = |line: &&str| line.strip_prefix("# TYPE ").is_some_and(|rest| rest.split(' ').next() == Some(name.as_str()));
        let kind = text.lines().find(is_of).and_then(|line| line.rsplit(' ').next()).unwrap();
        let total = if kind == "counter" { "_total" } else { "" };
        _ = writeln!(page, "| `{name}{total}` | {kind} | {} |", cell(&meaning));
    }
    page
}

/// The list of all verbs says of each what its own help does, which is built later.
#[test]
fn a_verb_is_the_same_in_the_list_and_alone() {
    let listed = kaito::cli::Cli::command();
    let mut built = listed.clone();
    built.build();
    for verb in visible(&listed) {
        let alone = built.find_subcommand(verb.get_name()).unwrap();
        assert_eq!(text(verb.get_about()), text(alone.get_about()), "{}", verb.get_name());
    }
}

#[test]
fn the_reference_is_current() {
    let pages = [("cli", cli()), ("metrics", metrics())];
    let faults: Vec<String> =
        pages.iter().filter_map(|(name, page)| expect(Path::new(&format!("docs/reference/{name}.md")), page).err()).collect();
    assert!(faults.is_empty(), "{}\nKAITO_BLESS=1 cargo test reference writes them anew", faults.join("\n"));
}

/// Files of the sources, without their tests.
fn sources(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            found.push(text.split("#[cfg(test)]").next().unwrap().to_owned());
        }
    }
}

/// Every key with a domain of Kaito's in a text, such as `kaito.sh/force`, that stands between these.
fn keys(text: &str, quote: char) -> BTreeSet<String> {
    let words = text.split(quote).filter(|word| {
        word.split_once("kaito.sh/").is_some_and(|(before, name)| {
            let is_name = |part: &str, more: char| part.chars().all(|c| c.is_ascii_lowercase() || c == more);
            !name.is_empty() && is_name(name, '-') && is_name(before, '.')
        })
    });
    words.map(ToOwned::to_owned).collect()
}

/// What isn't a label or annotation: who reports events, and an example in a comment.
const NO_KEYS: [&str; 2] = ["kaito.sh/watch", "kaito.sh/x"];

#[test]
fn every_label_and_annotation_is_in_the_reference() {
    let mut texts = Vec::new();
    sources(Path::new("src"), &mut texts);
    let mut used: BTreeSet<String> = texts.iter().flat_map(|text| keys(text, '"')).collect();
    let mut templates = Vec::new();
    sources(Path::new("templates"), &mut templates);
    // Templates have them bare, before a colon.
    used.extend(
        templates.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once(": ")).flat_map(|(key, _)| keys(key.trim(), ' ')),
    );
    NO_KEYS.iter().for_each(|key| assert!(used.remove(*key), "{key}"));
    let page = fs::read_to_string("docs/reference/keys.md").unwrap();
    let shown: BTreeSet<String> = page.lines().filter(|line| line.starts_with("| `")).flat_map(|line| keys(line, '`')).collect();
    let missing: Vec<&String> = used.difference(&shown).collect();
    let unused: Vec<&String> = shown.difference(&used).collect();
    assert!(missing.is_empty() && unused.is_empty(), "missing in docs/reference/keys.md: {missing:#?}\nnobody reads or writes {unused:#?}");
}

/// Somebody who only has `--help` finds every verb, what it is for and how it is called.
#[test]
fn help_is_enough() {
    let mut command = kaito::cli::Cli::command();
    command.build();
    let mut open: Vec<(String, &Command)> = visible(&command).map(|verb| (verb.get_name().to_owned(), verb)).collect();
    let mut faults = Vec::new();
    while let Some((name, verb)) = open.pop() {
        let about = text(verb.get_about());
        if about.is_empty() || about.ends_with('.') {
            faults.push(format!("kaito {name}: {about:?} is no line that says what it does, without a full stop"));
        }
        for arg in verb.get_arguments().filter(|arg| is_own(arg)) {
            if text(arg.get_help()).is_empty() {
                faults.push(format!("kaito {name}: {} has no help", arg.get_id()));
            }
        }
        let has_subcommands = visible(verb).next().is_some();
        let example = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
        if !has_subcommands && verb.get_arguments().any(is_own) && !example.contains("  kaito ") && !example.contains("| kaito ") {
            faults.push(format!("kaito {name} --help shows no example"));
        }
        open.extend(visible(verb).map(|sub| (format!("{name} {}", sub.get_name()), sub)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn pages_of_man() {
    let home = tempfile::tempdir().unwrap();
    let directory: PathBuf = home.path().join("man1");
    assert_eq!(run(&["man", directory.to_str().unwrap()]).code, 0);
    let page = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    assert!(page("kaito.1").contains("kaito\\-render(1)"), "{}", page("kaito.1"));
    assert!(page("kaito-render.1").contains("\\-\\-node\\-provisioner"));
    assert!(page("kaito-preset-show.1").contains("kaito\\-preset\\-show"));
}
