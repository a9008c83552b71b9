//! `kaito.yaml`.

use kaito::config::RenderConfig;
use kaito::diagnostic::SourceFile;
use kaito::yaml;

use super::world::{WORKSPACE, World, is_said_well, is_said_where, renders_alike};

/// It is read, or each fault is said with its place. What was read renders a Workspace, or it is said why not.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut findings = Vec::new();
    let documents = yaml::read(&SourceFile::new("kaito.yaml", text), yaml::Limits::default(), &mut findings);
    is_said_where(&findings);
    for document in documents {
        let mut findings = Vec::new();
        let config = RenderConfig::read(&document, |_, _| None, &mut findings);
        is_said_where(&findings);
        assert_eq!(config.is_some(), findings.is_empty(), "{findings:?}");
        if let Some(config) = config {
            renders(config);
        }
    }
}

fn renders(config: RenderConfig) {
    let mut world = if config.kaito_version.as_deref() == Some("0.3") { World::of_0_3() } else { World::new() };
    let options = &mut world.options;
    for (gate, is_on) in config.feature_gates.iter().flatten() {
        options.feature_gates.set(gate, *is_on);
    }
    options.default_node_image_family = config.default_node_image_family.unwrap_or_default();
    options.local_nvme = config.local_nvme.unwrap_or(options.local_nvme);
    options.own_nodes = config.own_nodes();
    options.cloud = config.cloud.unwrap_or_default();
    options.node_provisioner = config.node_provisioner.unwrap_or_default();
    options.flux = config.flux.unwrap_or_default();
    options.registry = config.preset_registry;
    options.node_classes = config.karpenter;
    options.agent_pools = config.aso;
    options.machine_pools = config.capi;
    options.images = config.image_rules;
    options.patches = config.read_patches;
    options.model_streaming = config.model_streaming.unwrap_or_default();
    let world = world.accepted();
    world.with(WORKSPACE, |input, session, mut findings| {
        session.rehearse(&world.engine(), &mut findings);
        is_said_well(&findings);
        if findings.is_empty() {
            assert!(renders_alike(input, session, &world).is_some(), "what was tried before can't be rendered");
        }
    });
}
