//! What is measured: Workspaces as they stand in a repository, and everything that renders them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use kaito::diagnostic::SourceFile;
use kaito::options::Options;
use kaito::preset::{Catalog, Layer};
use kaito::render::{Engine, Templates};
use kaito::session::Session;
use kaito::spec::Input;

/// The version of Kaito that is rendered.
const VERSION: &str = "0.12";

/// So many Workspaces with a ConfigMap each, in a file. `context` is the longest context of the last of them.
pub(crate) fn file(count: usize, context: u32) -> Arc<SourceFile> {
    let mut text = String::new();
    for number in 0..count {
        let length = if number + 1 == count { context } else { 16384 };
        _ = write!(
            text,
            "---
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata:
  name: ws-{number}
  namespace: bench
resource:
  instanceType: Standard_NC24ads_A100_v4
  labelSelector:
    matchLabels:
      apps: ws-{number}
inference:
  preset:
    name: phi-4-mini-instruct
  config: cfg-{number}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: cfg-{number}
  namespace: bench
data:
  inference_config.yaml: |
    vllm:
      gpu-memory-utilization: 0.95
      max-model-len: {length}
"
        );
    }
    SourceFile::new("workspaces.yaml", text)
}

/// What renders them.
pub(crate) struct World {
    /// Models, sizes, rules.
    pub(crate) catalog: Catalog,
    /// Choices.
    pub(crate) options: Options,
    /// Templates.
    pub(crate) engine: Engine,
}

impl World {
    /// That of a user who has chosen nothing.
    pub(crate) fn new() -> Self {
        let catalog = Catalog::load(VERSION, &[Layer::embedded(VERSION)]).unwrap_or_else(|findings| panic!("{findings:?}"));
        Self { catalog, options: Options::default(), engine: Engine::new(Templates::new(VERSION, HashMap::new())) }
    }

    /// A file, read.
    pub(crate) fn input(&self, file: &Arc<SourceFile>) -> Input {
        let mut findings = Vec::new();
        let input = Input::read(std::slice::from_ref(file), &self.options, &mut findings);
        assert!(findings.is_empty(), "{findings:?}");
        input
    }

    /// An input, planned.
    pub(crate) fn session<'a>(&'a self, input: &'a Input) -> Session<'a> {
        let mut findings = Vec::new();
        let session = Session::new(input, &self.catalog, &self.options, false, &mut findings);
        assert!(findings.is_empty(), "{findings:?}");
        session
    }

    /// The text of every object of a session.
    pub(crate) fn text(&self, session: &Session<'_>) -> String {
        let mut all = String::new();
        let rendered = session.render(
            &self.engine,
            |_, objects| {
                let mut text = String::new();
                objects.iter().for_each(|object| object.to_yaml(&mut text));
                Ok(text)
            },
            |text| {
                all.push_str(&text);
                Ok::<_, kaito::render::TemplateError>(())
            },
        );
        rendered.unwrap_or_else(|error| panic!("{error}"));
        all
    }
}
