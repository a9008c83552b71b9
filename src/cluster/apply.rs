//! Does what was decided: stage by stage, many objects at a time, and says of each what became of it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, ValidationDirective};
use kube::core::Status;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Cluster;
use super::ask::conflicts;
use super::error::{ClusterError, words};
use super::kinds::{Kind, Kinds};
use crate::apply::{Action, Done, DryRun, Failure, Outcome, Step, is_about_immutable};
use crate::diff::Owner;
use crate::diff::live;
use crate::manifest::{ObjectRef, Stage};

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
}

impl Cluster {
    /// Does what was decided, and passes each object on to `take` in the order of the steps. When an object fails, what comes in later
    /// stages of the same Workspace is left alone.
    ///
    /// # Errors
    /// The server doesn't answer any more. What was done until then has been passed on.
    pub fn apply(&self, kinds: &mut Kinds, steps: Vec<Step>, how: &How, take: &mut dyn FnMut(Done)) -> Result<(), ClusterError> {
        self.runtime.block_on(async {
            let coming = Coming::of(&steps);
            let mut broken: BTreeMap<Owner, ObjectRef> = BTreeMap::new();
            for (stage, steps) in by_stage(steps) {
                let kinds_now = &*kinds;
                let broken_before = &broken;
                let work = |step: Step| {
                    let culprit = step.owner.as_ref().and_then(|owner| broken_before.get(owner)).cloned();
                    let coming = &coming;
                    async move {
                        match culprit {
                            Some(culprit) => Ok(done(step, Outcome::Skipped(culprit), None)),
                            None => self.carry_out(kinds_now, step, how, coming).await,
                        }
                    }
                };
                let mut results = stream::iter(steps).map(work).buffered(how.concurrency.max(1));
                let mut newly_broken = Vec::new();
                while let Some(result) = results.next().await {
                    let done = result?;
                    if let (Outcome::Failed(_), Some(owner)) = (&done.outcome, &done.owner) {
                        newly_broken.push((owner.clone(), done.reference.clone()));
                    }
                    take(done);
                }
                drop(results);
                broken.extend(newly_broken);
                if stage == Stage::Definitions && !coming.kinds.is_empty() && how.dry_run == DryRun::None {
                    self.until_served(kinds, &coming, how).await?;
                }
            }
            Ok(())
        })
    }

    async fn carry_out(&self, kinds: &Kinds, step: Step, how: &How, coming: &Coming) -> Result<Done, ClusterError> {
        let known = kinds.of(&step.desired);
        match (&step.action, how.dry_run, known) {
            (Action::Leave, ..) => Ok(done(step, Outcome::Unchanged, None)),
            (_, DryRun::Client, _) | (Action::Replace, DryRun::Server, _) => Ok(foreseen(step, &how.manager)),
            // What its namespace or its kind comes with can't be tried before that is there.
            (_, DryRun::Server, known) if known.is_none() || coming.has_namespace_of(&step.reference) => Ok(foreseen(step, &how.manager)),
            (_, _, None) => {
                let message = "the server doesn't know its kind, although its definition was applied".to_owned();
                Ok(done(step, Outcome::Failed(Failure::Refused(message)), None))
            }
            (Action::Replace, DryRun::None, Some(kind)) => self.replace(kind, step, how).await,
            (Action::Apply { force }, dry_run, Some(kind)) => {
                let force = *force;
                self.disown(kind, &step, dry_run).await?;
                self.apply_one(kind, step, force, how).await
            }
        }
    }

    async fn apply_one(&self, kind: &Kind, step: Step, force: bool, how: &How) -> Result<Done, ClusterError> {
        let params = PatchParams {
            dry_run: how.dry_run == DryRun::Server,
            force,
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::apply(&how.manager)
        };
        Ok(match self.apply_object(kind, &step.desired, &params).await? {
            Err(status) => done(step, Outcome::Failed(failure(&status)), None),
            Ok(object) => {
                let outcome = match &step.live {
                    None => Outcome::Created,
                    Some(live) if is_unchanged(live, &object, how.dry_run) => Outcome::Unchanged,
                    Some(_) => Outcome::Configured,
                };
                done(step, outcome, Some(object))
            }
        })
    }

