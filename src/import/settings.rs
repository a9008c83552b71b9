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
    let gates = facts.switched(&gates);
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
        let why = why.replace(char::is_control, " ");
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
    let known = embedded_versions();
    let newest = known.first().cloned().unwrap_or_default();
    let is_of = |version: &str, known: &str| version.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    // Only Kaito 0.3 makes Machines, and Deployments for Workspaces.
    let is_near = |object: &Value| declared.iter().any(|other| other["metadata"]["namespace"] == object["metadata"]["namespace"]);
    let is_old = seen.of("Machine").next().is_some() || seen.of("Deployment").any(|object| is_of_workspace(object) && is_near(object));
    let like = if is_old { "0.3".to_owned() } else { newest.clone() };
    let Some((runs, why)) = operator.and_then(Operator::version) else {
        let why = if is_old { "there are Machines or Deployments of Workspaces" } else { "" };
        return match is_old {
            true => Setting::known("kaitoVersion", like, why),
            false => Setting::known("kaitoVersion", newest, "nothing says which version runs: this is the newest one that kaito renders"),
        };
    };
    if let Some(known) = known.iter().find(|known| is_of(runs, known)) {
        return Setting::known("kaitoVersion", known.clone(), why);
    }
    let finding = Diagnostic::warning(format!("Kaito {runs} runs here, which kaito doesn't render: it is taken as {like}"));
    findings.push(finding.help(format!("known is {}; `kaito diff --live` shows what comes out otherwise", known.join(" and "))));
    Setting::known("kaitoVersion", like, format!("{why}, which is nearest to this one"))
}
