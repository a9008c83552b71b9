//! `kaito install` and `kaito uninstall`: what they print, what of that is in `deploy`, and what is refused.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use kaito::inventory::GroupKind;
use kaito::options::NodeProvisioner;
use kaito::rbac::rendered_kinds;
use kaito::spec::names::is_dns_label;
use serde_json::Value;

use crate::support::{expect, names, run};

const IMAGE: [&str; 3] = ["install", "--image", "registry.example.com/kaito:0.1.0"];
/// Everything that may be said.
const GIT: [&str; 18] = [
    "--url",
    "https://git.example.com/fleet.git",
    "--branch",
    "main",
    "-f",
    "clusters/prod",
    "--applyset",
    "prod",
    "--credentials",
    "fleet",
    "--webhook-token",
    "fleet-webhook",
    "--namespaces",
    "search,models",
    "--service-monitor",
    "--node-provisioner",
    "karpenter",
    "--replicas=3",
];

fn prints(args: &[&str]) -> String {
    let run = run(args);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
    run.stdout
}

/// The objects of a text.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let file = kaito::diagnostic::SourceFile::new("install", text);
    let mut faults = Vec::new();
    let documents = kaito::yaml::read(&file, kaito::yaml::Limits::default(), &mut faults);
    assert!(faults.is_empty(), "{faults:?}");
    documents.iter().map(|document| document.root.to_value()).collect()
}

#[test]
fn what_is_printed() {
    expect(Path::new("golden/install/cluster.yaml"), &prints(&IMAGE)).unwrap();
    let git = [&IMAGE[..], &GIT, &["--", "--interval=5m", "--prune=false"]].concat();
    expect(Path::new("golden/install/git.yaml"), &prints(&git)).unwrap();
    expect(Path::new("golden/install/uninstall.yaml"), &prints(&["uninstall", "--namespaces", "search,models", "--service-monitor"]))
        .unwrap();
}

/// What goes is what came, the other way round; only the CRDs wait until the end.
#[test]
fn what_goes_is_what_came() {
    let flags = ["--crds", "--service-monitor", "--namespaces", "models", "-n", "gitops"];
    let identity = |object: &Value| format!("{} {}/{}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"]);
    let of = |text: &str| objects(text).iter().map(identity).collect::<Vec<_>>();
    let mut came = of(&prints(&[&IMAGE[..], &flags].concat()));
    came.reverse();
    came.sort_by_key(|identity| identity.contains("CustomResourceDefinition"));
    assert_eq!(of(&prints(&[&["uninstall"][..], &flags].concat())), came);
    let kept = of(&prints(&["uninstall", "--keep-namespace"]));
    assert!(!kept.iter().any(|identity| identity.contains("\"Namespace\"")), "{kept:?}");
    assert!(kept[0].contains("Deployment"), "{kept:?}");
}

#[test]
fn without_rights() {
    let kinds: Vec<Value> =
        objects(&prints(&[&IMAGE[..], &["--rbac=false"]].concat())).iter().map(|object| object["kind"].clone()).collect();
    assert_eq!(kinds, ["Namespace", "ServiceAccount", "NetworkPolicy", "Service", "PodDisruptionBudget", "Deployment"]);
}

#[test]
fn used_wrongly() {
    let table: [(&[&str], i32, &str); 9] = [
        (&["install"], 2, "--image"),
        (&[&IMAGE[..], &["--source", "cluster", "--url", "x"]].concat(), 2, "cannot be used with"),
        (&[&IMAGE[..], &["--branch", "main"]].concat(), 2, "--url"),
        (&[&IMAGE[..], &["--credentials", "fleet"]].concat(), 2, "--url"),
        (&[&IMAGE[..], &["--namespaces", "No Such"]].concat(), 2, "namespace"),
        (&[&IMAGE[..], &["--", "--no-such"]].concat(), 2, "--no-such"),
        (&[&IMAGE[..], &["--", "--leader-elect"]].concat(), 2, "cannot be used multiple times"),
        (&[&IMAGE[..], &["--", "--feature-gates", "nope=true"]].concat(), 2, "nope"),
        (&[&IMAGE[..], &["--replicas", "0"]].concat(), 2, "--replicas"),
    ];
    for (args, code, want) in table {
        let run = run(args);
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(want), "{args:?}: {}", run.stderr);
    }
}

