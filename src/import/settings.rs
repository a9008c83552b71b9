//! `kaito.yaml`, found out from a cluster: each field, and what told it.
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::facts::Facts;
use super::operator::Operator;
use super::{Seen, is_of_workspace};
use crate::config::API_VERSION;
use crate::diagnostic::Diagnostic;
use crate::options::{Cloud, NodeProvisioner};
use crate::preset::embedded_versions;
use crate::yaml;

/// A field of `kaito.yaml`.
pub(super) struct Setting {
    field: &'static str,
    /// Nothing if it wasn't found out.
    value: Option<Value>,
    /// What told it; or why it isn't known, and what holds then.
    why: String,
}

impl Setting {
    pub(super) fn known(field: &'static str, value: impl Into<Value>, why: impl Into<String>) -> Self {
        Self { field, value: Some(value.into()), why: why.into() }
    }

    pub(super) fn unknown(field: &'static str, why: impl Into<String>) -> Self {
        Self { field, value: None, why: why.into() }
    }
}

/// What was found out.
pub(super) struct Settings {
    /// `kaito.yaml`.
    pub text: String,
    /// The version of Kaito that is rendered.
    pub version: String,
    /// What makes nodes.
    pub provisioner: NodeProvisioner,
    /// What isn't known, and what can't be as it was.
    pub findings: Vec<Diagnostic>,
}

/// Finds out under which settings the same is rendered as is there.
pub(super) fn find(seen: &Seen<'_>, declared: &[&Value], keeps_node_names: bool) -> Settings {
    let mut findings = Vec::new();
    let operator = Operator::among(seen.objects);
    if operator.is_none() {
        findings.push(no_operator(seen));
    }
    let version = version(operator.as_ref(), seen, declared, &mut findings);
    let mut facts = Facts { seen, declared, operator, version: text_of(&version), cloud: Cloud::default() };
    let cloud = facts.cloud();
    facts.cloud = Cloud::by_name(&text_of(&cloud)).unwrap_or_default();
    let provisioner = facts.provisioner();
    let makes_nodes = NodeProvisioner::by_name(&text_of(&provisioner)).unwrap_or_default();
    let gates = facts.gates(&mut findings);
    let others = [
        facts.image_family(makes_nodes),
        facts.local_nvme(),
        facts.registry(),
        facts.node_classes(makes_nodes),
        facts.streaming(&gates, &mut findings),
        facts.node_names().filter(|_| keeps_node_names),
    ];
    let gates = Facts::switched(&gates);
    let settings: Vec<Setting> = [version, cloud, provisioner].into_iter().chain(gates).chain(others.into_iter().flatten()).collect();
    findings.extend(settings.iter().filter(|setting| setting.value.is_none()).map(|setting| {
        Diagnostic::warning(format!("{} was not found out: {}", setting.field, setting.why))
            .help("see to it in kaito.yaml before you go on")
    }));
    Settings { text: text(&settings), version: facts.version.clone(), provisioner: makes_nodes, findings }
}

fn no_operator(seen: &Seen<'_>) -> Diagnostic {
    let why = seen.why_unread("Deployment").map(|why| format!(": {why}")).unwrap_or_default();
    let finding = Diagnostic::warning(format!("the Deployment of Kaito's operator was not found{why}"));
    finding.help("what it was started with, such as its feature gates, is guessed from what is there: compare kaito.yaml with the values of your chart")
}

fn text_of(setting: &Setting) -> String {
    setting.value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The file. A comment says where each field comes from.
fn text(settings: &[Setting]) -> String {
    let mut text = "# Found out by `kaito import --live`; each comment says from what.\n".to_owned();
    yaml::to_yaml(&json!({"apiVersion": API_VERSION, "kind": "RenderConfig"}), &mut text);
    for Setting { field, value, why } in settings {
        // A comment ends with its line, and readers differ in what that is.
        let why = why.replace(|c: char| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c), " ");
        match value {
            Some(value) => {
                _ = writeln!(text, "# {why}");
                yaml::to_yaml(&json!({*field: value}), &mut text);
            }
            None => _ = writeln!(text, "# {field} was not found out: {why}"),
        }
    }
    text
}

