//! What is said of Workspaces, and of what stands for them: `golden/conditions/NAME.yaml` tells a story, and `NAME.txt` the status at each of its steps.
//!
//! The first document of a story has the Workspace and objects by a name of their own; each other one is a step: `with` which of the objects, and
//! what else is known. A step goes on from the status that the one before it has left, a minute later, unless it is a `fresh` one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use kaito::conditions::{
    Cause, Facts, SetFacts, Trouble, inference_set_status, is_same, multi_role_inference_status, rag_engine_status, workspace_status,
};
use kaito::diagnostic::SourceFile;
use kaito::health::{Health, Status, health};
use kaito::spec::status::{InferenceSetStatus, MultiRoleInferenceStatus, RagEngineStatus, WorkspaceStatus};
use kaito::yaml;
use serde_json::Value;

use crate::support::{expect, names};

/// One story.
struct Story {
    name: String,
    workspace: Value,
    defaults: Value,
    objects: Value,
    steps: Vec<Value>,
}

fn stories() -> Vec<Story> {
    let files = names("golden/conditions").into_iter().filter_map(|name| name.strip_suffix(".yaml").map(ToOwned::to_owned));
    files.map(|name| story(&name)).collect()
}

fn story(name: &str) -> Story {
    let path = format!("golden/conditions/{name}.yaml");
    let (text, mut findings) = (fs::read_to_string(&path).unwrap(), Vec::new());
    let documents = yaml::read(&SourceFile::new(path.clone(), text), yaml::Limits::default(), &mut findings);
    assert!(findings.is_empty(), "{path}: {findings:?}");
    let mut documents = documents.iter().map(|document| document.root.to_value());
    let head = documents.next().unwrap();
    let mut workspace = head["workspace"].clone();
    workspace["apiVersion"] = "kaito.sh/v1beta1".into();
    workspace["kind"] = head["kind"].as_str().unwrap_or("Workspace").into();
    Story { name: name.to_owned(), workspace, objects: head["objects"].clone(), steps: documents.collect(), defaults: head }
}

/// What is asked of a step, which says it itself or has it from the story.
fn of<'s>(step: &'s Value, story: &'s Story, field: &str) -> &'s Value {
    if step[field].is_null() { &story.defaults[field] } else { &step[field] }
}

fn trouble(trouble: &Value) -> Option<Trouble> {
    let cause = match trouble["cause"].as_str()? {
        "Source" => Cause::Source,
        "Invalid" => Cause::Invalid,
        "Dependency" => Cause::Dependency,
        "Refused" => Cause::Refused,
        "Conflict" => Cause::Conflict,
        "Fight" => Cause::Fight,
        "Failed" => Cause::Failed,
        other => panic!("{other} is no cause"),
    };
    let message = trouble["message"].as_str().unwrap().to_owned();
    Some(Trouble { cause, message, helps_to_retry: trouble["helpsToRetry"] == true })
}

/// One step that was told.
struct Told {
    name: String,
    /// The Workspace as it is with the new status.
    workspace: Value,
    /// The status that it had before.
    before: Value,
    /// The status as it would be an hour later.
    again: Value,
}

