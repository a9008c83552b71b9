//! What `kaito init` asks on a terminal. An empty answer is the usual one.

use std::io;

use super::super::output;
use super::{CLOUDS, Refusal, check_preset, described, workspace};
use crate::cli::setup::namespace_name;
use crate::diagnostic::Diagnostic;
use crate::init::{Extra, Origin, Size};
use crate::options::Cloud;
use crate::preset::Catalog;

/// How many sizes are shown to choose from.
const SHOWN: usize = 8;

pub(super) fn preset(catalog: &Catalog) -> Result<String, Refusal> {
    let usual = if catalog.is_v0_3() { "phi-3-mini-4k-instruct" } else { "phi-4" };
    ask("Model (`kaito preset list` shows all)", usual, |answer| {
        check_preset(catalog, answer)
            .map(|()| answer.to_owned())
            .map_err(|finding| std::iter::once(finding.message).chain(finding.help).collect::<Vec<_>>().join("; "))
    })
}

pub(super) fn name(usual: &str) -> Result<String, Refusal> {
    ask("Name of the Workspace", usual, workspace)
}

pub(super) fn namespace() -> Result<String, Refusal> {
    ask("Namespace", "default", namespace_name)
}

pub(super) fn cloud() -> Result<Cloud, Refusal> {
    let names = CLOUDS.map(Cloud::name).join(", ");
    ask(&format!("Cloud ({names})"), Cloud::default().name(), |answer| {
        Cloud::by_name(answer).filter(|cloud| CLOUDS.contains(cloud)).ok_or_else(|| format!("clouds are {names}"))
    })
}

pub(super) fn size(sizes: &[Size]) -> Result<String, Refusal> {
    let shown = sizes.iter().take(SHOWN);
    let lines: Vec<String> = shown.enumerate().map(|(at, size)| format!("  {}  {}: {}", at + 1, size.name, described(size))).collect();
    output::done(&format!("The model fits on\n{}", lines.join("\n")));
    ask("Size of the nodes, by number or name", "1", |answer| {
        let by_number = answer.parse::<usize>().ok().and_then(|number| sizes.get(number.checked_sub(1)?));
        let by_name = || sizes.iter().find(|size| size.name.eq_ignore_ascii_case(answer));
        by_number.or_else(by_name).map(|size| size.name.clone()).ok_or_else(|| "it doesn't fit there, or nothing is known of it".to_owned())
    })
}

pub(super) fn extras() -> Result<Vec<Extra>, Refusal> {
    let names = Extra::ALL.map(Extra::name).join(", ");
    ask(&format!("What else ({names}, several with commas)"), "nothing", |answer| {
        let answers = answer.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "nothing");
        answers.map(|name| Extra::by_name(name).ok_or_else(|| format!("{name} is none of {names}"))).collect()
    })
}

pub(super) fn url() -> Result<String, Refusal> {
    ask("URL of the repository, for Argo CD and Flux", "", |answer| {
        if answer.is_empty() { Err("they must know it".to_owned()) } else { Ok(answer.to_owned()) }
    })
}

pub(super) fn origin() -> Result<Origin, Refusal> {
    ask("Repository of kaito on GitHub and the commit or tag to trust, as OWNER/REPOSITORY@REVISION", "", str::parse)
}

/// Asks until the answer is good.
fn ask<T>(question: &str, usual: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, Refusal> {
    let hint = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
    loop {
        output::prompt(&format!("{question}{hint}: "));
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).map_err(|error| Diagnostic::error(format!("standard input: {error}")))?;
        if read == 0 {
            return Err(Diagnostic::error("the answers have ended").into());
        }
        let answer = Some(line.trim()).filter(|answer| !answer.is_empty()).unwrap_or(usual);
        match parse(answer) {
            Ok(value) => return Ok(value),
            Err(why) => output::error(&why),
        }
    }
}
