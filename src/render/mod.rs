//! Plans to manifests, through templates that look like them.

mod context;
mod engine;
mod shape;
mod tuning;
mod v0_3;

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
        NodeProvisioner::Machine if context.catalog.is_v0_3() => manifests = v0_3::claims(engine, "machine.yaml", plan, context)?,
        // The Karpenter of that time takes single nodes.
        NodeProvisioner::Karpenter if context.catalog.is_v0_3() => manifests = v0_3::claims(engine, "nodeclaim.yaml", plan, context)?,
        NodeProvisioner::GpuProvisioner => claims(engine, "nodeclaim.yaml", plan, context, &mut manifests)?,
        NodeProvisioner::Machine => claims(engine, "machine.yaml", plan, context, &mut manifests)?,
        // Karpenter refuses a pool of nothing; Kaito makes none.
        NodeProvisioner::Karpenter if plan.nodes.count > 0 => {
            manifests.push(engine.render("nodepool.yaml", &context::pool(plan, context))?);
        }
        NodeProvisioner::Karpenter | NodeProvisioner::Byo => {}
    }
    let services = |manifests: &mut Vec<Object>| {
        let service = context::service(plan, context);
        manifests.push(engine.render("service.yaml", &service)?);
        manifests.push(engine.render("service-headless.yaml", &service)?);
        Ok(())
    };
    match &plan.workload {
        Workload::Preset(preset) => {
            services(&mut manifests)?;
            manifests.push(engine.render("statefulset.yaml", &context::preset(plan, preset, context))?);
        }
        Workload::Template(template) => {
            services(&mut manifests)?;
            manifests.push(engine.render("statefulset-template.yaml", &context::template(plan, template, context))?);
        }
        Workload::Tuning(tuning) => manifests.push(engine.render("job.yaml", &tuning::job(plan, tuning, context))?),
        Workload::InferenceV0_3(inference) => manifests.extend(v0_3::inference(engine, plan, inference)?),
        Workload::TemplateV0_3(template) => manifests.push(v0_3::template(engine, plan, template)?),
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
