//! The router in front of an InferenceSet or MultiRoleInference: an inference pool of the Gateway API.
//!
//! Source: Kaito 0.12, with the gate `gatewayAPIInferenceExtension`.

use super::Context;
use crate::diagnostic::Diagnostic;
use crate::rule;
use crate::spec::{Declarer, InferenceSet, Located, MultiRoleInference, names, unread_config_map};
use crate::yaml::{Document, Step};

/// A router.
pub struct InferencePool<'a> {
    /// The name of the set.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The document that asks for it.
    pub document: &'a Document,
    /// Whether it is in front of two roles.
    pub roles: bool,
    /// The endpoint picker's configuration, if it isn't the default.
    pub picker_config: Option<&'a str>,
}

/// The router of a set, if it has one.
pub fn inference_pool<'a>(declarer: &'a Declarer, context: &Context<'a>, findings: &mut Vec<Diagnostic>) -> Option<InferencePool<'a>> {
    if !context.options.feature_gates.is_on("gatewayAPIInferenceExtension") {
        return None;
    }
    match declarer {
        Declarer::Set(set) if set.is_whole() => of_set(set, context),
        Declarer::Roles(roles) if roles.is_whole() => of_roles(roles, context, findings),
        // What is wrong with it has been said.
        Declarer::Set(_) | Declarer::Roles(_) => None,
    }
}

fn of_set<'a>(set: &'a Located<InferenceSet>, context: &Context<'_>) -> Option<InferencePool<'a>> {
    let vllm = set.value.metadata.annotation(names::RUNTIME) != Some("transformers") && context.options.feature_gates.is_on("vLLM");
    let has_children = set.value.spec.replicas != Some(0);
    let wanted = vllm && has_children && set.value.spec.template.inference.preset.is_some() && !set.value.is_a_role();
    wanted.then(|| InferencePool {
        name: &set.value.metadata.name,
        namespace: &set.namespace,
        document: &set.document,
        roles: false,
        picker_config: None,
    })
}

fn of_roles<'a>(
    roles: &'a Located<MultiRoleInference>,
    context: &Context<'a>,
    findings: &mut Vec<Diagnostic>,
) -> Option<InferencePool<'a>> {
    let picker_config = match roles.value.spec.epp_plugins_config.as_deref().filter(|name| !name.is_empty()) {
        None => None,
        Some(name) => {
            let config_map = context.config_map(&roles.namespace, name);
            let at = [Step::Field("spec"), Step::Field("eppPluginsConfig")];
            if let Some(finding) = config_map.and_then(|document| unread_config_map(document, name)) {
                findings.push(roles.document.finding(finding, &at));
                return None;
            }
            let text = config_map.and_then(|document| document.root.get("data")?.get("config.yaml")?.as_str());
            if text.is_none() {
                let finding = rule::MISSING_CONFIG_MAP.says(format!(
                    "there is no ConfigMap {name} with the key config.yaml in the namespace {} of the input",
                    roles.namespace
                ));
                let finding = finding.help("add it to the files given with -f: kaito reads it, and passes it through");
                findings.push(roles.document.finding(finding, &at));
            }
            Some(text?)
        }
    };
    Some(InferencePool {
        name: &roles.value.metadata.name,
        namespace: &roles.namespace,
        document: &roles.document,
        roles: true,
        picker_config,
    })
}
