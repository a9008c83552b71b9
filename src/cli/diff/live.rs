//! `kaito diff --live`: what applying would change in a cluster.

use std::path::PathBuf;

use super::Outcome;
use crate::cli::output::{self, Color};
use crate::cli::setup::{InputArgs, RenderingArgs, Setup};
use crate::cluster::Cluster;
use crate::diagnostic::Diagnostic;
use crate::diff::{Report, Side, live};
use crate::session::Session;
use crate::spec::Input;

/// Which files are compared with which cluster.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Live")]
pub(super) struct LiveArgs {
    /// Compare the files of -f with a cluster: what would a server-side apply of them change?
    #[arg(long, requires = "filename")]
    pub live: bool,
    /// File or directory with Workspaces and what belongs to them; `-` for standard input
    #[arg(short, long, value_name = "PATH", value_delimiter = ',', requires = "live")]
    filename: Vec<PathBuf>,
    /// Read from a revision of the git repository instead of the disk
    #[arg(long, value_name = "REVISION", requires = "live")]
    revision: Option<String>,
    /// Kubeconfig [default: KUBECONFIG, ~/.kube/config, or the cluster that this runs in]
    #[arg(long, value_name = "FILE", requires = "live")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", requires = "live")]
    context: Option<String>,
    /// Who would apply
    #[arg(long, value_name = "NAME", default_value = "kaito", value_parser = field_manager, requires = "live")]
    field_manager: String,
    /// Ask the server about every object, also where nothing can change unless a webhook changes it
    #[arg(long, requires = "live")]
    ask_all: bool,
}

/// A name of a field manager, as the API server takes it.
fn field_manager(name: &str) -> Result<String, String> {
    let is_good = !name.is_empty() && name.len() <= 128 && name.chars().all(|c| !c.is_control());
    is_good.then(|| name.to_owned()).ok_or_else(|| "it has 1 to 128 printable characters".to_owned())
}

impl LiveArgs {
    /// Compares; and whether there is anything that could not be compared. What is wrong has been said then.
    pub(super) fn report(
        &self,
        recursive: bool,
        rendering: &RenderingArgs,
        show_secrets: bool,
        color: Color,
    ) -> Result<(Report, bool), Outcome> {
        let inputs = InputArgs { filename: self.filename.clone(), recursive, revision: self.revision.clone() };
        let mut findings = Vec::new();
        let unrenderable = |findings| {
            output::findings(findings, color, "compared");
            Outcome::Unrenderable
        };
        let unreachable = |error: crate::cluster::ClusterError| {
            output::findings(vec![error.finding()], color, "compared");
            Outcome::Unreachable
        };
        let Some(mut setup) = Setup::new(rendering, &inputs, &mut findings) else { return Err(unrenderable(findings)) };
        let mut cluster = Cluster::connect(self.kubeconfig.as_deref(), self.context.as_deref()).map_err(unreachable)?;
        if setup.says_namespace {
            cluster = cluster.in_namespace(&setup.options.namespace);
        } else {
            cluster.namespace().clone_into(&mut setup.options.namespace);
        }
        let files = setup.read(&inputs, &mut findings);
        let input = Input::read(&files, &setup.options, &mut findings);
        let session = Session::new(&input, &setup.catalog, &setup.options, false, &mut findings);
        let engine = setup.engine();
        session.rehearse(&engine, &mut findings);
        findings.retain(Diagnostic::is_error);
        if session.is_empty() && input.passed.is_empty() {
            if findings.is_empty() {
                let finding = Diagnostic::error("there is nothing to compare: the input has no Workspace and no manifest");
                findings.push(finding.help("name the files with -f (and -R for directories below)"));
            }
            return Err(unrenderable(findings));
        }
        let side = Side::new(&session, &input, &engine, &findings);
        let mut wanted = live::wanted(&side).map_err(|error| unrenderable(vec![*error.0]))?;
        cluster.compare(&mut wanted, &self.field_manager, self.ask_all).map_err(unreachable)?;
        let report = live::report(&side, wanted, &self.field_manager, show_secrets, setup.prices.as_ref());
        let is_broken = output::findings_with(findings.clone(), color, "what they are about was not compared");
        Ok((report, is_broken))
    }
}
