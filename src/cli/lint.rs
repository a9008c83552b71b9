//! `kaito lint`, or `kaito validate`.

use std::sync::Arc;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs, Setup};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::lint::{self, report::Report};
use crate::rule::{self, FailOn, Levels, LintConfig, Rule};
use crate::session::Session;
use crate::spec::Input;

/// Check Workspaces and what belongs to them, without rendering anything.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kaito lint -R -f clusters/prod
  kaito lint -R -f . --fail-on warning -o github
  kaito lint -R -f . -o sarif > kaito.sarif

Exit codes: 0 nothing at or above --fail-on, 1 something, 2 wrong usage.")]
pub(super) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    rendering: RenderingArgs,
    #[command(flatten)]
    lint: LintArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Lint")]
struct LintArgs {
    /// Format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    /// Least level at which the exit code is 1 [default: error]
    #[arg(long, value_parser = levels(), value_name = "LEVEL")]
    fail_on: Option<FailOn>,
    /// Rules that are switched off, over kaito.yaml
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = known_rule)]
    disable: Vec<&'static Rule>,
    /// List the rules
    #[arg(long, exclusive = true)]
    rules: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: each finding with its lines
    #[default]
    Text,
    /// For scripts
    Json,
    /// SARIF 2.1.0, for GitHub's code scanning
    Sarif,
    /// JUnit XML, for GitLab and Jenkins
    Junit,
    /// Commands of a GitHub workflow, which become annotations
    Github,
}

pub(super) fn levels() -> impl TypedValueParser<Value = FailOn> {
    PossibleValuesParser::new(FailOn::ALL.map(FailOn::name)).try_map(|name| FailOn::by_name(&name).ok_or("there is no such level"))
}

pub(super) fn known_rule(id: &str) -> Result<&'static Rule, String> {
    Rule::by_id(id).ok_or_else(|| {
        let unknown = rule::no_such_rule(id);
        std::iter::once(unknown.message).chain(unknown.help).collect::<Vec<_>>().join("; ")
    })
}

/// Checks what was asked for.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    if args.lint.rules {
        return output::data(&list());
    }
    let mut findings = Vec::new();
    let Some(setup) = Setup::new(&args.rendering, &args.input, &mut findings) else {
        return report(args, &LintConfig::default(), findings, &[], color);
    };
    let files = setup.read(&args.input, &mut findings);
    let input = Input::read(&files, &setup.options, &mut findings);
    if input.is_empty() && findings.is_empty() {
        let finding = Diagnostic::error("there is nothing to check: the input has no object");
        findings.push(finding.help("name the files with -f, and -R for directories below"));
    }
    let session = Session::new(&input, &setup.catalog, &setup.options, false, &mut findings);
    lint::check(&session, &mut findings);
    let engine = setup.engine();
    session.rehearse(&engine, &mut findings);
    report(args, &setup.lint, findings, &files, color)
}

fn report(args: &Args, config: &LintConfig, findings: Vec<Diagnostic>, files: &[Arc<SourceFile>], color: Color) -> Exit {
    let levels = Levels::new(config, &args.lint.disable);
    let findings = lint::report(findings, files, &levels);
    let base = std::env::current_dir().map(|here| here.to_string_lossy().into_owned()).unwrap_or_default();
    let fail_on = args.lint.fail_on.or(config.fail_on).unwrap_or_default();
    let report = Report { findings: &findings, files, fail_on, base: &base };
    let written = output::data(&match args.lint.output {
        Format::Text => report.text(color.on_output()),
        Format::Json => report.json(),
        Format::Sarif => report.sarif(),
        Format::Junit => report.junit(),
        Format::Github => report.github(),
    });
    if report.fails() { Exit::Invalid } else { written }
}

/// The rules as a table.
fn list() -> String {
    let mut rows = vec![["RULE", "LEVEL", "WHAT IT FINDS"].map(ToOwned::to_owned).to_vec()];
    rows.extend(rule::ALL.iter().map(|rule| [rule.id, rule.level.name(), rule.summary].map(ToOwned::to_owned).to_vec()));
    output::table(&rows)
}
