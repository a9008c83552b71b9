//! What `kaito lint` looks at besides what rendering says: references that lead nowhere, Workspaces that fight for nodes, and
//! what Kaito takes without doing what it says.
//!
//! A rule is an entry in [`crate::rule`]. What looks for it here is one function more in one of the lists here.

mod ignore;
mod matching;
mod nodes;
mod references;
pub mod report;
mod sets;
mod workspace;

use std::sync::Arc;

use crate::diagnostic::{self, Diagnostic, SourceFile};
use crate::plan::Context;
use crate::rule::Levels;
use crate::session::Session;
use crate::spec::{Located, Workspace};
use crate::yaml::Step;

/// The searches through everything that an input declares.
const CHECKS: [fn(&Session<'_>, &mut Vec<Diagnostic>); 7] = [
    nodes::shared_nodes,
    nodes::shared_labels,
    nodes::disk,
    sets::fields_without_effect,
    sets::annotations,
    sets::autoscalers,
    references::secrets_of_rag_engines,
];

/// The searches through one Workspace.
const OF_A_WORKSPACE: [fn(&mut Subject<'_>); 4] =
    [references::secrets, workspace::strengths, workspace::unpinned_images, workspace::template];

/// Those that look at what Kaito 0.3 has not, or has otherwise.
const SINCE_0_12: [fn(&mut Subject<'_>); 5] = [
    nodes::any_node,
    references::config_map,
    workspace::preset_spelling,
    workspace::fields_without_effect,
    workspace::annotations_without_effect,
];

/// Adds what lint says and rendering doesn't.
pub fn check(session: &Session<'_>, findings: &mut Vec<Diagnostic>) {
    for check in CHECKS {
        check(session, findings);
    }
    let context = session.context();
    let secrets = references::Secrets::of(context);
    for located in &context.input.workspaces {
        let mut subject = Subject { located, workspace: &located.value, context, secrets: &secrets, findings };
        let more = SINCE_0_12.iter().filter(|_| !context.catalog.is_v0_3());
        OF_A_WORKSPACE.iter().chain(more).for_each(|check| check(&mut subject));
    }
}

/// Findings as they are reported: at the level of their rule, in reading order, without what is switched off, by the levels or
/// by an object itself.
pub fn report(mut findings: Vec<Diagnostic>, files: &[Arc<SourceFile>], levels: &Levels) -> Vec<Diagnostic> {
    let ignored = ignore::ignored(files, &mut findings);
    let mut reported: Vec<_> = findings
        .into_iter()
        .filter(|finding| !ignored.iter().any(|ignored| ignored.covers(finding)))
        .filter_map(|finding| levels.severity(&finding).map(|severity| Diagnostic { severity, ..finding }))
        .collect();
    diagnostic::sort(&mut reported);
    reported
}

/// A Workspace that is looked at.
struct Subject<'a> {
    located: &'a Located<Workspace>,
    workspace: &'a Workspace,
    context: &'a Context<'a>,
    secrets: &'a references::Secrets<'a>,
    findings: &'a mut Vec<Diagnostic>,
}

impl Subject<'_> {
    fn say(&mut self, finding: Diagnostic, path: &[Step<'_>]) {
        let finding = self.located.document.finding(finding, path);
        if self.located.is_certain(&finding) {
            self.findings.push(finding);
        }
    }
}
