//! `deploy/helm/kaito`: a chart of what `kaito install` prints, with values where flags are.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::install::{objects, prints};
use crate::support::{expect, names};
use kaito::options::NodeProvisioner;

/// Flags whose values are found again in what is printed.
const FLAGS: [&str; 7] = [
    "install",
    "--image=IMAGE",
    "--url=URL",
    "--applyset=set-name",
    "--credentials=CREDENTIALS",
    "--webhook-token=TOKEN",
    "--service-monitor",
];

/// What stands in what is printed, and what in the chart.
const VALUES: [(&str, &str); 8] = [
    ("kaito-system", "{{ $.Release.Namespace }}"),
    (
        "image: IMAGE",
        "image: {{ required \"name the image: --set image.repository=...\" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}",
    ),
    ("replicas: 2", "replicas: {{ .Values.replicas }}"),
    ("secretName: CREDENTIALS", "secretName: {{ .Values.credentials }}"),
    ("secretName: TOKEN", "secretName: {{ .Values.webhookToken }}"),
    ("set-name", "{{ .Values.applyset }}"),
    ("        - --url=URL\n", "        {{- range .Values.args }}\n        - {{ . | quote }}\n        {{- end }}\n"),
    ("--namespaces=place", "--namespaces={{ join \",\" .Values.namespaces }}"),
];

/// Items of lists that are only there with a value, by a word of theirs.
const OPTIONAL: [(&str, &str); 7] = [
    ("--credentials=", ".Values.credentials"),
    ("name: credentials", ".Values.credentials"),
    ("--webhook-", ".Values.webhookToken"),
    ("name: webhook-token", ".Values.webhookToken"),
    ("name: hooks", ".Values.webhookToken"),
    ("name: http-hooks", ".Values.webhookToken"),
    ("port: hooks", ".Values.webhookToken"),
];

/// Objects with a file of their own, and the value without which they aren't there.
const PARTS: [(&str, Option<&str>); 6] = [
    ("ServiceAccount", None),
    ("NetworkPolicy", Some(".Values.networkPolicy.enabled")),
    ("Service", None),
    ("PodDisruptionBudget", None),
    ("Deployment", None),
    ("ServiceMonitor", Some(".Values.serviceMonitor.enabled")),
];

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn is_item(line: &str) -> bool {
    line.trim_start().starts_with("- ")
}

/// A printed text with conditions around the items of lists that are optional.
fn with_conditions(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let length = 1 + lines[at + 1..].iter().take_while(|other| depth(other) > depth(line)).count();
        let item = &lines[at..at + length];
        // An item that holds others, such as the container, isn't optional as a whole.
        let is_small = is_item(line) && item.len() <= 4;
        let value = OPTIONAL.iter().find(|(word, _)| is_small && item.iter().any(|line| line.contains(word)));
        if let Some((_, value)) = value {
            let indent = " ".repeat(depth(line));
            write!(out, "{indent}{{{{- if {value} }}}}\n{}\n{indent}{{{{- end }}}}\n", item.join("\n")).unwrap();
            at += length;
        } else {
            writeln!(out, "{line}").unwrap();
            at += 1;
        }
    }
    out
}

/// What is printed with these flags: the objects' kinds, and their texts with values of the chart.
fn templates_of(flags: &[&str]) -> Vec<(String, String)> {
    let template = |text: &str| VALUES.iter().fold(with_conditions(text), |text, (word, value)| text.replace(word, value));
    let kind = |text: &str| text.lines().find_map(|line| line.strip_prefix("kind: ")).unwrap().to_owned();
    prints(flags).split("---\n").map(|text| (kind(text), template(text))).collect()
}

/// What is printed with more flags.
fn templates(more: &[&str]) -> Vec<(String, String)> {
    templates_of(&[&FLAGS[..], more].concat())
}

fn when(value: &str, text: &str) -> String {
    format!("{{{{- if {value} }}}}\n{text}{{{{- end }}}}\n")
}

