//! In which order objects are applied: each Workspace goes through its stages by itself, many of them at a time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout};

use super::Cluster;
use super::apply::{How, done};
use super::error::ClusterError;
use super::kinds::Kinds;
use super::order::Told;
use crate::apply::{Done, DryRun, Outcome, Step};
use crate::diff::Owner;
use crate::diff::live;
use crate::manifest::{ObjectRef, Stage};

/// What all objects of an apply share.
pub(super) struct Run<'r> {
    pub how: &'r How,
    pub coming: &'r Coming,
    turns: &'r Semaphore,
}

impl Run<'_> {
    /// Waits for a turn to ask the server something.
    ///
    /// # Errors
    /// Nobody has one any more, since the server doesn't answer.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, ClusterError> {
        self.turns.acquire().await.map_err(|_| ClusterError::NotAsked)
    }

    /// Takes note that there is no answer, and gives back what is known of why. What was asked already is waited for: otherwise it may come
    /// when something else is wanted.
    fn end(&self, ended: Result<(), ClusterError>, error: ClusterError) -> Result<(), ClusterError> {
        self.turns.close();
        match ended {
            Ok(()) | Err(ClusterError::NotAsked) => Err(error),
            ended => ended,
        }
    }
}

/// How often to look whether somebody waits to be told.
const TICK: Duration = Duration::from_millis(500);

impl Cluster {
    /// Does what was decided, and passes each object on to `take` when it is done. First come definitions, then what belongs to no
    /// Workspace and others refer to; then each Workspace goes through its stages by itself, so that none waits for another; webhooks
    /// come last. When an object fails, what comes in later stages of the same Workspace is left alone.
    ///
    /// # Errors
    /// The server doesn't answer any more. What was done until then has been passed on.
    pub fn apply(&self, kinds: &mut Kinds, steps: Vec<Step>, how: &How, take: &mut dyn FnMut(Done)) -> Result<(), ClusterError> {
        let mut coming = Coming::of(&steps, &self.namespace);
        let turns = Semaphore::new(how.concurrency.max(1));
        let of_all = |stage: Stage| move |step: &Step| step.owner.is_none() && step.reference.stage() == stage;
        let (definitions, steps) = split(steps, |step| step.reference.stage() == Stage::Definitions);
        let (webhooks, steps) = split(steps, |step| step.reference.stage() == Stage::Webhooks);
        let (settings, steps) = split(steps, of_all(Stage::Settings));
        self.wait(async {
            let mut failed = Vec::new();
            let mut take_definition = |done: Done| {
                if matches!(done.outcome, Outcome::Failed(_)) {
                    failed.extend(live::defines(&done.object.read()).map(|(group, kind)| (group.to_owned(), kind.to_owned())));
                }
                take(done);
            };
            self.run(kinds, &Run { how, coming: &coming, turns: &turns }, vec![definitions], &mut take_definition).await?;
            coming.without(&failed);
            if !coming.kinds.is_empty() && how.dry_run == DryRun::None {
                self.until_served(kinds, &coming, how).await?;
            }
            let run = Run { how, coming: &coming, turns: &turns };
            for pipelines in [vec![settings], by_owner(steps), vec![webhooks]] {
                self.run(kinds, &run, pipelines, take).await?;
            }
            Ok(())
        })
    }

    /// Runs all of these at a time.
    async fn run(&self, kinds: &Kinds, run: &Run<'_>, pipelines: Vec<Vec<Step>>, take: &mut dyn FnMut(Done)) -> Result<(), ClusterError> {
        let told = RefCell::new(Told::new(pipelines.len(), take));
        let pipelines = pipelines.into_iter().enumerate();
        let mut running: stream::FuturesUnordered<_> =
            pipelines.map(|(index, steps)| self.run_one(kinds, run, steps, (index, &told))).collect();
        let mut ended = Ok(());
        loop {
            match timeout(TICK, running.next()).await {
                Ok(None) => break,
                Ok(Some(Err(error))) => ended = run.end(ended, error),
                Ok(Some(Ok(()))) => {}
                Err(_) => told.borrow_mut().tell_if_late(),
            }
        }
        told.borrow_mut().tell_all();
        ended
    }

