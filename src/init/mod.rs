//! A small repository to begin with: [`Repository::files`] writes it, [`Repository::sizes`] tells on which nodes its model fits.

mod origin;
mod sizes;

use minijinja::{Environment, UndefinedBehavior, context};
use serde_json::Value;

use crate::options::{Cloud, NodeProvisioner, Options};
use crate::preset::Catalog;

pub use origin::Origin;
pub use sizes::Size;

/// The branch of rendered manifests, for Flux.
pub const BRANCH: &str = "rendered";

/// What a repository holds besides `kaito.yaml` and a Workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// A workflow of GitHub's that checks pull requests.
    Github,
    /// A pipeline of GitLab's that checks merge requests.
    Gitlab,
    /// An Application of Argo CD's.
    Argocd,
    /// A source and a Kustomization of Flux's.
    Flux,
}

impl Extra {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Github, Self::Gitlab, Self::Argocd, Self::Flux];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Argocd => "argocd",
            Self::Flux => "flux",
        }
    }

    /// The one of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|extra| extra.name() == name)
    }

    /// Whether it must know where the repository is.
    pub fn needs_repository(self) -> bool {
        matches!(self, Self::Argocd | Self::Flux)
    }

    /// Whether it takes something of kaito's own repository.
    pub fn needs_origin(self) -> bool {
        matches!(self, Self::Github | Self::Gitlab)
    }
}

/// Where rendered manifests are pushed as an artifact, for Flux.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The repository of a registry: `oci://HOST/REPOSITORY`.
    pub repository: String,
    /// The tag in it.
    pub tag: String,
}

/// What a repository is to be. All names are such as Kubernetes, the catalog and YAML take without quotes.
#[derive(Clone)]
pub struct Repository<'c> {
    /// The models and sizes of its version of Kaito.
    pub catalog: &'c Catalog,
    /// The cloud.
    pub cloud: Cloud,
    /// What makes nodes.
    pub node_provisioner: NodeProvisioner,
    /// The namespace of the Workspace.
    pub namespace: String,
    /// The name of the Workspace.
    pub name: String,
    /// Its model.
    pub preset: String,
    /// The Secret with a token for the weights.
    pub token_secret: Option<String>,
    /// Where the repository will be.
    pub url: Option<String>,
    /// The artifact that Flux follows; a branch otherwise.
    pub artifact: Option<Artifact>,
    /// Where kaito itself is taken from.
    pub origin: Option<Origin>,
    /// What else it holds.
    pub extras: Vec<Extra>,
}

impl Repository<'_> {
    /// The files by their paths, the Workspace on nodes of this size.
    ///
    /// # Errors
    /// A template at fault.
    pub fn files(&self, instance_type: &str) -> Result<Vec<(String, String)>, minijinja::Error> {
        let mut files = vec![
            ("kaito.yaml".to_owned(), self.render(include_str!("../../templates/init/kaito.yaml"), instance_type)?),
            (format!("workspaces/{}.yaml", self.name), self.workspace(instance_type)?),
        ];
        for extra in &self.extras {
            let (path, template) = match extra {
                Extra::Github => (".github/workflows/kaito.yaml", include_str!("../../templates/init/github.yaml")),
                Extra::Gitlab => (".gitlab-ci.yml", include_str!("../../templates/init/gitlab.yaml")),
                Extra::Argocd => ("argocd/application.yaml", include_str!("../../templates/init/argocd.yaml")),
                Extra::Flux => ("flux/sync.yaml", include_str!("../../templates/init/flux.yaml")),
            };
            files.push((path.to_owned(), self.render(template, instance_type)?));
        }
        Ok(files)
    }

    fn workspace(&self, instance_type: &str) -> Result<String, minijinja::Error> {
        self.render(include_str!("../../templates/init/workspace.yaml"), instance_type)
    }

    fn render(&self, template: &str, instance_type: &str) -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let text = environment.render_str(
            template,
            context! {
                kaito_version => &self.catalog.version,
                api_version => if self.catalog.is_v0_3() { "v1alpha1" } else { "v1beta1" },
                cloud => self.cloud.name(),
                node_provisioner => self.node_provisioner.name(),
                namespace => &self.namespace,
                name => &self.name,
                preset => &self.preset,
                instance_type => instance_type,
                token_secret => &self.token_secret,
                // JSON's strings are YAML's.
                repository => Value::from(self.url.clone().unwrap_or_default()).to_string(),
                origin => self.origin.as_ref().map(|Origin { repository, revision }| context! { repository, revision }),
                artifact => self.artifact.as_ref().map(|Artifact { repository, tag }| context! { repository, tag }),
                branch => BRANCH,
                flux => self.extras.contains(&Extra::Flux),
            },
        )?;
        // The last line of a template ends without one.
        Ok(text + "\n")
    }

    /// The options that `kaito.yaml` stands for.
    fn options(&self) -> Options {
        Options {
            cloud: self.cloud,
            node_provisioner: self.node_provisioner,
            local_nvme: self.cloud == Cloud::Azure,
            namespace: self.namespace.clone(),
            ..Options::default()
        }
    }
}

/// A name for a Workspace of a model: the last part of the model's own, as Kubernetes takes names.
pub fn workspace_name(preset: &str) -> String {
    let last = preset.rsplit('/').next().unwrap_or(preset).to_lowercase();
    let name: String = last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    let name = name.trim_matches('-');
    if name.starts_with(|c: char| c.is_ascii_lowercase()) { name.to_owned() } else { format!("model-{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_workspaces() {
        let table = [
            ("phi-4", "phi-4"),
            ("microsoft/Phi-3.5-mini-instruct", "phi-3-5-mini-instruct"),
            ("acme/8b", "model-8b"),
            ("acme/_x_", "x"),
            ("", "model-"),
        ];
        for (preset, want) in table {
            assert_eq!(workspace_name(preset), want);
        }
    }
}
