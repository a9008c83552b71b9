//! The set of what was applied, from the first look at it to the last word in it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::report::Report;
use super::{Applying, Args};
use crate::apply::DryRun;
use crate::cli::applyset::{self, Found};
use crate::cli::cluster::{Stop, Target};
use crate::cli::output::{self, Color};
use crate::cli::setup::InputArgs;
use crate::cluster::{Extent, Kinds, Unwritten};
use crate::diagnostic::Diagnostic;
use crate::inventory::{Contents, Parent, Record};
use crate::manifest::ObjectRef;
use crate::prune::{self, Candidate, Facts};
use crate::source::Repository;

/// How often to write a set that others write, too.
const TRIES: u32 = 5;

/// A set, as it was found.
pub(super) struct Set {
    /// What keeps it.
    pub parent: Parent,
    /// Its id.
    pub id: String,
    /// What it keeps; `None` if it isn't there.
    record: Option<Record>,
    /// The `resourceVersion` of what keeps it.
    version: Option<String>,
    /// Its members before anything was applied, which alone may be pruned: what came since was applied by somebody.
    pub members: Vec<Value>,
    kinds: Kinds,
}

impl Set {
    /// Looks up the set that was asked for, and its members if some of them may be pruned.
    ///
    /// # Errors
    /// It belongs to somebody else, or the cluster can't be asked; that has been said.
    pub(super) fn open(args: &Args, target: &Target<'_>, color: Color) -> Result<Option<Self>, Stop> {
        let Some(name) = &args.set.applyset else { return Ok(None) };
        let Found { parent, live } = applyset::find(target.cluster, name, color, "applied")?;
        let version = live.as_ref().and_then(|(live, _)| version(live));
        let record = live.map(|(_, record)| record);
        let (members, kinds) = match record.as_ref().filter(|_| args.set.prune) {
            Some(record) => {
                let found = target.cluster.members(&parent, &record.contents, Extent::Whole);
                found.map_err(|error| crate::cli::cluster::unreachable(&error, color, "applied"))?
            }
            None => (Vec::new(), Kinds::default()),
        };
        Ok(Some(Self { id: parent.id(), parent, record, version, members, kinds }))
    }

    /// Writes, before anything is applied, where members will be, and where they are.
    ///
    /// # Errors
    /// It can't be written; that has been said.
    pub(super) fn prepare(&mut self, wanted: &BTreeSet<ObjectRef>, applying: &Applying<'_>) -> Result<(), Stop> {
        let old = self.record.clone().unwrap_or_default();
        let contents = self.with_own_namespace(Contents::of(wanted).union(old.contents.clone()));
        self.write(Record { contents, ..old }, applying)
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
        let contents = self.with_own_namespace(Contents::of(wanted).union(left));
        // As long as something may stand where nobody has looked, that stays on record.
        let is_done = !is_broken && !report.has_failed() && !report.has_unread();
        let inputs = &applying.args.input;
        let (revision, inputs) = if is_done { (revision(inputs), Some(applyset::read(inputs))) } else { (before.revision, before.inputs) };
        self.write(Record { contents, revision, inputs }, applying)
    }