/// The kinds that rights are for are those that are rendered: every one of the examples, and no other.
#[test]
fn rights_are_for_what_is_rendered() {
    let known: BTreeSet<GroupKind> = NodeProvisioner::ALL.into_iter().flat_map(rendered_kinds).collect();
    let mut rendered = BTreeSet::new();
    for example in names("examples") {
        let run = run(&["render", "-R", "-f", &format!("examples/{example}"), "--passthrough=false", "--allow-empty"]);
        for object in objects(&run.stdout) {
            let api_version = object["apiVersion"].as_str().unwrap();
            let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
            rendered.insert(GroupKind::new(group, object["kind"].as_str().unwrap()));
        }
    }
    // What is declared passes through where it stands for itself.
    rendered.retain(|kind| !(kind.group == "kaito.sh" && kind.kind != "ModelMirror"));
    let missing: Vec<_> = rendered.difference(&known).collect();
    assert!(missing.is_empty() && rendered.len() > 8, "{missing:?} are rendered, and {rendered:?} is all");
}

/// A part of the chart: which object it is, and the lines before and behind it.
const PARTS: [(&str, &str, &str); 7] = [
    ("ServiceAccount", "", ""),
    ("Role", "{{- if .Values.rbac.create }}\n", "{{- end }}\n"),
    ("RoleBinding", "{{- if .Values.rbac.create }}\n", "{{- end }}\n"),
    ("NetworkPolicy", "{{- if .Values.networkPolicy.enabled }}\n", "{{- end }}\n"),
    ("Service", "", ""),
    ("PodDisruptionBudget", "", ""),
    ("Deployment", "", ""),
];

/// What stands in what is printed, and what in the chart.
const VALUES: [(&str, &str); 7] = [
    ("kaito-system", "{{ $.Release.Namespace }}"),
    (
        "image: IMAGE",
        "image: {{ required \"name the image: --set image.repository=...\" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}",
    ),
    ("replicas: 2", "replicas: {{ .Values.replicas }}"),
    ("secretName: CREDENTIALS", "secretName: {{ .Values.credentials }}"),
    ("secretName: TOKEN", "secretName: {{ .Values.webhookToken }}"),
    ("        - --url=URL\n", "        {{- range .Values.args }}\n        - {{ . | quote }}\n        {{- end }}\n"),
    ("        - --namespaces=PLACE\n", "        - --namespaces={{ join \",\" .Values.namespaces }}\n"),
];

/// Items of lists that are only there with a value, by a word of theirs.
const OPTIONAL: [(&str, &str); 8] = [
    ("--credentials=", ".Values.credentials"),
    ("--webhook-", ".Values.webhookToken"),
    ("name: credentials", ".Values.credentials"),
    ("name: webhook-token", ".Values.webhookToken"),
    ("name: hooks", ".Values.webhookToken"),
    ("name: http-hooks", ".Values.webhookToken"),
    ("port: hooks", ".Values.webhookToken"),
    ("secretName: ", ""),
];

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// A text with conditions around the innermost items of lists that are optional.
fn with_conditions(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    let mut end = None;
    for (at, line) in lines.iter().enumerate() {
        if line.trim_start().starts_with("- ") && end.is_none() {
            let rest = lines[at + 1..].iter().take_while(|other| depth(other) > depth(line)).count();
            let item = &lines[at..=at + rest];
            let holds_items = item[1..].iter().any(|line| line.trim_start().starts_with("- ") && item.len() > 4);
            let wanted = OPTIONAL.iter().find(|(word, value)| !value.is_empty() && item.iter().any(|line| line.contains(word)));
            if let Some((_, value)) = wanted.filter(|_| !holds_items) {
                writeln!(out, "{}{{{{- if {value} }}}}", " ".repeat(depth(line))).unwrap();
                end = Some((at + rest, depth(line)));
            }
        }
        writeln!(out, "{line}").unwrap();
        if let Some((last, depth)) = end.filter(|(last, _)| *last == at) {
            assert_eq!(last, at);
            writeln!(out, "{}{{{{- end }}}}", " ".repeat(depth)).unwrap();
            end = None;
        }
    }
    out
}

/// A printed text with values of the chart.
fn with_values(text: &str) -> String {
    let text = with_conditions(text);
    VALUES.iter().fold(text, |text, (word, value)| text.replace(word, value))
}

