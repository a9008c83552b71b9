//! What the verbs share that work on a cluster: which one that is, and what an input wants to be in it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;

use super::completion::values;
use super::output::{self, Color, Exit};
use super::setup::{InputArgs, RenderingArgs, Setup};
use crate::cluster::{Cluster, ClusterError, Connection, User};
use crate::diagnostic::Diagnostic;
use crate::diff::Side;
use crate::diff::live::{self, AllWanted};
use crate::quantity;
use crate::reconcile::Trouble;
use crate::session::Session;
use crate::spec::Input;

/// Which cluster, and as whom.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterArgs {
    /// Kubeconfig [default: KUBECONFIG, ~/.kube/config, or the cluster that this runs in]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", add = values::contexts())]
    context: Option<String>,
    // An empty name would be no name, and what was to be done with few rights would be done with all of them.
    /// User to act as, which may be a ServiceAccount: system:serviceaccount:NAMESPACE:NAME
    #[arg(long = "as", value_name = "USER", value_parser = NonEmptyStringValueParser::new())]
    as_user: Option<String>,
    /// Group to act as; can be repeated
    #[arg(long, value_name = "GROUP", requires = "as_user", value_parser = NonEmptyStringValueParser::new())]
    as_group: Vec<String>,
}

/// A name of a field manager, as the API server takes it.
pub(super) fn field_manager(name: &str) -> Result<String, String> {
    let is_good = !name.is_empty() && name.len() <= 128 && name.chars().all(|c| !c.is_control());
    is_good.then(|| name.to_owned()).ok_or_else(|| "it has 1 to 128 printable characters".to_owned())
}

/// A length of time as kubectl takes it: 90s, 5m, 1h30m; 0 for no limit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::from_secs(365 * 24 * 3600));
    }
    quantity::nanoseconds(text)
        .map(|nanoseconds| Duration::from_nanos(nanoseconds.try_into().unwrap_or(u64::MAX)))
        .ok_or_else(|| format!("{text:?} is no length of time: write 90s, 5m or 1h30m"))
}

/// Why there is nothing to go on with. What is wrong has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The input is invalid.
    Unrenderable,
    /// The cluster can't be asked.
    Unreachable,
}

impl From<&Trouble> for Stop {
    fn from(trouble: &Trouble) -> Self {
        match trouble {
            Trouble::Cluster { .. } => Self::Unreachable,
            Trouble::Finding(_) => Self::Unrenderable,
        }
    }
}

impl From<Stop> for Exit {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Unrenderable => Self::Invalid,
            Stop::Unreachable => Self::Unreachable,
        }
    }
}

/// The namespaces that may be touched: those that are named, and the usual one; `None` for all, which are named `*`.
pub(super) fn touched_namespaces<'n>(named: impl IntoIterator<Item = &'n String>, usual: &str) -> Option<BTreeSet<String>> {
    let touched: BTreeSet<String> = named.into_iter().cloned().chain([usual.to_owned()]).collect();
    (!touched.contains("*")).then_some(touched)
}

/// What is done with an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verb {
    /// To `apply`.
    pub bare: &'static str,
    /// It is `applied`.
    pub done: &'static str,
}

/// An input that was planned, and the cluster that it is for.
pub(super) struct Target<'a> {
    /// The options.
    pub setup: &'a Setup,
    /// The cluster.
    pub cluster: &'a Cluster,
    /// What the input stands for.
    pub side: &'a Side<'a>,
}

impl Target<'_> {
    /// Everything that is wanted in the cluster.
    ///
    /// # Errors
    /// A template at fault, which has been said.
    pub(super) fn wanted(&self, color: Color, done: &str) -> Result<AllWanted, Stop> {
        live::wanted(self.side).map_err(|error| {
            output::findings(vec![*error.0], color, done);
            Stop::Unrenderable
        })
    }
}

