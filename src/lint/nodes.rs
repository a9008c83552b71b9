//! Rules about which nodes Workspaces get, and who else gets them.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use super::matching::Matching;
use crate::diagnostic::{Diagnostic, plural};
use crate::options::{NodeProvisioner, OwnNode};
use crate::plan::{Plan, Weights, Workload};
use crate::rule;
use crate::session::Session;
use crate::spec::{Located, Workspace, names};
use crate::yaml::Step;

const SELECTOR: [Step<'_>; 2] = [Step::Field("resource"), Step::Field("labelSelector")];

/// Pods that nothing binds to nodes: a Job's, and those on nodes of one's own, go by the user's labels alone.
pub(super) fn any_node(subject: &mut Subject<'_>) {
    let Some(resource) = &subject.workspace.resource else { return };
    let provisioner = subject.context.options.node_provisioner;
    let goes_by_labels = if subject.workspace.tuning.is_some() { !provisioner.makes_cloud_pools() } else { !provisioner.makes_nodes() };
    // Labels that are all reserved are an error of their own.
    if goes_by_labels && resource.label_selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty) {
        let finding = rule::ANY_NODE.says("no label selects nodes, so that the pods go to any that has GPUs");
        subject.say(finding.help("name a label of these nodes in matchLabels"), &SELECTOR);
    }
}

/// Pods that go by labels which nodes made for another Workspace have too.
///
/// Source: Kaito puts `matchLabels` on the nodes that it makes, and selects by nothing else for a Job; Kaito 0.3 for any pod.
/// Pods on pools of a cloud are kept to them by kaito.
pub(super) fn shared_labels(session: &Session<'_>, findings: &mut Vec<Diagnostic>) {
    let provisioner = session.context().options.node_provisioner;
    if !provisioner.makes_nodes() || provisioner.makes_cloud_pools() {
        return;
    }
    let is_v0_3 = session.context().catalog.is_v0_3();
    let workspaces: Vec<_> = session.context().input.workspaces.iter().map(|located| (located, located.value.node_labels())).collect();
    let is_bound_by_labels = |located: &Located<Workspace>| is_v0_3 || located.value.tuning.is_some();
    for (located, labels) in workspaces.iter().filter(|(located, labels)| is_bound_by_labels(located) && !labels.is_empty()) {
        let name = |located: &Located<Workspace>| format!("{}/{}", located.namespace, located.value.metadata.name);
        let has_them = |other: &BTreeMap<&str, &str>| labels.iter().all(|(key, value)| other.get(key) == Some(value));
        let mut others = workspaces.iter().filter(|(_, other)| has_them(other)).map(|(other, _)| name(other));
        if let Some(other) = others.find(|other| *other != name(located)) {
            let finding = rule::SHARED_LABELS.says(format!("the nodes of {other} have these labels too, and pods may go there"));
            let finding = located.document.finding(finding.help("select by a label that no other Workspace has"), &SELECTOR);
            findings.extend(Some(finding).filter(|finding| located.is_certain(finding)));
        }
    }
}

/// Models that select the same nodes of one's own, each of which only one of them gets, since it takes all of a node's GPUs.
pub(super) fn shared_nodes(session: &Session<'_>, findings: &mut Vec<Diagnostic>) {
    let context = session.context();
    if context.options.node_provisioner != NodeProvisioner::Byo {
        return;
    }
    let ready: Vec<&OwnNode> = context.input.nodes.iter().filter(|node| node.ready).collect();
    let has_partition = |plan: &Plan<'_>| plan.workspace.resource.as_ref().is_some_and(|resource| resource.partition.is_some());
    let plans: Vec<&Plan<'_>> =
        session.plans().filter(|plan| matches!(plan.workload, Workload::Preset(_)) && !has_partition(plan)).collect();
    // Many Workspaces may have the same labels.
    let mut labels: Vec<BTreeMap<&str, &str>> = plans.iter().map(|plan| plan.workspace.node_labels()).collect();
    labels.sort();
    labels.dedup();
    let nodes = |labels| (0..ready.len()).filter(|index| ready[*index].matches(labels)).collect();
    let mut matching = Matching {
        lists: labels.iter().map(nodes).collect(),
        selects: plans.iter().map(|plan| labels.partition_point(|other| *other < plan.workspace.node_labels())).collect(),
        owner: vec![None; ready.len()],
    };
    for (index, plan) in plans.iter().enumerate() {
        let Some(contested) = (0..plan.nodes.count).find_map(|_| matching.give(index).err()) else { continue };
        let rivals: BTreeSet<usize> = contested.iter().filter_map(|node| matching.owner[*node]).chain([index]).collect();
        let others: Vec<&Plan<'_>> = rivals.iter().filter(|rival| **rival != index).map(|rival| plans[*rival]).collect();
        if others.is_empty() {
            continue;
        }
        let needed: u64 = rivals.iter().map(|rival| plans[*rival].nodes.count).sum();
        let finding = rule::SHARED_NODES.says(format!(
            "{} of the input match, and others select them too: together {needed} are needed",
            plural(contested.len() as u64, "ready node")
        ));
        let finding = finding.help(format!("the others are {}", listed(&others)));
        let finding = finding.help("give each its own nodes by a label, or add nodes");
        findings.push(plan.document.finding(finding, &SELECTOR));
    }
}

fn listed(plans: &[&Plan<'_>]) -> String {
    const MOST: usize = 5;
    let mut names: Vec<String> =
        plans.iter().take(MOST).map(|plan| format!("{}/{}", plan.namespace, plan.workspace.metadata.name)).collect();
    if plans.len() > MOST {
        names.push(format!("{} more", plans.len() - MOST));
    }
    names.join(", ")
}

/// With Karpenter the disk is that of the NodeClass, whatever the weights take.
pub(super) fn disk(session: &Session<'_>, findings: &mut Vec<Diagnostic>) {
    for plan in session.plans() {
        let (Workload::Preset(preset), Some(class)) = (&plan.workload, plan.nodes.node_class) else { continue };
        let has = class.spec.get("osDiskSizeGB").and_then(serde_json::Value::as_u64);
        let needs = preset.disk.strip_suffix("Gi").and_then(|gib| gib.parse::<u64>().ok());
        let (Some(has), Some(needs), Weights::EmptyDir) = (has, needs, &preset.weights) else { continue };
        if has < needs {
            let message = format!("the disk of the NodeClass {} has {has} GB, and {} wants {needs} GiB", class.name, preset.model.name());
            let finding = rule::SMALL_DISK.says(message).help("name a NodeClass with more: kaito.sh/node-class-name");
            let at = [Step::Field("metadata"), Step::Field("annotations"), Step::Field(names::NODE_CLASS_NAME)];
            findings.push(plan.document.finding(finding, &at));
        }
    }
}