    /// Deletes the members that are no longer wanted, and gives back those that are left of them.
    fn prune(
        &self,
        wanted: &BTreeSet<ObjectRef>,
        is_broken: bool,
        report: &mut Report,
        applying: &Applying<'_>,
    ) -> Result<BTreeSet<ObjectRef>, Stop> {
        let (args, target) = (applying.args, applying.target);
        let owners = target.side.owners();
        let namespaces = applying.namespaces();
        let last = self.record.as_ref().and_then(|record| record.inputs.as_deref());
        let now = applyset::read(&args.input);
        let context = prune::Context {
            set: &self.id,
            owners: &owners,
            allowed: &args.set.prune_allow,
            namespaces: namespaces.as_ref(),
            other_inputs: last.filter(|last| *last != now),
        };
        let facts = Facts { has_render_failed: is_broken, has_apply_failed: report.has_failed(), max_prune: args.set.max_prune };
        let candidates = self.members.iter().filter_map(|member| Candidate::of(member).ok()).collect();
        let plan = match prune::plan(candidates, wanted, &context, &facts) {
            Ok(plan) => plan,
            Err(refusal) => {
                report.prune_refused(&refusal);
                // Where members are is no less true for it.
                return Ok(self.members.iter().filter_map(|member| ObjectRef::of(member).ok()).collect());
            }
        };
        let mut left: BTreeSet<ObjectRef> = plan.kept.iter().map(|kept| kept.candidate.reference().clone()).collect();
        plan.kept.iter().for_each(|kept| report.kept(kept));
        let patience = args.wait.wait.then_some(args.wait.timeout);
        let doomed: Vec<Value> = plan.prune.iter().map(|candidate| candidate.object().clone()).collect();
        let deleted = target.cluster.delete(&self.kinds, &doomed, args.apply.dry_run, patience, &mut |object, deletion| {
            let Ok(reference) = ObjectRef::of(object) else { return };
            if report.pruned(&reference, &deletion) {
                left.insert(reference);
            }
        });
        applying.pruned(deleted)?;
        Ok(left)
    }

    /// Writes what the set keeps, unless it does already. What somebody else has written since is kept too.
    fn write(&mut self, mut record: Record, applying: &Applying<'_>) -> Result<(), Stop> {
        let cluster = applying.target.cluster;
        for _ in 0..TRIES {
            if self.record.as_ref() == Some(&record) || applying.args.apply.dry_run != DryRun::None {
                return Ok(());
            }
            match applying.reached(cluster.write_parent(&self.parent, &record, self.version.as_deref()))? {
                Ok(live) => {
                    self.version = version(&live);
                    self.record = Some(record);
                    return Ok(());
                }
                Err(Unwritten::Changed) => {
                    let Found { live, .. } = applyset::find(cluster, &self.parent.flag(), applying.color, "applied")?;
                    self.version = live.as_ref().and_then(|(live, _)| version(live));
                    self.record = live.map(|(_, record)| record);
                    let theirs = self.record.clone().unwrap_or_default().contents;
                    record.contents = record.contents.union(theirs);
                }
                Err(why) => return Err(self.unwritten(&why, applying.color)),
            }
        }
        Err(self.unwritten(&Unwritten::Changed, applying.color))
    }

    fn unwritten(&self, why: &Unwritten, color: Color) -> Stop {
        let (message, help) = match why {
            Unwritten::Changed => ("somebody else goes on changing it", "apply again when they are done".to_owned()),
            Unwritten::NoNamespace => {
                ("its namespace isn't there", format!("make it first: kubectl create namespace {}", self.parent.namespace))
            }
            Unwritten::Refused(message) => {
                (message.as_str(), "without it nothing could be pruned later; name another one with --applyset".to_owned())
            }
        };
        output::findings(vec![Diagnostic::error(format!("{} can't be written: {message}", self.parent)).help(help)], color, "applied");
        Stop::Unrenderable
    }

    /// As it will be read: members may always be beside their parent.
    fn with_own_namespace(&self, mut contents: Contents) -> Contents {
        contents.namespaces.insert(self.parent.namespace.clone());
        contents
    }
}

fn version(live: &Value) -> Option<String> {
    live["metadata"]["resourceVersion"].as_str().map(ToOwned::to_owned)
}

/// The revision that the input is read from, as Flux writes revisions: `main@sha1:COMMIT`.
fn revision(inputs: &InputArgs) -> Option<String> {
    let name = inputs.revision.as_ref()?;
    let commit = Repository::open().ok()?.side(name).ok()?.commit?;
    Some(if commit.starts_with(name.as_str()) { format!("sha1:{commit}") } else { format!("{name}@sha1:{commit}") })
}
