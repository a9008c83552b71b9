//! `kaito diff`: what a change does, before it is merged.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::live::LiveArgs;
use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs, Setup, known_version};
use crate::diagnostic::Diagnostic;
use crate::diff::{self, Disruption, Report, Side};
use crate::session::Session;
use crate::source::{self, Disk, Range, Repository, Tree};
use crate::spec::Input;

/// Show what a change does: the objects that differ, the pods that restart, the nodes and GPUs that come and go.
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
    /// current directory]; or two directories or files, as it was and as it will be
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

/// What makes a difference a refusal.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Gates (exit code 5)")]
struct Gates {
    /// Refuse these disruptions: rolling, replace, node, data
    #[arg(long, value_name = "CLASSES", value_delimiter = ',', value_parser = disruption)]
    fail_on: Vec<Disruption>,
    /// Most GPUs of all nodes
    #[arg(long, value_name = "N")]
    max_gpus: Option<u64>,
    /// Most nodes
    #[arg(long, value_name = "N")]
    max_nodes: Option<u64>,
    /// Most money a month, by the prices in kaito.yaml
    #[arg(long, value_name = "AMOUNT")]
    max_cost: Option<f64>,
}

/// How the answer is given.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct OutputArgs {
    /// Format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
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
    /// For a comment on a pull request, or the summary of a GitHub job
    Markdown,
    /// Commands of a GitHub workflow, which become annotations
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
            Self::Github => diff::github(report),
            Self::Json => diff::json(report),
            Self::Html => diff::html(report),
            Self::Name => diff::name(report),
        }
    }
}

fn disruption(name: &str) -> Result<Disruption, String> {
    let known = || Disruption::ALL.map(Disruption::name).join(", ");
    Disruption::by_name(name.trim()).ok_or_else(|| format!("there is no class {name:?}; the classes are {}", known()))
}

/// One side that is to be read.
struct Asked {
    tree: Arc<dyn Tree>,
    inputs: InputArgs,
}

/// What was found of one side.
struct Read {
    setup: Setup,
    input: Input,
    findings: Vec<Diagnostic>,
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
    let (older, newer) = match args.asked(&mut findings) {
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
    let sides = (older.read(&old_rendering, &mut findings), newer.read(&args.rendering, &mut findings));
    let (Some(before), Some(after)) = sides else {
        output::findings(findings, color, "compared");
        return args.exit(Outcome::Unrenderable);
    };
    let mut faults = (before.findings, after.findings);
    let sessions = (
        Session::new(&before.input, &before.setup.catalog, &before.setup.options, false, &mut faults.0),
        Session::new(&after.input, &after.setup.catalog, &after.setup.options, false, &mut faults.1),
    );
    let engines = (before.setup.engine(), after.setup.engine());
    sessions.0.rehearse(&engines.0, &mut faults.0);
    sessions.1.rehearse(&engines.1, &mut faults.1);
    let sides = (Side::new(&sessions.0, &before.input, &engines.0, &faults.0), Side::new(&sessions.1, &after.input, &engines.1, &faults.1));
    let is_same_world = before.setup.world() == after.setup.world();
    let report = diff::compare(&sides.0, &sides.1, is_same_world, args.output.show_secrets, after.setup.prices.as_ref());
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            output::findings(vec![*error.0], color, "compared");
            return args.exit(Outcome::Unrenderable);
        }
    };
    let is_broken = say(&faults.0, &faults.1, color);
    // Where nothing was compared, no format may say that all is the same.
    if is_broken && report.is_empty() && report.broken.is_empty() {
        return args.exit(Outcome::Unrenderable);
    }
    conclude(args, &report, is_broken, color)
}

/// Shows the report, and says what follows from it.
fn conclude(args: &Args, report: &Report, is_broken: bool, color: Color) -> Exit {
    let printed = output::data(&args.output.output.show(report, color));
    if printed != Exit::Done {
        return printed;
    }
    let refusals = args.gates.refusals(report);
    for refusal in &refusals {
        output::error(refusal);
    }
    args.exit(if is_broken {
        Outcome::Unrenderable
    } else if !refusals.is_empty() {
        Outcome::Refused
    } else if report.is_empty() {
        Outcome::Same
    } else {
        Outcome::Different
    })
}

impl Asked {
    fn new(tree: Arc<dyn Tree>, filename: Vec<PathBuf>, recursive: bool) -> Self {
        Self { tree, inputs: InputArgs { filename, recursive, revision: None } }
    }

