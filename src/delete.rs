//! What is deleted when somebody asks for it: in which order, and who keeps what isn't gone.
//!
//! What is applied last goes first, stage by stage, so that workloads are gone before the nodes that they run on. What keeps members
//! from being pruned keeps them here, too; see [`prune::sift`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::diff::{Owner, is_node};
use crate::inventory;
use crate::manifest::{ObjectRef, Stage};
use crate::prune::{self, AllowedKind, Candidate, Context, Kept, Reason};
use crate::status::owner_of;

/// What becomes of objects that belong to a deleted one, as kubectl has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cascade {
    /// They go after it.
    #[default]
    Background,
    /// They go before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// A live object that goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Doomed {
    /// The object; its metadata are enough.
    pub object: Value,
    /// Which it is.
    pub reference: ObjectRef,
    /// Whether it is being deleted already, and only waits for its finalizers.
    pub is_going: bool,
}

/// What goes, and what stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan<'o> {
    /// What goes at the same time, the first to go first.
    pub stages: Vec<Vec<Doomed>>,
    /// What stays, though it was meant.
    pub kept: Vec<Kept<'o>>,
}

/// What becomes of objects that are to go. They are members of this set, or their owner was asked for before; `staying` are the
/// members of the set that nobody wants to go.
pub fn plan<'o>(objects: &'o [Value], staying: &[&ObjectRef], set: &str, allowed: &[AllowedKind]) -> Plan<'o> {
    let candidates = objects.iter().filter_map(|object| Candidate::of(object).ok()).collect();
    let context = Context { set, owners: &BTreeSet::new(), allowed, namespaces: None, other_inputs: None };
    let sifted = prune::sift(candidates, staying, &context);
    let (going, mut kept): (Vec<_>, Vec<_>) = sifted.kept.into_iter().partition(|kept| kept.reason == Reason::BeingDeleted);
    let going = going.into_iter().map(|kept| (kept.candidate, true));
    let staying = staying_workloads(&kept);
    let mut stages: BTreeMap<Reverse<Stage>, Vec<Doomed>> = BTreeMap::new();
    for (candidate, is_going) in sifted.prune.into_iter().map(|candidate| (candidate, false)).chain(going) {
        let reference = candidate.reference().clone();
        let workload = owner_of(candidate.object()).and_then(|owner| staying.get(&owner)).filter(|_| is_node(&reference) && !is_going);
        if let Some(by) = workload {
            kept.push(Kept { candidate, filter: "in-use", reason: Reason::InUse { by: by.clone() } });
            continue;
        }
        let doomed = Doomed { object: candidate.object().clone(), reference, is_going };
        stages.entry(Reverse(doomed.reference.stage())).or_default().push(doomed);
    }
    let mut stages: Vec<Vec<Doomed>> = stages.into_values().collect();
    stages.iter_mut().for_each(|stage| stage.sort_by(|a, b| b.reference.cmp(&a.reference)));
    Plan { stages, kept }
}

