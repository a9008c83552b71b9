//! `kaito chat`: a talk with a model that runs in a cluster.

mod talk;

use std::io::{self, IsTerminal, Read};

use serde_json::Value;

use super::cluster::{ClusterArgs, Stop, Verb, unreachable};
use super::completion::values;
use super::output::{self, Color, Exit};
use super::setup::namespace_name;
use crate::chat::{Place, Wishes, place};
use crate::cluster::Cluster;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::diff::Owner;
use crate::status::{self, Breadth, Row, owner_of};
use talk::Talk;

/// What is said not to be done.
const DONE: &str = "asked";

/// Talk to a model that runs in a cluster.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without a message and on a terminal it is a talk, in which the model sees all that was said before; Ctrl-D or Ctrl-C ends it.

It takes the rights to list what `kaito status` lists, and the verbs get and create on pods/portforward.

Exit codes: 0 done, 1 no such Workspace, or the model refuses, 2 wrong usage, 3 not ready yet, 4 the cluster can't be reached.

Examples:
  kaito chat phi-4
  kaito chat phi-4 -n models -m 'What is a Workspace?'
  kaito chat phi-4 --system 'Answer in one sentence.' < question.txt"
)]
pub(super) struct Args {
    /// Workspace whose model is asked
    #[arg(value_name = "WORKSPACE", add = values::running())]
    workspace: String,
    /// Ask this, print the answer and end; without it standard input is asked, unless it is a terminal
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// What the model is told before all else
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Model or adapter to ask [default: the first that the server has]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Most tokens of an answer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: Option<u32>,
    /// How much is left to chance: 0 for the likeliest words
    #[arg(long, value_name = "NUMBER", value_parser = temperature)]
    temperature: Option<f64>,
    /// Port of the pod [default: 5000, or the one that its container names]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Namespace [default: the one of the context]
    #[arg(short, long, value_name = "NAME", value_parser = namespace_name)]
    namespace: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

fn temperature(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|number: &f64| (0.0..=10.0).contains(number)).ok_or_else(|| "it is a number from 0".to_owned())
}

/// Talks.
pub(super) fn run(args: &Args, color: Color) -> Exit {
    match chat(args, color) {
        Ok(exit) => exit,
        Err(End::Stop(stop)) => stop.into(),
        Err(End::Said(finding, exit)) => {
            output::findings_with(vec![*finding], color, &format!("nothing was {DONE}"));
            exit
        }
    }
}

/// Why there is nothing to talk to.
enum End {
    /// It has been said.
    Stop(Stop),
    /// It is to be said.
    Said(Box<Diagnostic>, Exit),
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

fn chat(args: &Args, color: Color) -> Result<Exit, End> {
    let question = question(args)?;
    let connection = args.cluster.connection(color, Verb { bare: "ask", done: DONE })?;
    // A model may think for minutes before it says a word.
    let cluster = connection.for_watching().cluster().map_err(|error| unreachable(&error, color, DONE))?;
    let cluster = match args.namespace.as_deref().filter(|name| !name.is_empty()) {
        Some(namespace) => cluster.in_namespace(namespace),
        None => cluster,
    };
    let mut place = find(args, &cluster, color)?;
    place.port = args.port.unwrap_or(place.port);
    let wishes = Wishes { max_tokens: args.max_tokens, temperature: args.temperature };
    let talk = Talk::begin(&cluster, place, args.model.as_deref(), args.system.as_deref(), wishes);
    let mut talk = talk.map_err(|finding| End::Said(finding, Exit::Invalid))?;
    match question {
        Some(question) => talk.ask(&question).map_err(|finding| End::Said(finding, Exit::Invalid)),
        None => Ok(talk.go_on(color)),
    }
}

/// The one question to ask; none if somebody sits at a terminal.
fn question(args: &Args) -> Result<Option<String>, End> {
    let mut text = match &args.message {
        Some(message) => message.clone(),
        None if io::stdin().is_terminal() => return Ok(None),
        None => {
            let mut text = String::new();
            let read = io::stdin().read_to_string(&mut text);
            read.map_err(|error| End::Said(Box::new(Diagnostic::error(format!("standard input: {error}"))), Exit::Invalid))?;
            text
        }
    };
    text.truncate(text.trim_end().len());
    if text.is_empty() {
        let finding = Diagnostic::error("there is nothing to ask: the message is empty");
        return Err(End::Said(Box::new(finding.help("say -m TEXT, write it to standard input, or come from a terminal")), Exit::Usage));
    }
    Ok(Some(text))
}

/// Where the Workspace answers.
fn find(args: &Args, cluster: &Cluster, color: Color) -> Result<Place, End> {
    let name = args.workspace.split_once('/').map_or(args.workspace.as_str(), |(_, name)| name);
    let owner = Owner { kind: "Workspace", namespace: cluster.namespace().into(), name: name.into() };
    let survey = cluster.survey(status::searches(Some(cluster.namespace()), Breadth::Health));
    let seen = survey.and_then(|survey| cluster.look_around(&survey)).map_err(|error| unreachable(&error, color, DONE))?;
    let rows = status::rows(&seen.objects);
    let Some(row) = rows.iter().find(|row| row.owner == owner) else {
        return Err(End::Said(Box::new(missing(&owner, &rows)), Exit::Invalid));
    };
    place(&seen.objects, &owner).ok_or_else(|| End::Said(Box::new(not_ready(row, &seen.objects)), Exit::Unhealthy))
}

fn missing(owner: &Owner, rows: &[Row]) -> Diagnostic {
    let Owner { namespace, name, .. } = owner;
    let names: Vec<&str> = rows.iter().filter(|row| row.owner.kind == owner.kind).map(|row| row.owner.name.as_str()).collect();
    let mut finding = Diagnostic::error(format!("there is no Workspace {name} in namespace {namespace}"));
    finding.help.extend(did_you_mean(name, names.iter().copied()));
    if names.is_empty() {
        finding.help("`kaito status -A` shows those of all namespaces; -n and --context choose another place")
    } else {
        finding.help(format!("its Workspaces are {}", names.join(", ")))
    }
}

/// Why nobody answers.
fn not_ready(row: &Row, objects: &[Value]) -> Diagnostic {
    let Owner { namespace, name, .. } = &row.owner;
    if objects.iter().any(|object| object["kind"] == "Job" && owner_of(object).as_ref() == Some(&row.owner)) {
        return Diagnostic::error(format!("Workspace {namespace}/{name} runs no model: it is a tuning"));
    }
    let why = if row.is_ready() { "none of its pods is" } else { row.health.message.as_str() };
    let finding = Diagnostic::error(format!("Workspace {namespace}/{name} is not ready: {why}"));
    finding.help(format!("`kaito status {name} -n {namespace} -w` shows how it goes on"))
}