/// The version of Kaito that is rendered: the one that runs, or the one that makes the like.
fn version(operator: Option<&Operator<'_>>, seen: &Seen<'_>, declared: &[&Value], findings: &mut Vec<Diagnostic>) -> Setting {
    const FIELD: &str = "kaitoVersion";
    let known = embedded_versions();
    let newest = known.first().cloned().unwrap_or_default();
    let is_of = |version: &str, known: &str| version.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    // Only Kaito 0.3 makes Machines, and Deployments for Workspaces.
    let is_near = |object: &Value| declared.iter().any(|other| other["metadata"]["namespace"] == object["metadata"]["namespace"]);
    let is_old = seen.of("Machine").next().is_some() || seen.of("Deployment").any(|object| is_of_workspace(object) && is_near(object));
    let like = if is_old { "0.3".to_owned() } else { newest };
    let Some((runs, why)) = operator.and_then(Operator::version) else {
        let why = if is_old {
            "there are Machines or Deployments of Workspaces"
        } else {
            "nothing says which version runs: this is the newest one that kaito renders"
        };
        return Setting::known(FIELD, like, why);
    };
    if let Some(known) = known.iter().find(|known| is_of(runs, known)) {
        return Setting::known(FIELD, known.clone(), why);
    }
    let finding = Diagnostic::warning(format!("Kaito {runs} runs here, which kaito doesn't render: it is taken as {like}"));
    findings.push(finding.help(format!("known is {}; `kaito diff --live` shows what comes out otherwise", known.join(" and "))));
    Setting::known(FIELD, like, format!("{why}, which is nearest to this one"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::inventory::GroupKind;

    /// What is there, whose kinds can't be read, the fields of `kaito.yaml` behind its first two, and parts of what is said.
    type Case = (&'static str, Vec<Value>, Vec<&'static str>, Value, Vec<&'static str>);

    fn operator(tag: &str, args: &[&str], variables: &[(&str, &str)]) -> Value {
        let env: Vec<Value> = variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let container = json!({"image": format!("mcr.microsoft.com/aks/kaito/workspace:{tag}"), "args": args, "env": env});
        json!({"kind": "Deployment", "metadata": {"name": "w", "namespace": "k"}, "spec": {"template": {"spec": {"containers": [container]}}}})
    }

    fn workspace(size: &str) -> Value {
        json!({
            "apiVersion": "kaito.sh/v1beta1",
            "kind": "Workspace",
            "metadata": {"name": "phi", "namespace": "models"},
            "resource": {"instanceType": size, "labelSelector": {"matchLabels": {"a": "b"}}},
            "inference": {"preset": {"name": "phi-4"}},
        })
    }

    fn claim(kind: &str, class: &str) -> Value {
        json!({
            "kind": kind,
            "metadata": {
                "name": "ws1",
                "labels": {"kaito.sh/workspace": "phi", "kaito.sh/workspacenamespace": "models"},
                "annotations": {"kaito.sh/node-image-family": "azurelinux"},
            },
            "spec": {"nodeClassRef": {"kind": class}},
        })
    }

    fn stateful_set(image: &str) -> Value {
        let owner = json!([{"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": "phi"}]);
        let spec = json!({"template": {"spec": {"containers": [{"image": image}]}}});
        json!({"kind": "StatefulSet", "metadata": {"name": "phi", "namespace": "models", "ownerReferences": owner}, "spec": spec})
    }

    fn disks() -> Value {
        json!({"kind": "StorageClass", "metadata": {"name": "kaito-local-nvme-disk"}})
    }

    const SIZE: &str = "Standard_NC24ads_A100_v4";

    fn defaults(provisioner: &str) -> Value {
        json!({"kaitoVersion": "0.12", "cloud": "azure", "nodeProvisioner": provisioner})
    }

    fn with(mut settings: Value, more: &Value) -> Value {
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    }

    /// What is usual.
    fn usual() -> Vec<Case> {
        vec![
            (
                "the operator says all",
                vec![
                    operator(
                        "0.12.0",
                        &["--node-provisioner=azure-gpu-provisioner", "--feature-gates=vLLM=true"],
                        &[("CLOUD_PROVIDER", "azure")],
                    ),
                    workspace(SIZE),
                    disks(),
                ],
                vec![],
                defaults("gpu-provisioner"),
                vec![],
            ),
            (
                "the operator says otherwise",
                vec![
                    operator(
                        "0.12.1",
                        &["--feature-gates=vLLM=false,ModelMirror=true,other=true", "--default-node-image-family= AzureLinux"],
                        &[("CLOUD_PROVIDER", "aws"), ("PRESET_REGISTRY_NAME", "registry.example.com/kaito/")],
                    ),
                    workspace("g5.xlarge"),
                ],
                vec![],
                json!({
                    "kaitoVersion": "0.12",
                    "cloud": "aws",
                    "nodeProvisioner": "gpu-provisioner",
                    "featureGates": {"ModelMirror": true, "vLLM": false},
                    "defaultNodeImageFamily": "azurelinux",
                    "presetRegistry": "registry.example.com/kaito",
                }),
                vec!["the feature gate other"],
            ),
            (
                "nodes of one's own, by the gate",
                vec![
                    operator("0.12.0", &["--feature-gates=disableNodeAutoProvisioning=true"], &[("CLOUD_PROVIDER", "arc")]),
                    workspace(""),
                ],
                vec![],
                json!({"kaitoVersion": "0.12", "cloud": "arc", "nodeProvisioner": "byo"}),
                vec![],
            ),
            (
                "the operator may not be seen",
                vec![workspace(SIZE), claim("NodeClaim", "KaitoNodeClass"), stateful_set("mirror.example.com/kaito-base:0.5.0")],
                vec!["Deployment", "StorageClass"],
                with(defaults("gpu-provisioner"), &json!({"defaultNodeImageFamily": "azurelinux", "presetRegistry": "mirror.example.com"})),
                vec!["the Deployment of Kaito's operator was not found: forbidden", "localNVMe was not found out"],
            ),
            (
                "there are no disks",
                vec![operator("0.12.0", &[], &[("CLOUD_PROVIDER", "azure")]), workspace(SIZE)],
                vec![],
                with(defaults("gpu-provisioner"), &json!({"localNVMe": false})),
                vec![],
            ),
        ]
    }

    /// What needs fields of its own.
    fn special() -> Vec<Case> {
        vec![
            (
                "Karpenter with classes of one's own",
                vec![
                    operator(
                        "0.12.0",
                        &[
                            "--node-provisioner=karpenter",
                            r#"--karpenter-node-classes=[{"name":"big","default":true,"spec":{"a":1}},{"name":"small"}]"#,
                        ],
                        &[("CLOUD_PROVIDER", "azure")],
                    ),
                    workspace(SIZE),
                    disks(),
                ],
                vec![],
                with(
                    defaults("karpenter"),
                    &json!({"karpenter": {
                        "group": "karpenter.azure.com",
                        "kind": "AKSNodeClass",
                        "version": "v1beta1",
                        "classes": [{"name": "big", "default": true}, {"name": "small"}],
                    }}),
                ),
                vec![],
            ),
            (
                "a part of a GPU, and a cloud that nobody tells",
                vec![
                    {
                        let mut workspace = workspace("");
                        workspace["resource"]["partition"] = json!({"mode": "mig"});
                        workspace
                    },
                    disks(),
                ],
                vec![],
                json!({"kaitoVersion": "0.12", "nodeProvisioner": "byo", "featureGates": {"enableMIG": true}}),
                vec!["the Deployment of Kaito's operator was not found", "cloud was not found out"],
            ),
        ]
    }

    /// Other versions, and weights that are streamed.
    fn rare() -> Vec<Case> {
        vec![
            (
                "Kaito 0.3",
                vec![operator("v0.3.2", &[], &[]), workspace(SIZE), claim("Machine", ""), disks()],
                vec![],
                json!({"kaitoVersion": "0.3", "cloud": "azure", "nodeProvisioner": "machine"}),
                vec![],
            ),
            (
                "a version that isn't rendered",
                vec![operator("0.9.1", &[], &[("CLOUD_PROVIDER", "azure")]), workspace(SIZE), disks()],
                vec![],
                defaults("gpu-provisioner"),
                vec!["Kaito 0.9.1 runs here"],
            ),
            (
                "weights are streamed",
                vec![
                    operator(
                        "0.12.0",
                        &["--feature-gates=ModelMirror=true,ModelStreaming=true", "--default-model-mirror-storage-class", "blob"],
                        &[("CLOUD_PROVIDER", "azure")],
                    ),
                    workspace(SIZE),
                    disks(),
                ],
                vec![],
                with(
                    defaults("gpu-provisioner"),
                    &json!({"featureGates": {"ModelMirror": true, "ModelStreaming": true}, "modelStreaming": {"storageClass": "blob"}}),
                ),
                vec!["the blob containers of the mirrors"],
            ),
        ]
    }

    #[test]
    fn what_is_found_out() {
        for (what, objects, unread, want, said) in [usual(), special(), rare()].concat() {
            let unread: BTreeMap<GroupKind, String> =
                unread.into_iter().map(|kind| (GroupKind::new("", kind), "forbidden".to_owned())).collect();
            let seen = Seen { objects: &objects, unread: &unread };
            let declared: Vec<&Value> = seen.of("Workspace").collect();
            let settings = find(&seen, &declared, false);
            let mut faults = Vec::new();
            let file = crate::diagnostic::SourceFile::new("kaito.yaml", settings.text.clone());
            let documents = yaml::read(&file, yaml::Limits::default(), &mut faults);
            let mut found = documents[0].root.to_value();
            assert!(crate::config::RenderConfig::read(&documents[0], |_, _| None, &mut faults).is_some(), "{what}: {faults:?}");
            found.as_object_mut().unwrap().retain(|field, _| !["apiVersion", "kind"].contains(&field.as_str()));
            assert_eq!(found, want, "{what}: {}", settings.text);
            let messages: Vec<&str> = settings.findings.iter().map(|finding| finding.message.as_str()).collect();
            assert_eq!(messages.len(), said.len(), "{what}: {messages:?}");
            said.iter().for_each(|part| assert!(messages.iter().any(|message| message.contains(part)), "{what}: {part} in {messages:?}"));
        }
    }
}
