//! `kaito ci`: all that a pull request wants, from one command.

mod checked;
mod commits;
mod environment;
mod tell;

use std::path::PathBuf;

use super::diff::{self, Asked, Compared, Gates};
use super::lint::{known_rule, levels};
use super::output::{self, Color, Exit};
use super::setup::RenderingArgs;
use crate::diagnostic::Diagnostic;
use crate::rule::{FailOn, Rule};
use commits::Commits;
use environment::Environment;
use tell::Found;

/// Do all that a pull request wants: lint, rendered files, diff, gates, one comment.
// What CI it runs in, and what is compared, is known from the environment: GitHub Actions, GitLab CI, the Actions of Gitea and Forgejo, or any
// other with --base. A shallow clone is enough.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito ci -f clusters/prod --rendered rendered/prod
  kaito ci -f clusters/prod --fail-on node,data --max-gpus 16 --sarif kaito.sarif
  kaito ci --base origin/main                        # in any other CI, or before you push

Environment:
  GITHUB_TOKEN                  token for the comment in GitHub's Actions, and to fetch with
  GITEA_TOKEN, FORGEJO_TOKEN    the same for Gitea and Forgejo, which have GITHUB_TOKEN too
  GITLAB_TOKEN                  token for the comment in GitLab CI, with the scope api; CI_JOB_TOKEN fetches

Exit codes: 0 nothing to object, 1 lint found something or the committed rendering isn't current, 2 wrong usage, 3 the change can't be
rendered, 4 its base can't be reached, 5 a gate says no. That there is no comment is no failure.")]
pub(super) struct Args {
    /// File or directory with Workspaces and what belongs to them, with all below it, in the commit that is looked at
    #[arg(short, long = "filename", value_name = "PATH", default_value = ".", value_delimiter = ',', help_heading = "Input")]
    filename: Vec<PathBuf>,
    /// Compare with where this commit, branch or tag was left [default: the base of the pull request, as the environment tells it]
    #[arg(long, value_name = "REVISION", help_heading = "Input")]
    base: Option<String>,
    /// Directory of rendered files that are committed, which must be what `kaito render --output-dir` would write there now
    #[arg(long, value_name = "DIR", help_heading = "Rendered files")]
    rendered: Option<PathBuf>,
    /// The rendered files hold the Workspaces and ModelMirrors of the input too
    #[arg(long, requires = "rendered", help_heading = "Rendered files")]
    include_workspace: bool,
    #[command(flatten)]
    lint: LintArgs,
    #[command(flatten)]
    gates: Gates,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    rendering: RenderingArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Lint")]
struct LintArgs {
    /// Least level of a finding at which the exit code is 1 [default: error]
    #[arg(long, value_parser = levels(), value_name = "LEVEL")]
    lint_fail_on: Option<FailOn>,
    /// Rules that are switched off, over kaito.yaml
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = known_rule)]
    disable: Vec<&'static Rule>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct OutputArgs {
    /// Whether the pull request gets a comment, if there is one and the token may write it
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    comment: bool,
    /// What the comment is known by: each has one of its own [default: the paths]
    #[arg(long, value_name = "ID")]
    comment_id: Option<String>,
    /// Write the summary to this file, besides that of the job in `GITHUB_STEP_SUMMARY`
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Write what lint finds as SARIF, for code scanning
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Write what lint finds as `JUnit` XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the diff as a page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Checks, compares and tells.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(finding) => {
            output::findings(vec![finding], color, "checked");
            return Exit::Usage;
        }
    };
    let commits = match commits::find(&environment, args.base.as_deref()) {
        Ok(commits) => commits,
        Err(finding) => {
            output::findings(vec![finding], color, "checked");
            return Exit::Unreachable;
        }
    };
    let checked = checked::check(args, &commits);
    let compared = compare(args, &commits, color);
    let refusals = compared.as_ref().map(|compared| args.gates.refusals(&compared.report)).unwrap_or_default();
    let found = Found { args, environment: &environment, commits: &commits, checked: &checked, compared: compared.as_ref(), refusals };
    let is_told = tell::tell(&found, color);
    let is_renderable = checked.is_renderable && compared.as_ref().is_none_or(|compared| !has_errors(&compared.newer));
    match () {
        () if commits.older.is_err() => Exit::Unreachable,
        () if !is_renderable => Exit::Unrenderable,
        () if found.lint().fails() || checked.outdated.is_some() || !is_told => Exit::Invalid,
        () if !found.refusals.is_empty() => Exit::Refused,
        () => Exit::Done,
    }
}

/// What the change does. Without a base, limits hold for what is there, which is compared with itself then.
fn compare(args: &Args, commits: &Commits, color: Color) -> Option<Compared> {
    let older = match &commits.older {
        Ok(Some(older)) => older,
        Ok(None) if args.gates.has_limits() => &commits.newer,
        Ok(None) => return None,
        Err(finding) => {
            output::findings_with(vec![finding.clone()], color, "the change was not compared with its base");
            return None;
        }
    };
    let mut findings = Vec::new();
    let asked = |side: &crate::source::Side| Asked::within(side.clone(), &args.filename).except(args.rendered.as_deref());
    let compared = diff::compare((&asked(older), &args.rendering), (&asked(&commits.newer), &args.rendering), false, &mut findings);
    let Some(compared) = compared else {
        output::findings(findings, color, "compared");
        return None;
    };
    // What is wrong with the newer side is told by lint. A base at fault is no fault of the change.
    let is_gone = |finding: &&Diagnostic| finding.is_error() && !compared.newer.iter().any(|other| other.message == finding.message);
    let gone = compared.older.iter().filter(is_gone).cloned().collect();
    output::findings_with(gone, color, "what they are about was not compared: it can't be rendered at the base");
    Some(compared)
}

fn has_errors(findings: &[Diagnostic]) -> bool {
    findings.iter().any(Diagnostic::is_error)
}
