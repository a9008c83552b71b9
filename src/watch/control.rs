//! What people tell a set by annotations of its parent: to look, to wait, to go back.

use std::sync::Arc;

use serde_json::Value;

use super::Snapshot;
use super::worker::Worker;
use crate::diagnostic::Diagnostic;
use crate::pause::pause_of;
use crate::reconcile::Found;

/// Has everything be looked at anew, whenever it changes. Source: Flux.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// The revision at which a set stays, whatever its source has.
pub const STAY_AT: &str = "kaito.sh/stay-at";

/// What a set was told.
#[derive(Default)]
pub(super) struct Control {
    /// Whether the parent was ever seen.
    is_known: bool,
    requested_at: Option<String>,
    is_suspended: bool,
    stay_at: Option<String>,
    /// The files of the revision at which the set stays.
    stays: Option<Snapshot>,
}

impl Control {
    /// Whether nothing is to be done.
    pub(super) fn is_suspended(&self) -> bool {
        self.is_suspended
    }

    /// The files at which the set stays, if it does.
    pub(super) fn stays(&self) -> Option<&Snapshot> {
        self.stays.as_ref()
    }
}

impl Worker {
    /// Asks what the set is told, before anything is done: after a start, nobody has heard of it yet. What is to be left alone is followed
    /// all the same, so that it is heard when it goes on.
    ///
    /// # Errors
    /// The cluster doesn't say.
    pub(super) fn ask(&mut self) -> Result<(), Diagnostic> {
        if self.control.is_known {
            return Ok(());
        }
        let found = Found::look_up(&self.cluster, self.config.parent.clone()).map_err(|trouble| trouble.finding())?;
        let Some((parent, record)) = found.live else {
            self.control.is_known = true;
            return Ok(());
        };
        self.hear(&parent);
        if self.control.is_suspended { self.follow(&record.contents) } else { Ok(()) }
    }

    /// Hears what the set is told now.
    pub(super) fn listen(&mut self) {
        if let Some(parent) = self.ledger.get(&self.config.parent.reference()) {
            self.hear(&parent);
        }
    }

    fn hear(&mut self, parent: &Value) {
        let annotation = |key: &str| parent["metadata"]["annotations"][key].as_str().map(ToOwned::to_owned);
        let (requested_at, stay_at) = (annotation(REQUESTED_AT), annotation(STAY_AT).filter(|revision| !revision.is_empty()));
        let is_suspended = pause_of(parent).is_some();
        let before = std::mem::take(&mut self.control);
        if before.is_known && requested_at != before.requested_at && requested_at.is_some() {
            tracing::info!(set = self.config.name, "everything is looked at, as somebody asks for it");
            self.look_anew();
            (self.config.look)();
        }
        if is_suspended != before.is_suspended {
            tracing::info!(set = self.config.name, is_suspended, "whether the set is left alone");
            // Whatever has happened meanwhile is looked at.
            self.is_full_due |= !is_suspended;
        }
        let stays = before.stays.filter(|_| stay_at == before.stay_at);
        if stay_at != before.stay_at {
            self.is_new = true;
            self.is_unreadable = false;
        }
        self.control = Control { is_known: true, requested_at, is_suspended, stay_at, stays };
    }

    /// The files that are applied: those of the revision at which the set stays, or else those that its source has; while these can't be
    /// rendered, those before.
    ///
    /// # Errors
    /// The revision can't be had.
    pub(super) fn followed(&mut self) -> Result<Option<Snapshot>, Diagnostic> {
        if self.is_unreadable {
            return Ok(self.readable.clone());
        }
        let Some(revision) = self.control.stay_at.clone() else { return Ok(self.snapshot.clone()) };
        if self.control.stays.is_none() {
            let at = Arc::clone(&self.config.at);
            tracing::info!(set = self.config.name, revision, "the set stays at a revision");
            self.control.stays = Some(at(&revision)?);
        }
        Ok(self.control.stays.clone())
    }
}
