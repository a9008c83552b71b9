//! `kaito status`: how Workspaces are doing in a cluster.

use std::collections::BTreeMap;
use std::io;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use serde_json::Value;

use super::cluster::Stop;
use super::columns::Columns;
use super::output::{self, Color, Exit, Stdout};
use super::survey::{Scope, ScopeArgs, Sight, paint};
use crate::diff::Owner;
use crate::health::{Health, Status};
use crate::manifest::ObjectRef;
use crate::status::{self, Breadth, Progress, Row, Sets, View};
use crate::yaml;

/// How often is looked again with `-w`.
const PAUSE: Duration = Duration::from_secs(2);
/// How often in a row a cluster may fail to answer before that is over.
const MOST_SILENCES: u32 = 5;

/// Show how Workspaces are doing in a cluster: nodes, pods, readiness, and why not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 nothing is called so, 2 wrong usage, 4 the cluster can't be reached.

Examples:
  kaito status
  kaito status -A -o wide
  kaito status phi-4 -n models -w
  kaito status -o json | jq -r '.items[] | select(.workspaceReady | not) | .of.name'")]
pub(super) struct Args {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Print this instead of the table
    #[arg(short, long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    output: Option<Format>,
    /// Go on, with a line for each change, until Ctrl-C
    #[arg(short, long, help_heading = "Output")]
    watch: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A list in JSON, or with -w an object for each change
    Json,
    /// The table with the object that the message is about, and the message in any case
    Wide,
    /// Kind and name of each
    Name,
}

/// Shows.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    show(args, color).unwrap_or_else(Exit::from)
}

fn show(args: &Args, color: Color) -> Result<Exit, Stop> {
    let mut scope = args.scope.open(Breadth::Health, color)?;
    let sight = scope.look().map_err(|error| scope.unreachable(&error))?;
    let mut printer = Printer::new(args, color);
    if args.watch {
        return watch(&mut scope, sight, &mut printer);
    }
    let printed = output::finish(printer.all(&sight));
    if sight.rows.is_empty() && !scope.is_named() && args.output != Some(Format::Json) {
        scope.nothing();
    }
    Ok(if scope.missing(&sight.rows) { Exit::Invalid } else { printed })
}

/// Prints what is there, and then every change.
fn watch(scope: &mut Scope<'_>, first: Sight, printer: &mut Printer) -> Result<Exit, Stop> {
    if scope.missing(&first.rows) && first.rows.is_empty() {
        return Ok(Exit::Invalid);
    }
    let (mut sight, mut known, mut silences) = (first, BTreeMap::new(), 0);
    loop {
        let changed = changes(&mut known, &sight);
        // Whoever reads this may be gone.
        if let Err(error) = printer.lines(&changed, &sight.sets) {
            return Ok(output::finish(Err(error)));
        }
        sleep(PAUSE);
        match scope.look() {
            Ok(next) => (sight, silences) = (next, 0),
            Err(_) if silences < MOST_SILENCES => silences += 1,
            Err(error) => return Err(scope.unreachable(&error)),
        }
    }
}

/// The rows that are new or say something new, and those that are gone, in their order. All but the age is compared.
fn changes(known: &mut BTreeMap<Owner, (Value, Row)>, sight: &Sight) -> Vec<Row> {
    let now: BTreeMap<Owner, (Value, Row)> =
        sight.rows.iter().map(|row| (row.owner.clone(), (status::item(row, &sight.sets), row.clone()))).collect();
    let gone = known.iter().filter(|(owner, _)| !now.contains_key(owner)).map(|(_, (_, row))| gone(row));
    let new = now.iter().filter(|(owner, (item, _))| known.get(owner).is_none_or(|(old, _)| old != item)).map(|(_, (_, row))| row.clone());
    let changed = gone.chain(new).collect();
    *known = now;
    changed
}

/// A row of which nothing is there any more.
fn gone(row: &Row) -> Row {
    let health = Health { status: Status::Unknown, is_stuck: false, message: "it is gone".to_owned() };
    let none = Progress::default();
    Row { nodes: none, pods: none, resource_ready: Some(false), inference_ready: Some(false), health, about: None, ..row.clone() }
}

/// Prints rows, all at once or one after the other.
struct Printer {
    format: Option<Format>,
    view: View,
    columns: Columns,
    has_head: bool,
    out: Stdout,
}

impl Printer {
    fn new(args: &Args, color: Color) -> Self {
        Self {
            format: args.output,
            view: View { has_namespaces: args.scope.all_namespaces, is_wide: args.output == Some(Format::Wide), is_narrow: false },
            columns: Columns::new(if color.on_output() { paint } else { |_| None }).on_terminal(),
            has_head: false,
            out: Stdout::new(),
        }
    }

    fn all(&mut self, sight: &Sight) -> io::Result<()> {
        if self.format == Some(Format::Json) {
            self.out.write(&json(&status::list(&sight.rows, &sight.sets)))?;
            return self.out.flush();
        }
        self.lines(&sight.rows, &sight.sets)
    }

    fn lines(&mut self, rows: &[Row], sets: &Sets) -> io::Result<()> {
        let text = match self.format {
            Some(Format::Json) => rows.iter().map(|row| json(&status::item(row, sets))).collect(),
            Some(Format::Name) => rows.iter().map(name).collect(),
            None | Some(Format::Wide) => self.table(rows, sets),
        };
        self.out.write(&text)?;
        self.out.flush()
    }

    fn table(&mut self, rows: &[Row], sets: &Sets) -> String {
        let (is_first, now) = (!self.has_head && !rows.is_empty(), now());
        self.has_head |= is_first;
        let lines = |view| -> Vec<Vec<String>> {
            let head = is_first.then(|| status::head(view));
            head.into_iter().chain(rows.iter().map(|row| status::cells(row, sets, view, now))).collect()
        };
        // The columns stay as they are at first.
        self.view.is_narrow |= is_first && !self.view.is_wide && !self.columns.has_room_for(&lines(self.view));
        self.columns.lines(&lines(self.view))
    }
}

fn json(value: &Value) -> String {
    format!("{}\n", yaml::to_json(value))
}

fn name(row: &Row) -> String {
    let Owner { kind, namespace, name } = &row.owner;
    format!("{}\n", ObjectRef::new("kaito.sh", kind, Some(namespace), name).resource_name())
}

/// The seconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().try_into().unwrap_or(i64::MAX))
}
