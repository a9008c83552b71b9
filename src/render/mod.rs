//! Plans to manifests, through templates that look like them.

mod aside;
mod context;
mod engine;
mod fields;
mod mirror;
mod nodes;
mod rag_engine;
mod shape;
mod trace;
mod tuning;
mod v0_3;

pub use engine::{Engine, TemplateError, Templates};
pub use nodes::render_node_class;
pub use rag_engine::{render_guardrails, render_rag_engine};
pub use shape::Object;
pub use trace::{TemplateLine, Trace};

use crate::plan::{Context, InferencePool, Mirror, Plan, Streaming, Workload};
use crate::preset::DefaultTraining;

/// The manifests of a planned Workspace: nodes, then Services, then the workload.
///
/// # Errors
/// The template at fault, with its line.
pub fn render(engine: &Engine, plan: &Plan<'_>, context: &Context<'_>) -> Result<Vec<Object>, TemplateError> {
    let mut manifests = nodes::nodes(engine, plan, context)?;
    let services = |manifests: &mut Vec<Object>| {
        let service = context::service(plan, context);
        manifests.push(engine.render("service.yaml", &service)?);
        manifests.push(engine.render("service-headless.yaml", &service)?);
        Ok(())
    };
    match &plan.workload {
        Workload::Preset(preset) => {
            services(&mut manifests)?;
            if preset.streaming.as_ref().is_some_and(Streaming::fetches_token) {
                manifests.push(engine.render("configmap-fetch-sas.yaml", &context::workspace(plan, context))?);
            }
            manifests.push(engine.render("statefulset.yaml", &context::preset(plan, preset, context))?);
        }
        Workload::Template(template) => {
            services(&mut manifests)?;
            manifests.push(engine.render("statefulset-template.yaml", &context::template(plan, template, context))?);
        }
        Workload::Tuning(tuning) => manifests.push(engine.render("job.yaml", &tuning::job(plan, tuning, context))?),
        Workload::InferenceV0_3(inference) => manifests.extend(v0_3::inference(engine, plan, inference, context)?),
        Workload::TemplateV0_3(template) => manifests.push(v0_3::template(engine, plan, template, context)?),
        Workload::TuningV0_3(tuning) => manifests.push(v0_3::tuning(engine, plan, tuning, context)?),
    }
    Ok(manifests)
}

/// The ConfigMap of a default training configuration.
///
/// # Errors
/// The template at fault, with its line.
pub fn render_training_config(engine: &Engine, default: &DefaultTraining, namespace: &str) -> Result<Object, TemplateError> {
    engine.render("configmap-training.yaml", &tuning::config_map(default, namespace))
}

/// The manifests of a mirror: itself, unless it is declared; its claim, unless that is; and the Job that fills it.
///
/// # Errors
/// The template at fault, with its line.
pub fn render_mirror(engine: &Engine, mirror: &Mirror<'_>, context: &Context<'_>) -> Result<Vec<Object>, TemplateError> {
    let values = mirror::mirror(mirror, context);
    let wanted = [("modelmirror.yaml", !mirror.is_declared), ("modelmirror-pvc.yaml", !mirror.has_claim), ("modelmirror-job.yaml", true)];
    wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(template, _)| engine.render(template, &values)).collect()
}

/// The manifests of a router.
///
/// # Errors
/// The template at fault, with its line.
pub fn render_pool(engine: &Engine, pool: &InferencePool<'_>, context: &Context<'_>) -> Result<Vec<Object>, TemplateError> {
    let values = context::router(pool, context);
    Ok(vec![engine.render("ocirepository.yaml", &values)?, engine.render("helmrelease.yaml", &values)?])
}