/// The texts of some kinds, as documents.
fn of(templates: &[(String, String)], kinds: &[&str]) -> String {
    let texts: Vec<&str> = templates.iter().filter(|(kind, _)| kinds.contains(&kind.as_str())).map(|(_, text)| text.as_str()).collect();
    texts.join("---\n")
}

/// The rights, which depend on what makes nodes, and on whether people declare Workspaces in the cluster. They are enough wherever objects
/// may be.
fn roles() -> String {
    let narrow = ["--namespaces", "place"];
    let of_cluster: Vec<&str> =
        FLAGS.into_iter().filter(|flag| !["--url", "--cred", "--webh"].iter().any(|of| flag.starts_with(of))).collect();
    let roles = |flags: &[&str], provisioner: &str| {
        of(&templates_of(&[flags, &narrow, &["--node-provisioner", provisioner]].concat()), &["ClusterRole", "Role"])
    };
    let of_one = |provisioner: &str| {
        let (cluster, repository) = (roles(&of_cluster, provisioner), roles(&FLAGS, provisioner));
        let either = format!("{{{{- if has \"--source=cluster\" .Values.args }}}}\n{cluster}{{{{- else }}}}\n{repository}{{{{- end }}}}\n");
        when(&format!("eq .Values.nodeProvisioner \"{provisioner}\""), &either)
    };
    NodeProvisioner::ALL.map(NodeProvisioner::name).map(of_one).concat()
}

/// Who has them, and where.
fn bindings() -> String {
    let wide = templates(&[]);
    let everywhere: Vec<&str> = wide.iter().filter(|(kind, _)| kind == "ClusterRoleBinding").map(|(_, text)| text.as_str()).collect();
    let [nodes, everywhere] = everywhere[..] else { panic!("{everywhere:?}") };
    let own = of(&wide, &["RoleBinding"]);
    let narrow = templates(&["--namespaces", "place"]);
    let there = narrow.iter().find(|(kind, _)| kind == "RoleBinding").unwrap().1.replace("namespace: place", "namespace: {{ . }}");
    let each = format!("{{{{- range .Values.namespaces }}}}\n---\n{there}{{{{- end }}}}\n");
    format!("{nodes}---\n{own}{{{{- if has \"*\" .Values.namespaces }}}}\n---\n{everywhere}{{{{- else }}}}\n{each}{{{{- end }}}}\n")
}

/// The chart's templates.
fn files() -> Vec<(String, String)> {
    let narrow = templates(&["--namespaces", "place"]);
    let part = |(kind, value): (&str, Option<&str>)| {
        let text = of(&narrow, &[kind]);
        (format!("{}.yaml", kind.to_lowercase()), value.map_or(text.clone(), |value| when(value, &text)))
    };
    let rights = [("roles", roles()), ("rolebindings", bindings())];
    let rights = rights.map(|(name, text)| (format!("{name}.yaml"), when(".Values.rbac.create", &text)));
    PARTS.into_iter().map(part).chain(rights).collect()
}

#[test]
fn the_chart_is_what_is_printed() {
    let files = files();
    let all: String = files.iter().map(|(_, text)| text.as_str()).collect();
    for (_, value) in VALUES {
        assert!(all.contains(value), "{value} is nowhere");
    }
    let expected: BTreeSet<String> = files.iter().map(|(name, _)| name.clone()).collect();
    for (name, text) in files {
        expect(&Path::new("deploy/helm/kaito/templates").join(name), &text).unwrap();
    }
    assert_eq!(names("deploy/helm/kaito/templates").into_iter().collect::<BTreeSet<_>>(), expected);
    for kind in kaito::crd::KINDS {
        expect(&Path::new("deploy/helm/kaito/crds").join(format!("{}.yaml", kind.plural)), &prints(&["crd", kind.plural])).unwrap();
    }
    let chart = &objects(&fs::read_to_string("deploy/helm/kaito/Chart.yaml").unwrap())[0];
    assert_eq!((&chart["version"], &chart["appVersion"]), (&env!("CARGO_PKG_VERSION").into(), &env!("CARGO_PKG_VERSION").into()));
}
