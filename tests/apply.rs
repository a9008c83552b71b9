//! What is said where an object isn't applied: each text, and what to do.

use std::fmt::Write as _;
use std::path::Path;

use kaito::apply::{Failure, Holder, Operator, Why};
use kaito::diff::live::Conflict;

use crate::support::expect;

#[test]
fn words() {
    let text = |text: &str| text.to_owned();
    let fields = || vec![text("spec.serviceName"), text("spec.selector")];
    let runs = Operator::Runs { namespace: text("kaito-workspace"), name: text("kaito-workspace") };
    let workspace = || Holder::Operator(text("Workspace phi-4"));
    let refusals = [
        Why::UnknownKind,
        Why::Namespace { namespace: text("prod"), allowed: vec![text("default"), text("models")] },
        Why::NoNamespace { namespace: text("prod") },
        Why::Unreadable(text("nodeclaims.karpenter.sh is forbidden")),
        Why::Name { name: text("x?dryRun=All#\u{1b}") },
        Why::Twice,
        Why::Parent,
        Why::Held(Holder::Nobody),
        Why::Held(Holder::Set(text("applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1"))),
        Why::Held(workspace()),
        Why::Held(Holder::Controller(text("ReplicaSet web-5d4"))),
        Why::Held(Holder::Tool("Flux", text("apps"))),
        Why::Operator { holder: workspace(), operator: runs },
        Why::Operator { holder: workspace(), operator: Operator::Unknown },
        Why::Operator {
            holder: Holder::Us,
            operator: Operator::Runs { namespace: text("kaito-workspace"), name: text("kaito-workspace") },
        },
        Why::Operator { holder: Holder::Us, operator: Operator::Unknown },
        Why::Immutable { fields: fields(), costs: "its pods are stopped, and start again with the new one" },
        Why::DataLoss { fields: vec![text("spec.storageClassName")] },
        Why::Terminating { finalizers: Vec::new() },
        Why::Terminating { finalizers: vec![text("karpenter.sh/termination")] },
    ];
    let conflict = |field: &str, manager: &str| Conflict { field: text(field), manager: text(manager) };
    let failures = [
        Failure::Conflicts(vec![conflict(".spec.replicas", "autoscaler"), conflict(".data.a", "kubectl-edit")]),
        Failure::Immutable(text("Service \"x\" is invalid: spec.clusterIPs[0]: Invalid value:\nfield is immutable")),
        Failure::Refused(text("admission webhook denied the request")),
        Failure::Stuck(Vec::new()),
        Failure::Stuck(vec![text("foregroundDeletion")]),
    ];
    let mut words = String::new();
    for why in refusals {
        _ = writeln!(words, "{why}\n  {}\n", why.help());
    }
    for failure in failures {
        _ = writeln!(words, "{failure}\n  {}\n", failure.help());
    }
    expect(Path::new("golden/apply/words.txt"), &words).unwrap();
}
