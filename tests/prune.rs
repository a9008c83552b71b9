//! What goes, what stays and what is said about it: the members in `golden/prune/objects.yaml` against `plan.txt` beside it, and the
//! words of everything that refuses against `words.txt`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use kaito::diagnostic::SourceFile;
use kaito::diff::Owner;
use kaito::inventory::{Parent, Record, mark};
use kaito::manifest::ObjectRef;
use kaito::prune::{AllowedKind, Candidate, Context, FILTERS, Facts, Kept, MaxPrune, Plan, Refusal, plan, sift};
use kaito::yaml;
use serde_json::{Value, json};

use crate::support::expect;

const SET: &str = "applyset-one-v1";

fn members() -> Vec<Value> {
    let file = SourceFile::new("objects.yaml", fs::read_to_string("golden/prune/objects.yaml").unwrap());
    let parts = yaml::split(&file, yaml::Limits::default(), &mut Vec::new()).into_iter();
    let documents = parts.flat_map(|part| yaml::read_values(&file, part, yaml::Limits::default(), &mut Vec::new()));
    let mut members: Vec<Value> = documents.map(|document| document.root.to_value()).collect();
    members.iter_mut().for_each(|member| mark(member, SET));
    members
}

fn candidates(objects: &[Value]) -> Vec<Candidate<'_>> {
    objects.iter().map(|object| Candidate::of(object).unwrap()).collect()
}

fn owners() -> BTreeSet<Owner> {
    let owner = |kind, name: &str| Owner { kind, namespace: "serving".into(), name: name.into() };
    [owner("Workspace", "phi-4"), owner("RAGEngine", "engine")].into()
}

fn wanted() -> BTreeSet<ObjectRef> {
    [ObjectRef::new("", "Service", Some("serving"), "wanted")].into()
}

fn line(kept: &Kept<'_>) -> String {
    let help = kept.reason.help().map(|help| format!("\n    {help}")).unwrap_or_default();
    format!("{} stays ({}): {}{help}\n", kept.candidate.reference(), kept.filter, kept.reason)
}

fn text(plan: &Plan<'_>) -> String {
    let gone = plan.prune.iter().map(|candidate| format!("{} goes\n", candidate.reference()));
    gone.chain(plan.kept.iter().map(line)).collect()
}

#[test]
fn every_reason_is_said() {
    let objects = members();
    let (owners, allowed) = (owners(), ["pv", "ns"].map(|kind| kind.parse::<AllowedKind>().unwrap()));
    let context = Context { set: SET, owners: &owners, allowed: &allowed, namespaces: None, other_inputs: None };
    let plan = plan(candidates(&objects), &[], &wanted(), &context, &Facts::default()).unwrap();
    assert_eq!(plan.prune.len() + plan.kept.len() + 1, objects.len(), "something was forgotten");

    // A deletion names objects that are of other sets.
    let mut others = [json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "of-another-set", "namespace": "serving"}})];
    let of_none = sift(candidates(&others), &[], &context).kept.iter().map(line).collect::<String>();
    mark(&mut others[0], "applyset-other-v1");
    let of_another = sift(candidates(&others), &[], &context);

    // In namespaces that nobody named, and of Workspaces that may only not have been read.
    let labels = json!({"kaito.sh/workspace": "gone", "kaito.sh/workspacenamespace": "serving"});
    let mut unsure = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "elsewhere", "namespace": "serving"}}),
        json!({"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim", "metadata": {"name": "wsunread", "labels": labels}}),
    ];
    unsure.iter_mut().for_each(|object| mark(object, SET));
    let named = ["other".to_owned()].into();
    let unsure = sift(candidates(&unsure), &[], &Context { namespaces: Some(&named), other_inputs: Some("clusters/prod"), ..context });
    let said = format!("{}\n{of_none}{}{}", text(&plan), text(&of_another), text(&unsure));

    for name in FILTERS.iter().map(|filter| filter.name).chain(["in-use"]) {
        assert!(said.contains(&format!("({name})")), "no object is kept by the filter {name}");
    }
    expect(Path::new("golden/prune/plan.txt"), &said).unwrap();
}

#[test]
fn every_refusal_is_said() {
    let mut said = String::new();
    for refusal in refusals(&candidates(&members())) {
        writeln!(said, "{refusal}\n    {}", refusal.help()).unwrap();
    }
    for fault in parent_faults() {
        writeln!(said, "\n{fault}").unwrap();
    }
    let flags = ["100 %", "120%"].map(|text| text.parse::<MaxPrune>().unwrap_err()).into_iter();
    let flags = flags.chain(["Deployment", "NodeClam"].map(|text| text.parse::<AllowedKind>().unwrap_err()));
    let flags = flags.chain(["deployments/x", "cm/X"].map(|text| Parent::parse(text, "serving").unwrap_err()));
    flags.for_each(|flag| writeln!(said, "\n{flag}").unwrap());
    expect(Path::new("golden/prune/words.txt"), &said).unwrap();
}

fn refusals<'o>(members: &[Candidate<'o>]) -> Vec<Refusal<'o>> {
    let (owners, nothing) = (owners(), BTreeSet::new());
    let context = Context { set: SET, owners: &owners, allowed: &[], namespaces: None, other_inputs: None };
    let failed = |wanted: &BTreeSet<ObjectRef>, facts: &Facts| plan(members.to_vec(), &[], wanted, &context, facts).unwrap_err();
    let max = |text: &str| Facts { max_prune: Some(text.parse().unwrap()), ..Facts::default() };
    vec![
        failed(&wanted(), &Facts { has_render_failed: true, ..Facts::default() }),
        failed(&nothing, &Facts::default()),
        failed(&wanted(), &Facts { has_apply_failed: true, ..Facts::default() }),
        failed(&wanted(), &max("2")),
        failed(&wanted(), &max("10%")),
    ]
}

fn parent_faults() -> Vec<String> {
    let parent = Parent::parse("phi", "serving").unwrap();
    let with = |field: &str, key: &str, value: Value| {
        let mut live = parent.object(&Record::default());
        live["metadata"][field][key] = value;
        let fault = parent.read(&live).unwrap_err();
        format!("{fault}\n    {}", fault.help())
    };
    let annotation = |key: &str, value: Value| with("annotations", &format!("applyset.kubernetes.io/{key}"), value);
    vec![
        annotation("tooling", Value::Null),
        with("labels", "applyset.kubernetes.io/id", Value::Null),
        annotation("tooling", json!("kubectl/v1.34.1")),
        with("labels", "applyset.kubernetes.io/id", json!("applyset-other-v1")),
        annotation("contains-group-kinds", Value::Null),
        annotation("contains-group-kinds", json!("services,statefulsets.apps")),
        annotation("additional-namespaces", json!("serving,")),
    ]
}