fn told(story: &Story) -> Vec<Told> {
    let mut workspace = story.workspace.clone();
    let mut all = Vec::new();
    for (minute, step) in story.steps.iter().enumerate() {
        let name = step["step"].as_str().unwrap().to_owned();
        if step["fresh"] == true {
            workspace = story.workspace.clone();
        }
        if let Some(generation) = step["generation"].as_i64() {
            workspace["metadata"]["generation"] = generation.into();
        }
        let with = step["with"].as_array().unwrap_or_else(|| panic!("{name} is with nothing"));
        let objects: Vec<&Value> = with.iter().map(|object| &story.objects[object.as_str().unwrap()]).collect();
        assert!(objects.iter().all(|object| object.is_object()), "{}: {name} is with an object that the story doesn't have", story.name);
        let at = |hour: u32| format!("2026-03-02T{hour:02}:{minute:02}:00Z");
        let observed_generation =
            |declared: &Value| step["observedGeneration"].as_i64().or(declared["metadata"]["generation"].as_i64()).unwrap();
        let of_set = |declared: &Value, now: &str, tell: fn(&SetFacts<'_>) -> Value| {
            let (workspaces, objects): (Vec<&Value>, Vec<&Value>) = objects.iter().partition(|object| object["kind"] == "Workspace");
            tell(&SetFacts {
                declared,
                workspaces: &workspaces,
                objects: &objects,
                observed_generation: observed_generation(declared),
                trouble: trouble(&step["trouble"]),
                unverified: step["unverified"].as_str(),
                is_suspended: step["suspended"] == true,
                now,
            })
        };
        let of_one = |declared: &Value, now: &str, tell: fn(&Facts<'_>) -> Value| {
            tell(&Facts {
                declared,
                objects: &objects,
                uses_own_nodes: of(step, story, "usesOwnNodes") == true,
                needs_gpus: of(step, story, "needsGpus") != false,
                target_nodes: of(step, story, "targetNodes").as_u64(),
                observed_generation: observed_generation(declared),
                revision: of(step, story, "revision").as_str(),
                trouble: trouble(&step["trouble"]),
                unverified: step["unverified"].as_str(),
                is_suspended: step["suspended"] == true,
                now,
            })
        };
        let status = |declared: &Value, now: &str| match declared["kind"].as_str().unwrap() {
            "InferenceSet" => of_set(declared, now, inference_set_status),
            "MultiRoleInference" => of_set(declared, now, multi_role_inference_status),
            "RAGEngine" => of_one(declared, now, rag_engine_status),
            _ => of_one(declared, now, workspace_status),
        };
        let new = status(&workspace, &at(8));
        let before = std::mem::replace(&mut workspace["status"], new);
        let again = status(&workspace, &at(9));
        all.push(Told { name, workspace: workspace.clone(), before, again });
    }
    all
}

/// A status, a line for each condition.
fn shown(workspace: &Value) -> String {
    let status = &workspace["status"];
    let Health { status: word, is_stuck, message } = health(workspace);
    let mut text = format!("  health {word}{}: {message}\n", if is_stuck { ", stuck" } else { "" });
    let fields = status.as_object().unwrap().iter().filter(|(name, _)| !["conditions", "performance"].contains(&name.as_str()));
    let fields: Vec<String> = fields.map(|(name, value)| format!("{name} {value}")).collect();
    writeln!(text, "  {}", fields.join(", ")).unwrap();
    for condition in status["conditions"].as_array().unwrap() {
        let text_of = |field: &str| condition[field].as_str().unwrap();
        let since = &text_of("lastTransitionTime")[11..16];
        writeln!(
            text,
            "  {:<19} {:<6} {} (since {since}, generation {}): {}",
            text_of("type"),
            text_of("status"),
            text_of("reason"),
            condition["observedGeneration"],
            text_of("message")
        )
        .unwrap();
    }
    text
}