    /// Takes away the owners with which an adopted object would be deleted.
    async fn disown(&self, kind: &Kind, step: &Step, dry_run: DryRun) -> Result<(), ClusterError> {
        let (Some(owners), Some(live)) = (&step.keeps_owners, &step.live) else { return Ok(()) };
        let patch = json!({"metadata": {"uid": live["metadata"]["uid"], "ownerReferences": owners}});
        let params = PatchParams { dry_run: dry_run == DryRun::Server, ..PatchParams::default() };
        let (namespace, name) = self.key(kind, live);
        let path = kind.path(namespace.as_deref());
        let request = kube::core::Request::new(path.as_str()).patch(&name, &params, &Patch::Merge(&patch));
        // If it is refused, so will the apply be, which says why.
        self.request(request.map_err(|error| self.unaskable(&path, error))?).await.map(drop)
    }

    async fn replace(&self, kind: &Kind, step: Step, how: &How) -> Result<Done, ClusterError> {
        let Some(live) = step.live.clone() else { return self.apply_one(kind, step, false, how).await };
        // Pods of the old one must be gone before the new one makes its own.
        let params = if step.reference.stage() == Stage::Workloads { DeleteParams::foreground() } else { DeleteParams::background() };
        if let Err(status) = self.delete_object(kind, &live, params).await? {
            return Ok(done(step, Outcome::Failed(failure(&status)), None));
        }
        if let Some(finalizers) = self.until_gone(kind, &live, how.patience).await? {
            return Ok(done(step, Outcome::Failed(Failure::Stuck(finalizers)), None));
        }
        let mut done = self.apply_one(kind, Step { live: None, ..step }, false, how).await?;
        if done.outcome == Outcome::Created {
            done.outcome = Outcome::Replaced;
        }
        Ok(done)
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

    /// Waits until the server serves the kinds that were applied just now; one that it never does is refused object by object.
    async fn until_served(&self, kinds: &mut Kinds, coming: &Coming, how: &How) -> Result<(), ClusterError> {
        let deadline = Instant::now() + how.patience.min(Duration::from_secs(60));
        loop {
            kinds.extend(self.kinds(coming.versions.clone()).await?);
            if coming.kinds.iter().all(|(version, kind)| kinds.has(version, kind)) || Instant::now() >= deadline {
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// What comes with the same apply, so that a server may not know it yet.
struct Coming {
    namespaces: HashSet<String>,
    /// The versions of groups that are used and that come.
    versions: BTreeSet<String>,
    /// The kinds that are used and that come, with their version.
    kinds: BTreeSet<(String, String)>,
}

impl Coming {
    fn of(steps: &[Step]) -> Self {
        let new = || steps.iter().filter(|step| step.live.is_none());
        let namespaces = new().filter(|step| step.reference.kind == "Namespace").map(|step| step.reference.name.clone()).collect();
        let defined: HashSet<(&str, &str)> = new().filter_map(|step| live::defines(&step.desired)).collect();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let is_defined = |step: &&Step| defined.contains(&(step.reference.group.as_str(), step.reference.kind.as_str()));
        let kinds: BTreeSet<_> =
            steps.iter().filter(is_defined).map(|step| (text(&step.desired["apiVersion"]), text(&step.desired["kind"]))).collect();
        Self { namespaces, versions: kinds.iter().map(|(version, _)| version.clone()).collect(), kinds }
    }

    fn has_namespace_of(&self, reference: &ObjectRef) -> bool {
        reference.namespace.as_ref().is_some_and(|namespace| self.namespaces.contains(namespace))
    }
}

/// The steps of each stage, in the order of stages.
fn by_stage(steps: Vec<Step>) -> Vec<(Stage, Vec<Step>)> {
    let mut stages: Vec<(Stage, Vec<Step>)> = Vec::new();
    for step in steps {
        let stage = step.reference.stage();
        match stages.last_mut().filter(|(last, _)| *last == stage) {
            Some((_, steps)) => steps.push(step),
            None => stages.push((stage, vec![step])),
        }
    }
    stages
}

fn done(step: Step, outcome: Outcome, object: Option<Value>) -> Done {
    let Step { owner, reference, desired, live, is_adopted, kept_fields, .. } = step;
    Done { owner, reference, outcome, is_adopted, kept_fields, object: object.or(live).unwrap_or(desired) }
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
