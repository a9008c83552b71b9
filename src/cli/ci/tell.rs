//! What was found is told: in the log, as annotations, in the job's summary, in files, and in the one comment.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::checked::Checked;
use super::commits::Commits;
use super::environment::Environment;
use super::{Args, has_errors};
use crate::ci::{Platform, PullRequest, Summary, marker};
use crate::cli::diff::{Compared, paths, step_summary};
use crate::cli::output::{self, Color, Exit};
use crate::diff;
use crate::github::command;
use crate::lint::report::Report;
use crate::notify::{Commented, Conversation, Provider};
use crate::output_dir::write_file;
use crate::source::named_alike;

/// All that was found.
pub(super) struct Found<'f> {
    pub args: &'f Args,
    pub environment: &'f Environment,
    pub commits: &'f Commits,
    pub checked: &'f Checked,
    pub compared: Option<&'f Compared>,
    /// Why a gate says no.
    pub refusals: Vec<String>,
}

impl Found<'_> {
    /// What lint has found.
    pub(super) fn lint(&self) -> Report<'_> {
        let fail_on = self.args.lint.lint_fail_on.or(self.checked.config.fail_on).unwrap_or_default();
        Report { findings: &self.checked.findings, files: &self.checked.files, fail_on, base: "" }
    }

    /// What the change does, or why that isn't known.
    fn diff(&self) -> Result<&diff::Report, &str> {
        match (&self.commits.older, self.compared) {
            (Err(finding), _) => Err(&finding.message),
            (Ok(None), _) => Err("nothing is compared, as this job is about no change"),
            (Ok(_), None) => Err("one side or both can't be rendered, and nothing was compared"),
            (Ok(_), Some(compared)) => {
                let is_broken = has_errors(&compared.older) || has_errors(&compared.newer);
                let report = &compared.report;
                if is_broken && report.is_empty() && report.broken.is_empty() {
                    return Err("one side or both can't be rendered, and nothing was compared");
                }
                Ok(report)
            }
        }
    }

    /// By what the comment is known.
    fn id(&self) -> String {
        let paths = || self.args.filename.iter().map(|path| named_alike(path)).collect::<Vec<_>>().join(",");
        self.args.output.comment_id.clone().unwrap_or_else(paths)
    }
}

/// Tells; whether all of it could be written that was asked for.
pub(super) fn tell(found: &Found<'_>, color: Color) -> bool {
    let (lint, diff, id) = (found.lint(), found.diff(), found.id());
    let older = found.commits.older.as_ref().ok().and_then(Option::as_ref);
    let summary = Summary {
        id: &id,
        refusals: &found.refusals,
        outdated: found.checked.outdated.as_ref(),
        lint: &lint,
        diff,
        range: &older.map(|older| format!("Commit {} against {}", found.commits.newer.name, older.name)).unwrap_or_default(),
    };
    let markdown = summary.markdown();
    let in_log = if found.environment.job.platform.has_commands() { commands(&summary) } else { text(&summary, color) };
    let is_shown = output::data(&in_log) == Exit::Done;
    let are_written = [write_files(found, &summary, &markdown), written(step_summary::append(&markdown))];
    comment(found, &id, &markdown, !summary.is_quiet());
    is_shown && are_written.into_iter().all(|is_written| is_written)
}

/// What becomes annotations. The worst comes first, since no more than ten of a kind are shown.
fn commands(summary: &Summary<'_>) -> String {
    let said = |title: &str, message: &str| command("error", &[("title", format!("kaito ci: {title}"))], message);
    let mut log: String = summary.refusals.iter().map(|refusal| said("refused", refusal)).collect();
    if let Some(outdated) = summary.outdated {
        log.push_str(&said("not current", &format!("{}\nRun this, and commit what it writes: {}", outdated.message(), outdated.command)));
    }
    log.push_str(&summary.lint.github());
    match summary.diff {
        Ok(report) => log.push_str(&diff::github(report, &paths::in_repository)),
        Err(why) => log.push_str(&command("notice", &[("title", "kaito ci: not compared".to_owned())], why)),
    }
    log
}

/// The same for a log that people read.
fn text(summary: &Summary<'_>, color: Color) -> String {
    let mut log = summary.lint.text(color.on_output());
    if let Some(outdated) = summary.outdated {
        let files = outdated.files.iter().fold(String::new(), |text, file| text + "  " + file + "\n");
        let (message, command) = (outdated.message(), &outdated.command);
        _ = writeln!(log, "\n{message}\n{files}To make it so, run this and commit what it writes:\n  {command}");
    }
    log.push('\n');
    match summary.diff {
        Ok(report) => log.push_str(&diff::text(report, color.for_data())),
        Err(why) => _ = writeln!(log, "{why}"),
    }
    for refusal in summary.refusals {
        _ = writeln!(log, "refused: {refusal}");
    }
    log
}

/// The files that were asked for; whether all could be written.
fn write_files(found: &Found<'_>, summary: &Summary<'_>, markdown: &str) -> bool {
    let asked = &found.args.output;
    let write = |path: &Option<PathBuf>, text: &dyn Fn() -> String| {
        path.as_deref().is_none_or(|path| written(write_file(path, &text()).map_err(|error| error.to_string())))
    };
    let results = [
        write(&asked.summary, &|| markdown.to_owned()),
        write(&asked.sarif, &|| summary.lint.sarif()),
        write(&asked.junit, &|| summary.lint.junit()),
        summary.diff.is_err() || write(&asked.html, &|| summary.diff.map(diff::html).unwrap_or_default()),
    ];
    results.into_iter().all(|is_written| is_written)
}

fn written(result: Result<(), String>) -> bool {
    result.inspect_err(|why| output::error(why)).is_ok()
}

/// Makes the comment on the pull request say the same, and says in a line what came of it. It is no failure that it can't be.
fn comment(found: &Found<'_>, id: &str, markdown: &str, is_needed: bool) {
    let Environment { job, token, authorities, .. } = found.environment;
    let Some(request) = job.request.as_ref().filter(|_| found.args.output.comment) else { return };
    let PullRequest { api, project, number, is_from_fork } = request.clone();
    let provider = match job.platform {
        Platform::GitHub => Provider::GitHub,
        Platform::Gitea => Provider::Gitea,
        Platform::GitLab => Provider::GitLab,
        Platform::Plain => return,
    };
    let Some(token) = token else {
        let names = job.platform.tokens().join(", ");
        return output::done(&format!("no comment: there is no token in {names}; the summary has it all"));
    };
    let conversation = Conversation { provider, api, project, number };
    output::done(&match conversation.comment(token, authorities.as_deref(), &marker(id), markdown, is_needed) {
        Ok(Commented::Added) => format!("the comment on {number} was added"),
        Ok(Commented::Updated) => format!("the comment on {number} was updated"),
        Ok(Commented::Same) => format!("the comment on {number} says so already"),
        Ok(Commented::Needless) => "no comment: there is nothing to say".to_owned(),
        Err(error) if error.is_forbidden && is_from_fork => {
            format!("no comment: {error}: the token of a change from a fork may only read; the summary has it all")
        }
        Err(error) if error.is_forbidden => {
            format!("no comment: {error}: see that the token may write comments; the summary has it all")
        }
        Err(error) => format!("no comment: {error}; the summary has it all"),
    });
}