/// The workloads that stay, by whose they are: without its nodes, one would be as good as gone.
fn staying_workloads(kept: &[Kept<'_>]) -> BTreeMap<Owner, ObjectRef> {
    let workloads = kept.iter().map(|kept| &kept.candidate).filter(|candidate| candidate.reference().stage() == Stage::Workloads);
    workloads.filter_map(|candidate| Some((owner_of(candidate.object())?, candidate.reference().clone()))).collect()
}

/// Makes a live object one that [`plan`] takes for a member of this set, where it is known to be ours although it is in none.
pub fn count_in(object: &mut Value, set: &str) {
    if inventory::part_of(object).is_none() {
        inventory::mark(object, set);
    }
}

/// Finalizers, and what their owners do before an object is gone. The first that is contained in a name counts.
///
/// Sources: Kubernetes' API packages, Karpenter's `apis/v1/labels.go`, Kaito's `pkg/utils/consts`, Cluster API's and Azure Service
/// Operator's API packages.
const FINALIZERS: [(&str, &str); 14] = [
    ("karpenter.sh/termination", "Karpenter drains the node and ends its machine"),
    ("karpenter.", "Karpenter ends what runs of it"),
    ("foregroundDeletion", "Kubernetes deletes what belongs to it first"),
    ("orphan", "Kubernetes sets free what belongs to it"),
    ("kubernetes.io/pvc-protection", "a pod still uses the claim"),
    ("kubernetes.io/pv-protection", "a claim still uses the volume"),
    ("external-provisioner.volume.kubernetes.io", "the storage's driver deletes the volume"),
    ("service.kubernetes.io/load-balancer-cleanup", "the cloud takes the load balancer down"),
    ("batch.kubernetes.io/job-tracking", "Kubernetes counts the pods of the Job"),
    ("customresourcecleanup.apiextensions.k8s.io", "the API server deletes every object of the kind"),
    ("finalizer.kaito.sh", "Kaito's operator deletes what it has made"),
    ("serviceoperator.azure.com", "Azure Service Operator deletes the resource in Azure"),
    ("cluster.x-k8s.io", "Cluster API deletes the machines"),
    ("finalizers.fluxcd.io", "Flux uninstalls what it has installed"),
];

/// What an object that was deleted waits for: each finalizer, and who has to take it away.
pub fn waits_for(reference: &ObjectRef, finalizers: &[String]) -> String {
    if finalizers.is_empty() {
        let namespace = "everything in it has to go first";
        return if reference.kind == "Namespace" { namespace.to_owned() } else { "it ends its work".to_owned() };
    }
    let told = finalizers.iter().map(|finalizer| {
        let doing = FINALIZERS.iter().find(|(name, _)| finalizer.contains(name)).map(|(_, doing)| (*doing).to_owned());
        let somebody = || finalizer.split_once('/').map(|(domain, _)| format!("the controller of {domain} has to let it go"));
        doing.or_else(somebody).map_or_else(|| finalizer.clone(), |doing| format!("{finalizer} ({doing})"))
    });
    format!("it waits for {}", told.collect::<Vec<_>>().join(" and "))
}

/// As kubectl says that an object was deleted: `statefulset.apps "phi-4" deleted from models namespace`.
pub fn line(reference: &ObjectRef) -> String {
    let name = reference.resource_name();
    let (kind, name) = name.split_once('/').unwrap_or((&name, ""));
    let place = reference.namespace.as_ref().map(|namespace| format!(" from {namespace} namespace")).unwrap_or_default();
    format!("{kind} \"{name}\" deleted{place}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(api_version: &str, kind: &str, name: &str, mut more: Value) -> Value {
        more["name"] = name.into();
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": more});
        count_in(&mut object, "one");
        object
    }

    #[test]
    fn what_was_applied_last_goes_first() {
        let node = json!({"labels": {"kaito.sh/workspace": "w", "kaito.sh/workspacenamespace": "n"}});
        let going = json!({"namespace": "n", "deletionTimestamp": "2026-01-01T00:00:00Z"});
        let objects = [
            object("v1", "ConfigMap", "a", json!({"namespace": "n"})),
            object("karpenter.sh/v1", "NodeClaim", "a", node),
            object("karpenter.sh/v1", "NodeClaim", "of-nobody", json!({})),
            object("v1", "Service", "a", json!({"namespace": "n"})),
            object("apps/v1", "StatefulSet", "a", json!({"namespace": "n"})),
            object("apps/v1", "StatefulSet", "going", going),
            object("v1", "Secret", "other", json!({"namespace": "n", "labels": {inventory::PART_OF: "other"}})),
            object("v1", "PersistentVolumeClaim", "disk", json!({"namespace": "n"})),
            object("v1", "Namespace", "n", json!({})),
        ];
        let plan = |allowed: &[AllowedKind]| {
            let plan = plan(&objects, &[], "one", allowed);
            let names = |stage: &Vec<Doomed>| stage.iter().map(|doomed| doomed.reference.to_string()).collect::<Vec<_>>().join(", ");
            let kept: Vec<String> = plan.kept.iter().map(|kept| kept.candidate.reference().to_string()).collect();
            (plan.stages.iter().map(names).collect::<Vec<_>>(), kept)
        };
        let (stages, kept) = plan(&[]);
        assert_eq!(stages, ["StatefulSet n/going, StatefulSet n/a", "Service n/a", "NodeClaim a", "ConfigMap n/a"]);
        assert_eq!(kept, ["NodeClaim of-nobody", "PersistentVolumeClaim n/disk", "Secret n/other", "Namespace n"]);
        let allowed: Vec<AllowedKind> = ["pvc", "ns", "nodeclaims"].iter().map(|kind| kind.parse().unwrap()).collect();
        let (stages, kept) = plan(&allowed);
        let want = ["StatefulSet n/going, StatefulSet n/a", "Service n/a", "NodeClaim of-nobody, NodeClaim a"];
        assert_eq!(stages[..3], want);
        // The other set's Secret would go with the Namespace.
        assert_eq!(
            (stages[3].as_str(), kept),
            ("PersistentVolumeClaim n/disk, ConfigMap n/a", ["Secret n/other", "Namespace n"].map(ToOwned::to_owned).to_vec())
        );
    }

    #[test]
    fn a_workload_that_stays_keeps_its_nodes() {
        let of = |workspace: &str, protection: &str| {
            json!({
                "labels": {"kaito.sh/workspace": workspace, "kaito.sh/workspacenamespace": "n"},
                "annotations": {"kaito.sh/prune": protection},
            })
        };
        let mut workloads =
            [("kept", "disabled"), ("gone", "")].map(|(name, protection)| object("apps/v1", "StatefulSet", name, of(name, protection)));
        workloads.iter_mut().for_each(|workload| workload["metadata"]["namespace"] = "n".into());
        let nodes = ["kept", "gone"].map(|name| object("karpenter.sh/v1", "NodeClaim", &format!("of-{name}"), of(name, "")));
        let objects: Vec<Value> = workloads.into_iter().chain(nodes).collect();
        let plan = plan(&objects, &[], "one", &[]);
        let gone: Vec<String> = plan.stages.iter().flatten().map(|doomed| doomed.reference.to_string()).collect();
        assert_eq!(gone, ["StatefulSet n/gone", "NodeClaim of-gone"]);
        let kept: Vec<String> = plan.kept.iter().map(|kept| format!("{}: {}", kept.candidate.reference(), kept.reason)).collect();
        assert_eq!(
            kept,
            [
                "StatefulSet n/kept: it is protected by annotation kaito.sh/prune: disabled",
                "NodeClaim of-kept: StatefulSet n/kept stays, and would go with it",
            ]
        );
    }

    #[test]
    fn what_is_stuck_is_explained() {
        let claim = ObjectRef::new("karpenter.sh", "NodeClaim", None, "a");
        let table: [(&[&str], &str); 6] = [
            (&["karpenter.sh/termination"], "it waits for karpenter.sh/termination (Karpenter drains the node and ends its machine)"),
            (
                &["workspace.finalizer.kaito.sh", "example.com/x"],
                "it waits for workspace.finalizer.kaito.sh (Kaito's operator deletes what it has made) and example.com/x (the controller of example.com has to let it go)",
            ),
            (&["foregroundDeletion"], "it waits for foregroundDeletion (Kubernetes deletes what belongs to it first)"),
            (&["karpenter.k8s.aws/termination"], "it waits for karpenter.k8s.aws/termination (Karpenter ends what runs of it)"),
            (&["mine"], "it waits for mine"),
            (&[], "it ends its work"),
        ];
        for (finalizers, want) in table {
            let finalizers: Vec<String> = finalizers.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(waits_for(&claim, &finalizers), want);
        }
        assert_eq!(waits_for(&ObjectRef::new("", "Namespace", None, "n"), &[]), "everything in it has to go first");
    }

    #[test]
    fn lines_are_kubectls() {
        let table = [
            (ObjectRef::new("apps", "StatefulSet", Some("models"), "phi-4"), "statefulset.apps \"phi-4\" deleted from models namespace"),
            (ObjectRef::new("", "Service", Some("models"), "phi-4"), "service \"phi-4\" deleted from models namespace"),
            (ObjectRef::new("karpenter.sh", "NodeClaim", None, "ws1"), "nodeclaim.karpenter.sh \"ws1\" deleted"),
        ];
        for (reference, want) in table {
            assert_eq!(line(&reference), want);
        }
    }
}
