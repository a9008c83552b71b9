//! What the verbs share that show what is there in a cluster: of which Workspaces, and a look at it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::applyset::{self, named};
use super::cluster::{ClusterArgs, Stop, Verb, unreachable};
use super::completion::values;
use super::output::{self, Color};
use super::setup::namespace_name;
use crate::cluster::{Cluster, ClusterError, Survey, Unread};
use crate::diagnostic::Diagnostic;
use crate::health::line;
use crate::inventory::GroupKind;
use crate::reconcile::Found;
use crate::status::{self, Breadth, Row, Sets};

/// What is said not to be done when the cluster can't be asked.
const DONE: &str = "shown";

/// Which Workspaces and RAGEngines.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ScopeArgs {
    /// Workspaces, or ragengine/NAME [default: all]
    #[arg(value_name = "NAME", value_parser = Name::parse, add = values::running())]
    names: Vec<Name>,
    /// Namespace [default: the one of the context]
    #[arg(short, long, value_name = "NAME", value_parser = namespace_name)]
    namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Only what is part of this ApplySet: a Secret's NAME, or secrets/NAME, configmaps/NAME
    #[arg(long, value_name = "[RESOURCE/]NAME", value_parser = named)]
    applyset: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// What somebody calls a Workspace or a RAGEngine.
#[derive(Clone, Debug)]
struct Name {
    kind: Option<&'static str>,
    name: String,
}

impl Name {
    fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = match text.split_once('/') {
            None => (None, text),
            Some((kind, name)) => match kind.to_lowercase().trim_end_matches(".kaito.sh") {
                "workspace" | "workspaces" => (Some("Workspace"), name),
                "ragengine" | "ragengines" => (Some("RAGEngine"), name),
                _ => return Err(format!("{kind:?} is neither workspace nor ragengine")),
            },
        };
        Ok(Self { kind, name: name.to_owned() })
    }

    fn is_of(&self, row: &Row) -> bool {
        self.name == row.owner.name && self.kind.is_none_or(|kind| kind == row.owner.kind)
    }
}

/// A cluster, and what is to be seen of it.
pub(super) struct Scope<'a> {
    args: &'a ScopeArgs,
    color: Color,
    survey: Survey,
    /// The cluster.
    pub cluster: Cluster,
    /// The namespace, unless it is all.
    pub namespace: Option<String>,
    /// The id of the set.
    set: Option<String>,
    /// What has been said to be unread.
    said: BTreeSet<Unread>,
}

/// What was seen.
pub(super) struct Sight {
    /// All objects.
    pub objects: Vec<Value>,
    /// How those are doing that were asked for.
    pub rows: Vec<Row>,
    /// The sets that they are part of.
    pub sets: Sets,
}

impl ScopeArgs {
    /// Connects with the cluster.
    ///
    /// # Errors
    /// There is no such cluster, or no such set; that has been said.
    pub(super) fn open(&self, breadth: Breadth, color: Color) -> Result<Scope<'_>, Stop> {
        let cluster = self.cluster.connect(color, Verb { bare: "show", done: DONE })?;
        let cluster = match self.namespace.as_deref().filter(|name| !name.is_empty()) {
            Some(namespace) => cluster.in_namespace(namespace),
            None => cluster,
        };
        let reached = |error| unreachable(&error, color, DONE);
        let set = self.set(&cluster, color)?;
        let namespace = (!self.all_namespaces).then(|| cluster.namespace().to_owned());
        let survey = cluster.survey(status::searches(namespace.as_deref(), breadth)).map_err(reached)?;
        Ok(Scope { args: self, color, survey, cluster, namespace, set, said: BTreeSet::new() })
    }

    /// The id of the set that was asked for.
    fn set(&self, cluster: &Cluster, color: Color) -> Result<Option<String>, Stop> {
        let Some(name) = &self.applyset else { return Ok(None) };
        let Found { parent, live } = applyset::find(cluster, name, color, DONE)?;
        if live.is_some() {
            return Ok(Some(parent.id()));
        }
        let finding = Diagnostic::error(format!("--applyset: there is no {parent}"));
        output::findings(vec![finding.help("-n says in which namespace the ApplySet is, --context in which cluster")], color, DONE);
        Err(Stop::Unrenderable)
    }
}

impl Scope<'_> {
    /// Looks at what is there. What can't be read is said, once.
    ///
    /// # Errors
    /// The cluster doesn't answer.
    pub(super) fn look(&mut self) -> Result<Sight, ClusterError> {
        let seen = self.cluster.look_around(&self.survey)?;
        let unread: Vec<GroupKind> = seen.unread.iter().map(|unread| unread.kind.clone()).collect();
        self.unread(seen.unread);
        let rows = status::rows(seen.objects.iter().filter(|object| status::tells_health(object)));
        let rows = rows.into_iter().filter(|row| self.is_shown(row)).map(|row| row.surveyed(&unread)).collect();
        Ok(Sight { rows, sets: Sets::of(&seen.parents), objects: seen.objects })
    }

    fn is_shown(&self, row: &Row) -> bool {
        let is_named = self.args.names.is_empty() || self.args.names.iter().any(|name| name.is_of(row));
        let is_placed = self.namespace.as_ref().is_none_or(|namespace| *namespace == row.owner.namespace);
        is_named && is_placed && self.set.as_ref().is_none_or(|set| row.sets.contains(set))
    }

    /// Says what can't be read.
    pub(super) fn unread(&mut self, unread: impl IntoIterator<Item = Unread>) {
        let new: Vec<Unread> = unread.into_iter().filter(|unread| self.said.insert(unread.clone())).collect();
        let Some(first) = new.first() else { return };
        let kinds: Vec<String> = new.iter().map(|unread| unread.kind.to_string()).collect();
        let warning = Diagnostic::warning(format!("what can't be read is left out: {}", kinds.join(", ")));
        let help = format!("the server says: {}; `kubectl auth can-i --list` tells what you may do", line(&first.why));
        output::findings_with(vec![warning.help(help)], self.color, "");
    }

    /// Says that there is nothing, as kubectl does.
    pub(super) fn nothing(&self) {
        output::done(&match &self.namespace {
            Some(namespace) => format!("No resources found in {namespace} namespace."),
            None => "No resources found".to_owned(),
        });
    }

    /// Says which of the names nothing is called; whether there are any.
    pub(super) fn missing(&self, rows: &[Row]) -> bool {
        let missing = self.args.names.iter().filter(|name| !rows.iter().any(|row| name.is_of(row)));
        let place = self.namespace.as_ref().map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
        let findings = missing.map(|Name { kind, name }| {
            let kind = kind.unwrap_or("Workspace or RAGEngine");
            Diagnostic::error(format!("there is no {kind} {name}{place}"))
                .help("-A looks into all namespaces, --context into another cluster")
        });
        let follows = if rows.is_empty() { "nothing was shown" } else { "everything else was shown" };
        output::findings_with(findings.collect(), self.color, follows)
    }

    /// Whether names were given.
    pub(super) fn is_named(&self) -> bool {
        !self.args.names.is_empty()
    }

    /// Says that the cluster doesn't answer.
    pub(super) fn unreachable(&self, error: &ClusterError) -> Stop {
        unreachable(error, self.color, DONE)
    }
}

/// The colour of a word about readiness or health, as terminals number them.
pub(super) fn paint(word: &str) -> Option<&'static str> {
    match word {
        "True" | "Current" => Some("32"),
        "False" | "InProgress" | "Terminating" => Some("33"),
        "Failed" | "InProgress, stuck" | "Terminating, stuck" => Some("31"),
        _ => None,
    }
}
