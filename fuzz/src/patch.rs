//! A patch in a file of its own, about everything that is rendered of a Workspace.

use kaito::config::RenderConfig;
use kaito::diagnostic::SourceFile;
use kaito::yaml;

use super::world::{WORKSPACE, World, is_said_well, renders_alike};

const CONFIG: &str = "apiVersion: config.kaito.sh/v1alpha1
kind: RenderConfig
patches: [{path: patch.yaml, target: {name: phi}, options: {allowNameChange: true, allowKindChange: true}}]
";

/// It is no patch, or can't be applied, and that is said; or it changes what is rendered, twice alike.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut findings = Vec::new();
    let documents = yaml::read(&SourceFile::new("kaito.yaml", CONFIG), yaml::Limits::default(), &mut findings);
    let open = |_: &str, _: &mut Vec<_>| Some(SourceFile::new("patch.yaml", text));
    let config = documents.first().and_then(|document| RenderConfig::read(document, open, &mut findings));
    is_said_well(&findings);
    let Some(config) = config else { return assert!(!findings.is_empty(), "no patch, and nothing is said") };
    let mut world = World::new();
    world.options.patches = config.read_patches;
    world.with(WORKSPACE, |input, session, mut findings| {
        session.rehearse(&world.engine(), &mut findings);
        is_said_well(&findings);
        if findings.is_empty() {
            assert!(renders_alike(input, session, &world).is_some(), "a patch was refused that was tried before");
        }
    });
}
