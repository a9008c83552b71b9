//! `kaito diff`: what a change does, before it is merged.

mod compared;
mod external;
mod gates;
mod live;
pub(super) mod paths;
mod sides;
pub(super) mod step_summary;

use std::path::PathBuf;

use super::output::{self, Color, Exit};
use super::setup::{RenderingArgs, known_version};
use crate::diff::{self, Report};
pub(super) use compared::{Compared, compare};
use external::Program;
pub(super) use gates::Gates;
use live::LiveArgs;
pub(super) use sides::Asked;

/// Show what a change does: objects, restarts, nodes and GPUs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the same, 1 different, 2 wrong usage, 3 a side can't be rendered, 4 it can't be reached, 5 a gate says no.

Examples:
  kaito diff main...HEAD                      # what a branch changes, as its pull request shows it
  kaito diff HEAD~1..HEAD clusters/prod       # what a commit changes below a directory
  kaito diff HEAD                             # what is not committed yet
  kaito diff clusters/before clusters/after   # two directories
  kaito diff -R -f clusters/prod --live       # what applying them would change in the cluster of the kubeconfig
  kaito diff main...HEAD --fail-on replace,node,data --max-gpus 16"
)]
pub(super) struct Args {
    /// Git revisions A..B, A...B (since their merge base) or A (against the working tree), then paths [default: all of the
    /// current directory]; or two directories or files, as it was and as it will be, of which `-` is standard input
    #[arg(required_unless_present = "live", conflicts_with = "live", value_name = "RANGE [PATH]... | BEFORE AFTER")]
    sides: Vec<String>,
    /// Search directories with all below them, as is always done between revisions
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Kaito version of the older side, to see what another version changes
    #[arg(long, value_name = "VERSION", value_parser = known_version)]
    old_kaito_version: Option<String>,
    /// Directory with presets of the older side, to see what other presets change
    #[arg(long, value_name = "DIR")]
    old_presets: Option<PathBuf>,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    gates: Gates,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    rendering: RenderingArgs,
}

/// How the answer is given.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct OutputArgs {
    /// Format [default: text, or whatever the program in `KUBECTL_EXTERNAL_DIFF` prints]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
    /// 1 where something differs; false for 0
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    exit_code: bool,
    /// 2 where something differs, 1 for every error, as terraform plan has it
    #[arg(long)]
    detailed_exitcode: bool,
    /// Show the values of Secrets and tokens
    #[arg(long)]
    show_secrets: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people: what it means, then object by object and field by field
    #[default]
    Text,
    /// A patch of the rendered objects, for git apply and patch -p1
    Unified,
    /// For a comment on a pull request
    Markdown,
    /// Commands of a GitHub workflow, which become annotations, and the markdown for the summary of its job
    Github,
    /// For scripts
    Json,
    /// A page by itself
    Html,
    /// Names of what is different, as kubectl's
    Name,
}

impl Format {
    fn show(self, report: &Report, color: Color) -> String {
        match self {
            Self::Text => diff::text(report, color.for_data()),
            Self::Unified => diff::unified(report),
            Self::Markdown => diff::markdown(report),
            Self::Github => diff::github(report, &paths::in_repository),
            Self::Json => diff::json(report),
            Self::Html => diff::html(report),
            Self::Name => diff::name(report),
        }
    }
}

/// Compares.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    if args.live.live {
        return match args.live.report(args.recursive, &args.rendering, args.output.show_secrets, color) {
            Ok((report, is_broken)) => conclude(args, &report, is_broken, color),
            Err(outcome) => args.exit(outcome),
        };
    }
    let mut findings = Vec::new();
    let (older, newer) = match sides::asked(&args.sides, args.recursive, &mut findings) {
        Ok(sides) => sides,
        Err(outcome) => {
            output::findings(findings, color, "compared");
            return args.exit(outcome);
        }
    };
    let old_rendering = RenderingArgs {
        kaito_version: args.old_kaito_version.clone().or_else(|| args.rendering.kaito_version.clone()),
        presets: args.old_presets.clone().or_else(|| args.rendering.presets.clone()),
        ..args.rendering.clone()
    };
    let Some(compared) = compare((&older, &old_rendering), (&newer, &args.rendering), args.output.show_secrets, &mut findings) else {
        output::findings(findings, color, "compared");
        return args.exit(Outcome::Unrenderable);
    };
    let Compared { report, older, newer, doubts } = compared;
    let is_broken = sides::say(&older, &newer, doubts, color);
    // Where nothing was compared, no format may say that all is the same.
    if is_broken && report.is_empty() && report.broken.is_empty() {
        return args.exit(Outcome::Unrenderable);
    }
    conclude(args, &report, is_broken, color)
}

/// Shows the report, and says what follows from it.
fn conclude(args: &Args, report: &Report, is_broken: bool, color: Color) -> Exit {
    let is_same = match (args.output.output, Program::of_environment()) {
        (None, Some(program)) if !report.is_empty() => match program.run(&diff::files(report)) {
            Ok(is_same) => is_same,
            Err(message) => {
                output::error(&message);
                return args.exit(Outcome::Unshown);
            }
        },
        (format, _) => {
            let format = format.unwrap_or_default();
            // What nobody has seen is no difference, as its exit code would say.
            if output::data(&format.show(report, color)) != Exit::Done {
                return args.exit(Outcome::Unshown);
            }
            if format == Format::Github
                && let Err(message) = step_summary::append(&diff::markdown(report))
            {
                output::error(&message);
                return args.exit(Outcome::Unshown);
            }
            report.is_empty()
        }
    };
    let refusals = args.gates.refusals(report);
    for refusal in &refusals {
        output::error(refusal);
    }
    args.exit(if is_broken {
        Outcome::Unrenderable
    } else if !refusals.is_empty() {
        Outcome::Refused
    } else if is_same {
        Outcome::Same
    } else {
        Outcome::Different
    })
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Same,
    Different,
    Unrenderable,
    Refused,
    Unreachable,
    Misused,
    /// It could not be shown.
    Unshown,
}

impl Args {
    fn exit(&self, outcome: Outcome) -> Exit {
        let detailed = self.output.detailed_exitcode;
        match outcome {
            Outcome::Same => Exit::Done,
            Outcome::Different if !self.output.exit_code => Exit::Done,
            Outcome::Different if detailed => Exit::Usage,
            Outcome::Different => Exit::Invalid,
            Outcome::Unrenderable | Outcome::Refused | Outcome::Unreachable | Outcome::Unshown if detailed => Exit::Invalid,
            Outcome::Misused | Outcome::Unshown => Exit::Usage,
            Outcome::Unreachable => Exit::Unreachable,
            Outcome::Unrenderable => Exit::Unrenderable,
            Outcome::Refused => Exit::Refused,
        }
    }
}
