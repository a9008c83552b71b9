//! What the Deployment of Kaito's operator says of how it runs.
//!
//! Source: Kaito's chart `charts/kaito/workspace`.

use serde_json::Value;

use crate::apply::operator_name;
use crate::image;

/// The operator that looks after Workspaces.
pub(super) struct Operator<'o> {
    /// What people call its Deployment.
    pub title: String,
    deployment: &'o Value,
    container: &'o Value,
}

impl<'o> Operator<'o> {
    /// The operator among these objects, also one that was stopped.
    pub(super) fn among(objects: &'o [Value]) -> Option<Self> {
        let mut deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
        let deployment = deployments.find(|deployment| operator_name(deployment) == Some("workspace"))?;
        let containers = deployment.pointer("/spec/template/spec/containers")?.as_array()?;
        // Meshes put containers of theirs beside it.
        let has_image = |container: &&Value| container["image"].as_str().is_some_and(|image| image::split(image).0.ends_with("/workspace"));
        let is_named = |container: &&Value| container["name"] == "workspace";
        let container = containers.iter().find(has_image).or(containers.iter().find(is_named)).or(containers.first())?;
        let text = |name: &str| deployment["metadata"][name].as_str().unwrap_or_default();
        Some(Self { title: format!("Deployment {}/{}", text("namespace"), text("name")), deployment, container })
    }

    /// The value of a flag, unless it is empty: `--name=value` or `--name value`, with one dash or two.
    pub(super) fn flag(&self, name: &str) -> Option<&'o str> {
        let words: Vec<&str> =
            ["command", "args"].iter().filter_map(|field| self.container[field].as_array()).flatten().filter_map(Value::as_str).collect();
        let bare = |word: &'o str| word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
        let value = |(at, word): (usize, &&'o str)| match bare(word)?.split_once('=') {
            Some((flag, value)) => (flag == name).then_some(value),
            None => (bare(word)? == name).then(|| words.get(at + 1).copied())?,
        };
        // As Go has it, the last one counts.
        words.iter().enumerate().filter_map(value).next_back().map(str::trim).filter(|value| !value.is_empty())
    }

    /// The value of an environment variable, unless it is empty.
    pub(super) fn variable(&self, name: &str) -> Option<&'o str> {
        let mut variables = self.container["env"].as_array().into_iter().flatten();
        variables.find(|variable| variable["name"] == name)?["value"].as_str().filter(|value| !value.is_empty())
    }

    /// The gates that are switched, each with where to.
    pub(super) fn gates(&self) -> Vec<(&'o str, bool)> {
        let pairs = self.flag("feature-gates").unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(gate, on)| (gate.trim(), ["1", "t", "true"].contains(&on.trim().to_lowercase().as_str()))).collect()
    }

    /// The version that runs, without a `v`, and what says so.
    pub(super) fn version(&self) -> Option<(&'o str, String)> {
        let image = self.container["image"].as_str().unwrap_or_default();
        let labels = &self.deployment["metadata"]["labels"];
        let chart = labels["helm.sh/chart"].as_str().and_then(|chart| chart.strip_prefix("workspace-"));
        let places = [
            (image::split(image).1, format!("the image of {} is {image}", self.title)),
            (labels["app.kubernetes.io/version"].as_str(), format!("the label app.kubernetes.io/version of {}", self.title)),
            (chart, format!("the label helm.sh/chart of {}", self.title)),
        ];
        let number =
            |text: &'o str| Some(text.strip_prefix('v').unwrap_or(text)).filter(|text| text.starts_with(|c: char| c.is_ascii_digit()));
        places.into_iter().find_map(|(text, why)| Some((text.and_then(number)?, why)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(image: &str, labels: &Value, container: &Value) -> Value {
        let mut container = container.clone();
        container["image"] = image.into();
        container["name"] = "workspace".into();
        json!({
            "kind": "Deployment",
            "metadata": {"name": "kaito-workspace", "namespace": "kaito-workspace", "labels": labels},
            "spec": {"replicas": 0, "template": {"spec": {"containers": [{"name": "proxy", "image": "istio/proxyv2:1"}, container]}}},
        })
    }

    #[test]
    fn versions() {
        let table = [
            ("mcr.microsoft.com/aks/kaito/workspace:0.12.0", json!({}), Some("0.12.0")),
            ("mirror.example.com/kaito/workspace:v0.3.2@sha256:ab", json!({}), Some("0.3.2")),
            ("ghcr.io/kaito-project/kaito/workspace:nightly-latest", json!({"app.kubernetes.io/version": "v0.12.1"}), Some("0.12.1")),
            ("registry/other@sha256:ab", json!({"helm.sh/chart": "workspace-0.12.0"}), Some("0.12.0")),
            ("registry/kaito/workspace@sha256:ab", json!({}), None),
        ];
        for (image, labels, want) in table {
            let objects = [deployment(image, &labels, &json!({}))];
            let operator = Operator::among(&objects).unwrap();
            assert_eq!(operator.version().map(|(version, _)| version), want, "{image}");
        }
        assert!(Operator::among(&[deployment("registry/kaito/ragengine:0.12.0", &json!({}), &json!({}))]).is_none());
    }

    #[test]
    fn flags_and_variables() {
        let container = json!({
            "command": ["/workspace"],
            "args": ["--feature-gates=vLLM=true, ModelMirror=True,enableMIG=false", "-node-provisioner", "byo", "--x=", "--y=1", "--y=2"],
            "env": [{"name": "CLOUD_PROVIDER", "value": "aws"}, {"name": "FROM", "valueFrom": {}}, {"name": "EMPTY", "value": ""}],
        });
        let objects = [deployment("registry/kaito/workspace:0.12.0", &json!({}), &container)];
        let operator = Operator::among(&objects).unwrap();
        let flags = [("node-provisioner", Some("byo")), ("x", None), ("y", Some("2")), ("z", None)];
        for (name, want) in flags {
            assert_eq!(operator.flag(name), want, "{name}");
        }
        for (name, want) in [("CLOUD_PROVIDER", Some("aws")), ("FROM", None), ("EMPTY", None), ("NONE", None)] {
            assert_eq!(operator.variable(name), want, "{name}");
        }
        assert_eq!(operator.gates(), [("vLLM", true), ("ModelMirror", true), ("enableMIG", false)]);
    }
}