    /// Runs stage by stage, until one of which something fails.
    async fn run_one(
        &self,
        kinds: &Kinds,
        run: &Run<'_>,
        steps: Vec<Step>,
        (index, told): (usize, &RefCell<Told<'_>>),
    ) -> Result<(), ClusterError> {
        let mut culprit: Option<ObjectRef> = None;
        for steps in by_stage(steps) {
            let skips = culprit.clone();
            let work = |step: Step| {
                let culprit = skips.clone().filter(|_| step.owner.is_some());
                async move {
                    match culprit {
                        Some(culprit) => Ok(done(step, Outcome::Skipped(culprit), None)),
                        None => self.carry_out(kinds, step, run).await,
                    }
                }
            };
            let mut ended = Ok(());
            let mut results = stream::iter(steps).map(work).buffered(run.how.concurrency.max(1));
            while let Some(result) = results.next().await {
                let done = match result {
                    Ok(done) => done,
                    Err(error) => {
                        ended = run.end(ended, error);
                        continue;
                    }
                };
                if culprit.is_none() && matches!(done.outcome, Outcome::Failed(_)) {
                    culprit = Some(done.reference.clone());
                }
                told.borrow_mut().done(index, done);
            }
            ended?;
        }
        told.borrow_mut().ended(index);
        Ok(())
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
pub(super) struct Coming {
    /// The namespace of objects that name none.
    default_namespace: String,
    namespaces: HashSet<String>,
    /// The versions of groups that are used and that come.
    versions: BTreeSet<String>,
    /// The kinds that are used and that come, with their version.
    kinds: BTreeSet<(String, String)>,
}

impl Coming {
    fn of(steps: &[Step], default_namespace: &str) -> Self {
        let new = || steps.iter().filter(|step| step.is_new());
        let namespaces = new().filter(|step| step.reference.kind == "Namespace").map(|step| step.reference.name.to_string()).collect();
        let defined: HashSet<(&str, &str)> = new().filter_map(|step| live::defines(&step.desired)).collect();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let is_defined = |step: &&Step| defined.contains(&(step.reference.group.as_str(), step.reference.kind.as_str()));
        let kinds: BTreeSet<_> =
            steps.iter().filter(is_defined).map(|step| (text(&step.desired["apiVersion"]), text(&step.desired["kind"]))).collect();
        let default_namespace = default_namespace.to_owned();
        Self { default_namespace, namespaces, versions: kinds.iter().map(|(version, _)| version.clone()).collect(), kinds }
    }

    pub(super) fn has_namespace_of(&self, reference: &ObjectRef) -> bool {
        self.namespaces.contains(reference.namespace.as_deref().unwrap_or(&self.default_namespace))
    }

    /// Without the kinds whose definition was not applied.
    fn without(&mut self, failed: &[(String, String)]) {
        let group = |version: &str| version.split_once('/').map_or("", |(group, _)| group).to_owned();
        self.kinds.retain(|(version, kind)| !failed.iter().any(|(of, failed)| *of == group(version) && failed == kind));
        self.versions = self.kinds.iter().map(|(version, _)| version.clone()).collect();
    }
}

/// Those of a kind, and the others, both in their order.
fn split(steps: Vec<Step>, is: impl Fn(&Step) -> bool) -> (Vec<Step>, Vec<Step>) {
    steps.into_iter().partition(is)
}

/// The steps of each Workspace, and those of none.
fn by_owner(steps: Vec<Step>) -> Vec<Vec<Step>> {
    let mut owners: BTreeMap<Option<Owner>, Vec<Step>> = BTreeMap::new();
    for step in steps {
        owners.entry(step.owner.clone()).or_default().push(step);
    }
    owners.into_values().collect()
}

/// The steps of each stage, in the order of stages.
fn by_stage(steps: Vec<Step>) -> Vec<Vec<Step>> {
    let mut stages: BTreeMap<Stage, Vec<Step>> = BTreeMap::new();
    for step in steps {
        stages.entry(step.reference.stage()).or_default().push(step);
    }
    stages.into_values().collect()
}