#[test]
fn conditions_are_as_expected() {
    let mut faults = Vec::new();
    for story in stories() {
        let steps = told(&story);
        let text = steps.iter().map(|told| format!("{}\n{}", told.name, shown(&told.workspace))).collect::<Vec<_>>().join("\n");
        faults.extend(expect(&Path::new("golden/conditions").join(format!("{}.txt", story.name)), &text).err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

fn holds(workspace: &Value, kind: &str) -> bool {
    let conditions = workspace["status"]["conditions"].as_array().unwrap();
    conditions.iter().any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// Nobody takes for ready what is not, whatever rules they go by.
#[test]
fn only_what_is_ready_is_current() {
    let mut seen = BTreeSet::new();
    for story in stories() {
        for Told { name, workspace, .. } in told(&story) {
            let is_ready = holds(&workspace, "Ready");
            let judged = health(&workspace);
            seen.insert((judged.status, is_ready));
            assert_eq!(judged.status == Status::Current, is_ready, "{}, {name}: {judged:?}", story.name);
            let summary = match workspace["kind"].as_str().unwrap() {
                "InferenceSet" => "InferenceSetReady",
                "MultiRoleInference" => "Ready",
                "RAGEngine" => "RAGEngineSucceeded",
                _ => "WorkspaceSucceeded",
            };
            assert_eq!(holds(&workspace, summary), is_ready, "{}, {name}", story.name);
            assert_eq!(holds(&workspace, "Stalled"), judged.status == Status::Failed, "{}, {name}: {judged:?}", story.name);
            let (reconciling, stalled) = (holds(&workspace, "Reconciling"), holds(&workspace, "Stalled"));
            assert!(u8::from(is_ready) + u8::from(reconciling) + u8::from(stalled) <= 1, "{}, {name}: too much holds", story.name);
        }
    }
    assert_eq!(seen.len(), 3, "stories of what is ready, on its way, and has failed: {seen:?}");
}

/// The same facts at another moment are no reason to write, and a condition is as old as its status.
#[test]
fn nothing_is_written_twice() {
    for story in stories() {
        for Told { name, workspace, before, again } in told(&story) {
            let status = &workspace["status"];
            assert!(is_same(status, &again), "{}, {name}: {again}", story.name);
            let all = status["conditions"].as_array().unwrap();
            let kinds: Vec<&str> = all.iter().filter_map(|condition| condition["type"].as_str()).collect();
            assert!(kinds.is_sorted_by(|one, other| one < other), "{}, {name}: {kinds:?}", story.name);
            for condition in all {
                let mut old = before["conditions"].as_array().into_iter().flatten();
                if let Some(old) = old.find(|old| old["type"] == condition["type"]) {
                    let is_same = |field: &str| old[field] == condition[field];
                    let step = format!("{}, {name}: {condition}", story.name);
                    assert!(!is_same("status") || is_same("lastTransitionTime"), "{step}");
                }
            }
        }
    }
}

/// Kaito's definitions know every field, and every reason has the form that they ask for.
#[test]
fn definitions_accept_what_is_written() {
    for story in stories() {
        for Told { name, workspace, .. } in told(&story) {
            let status = workspace["status"].clone();
            let conditions = match workspace["kind"].as_str().unwrap() {
                "InferenceSet" => serde_json::from_value::<InferenceSetStatus>(status).map(|status| status.conditions),
                "MultiRoleInference" => serde_json::from_value::<MultiRoleInferenceStatus>(status).map(|status| status.conditions),
                "RAGEngine" => serde_json::from_value::<RagEngineStatus>(status).map(|status| status.conditions),
                _ => serde_json::from_value::<WorkspaceStatus>(status).map(|status| status.conditions),
            };
            let conditions = conditions.unwrap_or_else(|error| panic!("{}, {name}: {error}", story.name));
            for condition in conditions.unwrap() {
                let is_word = condition.reason.chars().all(|c| c.is_ascii_alphanumeric());
                assert!(is_word && !condition.reason.is_empty(), "{}, {name}: {condition:?}", story.name);
                assert!(!condition.message.is_empty(), "{}, {name}: {condition:?}", story.name);
            }
        }
    }
}

/// Everything that is written is explained to users, but for what provisioners and mirrors say.
#[test]
fn every_reason_is_documented() {
    const OF_OTHERS: [&str; 2] = ["NodeClassNotFound", "OperationNotAllowed"];
    let page = fs::read_to_string("docs/conditions.md").unwrap();
    for story in stories() {
        for Told { name, workspace, .. } in told(&story) {
            for condition in workspace["status"]["conditions"].as_array().unwrap() {
                for word in [&condition["type"], &condition["reason"]].map(|word| word.as_str().unwrap()) {
                    assert!(OF_OTHERS.contains(&word) || page.contains(&format!("`{word}`")), "{}, {name}: {word}", story.name);
                }
            }
            if let Some(state) = workspace["status"]["state"].as_str() {
                assert!(page.contains(&format!("`{state}`")), "{}, {name}: {state}", story.name);
            }
        }
    }
}
