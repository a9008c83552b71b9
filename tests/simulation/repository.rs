//! A repository in memory: what its revisions can hold, each read and planned once, and what they stand for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kaito::diagnostic::{Diagnostic, SourceFile};
use kaito::diff::live::{Wanted, wanted_of};
use kaito::diff::{Owner, Side};
use kaito::inventory;
use kaito::manifest::ObjectRef;
use kaito::options::{NodeProvisioner, Options};
use kaito::preset::{Catalog, Layer};
use kaito::render::{Engine, Templates};
use kaito::session::Session;
use kaito::source::{Disk, Memory, Tree};
use kaito::spec::Input;
use kaito::watch::{Planned, Planner, Snapshot};
use serde_json::Value;

use crate::process::SET;

const VERSION: &str = "0.12";
pub(crate) const NAMESPACE: &str = "models";

/// What is read of a tree: which of the contents it has.
const ROOT: &str = "/simulated";
const FILE: &str = "content";

/// What a revision holds: Workspaces by name, each with the longest context that it allows; and whatever else.
struct Written {
    workspaces: &'static [(&'static str, u32)],
    besides: &'static str,
}

const EXTRA: &str = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra, namespace: models}\ndata: {a: b}\n";
const UNPLANNABLE: &str = "---\napiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {name: two, namespace: models}\n\
    resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: two}}}\n\
    inference: {preset: {name: no-such-model}}\n";

const CONTENTS: [Written; 9] = [
    Written { workspaces: &[("one", 16384)], besides: "" },
    Written { workspaces: &[("one", 16384), ("two", 16384)], besides: "" },
    Written { workspaces: &[("one", 8192), ("two", 16384)], besides: "" },
    Written { workspaces: &[("two", 16384)], besides: "" },
    Written { workspaces: &[("one", 8192), ("two", 8192)], besides: EXTRA },
    Written { workspaces: &[], besides: EXTRA },
    // One of two can't be planned; nothing can be read.
    Written { workspaces: &[("one", 8192)], besides: UNPLANNABLE },
    Written { workspaces: &[], besides: "---\n{{ this is no YAML\n" },
    Written { workspaces: &[], besides: "" },
];

/// What a revision holds, read.
pub(crate) struct Content {
    side: Side<'static>,
    /// Whether nothing can be made of it.
    pub is_unreadable: bool,
    /// What can't be rendered of it.
    pub broken: BTreeSet<Owner>,
    /// What it stands for.
    pub objects: BTreeMap<ObjectRef, (Option<Owner>, Value)>,
}

impl Content {
    /// Whether all of it can be applied.
    pub(crate) fn is_good(&self) -> bool {
        !self.is_unreadable && self.broken.is_empty()
    }
}

impl Written {
    fn text(&self) -> String {
        let workspace = |(name, context): &(&str, u32)| {
            format!(
                "---\napiVersion: kaito.sh/v1beta1\nkind: Workspace\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
                 resource: {{instanceType: Standard_NC24ads_A100_v4, labelSelector: {{matchLabels: {{apps: {name}}}}}}}\n\
                 inference: {{preset: {{name: phi-4-mini-instruct}}, config: {name}}}\n\
                 ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
                 data:\n  inference_config.yaml: |\n    vllm:\n      max-model-len: {context}\n"
            )
        };
        self.workspaces.iter().map(workspace).collect::<String>() + self.besides
    }

