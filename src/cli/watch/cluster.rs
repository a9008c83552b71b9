//! The cluster itself as a source: what people apply there is read with the flags and the `kaito.yaml` of this process.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::planner::Planner;
use super::source::Shared;
use crate::cli::setup::Setup;
use crate::diagnostic::Diagnostic;
use crate::inventory::Parent;
use crate::reconcile::{Settings, Workspaces};
use crate::source::{Disk, Memory, Tree};
use crate::watch::config::{ClusterConfig, SourceConfig};
use crate::watch::feed::{Audience, ClusterObjects, Looks, Own};

/// Where the files stand that objects become; nothing on disk is called so.
const ROOT: &str = "cluster:";

/// The kinds that are read, and the feature gates without which they mean nothing.
const KINDS: [(&str, Option<&str>); 5] = [
    ("Workspace", None),
    ("RAGEngine", None),
    ("InferenceSet", Some("enableInferenceSetController")),
    ("MultiRoleInference", Some("enableMultiRoleInferenceController")),
    ("ModelMirror", Some("ModelMirror")),
];

/// How objects are planned.
///
/// # Errors
/// The flags or `kaito.yaml` are wrong.
pub(super) fn planner(config: &ClusterConfig, shared: &Shared<'_>, namespace: &str) -> Result<Planner, Diagnostic> {
    let mut planner = Planner {
        paths: vec![PathBuf::from(ROOT)],
        recursive: true,
        rendering: shared.args.rendering.clone(),
        namespace: namespace.to_owned(),
        inputs: String::new(),
        is_cluster: true,
    };
    // Of kinds that were read before and are no longer, nothing is pruned: who reads something else says something else here.
    let kinds = looks(&setup(&planner)?).declared.join(", ");
    let places = config.namespaces.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    planner.inputs = if places.is_empty() { format!("the cluster's {kinds}") } else { format!("{kinds} in {places}") };
    Ok(planner)
}

/// The kinds that are declared and have a status.
///
/// # Errors
/// The flags or `kaito.yaml` are wrong.
pub(super) fn declared(planner: &Planner) -> Result<Vec<&'static str>, Diagnostic> {
    Ok(looks(&setup(planner)?).declared.into_iter().filter(|kind| *kind != "ModelMirror").collect())
}

/// What is followed.
///
/// # Errors
/// The flags or `kaito.yaml` are wrong.
pub(super) fn objects(
    source: &SourceConfig,
    config: &ClusterConfig,
    shared: &Shared<'_>,
    audience: Audience,
    interval: Duration,
) -> Result<ClusterObjects, Diagnostic> {
    let set = source.sets.first().cloned().unwrap_or_default();
    let namespace = set.namespace.clone().unwrap_or_else(|| shared.namespace.clone());
    let setup = setup(&planner(config, shared, &namespace)?)?;
    let parent = Parent::parse(&set.applyset, &namespace).map_err(|message| Diagnostic::error(format!("applyset: {message}")))?;
    Ok(ClusterObjects {
        name: source.name.clone(),
        connection: shared.connection(&set, &namespace),
        namespaces: (!config.namespaces.is_empty()).then(|| config.namespaces.clone()),
        looks: looks(&setup),
        own: Own {
            set: parent.id(),
            manager: shared.args.set.field_manager.clone(),
            // Kaito 0.3 knows no other, and an API server gives what it has in any version.
            api_version: setup.catalog.is_v0_3().then_some("kaito.sh/v1alpha1"),
        },
        root: PathBuf::from(ROOT),
        besides: setup.read_besides().map(Path::to_owned).collect(),
        audience,
        interval,
    })
}

/// Settings under which objects may be where the declared ones are, which are not applied themselves.
pub(super) fn allowed(source: &SourceConfig, settings: Settings) -> Settings {
    let Some(config) = &source.cluster else { return settings };
    let add = |more: BTreeSet<String>| more.into_iter().chain(config.namespaces.iter().cloned()).collect();
    let namespaces = settings.namespaces.filter(|_| !config.namespaces.is_empty()).map(add);
    Settings { namespaces, workspaces: Workspaces::Declared, ..settings }
}

fn looks(setup: &Setup) -> Looks {
    let gates = &setup.options.feature_gates;
    let is_known = |kind: &str| !setup.catalog.is_v0_3() || kind == "Workspace";
    let is_read =
        |(kind, gate): (&'static str, Option<&str>)| (is_known(kind) && gate.is_none_or(|gate| gates.is_on(gate))).then_some(kind);
    Looks {
        declared: KINDS.into_iter().filter_map(is_read).collect(),
        nodes: !setup.options.node_provisioner.makes_nodes(),
        storage: gates.is_on("ModelStreaming"),
    }
}

/// What is resolved of flags and `kaito.yaml` when nothing is declared.
fn setup(planner: &Planner) -> Result<Setup, Diagnostic> {
    let nothing: Arc<dyn Tree> = Arc::new(Memory::new(Path::new(ROOT), [], Arc::new(Disk)));
    let mut findings = Vec::new();
    let setup = planner.setup(&nothing, &mut findings);
    setup.ok_or_else(|| {
        let wrong = findings.into_iter().find(Diagnostic::is_error);
        wrong.unwrap_or_else(|| Diagnostic::error("the flags and kaito.yaml say nothing that can be rendered"))
    })
}
