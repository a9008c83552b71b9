//! Rules about InferenceSets, and about what scales them.

use crate::diagnostic::Diagnostic;
use crate::rule;
use crate::session::Session;
use crate::spec::{Declarer, InferenceSet, Located, names};
use crate::yaml::{Node, Step};

fn sets<'a>(session: &Session<'a>) -> impl Iterator<Item = &'a Located<InferenceSet>> {
    session.context().input.sets.iter().filter_map(|declarer| match declarer {
        Declarer::Set(set) => Some(&**set),
        Declarer::Roles(_) => None,
    })
}

/// Fields that Kaito's controller doesn't read, or that only it could heed.
pub(super) fn fields_without_effect(session: &Session<'_>, findings: &mut Vec<Diagnostic>) {
    for set in sets(session) {
        let spec = &set.value.spec;
        let table = [
            ("nodeCountLimit", spec.node_count_limit.is_some_and(|limit| limit > 0), "Kaito enforces no nodeCountLimit"),
            ("updateStrategy", spec.update_strategy.is_some(), "Kaito reads no updateStrategy: a changed template isn't rolled out"),
            ("autoUpgrade", spec.auto_upgrade.is_some(), "images are upgraded by Kaito in a cluster, and rendering pins them"),
        ];
        for (field, _, message) in table.into_iter().filter(|(_, is_given, _)| *is_given) {
            let finding = set.document.finding(rule::FIELD_WITHOUT_EFFECT.says(message), &[Step::Field("spec"), Step::Field(field)]);
            findings.extend(Some(finding).filter(|finding| set.is_certain(finding)));
        }
    }
}

/// Kaito gives its Workspaces the annotations of a set's template, and one of the set's own.
pub(super) fn annotations(session: &Session<'_>, findings: &mut Vec<Diagnostic>) {
    for set in sets(session) {
        let in_template = set.value.spec.template.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
        for key in set.value.metadata.annotations.iter().flat_map(|all| all.keys()) {
            let is_passed_on = key == names::DISABLE_BENCHMARK;
            let is_repeated = in_template.is_some_and(|annotations| annotations.contains_key(key));
            if names::ANNOTATIONS.contains(&key.as_str()) && !is_passed_on && !is_repeated {
                let finding = rule::ANNOTATION_WITHOUT_EFFECT.says("the Workspaces of the set don't get this annotation");
                let finding = finding.help("write it below spec.template.metadata.annotations");
                let at = [Step::Field("metadata"), Step::Field("annotations"), Step::Field(key)];
                findings.push(set.document.finding(finding, &at));
            }
        }
    }
}

/// An autoscaler finds no set to scale where its Workspaces were rendered in its place.
pub(super) fn autoscalers(session: &Session<'_>, findings: &mut Vec<Diagnostic>) {
    for object in &session.context().input.passed {
        let target = object.document.root.get("spec").and_then(|spec| spec.get("scaleTargetRef"));
        let text = |field| target.and_then(|target| target.get(field)).and_then(Node::as_str).unwrap_or_default();
        if text("apiVersion").starts_with("kaito.sh/") && text("kind") == "InferenceSet" {
            let message =
                format!("the InferenceSet {} is rendered to what its Workspaces need, and isn't there to be scaled", text("name"));
            let finding = rule::AUTOSCALER_TARGET.says(message).help("set spec.replicas, or let Kaito run the set in the cluster");
            findings.push(object.document.finding(finding, &[Step::Field("spec"), Step::Field("scaleTargetRef"), Step::Field("name")]));
        }
    }
}
