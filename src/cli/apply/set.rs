//! The set of what was applied, from the first look at it to the last word in it.

use std::collections::BTreeSet;

use super::report::Report;
use super::{Applying, Args};
use crate::apply::DryRun;
use crate::cli::applyset::{self, Found};
use crate::cli::cluster::{Stop, Target};
use crate::cli::output::{self, Color};
use crate::cli::setup::InputArgs;
use crate::diagnostic::Diagnostic;
use crate::inventory::{Contents, Parent, Record};
use crate::manifest::ObjectRef;
use crate::prune::{self, Candidate, Facts};
use crate::source::Repository;

/// A set, as it was found.
pub(super) struct Set {
    /// What keeps it.
    pub parent: Parent,
    /// Its id.
    pub id: String,
    /// What it kept; `None` if there was none.
    record: Option<Record>,
}

impl Set {
    /// Looks up the set that was asked for.
    ///
    /// # Errors
    /// It belongs to somebody else, or the cluster can't be asked; that has been said.
    pub(super) fn open(args: &Args, target: &Target<'_>, color: Color) -> Result<Option<Self>, Stop> {
        let Some(name) = &args.set.applyset else { return Ok(None) };
        let Found { parent, live } = applyset::find(target.cluster, name, color, "applied")?;
        Ok(Some(Self { id: parent.id(), parent, record: live.map(|(_, record)| record) }))
    }

    /// Writes, before anything is applied, where members will be, and where they are.
    ///
    /// # Errors
    /// It can't be written; that has been said.
    pub(super) fn prepare(&mut self, wanted: &BTreeSet<ObjectRef>, applying: &Applying<'_>) -> Result<(), Stop> {
        let old = self.record.clone().unwrap_or_default();
        let mut all = Contents::of(wanted).union(old.contents.clone());
        all.namespaces.insert(self.parent.namespace.clone());
        if self.record.as_ref().is_some_and(|record| record.contents == all) {
            return Ok(());
        }
        self.write(Record { contents: all, revision: old.revision }, applying)
    }

    /// Deletes what is no longer wanted, if that is asked for, and writes what is left.
    ///
    /// # Errors
    /// The cluster can't be asked, or the set can't be written; that has been said.
    pub(super) fn conclude(
        mut self,
        wanted: &BTreeSet<ObjectRef>,
        is_broken: bool,
        report: &mut Report,
        applying: &Applying<'_>,
    ) -> Result<(), Stop> {
        let before = self.record.clone().unwrap_or_default();
        let left = if applying.args.set.prune { Contents::of(&self.prune(wanted, is_broken, report, applying)?) } else { before.contents };
        let mut contents = Contents::of(wanted).union(left);
        // As it will be read: members may always be beside their parent.
        contents.namespaces.insert(self.parent.namespace.clone());
        let revision = if is_broken || report.has_failed() { before.revision } else { revision(&applying.args.input) };
        let record = Record { contents, revision };
        if self.record.as_ref() == Some(&record) { Ok(()) } else { self.write(record, applying) }
    }

    /// Deletes the members that are no longer wanted, and gives back those that are left of them.
    fn prune(
        &self,
        wanted: &BTreeSet<ObjectRef>,
        is_broken: bool,
        report: &mut Report,
        applying: &Applying<'_>,
    ) -> Result<BTreeSet<ObjectRef>, Stop> {
        let (args, cluster) = (applying.args, applying.target.cluster);
        let contents = self.record.clone().unwrap_or_default().contents;
        let (members, kinds) = applying.pruned(cluster.members(&self.parent, &contents))?;
        let owners = applying.target.side.owners();
        let context = prune::Context { set: &self.id, owners: &owners, allowed: &args.set.prune_allow };
        let facts = Facts { has_render_failed: is_broken, has_apply_failed: report.has_failed(), max_prune: args.set.max_prune };
        let candidates = members.iter().filter_map(|member| Candidate::of(member).ok()).collect();
        let plan = match prune::plan(candidates, wanted, &context, &facts) {
            Ok(plan) => plan,
            Err(refusal) => {
                report.prune_refused(&refusal);
                // Where members are is no less true for it.
                return Ok(members.iter().filter_map(|member| ObjectRef::of(member).ok()).collect());
            }
        };
        let mut left: BTreeSet<ObjectRef> = plan.kept.iter().map(|kept| kept.candidate.reference().clone()).collect();
        plan.kept.iter().for_each(|kept| report.kept(kept));
        let patience = args.wait.wait.then_some(args.wait.timeout);
        let doomed = plan.prune.iter().map(|candidate| candidate.object().clone()).collect();
        let deleted = cluster.delete(&kinds, doomed, args.apply.dry_run, patience, &mut |object, deletion| {
            let Ok(reference) = ObjectRef::of(object) else { return };
            if report.pruned(&reference, &deletion) {
                left.insert(reference);
            }
        });
        applying.pruned(deleted)?;
        Ok(left)
    }

    fn write(&mut self, record: Record, applying: &Applying<'_>) -> Result<(), Stop> {
        if applying.args.apply.dry_run != DryRun::None {
            return Ok(());
        }
        let written = applying.reached(applying.target.cluster.write_parent(&self.parent, &record))?;
        written.map_err(|message| {
            let finding = Diagnostic::error(format!("{} can't be written: {message}", self.parent));
            output::findings(
                vec![finding.help("without it nothing could be pruned later; name another one with --applyset")],
                applying.color,
                "applied",
            );
            Stop::Unrenderable
        })?;
        self.record = Some(record);
        Ok(())
    }
}

/// The revision that the input is read from, as Flux writes revisions: `main@sha1:COMMIT`.
fn revision(inputs: &InputArgs) -> Option<String> {
    let name = inputs.revision.as_ref()?;
    let commit = Repository::open().ok()?.side(name).ok()?.commit?;
    Some(if commit.starts_with(name.as_str()) { format!("sha1:{commit}") } else { format!("{name}@sha1:{commit}") })
}