/// The chart's files, made of what is printed.
fn chart() -> Vec<(String, String)> {
    let install = |more: &[&str]| {
        let flags = [
            "install",
            "--image",
            "IMAGE",
            "--url",
            "URL",
            "--credentials",
            "CREDENTIALS",
            "--webhook-token",
            "TOKEN",
            "--service-monitor",
        ];
        let text = prints(&[&flags[..], more].concat()).replace("--namespaces=place", "--namespaces=PLACE");
        text.split("---\n").map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let kind = |text: &str, kind: &str| text.contains(&format!("\nkind: {kind}\n"));
    let of = |texts: &[String], wanted: &str| texts.iter().find(|text| kind(text, wanted)).unwrap_or_else(|| panic!("{wanted}")).clone();
    let narrow = install(&["--namespaces", "place"]);
    let mut files: Vec<(String, String)> = Vec::new();
    for (kind, before, behind) in
        PARTS.iter().copied().chain([("ServiceMonitor", "{{- if .Values.serviceMonitor.enabled }}\n", "{{- end }}\n")])
    {
        let wanted = if kind == "RoleBinding" {
            narrow.iter().rfind(|text| text.contains("\nkind: RoleBinding\n")).unwrap().clone()
        } else {
            of(&narrow, kind)
        };
        files.push((format!("{}.yaml", kind.to_lowercase()), format!("{before}{}{behind}", with_values(&wanted))));
    }
    // The rights depend on what makes nodes.
    let mut roles = "{{- if .Values.rbac.create }}\n".to_owned();
    for provisioner in NodeProvisioner::ALL.map(NodeProvisioner::name) {
        assert!(is_dns_label(provisioner));
        let texts = install(&["--node-provisioner", provisioner]);
        let texts: Vec<String> = texts.into_iter().filter(|text| kind(text, "ClusterRole")).map(|text| with_values(&text)).collect();
        write!(roles, "{{{{- if eq .Values.nodeProvisioner \"{provisioner}\" }}}}\n{}{{{{- end }}}}\n", texts.join("---\n")).unwrap();
    }
    files.push(("clusterrole.yaml".to_owned(), format!("{roles}{{{{- end }}}}\n")));
    let wide = install(&[]);
    let bindings: Vec<String> = wide.iter().filter(|text| kind(text, "ClusterRoleBinding")).map(|text| with_values(text)).collect();
    let [nodes, everywhere] = &bindings[..] else { panic!("{bindings:?}") };
    let one = with_values(narrow.iter().find(|text| kind(text, "RoleBinding")).unwrap()).replace("namespace: place", "namespace: {{ . }}");
    let binding = format!(
        "{{{{- if .Values.rbac.create }}}}\n{nodes}---\n{{{{- if has \"*\" .Values.namespaces }}}}\n{everywhere}{{{{- else }}}}\n{{{{- range .Values.namespaces }}}}\n{one}---\n{{{{- end }}}}\n{{{{- end }}}}\n{{{{- end }}}}\n"
    );
    files.push(("clusterrolebinding.yaml".to_owned(), binding));
    files
}

#[test]
fn the_kustomize_base_is_what_is_printed() {
    expect(Path::new("deploy/kustomize/kaito-watch.yaml"), &prints(&["install", "--image", "kaito"])).unwrap();
    let kustomization = fs::read_to_string("deploy/kustomize/kustomization.yaml").unwrap();
    assert_eq!(objects(&kustomization)[0]["resources"], serde_json::json!(["kaito-watch.yaml"]));
}

#[test]
fn the_chart_is_what_is_printed() {
    let files = chart();
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

/// helm makes of the chart what is printed, for whoever has helm: the program that `HELM` names.
#[test]
fn helm_makes_what_is_printed() {
    let Some(helm) = std::env::var_os("HELM") else { return };
    let table: [(&[&str], &[&str]); 2] = [
        (&["--url", "URL", "--namespaces", "*"], &["--set", "args={--url=URL}"]),
        (
            &[
                "--url",
                "URL",
                "--credentials",
                "fleet",
                "--webhook-token",
                "hook",
                "--namespaces",
                "models,search",
                "--service-monitor",
                "--replicas=3",
                "--node-provisioner=capi",
            ],
            &[
                "--set",
                "args={--url=URL,--node-provisioner=capi},credentials=fleet,webhookToken=hook,namespaces={models,search}",
                "--set",
                "serviceMonitor.enabled=true,replicas=3,nodeProvisioner=capi",
            ],
        ),
    ];
    for (flags, values) in table {
        let mut want: Vec<String> = objects(&prints(&[&["install", "--image", "registry.example.com/kaito:0.1.0"], flags].concat()))
            .into_iter()
            .filter(|object| object["kind"] != "Namespace")
            .map(sorted_args)
            .collect();
        let output = Command::new(&helm)
            .args(["template", "kaito", "deploy/helm/kaito", "-n", "kaito-system", "--set", "image.repository=registry.example.com/kaito"])
            .args(values)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let made = String::from_utf8(output.stdout).unwrap();
        let mut have: Vec<String> = objects(&made).into_iter().filter(|object| !object.is_null()).map(sorted_args).collect();
        want.sort();
        have.sort();
        assert_eq!(want, have);
    }
}

/// An object as a text, the same in whatever order its arguments stand.
fn sorted_args(mut object: Value) -> String {
    if let Some(args) = object.pointer_mut("/spec/template/spec/containers/0/args").and_then(Value::as_array_mut) {
        args.sort_by_key(ToString::to_string);
    }
    object.to_string()
}
