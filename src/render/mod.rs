//! Plans to manifests, through templates that look like them.

mod context;
mod engine;
mod shape;
mod tuning;

pub use engine::{Engine, TemplateError, Templates};
pub use shape::Object;

use crate::options::NodeProvisioner;
use crate::plan::{Context, InferencePool, Plan, Workload};
use crate::preset::DefaultTraining;

/// The manifests of a planned Workspace: nodes, then Services, then the workload.
///
/// # Errors
/// The template at fault, with its line.
pub fn render(engine: &Engine, plan: &Plan<'_>, context: &Context<'_>) -> Result<Vec<Object>, TemplateError> {
    let mut manifests = Vec::new();
    match context.options.node_provisioner {
        NodeProvisioner::GpuProvisioner => claims(engine, "nodeclaim.yaml", plan, context, &mut manifests)?,
        NodeProvisioner::Machine => claims(engine, "machine.yaml", plan, context, &mut manifests)?,
        // Karpenter refuses a pool of nothing; Kaito makes none.
        NodeProvisioner::Karpenter if plan.nodes.count > 0 => {
            manifests.push(engine.render("nodepool.yaml", &context::pool(plan, context))?);
        }
        NodeProvisioner::Karpenter | NodeProvisioner::Byo => {}
    }
    if plan.workload.has_services() {
        let service = context::service(plan, context);
        manifests.push(engine.render("service.yaml", &service)?);
        manifests.push(engine.render("service-headless.yaml", &service)?);
    }
    manifests.push(match &plan.workload {
        Workload::Tuning(tuning) => engine.render("job.yaml", &tuning::job(plan, tuning, context))?,
        Workload::Preset(preset) => engine.render("statefulset.yaml", &context::preset(plan, preset, context))?,
        Workload::Template(template) => engine.render("statefulset-template.yaml", &context::template(plan, template, context))?,
    });
    Ok(manifests)
}

/// The ConfigMap of a default training configuration.
///
/// # Errors
/// The template at fault, with its line.
pub fn render_training_config(engine: &Engine, default: &DefaultTraining, namespace: &str) -> Result<Object, TemplateError> {
    engine.render("configmap-training.yaml", &tuning::config_map(default, namespace))
}

/// The manifests of a router.
///
/// # Errors
/// The template at fault, with its line.
pub fn render_pool(engine: &Engine, pool: &InferencePool<'_>, context: &Context<'_>) -> Result<Vec<Object>, TemplateError> {
    let values = context::router(pool, context);
    Ok(vec![engine.render("ocirepository.yaml", &values)?, engine.render("helmrelease.yaml", &values)?])
}

fn claims(
    engine: &Engine,
    template: &str,
    plan: &Plan<'_>,
    context: &Context<'_>,
    manifests: &mut Vec<Object>,
) -> Result<(), TemplateError> {
    for ordinal in 0..plan.nodes.count {
        manifests.push(engine.render(template, &context::claim(plan, context, ordinal))?);
    }
    Ok(())
}