    fn read(&self, rendering: &RenderingArgs, findings: &mut Vec<Diagnostic>) -> Option<Read> {
        let mut setup = Setup::at(Arc::clone(&self.tree), rendering, &self.inputs.filename, findings)?;
        // A patch of what a side doesn't hold is about nothing there, and no fault.
        setup.options.is_partial = true;
        let mut own = Vec::new();
        let files = setup.read(&self.inputs, &mut own);
        let input = Input::read(&files, &setup.options, &mut own);
        Some(Read { setup, input, findings: own })
    }
}

/// Says what is wrong with the sides, once what is wrong with both; whether that is anything that keeps objects from being compared.
fn say(before: &[Diagnostic], after: &[Diagnostic], color: Color) -> bool {
    let is_same = |a: &Diagnostic, b: &Diagnostic| a.message == b.message && a.field == b.field;
    let errors = |findings: &[Diagnostic]| findings.iter().filter(|finding| finding.is_error()).cloned().collect::<Vec<_>>();
    let mut findings = errors(before);
    findings.retain(|finding| !after.iter().any(|other| is_same(finding, other)));
    findings.extend(errors(after));
    output::findings_with(findings, color, "what they are about was not compared")
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
}

impl Args {
    /// The sides that were asked for: two paths that are there, or revisions and paths within them.
    fn asked(&self, findings: &mut Vec<Diagnostic>) -> Result<(Asked, Asked), Outcome> {
        if let [before, after] = self.sides.as_slice()
            && Disk.kind(Path::new(before)).is_some()
        {
            let side = |name: &String| Asked::new(Arc::new(Disk), vec![PathBuf::from(name)], self.recursive);
            return Ok((side(before), side(after)));
        }
        let range = self.sides[0].parse::<Range>().map_err(|error| {
            findings.push(Diagnostic::error(error.to_string()));
            Outcome::Misused
        })?;
        let opened = Repository::open().map_err(|finding| vec![finding]);
        let found = opened.and_then(|repository| repository.sides(&range, findings));
        let (older, newer) = found.map_err(|faults| {
            findings.extend(faults);
            Outcome::Unreachable
        })?;
        let mut paths: Vec<PathBuf> = self.sides[1..].iter().map(PathBuf::from).collect();
        if paths.is_empty() {
            paths.push(PathBuf::from("."));
        }
        let is_in = |side: &source::Side, path: &Path| side.tree.kind(path).is_some();
        for path in paths.iter().filter(|path| !is_in(&older, path) && !is_in(&newer, path)) {
            let message = format!("{} is neither in {} nor in {}", path.display(), older.name, newer.name);
            findings.push(Diagnostic::error(message).help("paths start at the current directory"));
        }
        if findings.iter().any(Diagnostic::is_error) {
            return Err(Outcome::Misused);
        }
        // What is on one side only is new, or gone.
        let within = |side: source::Side| {
            let paths = paths.iter().filter(|path| is_in(&side, path)).cloned().collect();
            Asked::new(side.tree, paths, true)
        };
        Ok((within(older), within(newer)))
    }

    fn exit(&self, outcome: Outcome) -> Exit {
        let detailed = self.output.detailed_exitcode;
        match outcome {
            Outcome::Same => Exit::Done,
            Outcome::Different if !self.output.exit_code => Exit::Done,
            Outcome::Different if detailed => Exit::Usage,
            Outcome::Different => Exit::Invalid,
            Outcome::Misused => Exit::Usage,
            Outcome::Unrenderable | Outcome::Refused | Outcome::Unreachable if detailed => Exit::Invalid,
            Outcome::Unreachable => Exit::Unreachable,
            Outcome::Unrenderable => Exit::Unrenderable,
            Outcome::Refused => Exit::Refused,
        }
    }
}

impl Gates {
    /// Why a difference is refused.
    fn refusals(&self, report: &Report) -> Vec<String> {
        let mut refusals = Vec::new();
        for owner in &report.owners {
            for object in owner.objects.iter().filter(|object| self.fail_on.contains(&object.disruption)) {
                refusals.push(format!("{}: {}, which --fail-on {} refuses", object.reference, object.does(), object.disruption.name()));
            }
        }
        let (_, after) = report.totals.all();
        let mut limit = |what: &str, flag: &str, most: Option<u64>, count: u64| {
            if let Some(most) = most.filter(|most| count > *most) {
                refusals.push(format!("{count} {what}, and {flag} allows {most}"));
            }
        };
        limit("GPUs", "--max-gpus", self.max_gpus, after.gpus);
        limit("nodes", "--max-nodes", self.max_nodes, after.nodes);
        if let Some(most) = self.max_cost {
            match &report.totals.cost {
                None => refusals.push("--max-cost needs prices in kaito.yaml".to_owned()),
                Some(cost) if cost.after > most => {
                    refusals.push(format!("{:.0} {} a month, and --max-cost allows {most}", cost.after, cost.currency));
                }
                Some(_) => {}
            }
        }
        refusals
    }
}
