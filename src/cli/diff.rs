//! `kaito diff`: what a change does, before it is merged.

use std::path::{Path, PathBuf};

use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs, Setup};
use crate::diagnostic::Diagnostic;
use crate::diff::{self, Disruption, Report, Side};
use crate::session::Session;
use crate::spec::Input;

/// Show what a change does: the objects that differ, the pods that restart, the nodes and GPUs that come and go.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the same, 1 different, 2 wrong usage, 3 a side can't be rendered, 4 it can't be reached, 5 a gate says no.

Examples:
  kaito diff clusters/before clusters/after
  kaito diff old new --fail-on replace,node,data --max-gpus 16"
)]
pub(super) struct Args {
    /// Directory or file as it was
    before: PathBuf,
    /// Directory or file as it will be
    after: PathBuf,
    /// Search directories with all below them
    #[arg(short = 'R', long)]
    recursive: bool,
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

fn disruption(name: &str) -> Result<Disruption, String> {
    let known = || Disruption::ALL.map(Disruption::name).join(", ");
    Disruption::by_name(name.trim()).ok_or_else(|| format!("there is no class {name:?}; the classes are {}", known()))
}

/// What was found of one side.
struct Read {
    setup: Setup,
    input: Input,
    findings: Vec<Diagnostic>,
}

/// Compares.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    let mut findings = Vec::new();
    let sides = (read(args, &args.before, &mut findings), read(args, &args.after, &mut findings));
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
    let printed = output::data(&diff::text(&report, color.for_data()));
    if printed != Exit::Done {
        return printed;
    }
    let refusals = args.gates.refusals(&report);
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

fn read(args: &Args, path: &Path, findings: &mut Vec<Diagnostic>) -> Option<Read> {
    let inputs = InputArgs { filename: vec![path.to_owned()], recursive: args.recursive, revision: None };
    let mut setup = Setup::new(&args.rendering, &inputs, findings)?;
    // What a file says of itself must not differ by where it lies.
    setup.options.is_partial = false;
    let mut own = Vec::new();
    let files = setup.read(&inputs, &mut own);
    let input = Input::read(&files, &setup.options, &mut own);
    Some(Read { setup, input, findings: own })
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
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Same,
    Different,
    Unrenderable,
    Refused,
}

impl Args {
    fn exit(&self, outcome: Outcome) -> Exit {
        let detailed = self.output.detailed_exitcode;
        match outcome {
            Outcome::Same => Exit::Done,
            Outcome::Different if !self.output.exit_code => Exit::Done,
            Outcome::Different if detailed => Exit::Usage,
            Outcome::Different => Exit::Invalid,
            Outcome::Unrenderable | Outcome::Refused if detailed => Exit::Invalid,
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
                refusals.push(format!("{}: {}, which --fail-on {} refuses", object.reference, object.disruption, object.disruption.name()));
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
