//! Does what was decided for an object, and says what became of it.

use std::time::Duration;

use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, ValidationDirective};
use kube::core::Status;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Cluster;
use super::ask::conflicts;
use super::error::{ClusterError, words};
use super::kinds::{Kind, Kinds};
use super::pipeline::Run;
use crate::apply::{Action, Done, DryRun, Failure, Outcome, Step, is_about_immutable, taken_over};
use crate::diff::live;
use crate::manifest::Stage;
use crate::raw_object::RawObject;

/// How objects are applied.
#[derive(Clone, Debug)]
pub struct How {
    /// The field manager.
    pub manager: String,
    /// Whether anything is changed.
    pub dry_run: DryRun,
    /// How many objects at a time.
    pub concurrency: usize,
    /// How long to wait until an object is gone, or a definition is taken.
    pub patience: Duration,
    /// The beginnings of the names of managers whose fields are taken over, as they are set by hand.
    pub overrides: Vec<String>,
}

impl Cluster {
    /// Does what was decided for one object, when it is its turn.
    pub(super) async fn carry_out(&self, kinds: &Kinds, step: Step, run: &Run<'_>) -> Result<Done, ClusterError> {
        let dry_run = run.how.dry_run;
        // What its namespace or its kind comes with can't be tried before that is there; neither can what must go first.
        let cannot_be_tried = |step: &Step, kind: Option<&Kind>| {
            kind.is_none() || step.action == Action::Replace || run.coming.has_namespace_of(&step.reference)
        };
        let kind = kinds.of(&step.desired);
        if step.action == Action::Leave {
            return Ok(done(step, Outcome::Unchanged, None));
        }
        if dry_run == DryRun::Client || (dry_run == DryRun::Server && cannot_be_tried(&step, kind)) {
            return Ok(foreseen(step, &run.how.manager));
        }
        let Some(kind) = kind else {
            let message = "the server doesn't know its kind, although it is defined in the same input".to_owned();
            return Ok(done(step, Outcome::Failed(Failure::Refused(message)), None));
        };
        let (outcome, object) = match step.action {
            Action::Replace => self.replace(kind, &step, run).await?,
            _ => self.apply_one(kind, &step, run).await?,
        };
        Ok(done(step, outcome, object))
    }

    /// Applies an object, and replaces it if the server says that it can't be changed and that is allowed.
    async fn apply_one(&self, kind: &Kind, step: &Step, run: &Run<'_>) -> Result<(Outcome, Option<Value>), ClusterError> {
        let force = step.action == Action::Apply { force: true };
        if let Err(failure) = self.take_over(kind, step, run).await? {
            return Ok((Outcome::Failed(failure), None));
        }
        let object = match self.send(kind, step, force, run).await? {
            Ok(object) => object,
            Err(Failure::Immutable(_)) if step.may_replace && step.live.is_some() && run.how.dry_run == DryRun::None => {
                return self.replace(kind, step, run).await;
            }
            Err(failure) => return Ok((Outcome::Failed(failure), None)),
        };
        if let Err(failure) = self.disown(kind, step, run).await? {
            return Ok((Outcome::Failed(failure), None));
        }
        let outcome = match &step.live {
            None => Outcome::Created,
            Some(live) if is_unchanged(live, &object, run.how.dry_run) => Outcome::Unchanged,
            Some(_) => Outcome::Configured,
        };
        Ok((outcome, Some(object)))
    }

    async fn send(&self, kind: &Kind, step: &Step, force: bool, run: &Run<'_>) -> Result<Result<Value, Failure>, ClusterError> {
        let _turn = run.turn().await?;
        let params = PatchParams {
            dry_run: run.how.dry_run == DryRun::Server,
            force,
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::apply(&run.how.manager)
        };
        Ok(self.apply_object(kind, &step.desired, &params).await?.map_err(|status| failure(&status)))
    }

    /// Makes fields ours that somebody has set by hand, where these are to be put right. Whoever changes the object meanwhile is heard, as
    /// the next pass sees what they did.
    async fn take_over(&self, kind: &Kind, step: &Step, run: &Run<'_>) -> Result<Result<(), Failure>, ClusterError> {
        let Some(live) = step.live.as_ref().filter(|_| run.how.dry_run == DryRun::None) else { return Ok(Ok(())) };
        let Some(fields) = taken_over(live, &run.how.manager, &run.how.overrides) else { return Ok(Ok(())) };
        let _turn = run.turn().await?;
        let patch = json!({"metadata": {"resourceVersion": live["metadata"]["resourceVersion"], "managedFields": fields}});
        let answer = self.merge_patch(kind, live, &patch, &PatchParams::default()).await?;
        Ok(answer.map(drop).map_err(|status| failure(&status)))
    }

