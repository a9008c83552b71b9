//! The set of which something is deleted: what it has, and what it keeps of that.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Deleting;
use super::report::Report;
use crate::apply::DryRun;
use crate::cli::applyset;
use crate::cli::cluster::Stop;
use crate::cluster::{Extent, Kinds, Unwritten};
use crate::diagnostic::Diagnostic;
use crate::inventory::{Contents, Member, Parent, Record};
use crate::manifest::ObjectRef;
use crate::reconcile::Found;

/// A set, as it was found.
pub(super) struct Set {
    /// What keeps it.
    pub parent: Parent,
    /// The live object that keeps it, and what that says; `None` if it isn't there.
    live: Option<(Value, Record)>,
}

impl Set {
    /// Looks up the set that was asked for.
    ///
    /// # Errors
    /// It belongs to somebody else, or the cluster can't be asked; that has been said.
    pub(super) fn open(deleting: &Deleting<'_>, report: &mut Report<'_>) -> Result<Option<Self>, Stop> {
        let Some(name) = &deleting.args.delete.applyset else { return Ok(None) };
        let Found { parent, live } = applyset::find(deleting.cluster, name, deleting.color, "deleted")?;
        if live.is_none() {
            report.missing(&parent.to_string());
        }
        Ok(Some(Self { parent, live }))
    }

    /// Its members; none if there is no such set.
    ///
    /// # Errors
    /// The cluster can't be asked; that has been said.
    pub(super) fn members(&self, deleting: &Deleting<'_>) -> Result<(Vec<Member>, Kinds), Stop> {
        match &self.live {
            Some((_, record)) => deleting.reached(deleting.cluster.members(&self.parent, &record.contents, Extent::Metadata)),
            None => Ok((Vec::new(), Kinds::default())),
        }
    }

    /// Writes which members are left. A set that was to go as a whole, and of which none are, goes too.
    ///
    /// # Errors
    /// The cluster can't be asked; that has been said.
    pub(super) fn conclude(
        self,
        left: &BTreeSet<ObjectRef>,
        is_whole: bool,
        deleting: &Deleting<'_>,
        report: &mut Report<'_>,
    ) -> Result<(), Stop> {
        let Some((live, record)) = self.live else { return Ok(()) };
        let is_real = deleting.args.delete.dry_run == DryRun::None;
        let name = self.parent.to_string();
        if is_whole && left.is_empty() {
            let deleted = if is_real { deleting.reached(deleting.cluster.delete_parent(&self.parent, &live))? } else { Ok(()) };
            match deleted {
                Ok(()) => report.deleted(&self.parent.reference()),
                Err(message) => report.refused(&name, &message),
            }
            return Ok(());
        }
        let mut contents = Contents::of(left);
        // As it will be read: members may always be beside their parent.
        contents.namespaces.insert(self.parent.namespace.clone());
        if contents == record.contents || !is_real {
            return Ok(());
        }
        let version = live["metadata"]["resourceVersion"].as_str();
        let written = deleting.reached(deleting.cluster.write_parent(&self.parent, &Record { contents, ..record }, version))?;
        if let Err(why) = written {
            let message = match why {
                Unwritten::Refused(message) => message,
                Unwritten::Changed | Unwritten::NoNamespace => "somebody else has changed it meanwhile".to_owned(),
            };
            let finding = Diagnostic::error(format!("{name} can't be written: {message}"));
            report.fail(finding.help("it goes on to name kinds of which it has nothing any more, which does no harm"));
        }
        Ok(())
    }
}
