//! What the templates of a RAGEngine are given.

use serde::Serialize;

use super::{Engine, Object, TemplateError, nodes};
use crate::plan::{Context, RagPlan};
use crate::preset::GuardrailsPolicy;
use crate::spec::names;

/// For `ragengine-deployment.yaml` and `ragengine-service.yaml`.
#[derive(Serialize)]
struct Values<'a> {
    name: &'a str,
    namespace: &'a str,
    load_balancer: bool,
    node_labels: &'a [(&'a str, &'a str)],
    image: &'a str,
    gpus: Option<u64>,
    runs_anywhere: bool,
    embedding_type: &'static str,
    model_id: Option<&'a str>,
    model_access_secret: Option<&'a str>,
    vector_db: &'a str,
    vector_db_url: Option<&'a str>,
    vector_db_secret: Option<&'a str>,
    claim: Option<&'a str>,
    mount_path: Option<&'a str>,
    persist_dir: String,
    context_window: Option<i64>,
    inference_url: Option<&'a str>,
    inference_secret: Option<&'a str>,
    guardrails: Option<bool>,
    guardrails_config: Option<&'a str>,
}

/// The manifests of a RAGEngine: its node, the Service, the Deployment.
///
/// # Errors
/// The template at fault, with its line.
pub fn render_rag_engine(engine: &Engine, planned: &RagPlan<'_>, context: &Context<'_>) -> Result<Vec<Object>, TemplateError> {
    let values = values(planned);
    let mut objects: Vec<Object> = nodes::rag_node(engine, planned, context)?.into_iter().collect();
    objects.push(engine.render("ragengine-service.yaml", &values)?);
    objects.push(engine.render("ragengine-deployment.yaml", &values)?);
    Ok(objects)
}

/// The ConfigMap with the default rules for answers, which the RAGEngines of a namespace share.
///
/// # Errors
/// The template at fault, with its line.
pub fn render_guardrails(engine: &Engine, policy: &GuardrailsPolicy, namespace: &str) -> Result<Object, TemplateError> {
    engine.render("configmap-guardrails.yaml", &Guardrails { name: &policy.name, namespace, policy: policy.text() })
}

/// For `configmap-guardrails.yaml`.
#[derive(Serialize)]
struct Guardrails<'a> {
    name: &'a str,
    namespace: &'a str,
    policy: String,
}

fn values<'a>(planned: &'a RagPlan<'_>) -> Values<'a> {
    let name = planned.engine.metadata.name.as_str();
    let spec = &planned.engine.spec;
    let local = spec.embedding.local.as_ref();
    let database = spec.storage.as_ref().and_then(|storage| storage.vector_db.as_ref());
    let volume = planned.engine.volume();
    let service = spec.inference_service.as_ref();
    let inference_url = service.and_then(|service| given(service.url.as_ref()));
    Values {
        name,
        namespace: planned.namespace,
        load_balancer: planned.engine.metadata.annotation(names::ENABLE_LB) == Some("True"),
        node_labels: &planned.node_labels,
        image: &planned.image,
        gpus: planned.gpus,
        runs_anywhere: planned.runs_anywhere,
        embedding_type: if local.is_some() { "local" } else { "remote" },
        model_id: local.and_then(|local| given(local.model_id.as_ref())),
        model_access_secret: local.and_then(|local| given(local.model_access_secret.as_ref())),
        vector_db: database.map(|database| database.engine.as_str()).filter(|engine| !engine.is_empty()).unwrap_or("faiss"),
        vector_db_url: database.map(|database| database.url.as_str()),
        vector_db_secret: database.and_then(|database| given(database.access_secret.as_ref())),
        claim: volume.and_then(|volume| volume.claim),
        mount_path: volume.map(|volume| volume.mount_path),
        persist_dir: match volume.filter(|volume| volume.is_persistent) {
            Some(volume) => format!("{}/{name}", volume.mount_path),
            None => "storage".to_owned(),
        },
        context_window: service.map(|service| service.context_window_size),
        inference_url,
        inference_secret: service.filter(|_| inference_url.is_some()).and_then(|service| given(service.access_secret.as_ref())),
        guardrails: spec.guardrails.as_ref().map(|guardrails| guardrails.enabled),
        guardrails_config: planned.guardrails,
    }
}

/// A text; empty is the same as absent.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}