impl ClusterArgs {
    /// Connects with the cluster.
    ///
    /// # Errors
    /// There is no such cluster; that has been said.
    pub(super) fn connect(&self, color: Color, verb: Verb) -> Result<Cluster, Stop> {
        self.connection(color, verb)?.cluster().map_err(|error| unreachable(&error, color, verb.done))
    }

    /// How the cluster is reached.
    ///
    /// # Errors
    /// There is no such cluster; that has been said.
    pub(super) fn connection(&self, color: Color, verb: Verb) -> Result<Connection, Stop> {
        let user = User { name: self.as_user.clone(), groups: self.as_group.clone() };
        let connection = Connection::read(self.kubeconfig.as_deref(), self.context.as_deref());
        connection.map(|connection| connection.acting_as(user)).map_err(|error| unreachable(&error, color, verb.done))
    }
}

/// Says that a cluster can't be asked, so that nothing is `done`.
pub(super) fn unreachable(error: &ClusterError, color: Color, done: &str) -> Stop {
    output::findings(vec![error.finding()], color, done);
    Stop::Unreachable
}

/// Says why a pass could not be brought to its end, so that nothing is `done`.
pub(super) fn stop(trouble: &Trouble, color: Color, done: &str) -> Stop {
    output::findings(vec![trouble.finding()], color, done);
    trouble.into()
}

/// Reads and plans an input for a cluster, and goes on with it. Its faults are among the side's findings, and not said yet, unless
/// there is nothing to go on with.
///
/// # Errors
/// The input is invalid as a whole, the cluster isn't there, or what `then` says.
pub(super) fn with_target<T>(
    inputs: &InputArgs,
    rendering: &RenderingArgs,
    args: &ClusterArgs,
    color: Color,
    verb: Verb,
    then: impl FnOnce(&Target<'_>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let mut findings = Vec::new();
    let unrenderable = |findings| {
        output::findings(findings, color, verb.done);
        Stop::Unrenderable
    };
    let Some(mut setup) = Setup::new(rendering, inputs, &mut findings) else { return Err(unrenderable(findings)) };
    let mut cluster = args.connect(color, verb)?;
    if setup.says_namespace {
        cluster = cluster.in_namespace(&setup.options.namespace);
    } else {
        cluster.namespace().clone_into(&mut setup.options.namespace);
    }
    let planned = with_side(&setup, inputs, findings, verb.bare, |side| then(&Target { setup: &setup, cluster: &cluster, side }));
    planned.unwrap_or_else(|findings| Err(unrenderable(findings)))
}

/// Reads and plans an input, and goes on with it. Its faults are among the side's findings, unless there is nothing to go on with.
///
/// # Errors
/// Why there is nothing to be done: the input is invalid as a whole, or empty.
pub(super) fn with_side<T>(
    setup: &Setup,
    inputs: &InputArgs,
    findings: Vec<Diagnostic>,
    bare: &str,
    then: impl FnOnce(&Side<'_>) -> T,
) -> Result<T, Vec<Diagnostic>> {
    with_any_side(setup, inputs, findings, |side| {
        if side.session.is_empty() && side.input.passed.is_empty() {
            return Err(side.findings.to_vec());
        }
        Ok(then(side))
    })
    .map_err(|mut findings| {
        if findings.is_empty() {
            let finding = Diagnostic::error(format!("there is nothing to {bare}: the input has no Workspace and no manifest"));
            findings.push(finding.help("name the files with -f (and -R for directories below)"));
        }
        findings
    })
}

/// The same with an input that may be empty.
pub(super) fn with_any_side<T>(setup: &Setup, inputs: &InputArgs, mut findings: Vec<Diagnostic>, then: impl FnOnce(&Side<'_>) -> T) -> T {
    let files = setup.read(inputs, &mut findings);
    let input = Input::read(&files, &setup.options, &mut findings);
    let session = Session::new(&input, &setup.catalog, &setup.options, false, &mut findings);
    let engine = setup.engine();
    session.rehearse(&engine, &mut findings);
    findings.retain(Diagnostic::is_error);
    then(&Side::new(&session, &input, &engine, &findings))
}
