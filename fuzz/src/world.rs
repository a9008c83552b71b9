//! What the others render in: the catalogs, and an input that was read and planned.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use kaito::diagnostic::{Diagnostic, SourceFile};
use kaito::options::{Cloud, NodeProvisioner, Options};
use kaito::preset::{Catalog, Layer};
use kaito::render::{Engine, TemplateError, Templates};
use kaito::session::Session;
use kaito::spec::Input;
use kaito::yaml;
use serde_json::Value;

/// A Workspace that is fine.
pub(crate) const WORKSPACE: &str = "apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: phi}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: phi}}}
inference: {preset: {name: phi-4}}
";

static CATALOGS: LazyLock<[Catalog; 2]> = LazyLock::new(|| {
    ["0.12", "0.3"].map(|version| Catalog::load(version, &[Layer::embedded(version)]).expect("what is built in can be read"))
});

/// How something is rendered.
pub(crate) struct World {
    pub(crate) catalog: &'static Catalog,
    pub(crate) options: Options,
    pub(crate) overrides: HashMap<String, Arc<SourceFile>>,
}

impl World {
    /// With the catalog of 0.3.
    pub(crate) fn of_0_3() -> Self {
        Self { catalog: &CATALOGS[1], ..Self::new() }
    }

    pub(crate) fn new() -> Self {
        Self { catalog: &CATALOGS[0], options: Options::default(), overrides: HashMap::new() }
    }

    /// What the first line of a text says after `#!`: names of a provisioner, of a cloud, of gates, and the version 0.3. Others are read over.
    pub(crate) fn of(text: &str) -> Self {
        let mut world = Self::new();
        let words = text.strip_prefix("#!").and_then(|rest| rest.lines().next()).unwrap_or_default();
        for word in words.split_whitespace() {
            if let Some(provisioner) = NodeProvisioner::by_name(word) {
                world.options.node_provisioner = provisioner;
            } else if let Some(cloud) = Cloud::by_name(word) {
                world.options.cloud = cloud;
            } else if word == "0.3" {
                world.catalog = Self::of_0_3().catalog;
            } else if word == "flux" {
                world.options.flux = true;
            } else {
                let is_on = world.options.feature_gates.is_on(word);
                world.options.feature_gates.set(word, !is_on);
            }
        }
        world.accepted()
    }

    /// What no command accepts is another thing: it is refused before anything is rendered.
    pub(crate) fn accepted(mut self) -> Self {
        let of_0_3 = [NodeProvisioner::Machine, NodeProvisioner::Karpenter, NodeProvisioner::Byo];
        if self.catalog.is_v0_3() && !of_0_3.contains(&self.options.node_provisioner) {
            self.options.node_provisioner = NodeProvisioner::Machine;
        }
        let provisioner = self.options.node_provisioner;
        if provisioner.makes_cloud_pools() && !provisioner.clouds().contains(&self.options.cloud) {
            self.options.cloud = provisioner.clouds()[0];
        }
        self
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::new(Templates::new(&self.catalog.version, self.overrides.clone()))
    }

    /// Reads and plans a text, and passes what came of it on, with all that is wrong.
    pub(crate) fn with<T>(&self, text: &str, then: impl FnOnce(&Input, &Session<'_>, Vec<Diagnostic>) -> T) -> T {
        let mut findings = Vec::new();
        let input = Input::read(&[SourceFile::new("in.yaml", text)], &self.options, &mut findings);
        let session = Session::new(&input, self.catalog, &self.options, true, &mut findings);
        then(&input, &session, findings)
    }
}

/// Everything that a session renders, as one text, with the values that stand in it.
pub(crate) fn render(input: &Input, session: &Session<'_>, engine: &Engine) -> Result<(String, Vec<Value>), TemplateError> {
    let (mut text, mut values) = (String::new(), Vec::new());
    for passed in &input.passed {
        if let Some((_, value)) = session.pass(passed)? {
            text.push_str("---\n");
            yaml::to_yaml(&value, &mut text);
            values.push(value);
        }
    }
    let mut add = |object: &kaito::render::Object| {
        text.push_str("---\n");
        object.to_yaml(&mut text);
        values.push(object.to_value());
    };
    session.render_shared(engine, |_, object| {
        add(&object);
        Ok::<_, TemplateError>(())
    })?;
    session.render(
        engine,
        |_, objects| Ok(objects),
        |objects| {
            objects.iter().for_each(&mut add);
            Ok::<_, TemplateError>(())
        },
    )?;
    Ok((text, values))
}

/// Renders twice: it is the same text, in which the same values are read. Nothing if a template or a patch is at fault.
pub(crate) fn renders_alike(input: &Input, session: &Session<'_>, world: &World) -> Option<(String, Vec<Value>)> {
    let first = render(input, session, &world.engine());
    let second = render(input, session, &world.engine());
    match (first, second) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.0, second.0, "rendered twice, it isn't the same");
            assert_eq!(read(&first.0), first.1, "what was written is read otherwise:\n{}", first.0);
            Some(first)
        }
        (Err(first), Err(second)) => {
            assert_eq!(first.0.line(), second.0.line(), "rendered twice, it doesn't fail alike");
            is_said_well(&[*first.0]);
            None
        }
        _ => panic!("it was rendered once of two times"),
    }
}

/// The values of a text in which nothing may be wrong.
pub(crate) fn read(text: &str) -> Vec<Value> {
    let mut findings = Vec::new();
    let documents = yaml::read(&SourceFile::new("out.yaml", text), yaml::Limits::default(), &mut findings);
    assert!(findings.is_empty(), "{findings:?} in\n{text}");
    documents.iter().map(|document| document.root.to_value()).collect()
}

/// Every finding has a message, and can be shown without that anything moves in a terminal.
pub(crate) fn is_said_well(findings: &[Diagnostic]) {
    for finding in findings {
        assert!(!finding.message.is_empty(), "{finding:?}");
        let shown = finding.render_with_rule(false);
        let moves =
            |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
        assert!(!shown.contains(moves), "{shown:?}");
        _ = (finding.render(true), finding.line());
        if let Some(place) = &finding.place {
            assert!(place.span.end <= place.file.text.len(), "{finding:?}");
        }
    }
}

/// The same, and each finding has a place.
pub(crate) fn is_said_where(findings: &[Diagnostic]) {
    is_said_well(findings);
    let nowhere = findings.iter().find(|finding| finding.place.is_none());
    assert!(nowhere.is_none(), "{nowhere:?}");
}
