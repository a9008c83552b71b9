//! What runs the loop in a cluster: the objects of `templates/install`, in the order in which they are applied.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::crd::KINDS;
use crate::rbac::Rules;
use crate::render::{Engine, Object, TemplateError, Templates};

/// The namespace that it is installed in, unless somebody says otherwise.
pub const NAMESPACE: &str = "kaito-system";
/// Where the Secret with credentials of a repository is mounted.
pub const CREDENTIALS: &str = "/etc/kaito/git";
/// Where the token of webhooks is mounted: the key `token` of its Secret.
pub const WEBHOOK_TOKEN: &str = "/etc/kaito/webhook/token";
/// Where artifacts are given out, if there are any; pods have their address in `POD_IP`.
pub const ARTIFACT_LISTEN: &str = ":9790";
/// The arguments of `kaito watch` that fit the Deployment: its volumes, ports and replicas.
pub const PROCESS: [&str; 5] =
    ["--leader-elect", "--cache-dir=/cache", "--health-listen=:8080", "--metrics-listen=:8080", "--log-format=json"];

/// What is installed, and how.
#[derive(Clone, Debug, Default)]
pub struct Install {
    /// Its namespace.
    pub namespace: String,
    /// The image with `kaito` in it.
    pub image: String,
    /// How many pods.
    pub replicas: u16,
    /// The arguments of `kaito watch`, [`PROCESS`] among them.
    pub args: Vec<String>,
    /// The namespaces that objects may be in; none for all.
    pub namespaces: Vec<String>,
    /// The Secret with credentials of a repository, to be mounted at [`CREDENTIALS`].
    pub credentials: Option<String>,
    /// The Secret with the token of webhooks, to be mounted at [`WEBHOOK_TOKEN`].
    pub webhook_token: Option<String>,
    /// Whether artifacts are given out, at [`ARTIFACT_LISTEN`].
    pub artifacts: bool,
    /// With the CRDs.
    pub crds: bool,
    /// With a ServiceMonitor of the Prometheus operator.
    pub service_monitor: bool,
    /// The rules of its roles, of which those without any are left out; none if somebody else grants its rights.
    pub rules: Option<Rules>,
}

/// What templates see.
#[derive(Serialize)]
struct Values<'i> {
    namespace: &'i str,
    image: &'i str,
    replicas: u16,
    args: &'i [String],
    credentials: Option<&'i str>,
    webhook_token: Option<&'i str>,
    artifacts: bool,
    rules: Option<Value>,
    /// The namespace of a binding.
    place: &'i str,
}

impl Install {
    /// The objects, the first to be applied first.
    ///
    /// # Errors
    /// The template at fault, with its line.
    pub fn objects(&self) -> Result<Vec<Object>, TemplateError> {
        let engine = Engine::new(Templates::new("install", HashMap::new()));
        let render = |name: &str| engine.render(&format!("{name}.yaml"), &self.values(""));
        let mut objects = vec![render("namespace")?];
        if self.crds {
            objects.extend(KINDS.iter().filter_map(|kind| Object::of(kind.definition()).ok()));
        }
        objects.push(render("serviceaccount")?);
        if let Some(rules) = &self.rules {
            if !rules.cluster.is_empty() {
                objects.extend([render("clusterrole-nodes")?, render("clusterrolebinding-nodes")?]);
            }
            if !rules.workspaces.is_empty() {
                objects.push(render("clusterrole-workspaces")?);
                if self.namespaces.is_empty() {
                    objects.push(render("clusterrolebinding-workspaces")?);
                }
                for place in &self.namespaces {
                    objects.push(engine.render("rolebinding-workspaces.yaml", &self.values(place))?);
                }
            }
            objects.extend([render("role")?, render("rolebinding")?]);
        }
        for name in ["networkpolicy", "service", "poddisruptionbudget", "deployment"] {
            objects.push(render(name)?);
        }
        if self.service_monitor {
            objects.push(render("servicemonitor")?);
        }
        Ok(objects)
    }

    /// What names the objects, the first to be deleted first. CRDs come last: with them goes every object of their kinds, which the loop must not
    /// see any more.
    ///
    /// # Errors
    /// The template at fault, with its line.
    pub fn identities(&self) -> Result<Vec<Value>, TemplateError> {
        let identity = |object: &Object| {
            let value = object.to_value();
            let mut metadata = json!({"name": value["metadata"]["name"]});
            if let Some(namespace) = &object.reference().namespace {
                metadata["namespace"] = json!(namespace);
            }
            json!({"apiVersion": value["apiVersion"], "kind": value["kind"], "metadata": metadata})
        };
        let mut identities: Vec<Value> = self.objects()?.iter().rev().map(identity).collect();
        identities.sort_by_key(|identity| identity["kind"] == "CustomResourceDefinition");
        Ok(identities)
    }

    fn values<'i>(&'i self, place: &'i str) -> Values<'i> {
        let rules = self.rules.as_ref();
        Values {
            namespace: &self.namespace,
            image: &self.image,
            replicas: self.replicas,
            args: &self.args,
            credentials: self.credentials.as_deref(),
            webhook_token: self.webhook_token.as_deref(),
            artifacts: self.artifacts,
            rules: rules.map(|Rules { own, workspaces, cluster }| json!({"own": own, "workspaces": workspaces, "cluster": cluster})),
            place,
        }
    }
}
