//! A template of a repository's own.

use kaito::diagnostic::SourceFile;

use super::world::{WORKSPACE, World, is_said_well, renders_alike};

/// Whatever a template says, it is at fault and that is said, or it renders, twice alike, what is read back as what it was.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut world = World::new();
    world.overrides.insert("service.yaml".to_owned(), SourceFile::new("templates/service.yaml", text));
    world.with(WORKSPACE, |input, session, mut findings| {
        assert!(findings.is_empty(), "{findings:?}");
        session.rehearse(&world.engine(), &mut findings);
        is_said_well(&findings);
        if findings.is_empty() {
            assert!(renders_alike(input, session, &world).is_some(), "a template was at fault that was tried before");
        }
    });
}