    fn read(&self, set: &str) -> Content {
        let catalog = Box::leak(Box::new(Catalog::load(VERSION, &[Layer::embedded(VERSION)]).expect("these are whole")));
        let options = Options { node_provisioner: NodeProvisioner::GpuProvisioner, namespace: NAMESPACE.to_owned(), ..Options::default() };
        let options = Box::leak(Box::new(options));
        let engine = Box::leak(Box::new(Engine::new(Templates::new(VERSION, HashMap::new()))));
        let mut findings = Vec::new();
        let file = SourceFile::new("workspaces.yaml", self.text());
        let input = Box::leak(Box::new(Input::read(&[file], options, &mut findings)));
        let session = Box::leak(Box::new(Session::new(input, catalog, options, false, &mut findings)));
        findings.retain(Diagnostic::is_error);
        let is_unreadable = session.is_empty() && input.passed.is_empty();
        let side = Side::new(session, input, engine, Box::leak(findings.into_boxed_slice()));
        let mut wanted = wanted_of(&side, None, &Wanted::new).unwrap_or_else(|error| panic!("{error}"));
        side.include_workspaces(&mut wanted, |_| true, Wanted::new);
        let broken = side.owners().into_iter().filter(|owner| side.plan(owner).is_none()).collect();
        let mut objects = BTreeMap::new();
        for (owner, wanted) in wanted {
            for Wanted { mut desired, .. } in wanted.into_values() {
                inventory::mark(&mut desired, set);
                let kind = crate::server::Kind::of(&desired).expect("the server knows every kind");
                if kind.is_namespaced {
                    desired["metadata"]["namespace"] = NAMESPACE.into();
                }
                objects.insert(crate::server::reference(&desired), (owner.clone(), desired));
            }
        }
        Content { side, is_unreadable, broken, objects }
    }
}

/// All that revisions can hold.
pub(crate) fn contents() -> &'static [Content] {
    static READ: OnceLock<Vec<Content>> = OnceLock::new();
    READ.get_or_init(|| {
        let set = kaito::inventory::Parent::parse(SET, NAMESPACE).expect("this is a name").id();
        CONTENTS.iter().map(|written| written.read(&set)).collect()
    })
}

/// The name of a revision, and the content of which it is one.
pub(crate) fn name(number: usize, content: usize) -> String {
    format!("main@sha1:{number:036x}{content:04x}")
}

/// The content of a revision that is called so.
pub(crate) fn content_of(revision: &str) -> Option<usize> {
    let digits = revision.get(revision.len().checked_sub(4)?..)?;
    usize::from_str_radix(digits, 16).ok().filter(|content| *content < CONTENTS.len())
}

/// A revision, as feeds tell of one.
pub(crate) fn snapshot(revision: String) -> Option<Snapshot> {
    let content = content_of(&revision)?.to_string();
    let tree = Memory::new(Path::new(ROOT), [(FILE.into(), content.into())], Arc::new(Disk));
    let (noticed, none) = (tokio::time::Instant::now(), Duration::ZERO);
    Some(Snapshot { revision: Some(revision), commit: None, tree: Arc::new(tree), noticed, resolving: none, fetching: none })
}

/// What reads and plans the repository.
pub(crate) struct Memorised;

fn content(tree: &Arc<dyn Tree>) -> &'static Content {
    let path = Path::new(ROOT).join(FILE);
    let number = tree.read(&path, 16).ok().and_then(|read| String::from_utf8(read.bytes).ok()?.parse::<usize>().ok());
    &contents()[number.expect("this tree has a content")]
}

impl Planner for Memorised {
    fn inputs(&self) -> String {
        ".".to_owned()
    }

    fn is_there(&self, _tree: &Arc<dyn Tree>) -> bool {
        true
    }

    fn key(&self, tree: &Arc<dyn Tree>) -> Option<String> {
        tree.id(Path::new(ROOT))
    }

    fn plan(&self, tree: &Arc<dyn Tree>, then: &mut dyn FnMut(&Planned<'_>)) -> Result<(), Vec<Diagnostic>> {
        let content = content(tree);
        if content.is_unreadable {
            let mut findings = content.side.findings.to_vec();
            if findings.is_empty() {
                findings.push(Diagnostic::error("there is nothing to apply"));
            }
            return Err(findings);
        }
        then(&Planned { side: &content.side, namespace: NAMESPACE, world: "simulated" });
        Ok(())
    }
}