    /// Takes away the owners with which an adopted object would be deleted. It is ours already then, and as long as they are there it
    /// is taken over anew, so that this comes to its end even if it is cut short here.
    async fn disown(&self, kind: &Kind, step: &Step, run: &Run<'_>) -> Result<Result<(), Failure>, ClusterError> {
        let (Some(owners), Some(live)) = (&step.keeps_owners, &step.live) else { return Ok(Ok(())) };
        let _turn = run.turn().await?;
        let patch = json!({"metadata": {"uid": live["metadata"]["uid"], "ownerReferences": owners}});
        let params = PatchParams { dry_run: run.how.dry_run == DryRun::Server, ..PatchParams::default() };
        let answer = self.merge_patch(kind, live, &patch, &params).await?;
        Ok(answer.map(drop).map_err(|status| failure(&status)))
    }

    async fn merge_patch(
        &self,
        kind: &Kind,
        live: &Value,
        patch: &Value,
        params: &PatchParams,
    ) -> Result<Result<Value, Status>, ClusterError> {
        let (namespace, name) = self.key(kind, live);
        let path = kind.path(namespace.as_deref());
        let request = kube::core::Request::new(path.as_str()).patch(&name, params, &Patch::Merge(patch));
        self.request(request.map_err(|error| self.unaskable(&path, error))?).await
    }

    async fn replace(&self, kind: &Kind, step: &Step, run: &Run<'_>) -> Result<(Outcome, Option<Value>), ClusterError> {
        if let Some(live) = &step.live {
            // Pods of the old one must be gone before the new one makes its own.
            let params = if step.reference.stage() == Stage::Workloads { DeleteParams::foreground() } else { DeleteParams::background() };
            let turn = run.turn().await?;
            let deleted = self.delete_object(kind, live, params).await?;
            // It may take long to be gone, and nobody else is to wait for it.
            drop(turn);
            if let Err(status) = deleted {
                return Ok((Outcome::Failed(failure(&status)), None));
            }
            if let Some(finalizers) = self.until_gone(kind, live, run.how.patience).await? {
                return Ok((Outcome::Failed(Failure::Stuck(finalizers)), None));
            }
        }
        Ok(match self.send(kind, step, false, run).await? {
            Ok(object) => (Outcome::Replaced, Some(object)),
            Err(failure) => (Outcome::Failed(failure), None),
        })
    }

    /// Deletes this very object: not one that has its name since.
    pub(super) async fn delete_object(&self, kind: &Kind, live: &Value, params: DeleteParams) -> Result<Result<(), Status>, ClusterError> {
        let uid = live["metadata"]["uid"].as_str().map(ToOwned::to_owned);
        let params = DeleteParams { preconditions: Some(Preconditions { uid, resource_version: None }), ..params };
        let (namespace, name) = self.key(kind, live);
        let path = kind.path(namespace.as_deref());
        let request = kube::core::Request::new(path.as_str()).delete(&name, &params);
        match self.request(request.map_err(|error| self.unaskable(&path, error))?).await? {
            // Gone, or another one already.
            Err(status) if status.code == 404 || status.code == 409 => Ok(Ok(())),
            answer => Ok(answer.map(drop)),
        }
    }

    /// Waits until an object is gone; what still keeps it if that takes too long.
    pub(super) async fn until_gone(&self, kind: &Kind, live: &Value, patience: Duration) -> Result<Option<Vec<String>>, ClusterError> {
        let key = self.key(kind, live);
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(50);
        loop {
            let Some(found) = self.get(kind, &key).await?.filter(|found| found["metadata"]["uid"] == live["metadata"]["uid"]) else {
                return Ok(None);
            };
            if Instant::now() >= deadline {
                let finalizers = found["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
                return Ok(Some(finalizers.map(ToOwned::to_owned).collect()));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }
}

pub(super) fn done(step: Step, outcome: Outcome, object: Option<Value>) -> Done {
    let Step { owner, reference, desired, live, settled, is_adopted, kept_fields, .. } = step;
    let object = match (object, settled) {
        (None, Some(settled)) => settled,
        (object, _) => RawObject::of(&object.or(live).unwrap_or(desired)),
    };
    Done { owner, reference, outcome, is_adopted, kept_fields, object }
}

/// What would become of an object, as far as that is known without the server.
fn foreseen(step: Step, manager: &str) -> Done {
    let outcome = match (&step.action, &step.live) {
        (Action::Leave, _) => Outcome::Unchanged,
        (Action::Replace, _) => Outcome::Replaced,
        (Action::Apply { .. }, None) => Outcome::Created,
        (Action::Apply { .. }, Some(live)) if live::change(&step.desired, live, manager).is_none() => Outcome::Unchanged,
        (Action::Apply { .. }, Some(_)) => Outcome::Configured,
    };
    let desired = step.desired.clone();
    done(step, outcome, Some(desired))
}

/// Whether the server has changed nothing. A dry run tells no new `resourceVersion`.
fn is_unchanged(live: &Value, applied: &Value, dry_run: DryRun) -> bool {
    match dry_run {
        DryRun::None => live["metadata"]["resourceVersion"] == applied["metadata"]["resourceVersion"],
        DryRun::Client | DryRun::Server => live::is_same(live, applied),
    }
}

fn failure(status: &Status) -> Failure {
    let conflicts = conflicts(status);
    let words = words(status);
    match conflicts.is_empty() {
        false => Failure::Conflicts(conflicts),
        true if is_about_immutable(&words) => Failure::Immutable(words),
        true => Failure::Refused(words),
    }
}
