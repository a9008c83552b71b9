//! What other tools had advisories about, where no other test shows how kaito fares; `docs/security.md` has the table of all.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use kaito::server::hook::{Hooks, Kind, Receiver};
use kaito::source::{Access, Mirror, Reference};
use serde_json::json;

use crate::git::Repo;
use crate::git_remote::server::Served;
use crate::support::{Run, finish, kaito, run, run_with_input};

const WORKSPACE: &str = "apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: phi}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: phi}}}
inference: {preset: {name: phi-4}}
";

/// What nobody may read who may only write the repository.
const CANARY: &str = "canary-of-another-tenant";

/// Whether it went wrong as it should: without a panic, and without what stands elsewhere.
fn refuses(run: &Run, what: &str) {
    let said = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, 1, "{what}: {said}");
    assert!(!said.contains("panicked") && !said.contains(CANARY), "{what}: {said}");
}

/// kaito.yaml names directories and files. In a revision, and in what Argo CD sends, these are of the repository.
#[test]
fn a_configuration_leads_to_no_other_file() {
    let repo = Repo::new();
    let outside = tempfile::tempdir().unwrap();
    let beside = repo.path.parent().unwrap().join("beside");
    for directory in [outside.path(), &beside] {
        fs::create_dir_all(directory.join("templates")).unwrap();
        fs::write(directory.join("canary.yaml"), format!("- {{op: add, path: /metadata/annotations, value: {{a: {CANARY}}}}}\n")).unwrap();
        let template = format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {CANARY}}}\n");
        fs::write(directory.join("templates/service.yaml"), template).unwrap();
        fs::write(directory.join("templates/models.yaml"), format!("models: [{{id: {CANARY}}}]\n")).unwrap();
    }
    repo.write("apps/w.yaml", WORKSPACE);
    symlink(outside.path(), repo.path.join("apps/way")).unwrap();
    symlink(outside.path().join("canary.yaml"), repo.path.join("apps/canary.yaml")).unwrap();
    let absolute = outside.path().display().to_string();
    let places = [absolute.as_str(), "../../beside", "../apps/../../beside", "way"];
    let fields = places.iter().flat_map(|place| {
        [
            format!("templates: {place}/templates\n"),
            format!("presets: {place}/templates\n"),
            format!("patches: [{{path: {place}/canary.yaml, target: {{kind: Service}}}}]\n"),
        ]
    });
    for field in fields.chain(["patches: [{path: canary.yaml, target: {kind: Service}}]\n".to_owned()]) {
        repo.write("apps/kaito.yaml", format!("apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n{field}"));
        repo.commit("a configuration");
        for verb in ["render", "lint"] {
            refuses(&repo.kaito(&[verb, "--revision", "HEAD", "-f", "apps/w.yaml"]), &field);
        }
        let mut plugin = kaito();
        plugin.args(["render", "--argocd"]).current_dir(repo.path.join("apps"));
        plugin.env("ARGOCD_APP_NAME", "phi").env("ARGOCD_APP_SOURCE_PATH", "apps").env("ARGOCD_ENV_PATHS", "w.yaml");
        refuses(&finish(&mut plugin), &field);
    }
}

/// What makes git, kubectl or kustomize run a program, in a repository that is read in every way.
#[test]
fn no_program_of_a_repository_is_run() {
    let repo = Repo::new();
    let ran = repo.path.parent().unwrap().join("ran");
    let program = format!("touch {}", ran.display());
    repo.write("apps/w.yaml", WORKSPACE);
    repo.write(".gitattributes", "*.yaml filter=evil diff=evil merge=evil\n");
    let user =
        json!({"name": "u", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", program]}}});
    let kubeconfig = json!({"apiVersion": "v1", "kind": "Config", "users": [user], "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "kubeconfig"}, "stringData": {"value": kubeconfig.to_string()}});
    let function = json!({"apiVersion": "example.com/v1", "kind": "Function", "metadata": {"name": "f", "annotations":
        {"config.kubernetes.io/function": format!("exec: {{path: {program}}}")}}});
    for path in ["kubeconfig", ".kube/config", "apps/.kube/config"] {
        repo.write(path, kubeconfig.to_string());
    }
    repo.write("apps/secret.yaml", secret.to_string()).write("apps/function.yaml", function.to_string());
    repo.commit("files");
    for hook in ["post-checkout", "pre-commit", "reference-transaction", "post-index-change", "fsmonitor-watchman"] {
        let path = repo.path.join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{program}\n")).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let settings = ["core.fsmonitor", "core.sshCommand", "core.editor", "core.pager", "diff.external", "filter.evil.smudge"];
    let more = ["filter.evil.clean", "filter.evil.process", "diff.evil.textconv", "core.gitProxy", "credential.helper", "gpg.program"];
    for setting in settings.iter().chain(&more) {
        repo.git(&["config", setting, &program]);
    }
    repo.write("apps/w.yaml", WORKSPACE.replace("phi-4}", "phi-4-mini-instruct}"));
    for args in [
        &["render", "-R", "-f", "apps"][..],
        &["render", "--revision", "HEAD", "-R", "-f", "apps"],
        &["lint", "--revision", "HEAD", "-R", "-f", "apps"],
        &["diff", "HEAD", "-R", "-f", "apps"],
        &["paths", "-R", "-f", "apps"],
    ] {
        let run = repo.kaito(args);
        assert!(run.code <= 1 && !run.stderr.contains("panicked"), "{args:?}: {} {}", run.code, run.stderr);
        assert!(!ran.exists(), "{args:?} has run a program");
    }
    // A repository says nothing of clusters.
    for field in ["kubeconfig: kubeconfig", "kubeConfig: {secretRef: {name: kubeconfig}}", "context: c", "exec: [sh]"] {
        repo.write("apps/kaito.yaml", format!("apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n{field}\n"));
        let run = repo.kaito(&["render", "-f", "apps/w.yaml"]);
        assert!(run.code == 1 && run.stderr.contains("unknown field"), "{field}: {}", run.stderr);
    }
}

/// A server asks whatever address somebody writes who may only push: that would be a way to what only the server can reach.
#[test]
fn no_address_of_a_repository_is_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{host}/x");
    let served = Served::new();
    let tuning = fs::read_to_string("examples/tuning-qlora/workspace.yaml").unwrap();
    let tuning = tuning.replace("https://datasets.example.com/dolly-15k.parquet?download=true", &url);
    let streamed = WORKSPACE.replace(
        "metadata: {name: phi}",
        &format!("metadata: {{name: streamed, annotations: {{inference.kaito.sh/stream-datarefs-url: {url}}}}}"),
    );
    let config = format!(
        "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\nregistryMirrors: [{{prefix: mcr.microsoft.com, location: {host}/mcr}}]\n"
    );
    served.repo.write("apps/w.yaml", WORKSPACE).write("apps/tuning.yaml", tuning.replace("registry.example.com", &host));
    served.repo.write("apps/streamed.yaml", streamed).write("apps/kaito.yaml", config);
    served.repo.write(".gitmodules", format!("[submodule \"a\"]\n\tpath = a\n\turl = {url}\n"));
    served.repo.write(".lfsconfig", format!("[lfs]\n\turl = {url}\n"));
    served.repo.write("apps/large.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    let head = served.repo.git(&["rev-parse", "HEAD"]);
    served.repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{},a", head.trim())]);
    served.repo.git(&["add", "-A", "apps", ".gitmodules", ".lfsconfig"]);
    served.repo.git(&["commit", "-q", "-m", "addresses"]);
    let is_unasked = |what: &str| assert!(listener.accept().is_err(), "{what} has asked {host}");
    for verb in ["render", "lint", "explain", "images"] {
        let run = served.repo.kaito(&[verb, "--revision", "HEAD", "-R", "-f", "apps"]);
        assert!(run.code <= 1 && !run.stderr.contains("panicked"), "{verb}: {}", run.stderr);
        is_unasked(verb);
    }
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    let head = mirror.resolve(&Reference::Default, &Access::anonymous()).unwrap();
    mirror.fetch(&head, &Access::anonymous()).unwrap();
    is_unasked("a fetch");
    // Who says that submodules are followed has them asked for, which the test notices.
    listener.set_nonblocking(false).unwrap();
    let is_asked = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_asked);
    thread::spawn(move || {
        let stream = listener.accept();
        asked.store(true, Ordering::SeqCst);
        drop(stream);
    });
    mirror.fetch_with_submodules(&head, &Access::anonymous()).unwrap_err();
    assert!(is_asked.load(Ordering::SeqCst));
}

/// Whoever tries one way after the other would never be done with these.
#[test]
fn expressions_take_no_time() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("w.yaml"), WORKSPACE.replace("{name: phi}", &format!("{{name: {}}}", "a".repeat(50)))).unwrap();
    let none = "matches none of the objects";
    for (expression, says) in [("(a*)*b", none), ("(a|aa)+c", none), ("(.*.*.*)*x", none), ("((a{1000}){1000}){1000}", "size limit")] {
        let patch = "[{op: add, path: /metadata/annotations, value: {a: b}}]";
        let target = format!("target: {{kind: StatefulSet, name: '{expression}'}}");
        let config = format!("apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\npatches: [{{patch: '{patch}', {target}}}]\n");
        fs::write(home.path().join("kaito.yaml"), config).unwrap();
        let run = run(&["render", "-f", home.path().to_str().unwrap()]);
        assert!(run.code == 1 && run.stderr.contains(says), "{expression}: {}", run.stderr);
    }
}

/// A kubeconfig that is none has a token in it, and a program for logging in prints one: neither is quoted.
#[test]
fn what_logs_in_is_not_quoted() {
    const TOKEN: &str = "hunter-of-a-cluster";
    let home = tempfile::tempdir().unwrap();
    let with_user = |user: &str| {
        let cluster =
            "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]";
        format!("apiVersion: v1\nkind: Config\ncurrent-context: c\n{cluster}\nusers: [{{name: u, user: {user}}}]\n")
    };
    let program = |script: &str| {
        let exec =
            json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script], "interactiveMode": "Never"});
        with_user(&json!({"exec": exec}).to_string())
    };
    let table = [
        (with_user(&format!("{{token: [{TOKEN}]}}")), "it is no kubeconfig, as line "),
        (with_user(&format!("{{token: {TOKEN}: x}}")), "it is no kubeconfig"),
        (TOKEN.to_owned(), "it is no kubeconfig"),
        (program(&format!("echo {TOKEN}; echo {TOKEN} >&2; exit 3")), "logging in fails: exit status: 3"),
        (program(&format!("echo {TOKEN}")), "logging in prints no credentials"),
        (program(&format!("echo '{{\"status\": {{\"token\": [\"{TOKEN}\"]}}}}'")), "logging in prints no credentials"),
    ];
    for (text, want) in table {
        let path = home.path().join("config");
        fs::write(&path, &text).unwrap();
        let run = finish(kaito().env("PATH", "/usr/bin:/bin").arg("status").arg("--kubeconfig").arg(&path));
        assert!(run.code != 0 && run.stderr.contains(want), "{text}: {}", run.stderr);
    }
}

/// Names of files, kinds and objects are somebody else's, and are shown in a terminal.
#[test]
fn no_name_moves_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let bad = "x\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{202e}\r\ny";
    let broken = home.path().join(format!("{bad}.yaml"));
    fs::write(&broken, "a: [\n").unwrap();
    let text = serde_json::to_string(bad).unwrap();
    let object = |kind: &str, name: &str| format!("{{\"apiVersion\": \"v1\", \"kind\": {kind}, \"metadata\": {{\"name\": {name}}}}}\n");
    let named = object("\"ConfigMap\"", &text) + &object(&text, "\"x\"");
    let workspace = WORKSPACE.replace("phi}", &format!("phi, labels: {{{text}: {text}}}}}")).replace("phi-4}", &format!("{text}}}"));
    let table = [
        run(&["render", "-f", home.path().to_str().unwrap()]),
        run(&["lint", "-f", home.path().to_str().unwrap()]),
        run(&["render", "-f", &format!("{}-", broken.display())]),
        run_with_input(&["render", "-f", "-", "-o", "name"], &named),
        run_with_input(&["render", "-f", "-"], &workspace),
        run_with_input(&["render", "-f", "-"], &format!("{}{}", object("\"ConfigMap\"", &text), object("\"ConfigMap\"", &text))),
    ];
    for shown in table {
        for text in [&shown.stdout, &shown.stderr] {
            let is_quiet = |c: char| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c) || c == '\n';
            assert!(text.chars().all(is_quiet), "{text:?}");
        }
        assert!(!shown.stdout.is_empty() || !shown.stderr.is_empty());
    }
}

/// Every annotation and label that is known, with values that nobody thought of.
#[test]
fn annotations_that_are_none() {
    let source = fs::read_to_string("src/spec/names.rs").unwrap();
    let quoted = source.split('"').skip(1).step_by(2);
    let mut keys: BTreeSet<&str> = quoted.filter(|text| text.contains('/') && !text.ends_with('/') && !text.contains(' ')).collect();
    assert!(keys.len() > 20, "{keys:?}");
    keys.extend(["kaito.sh/suspend", "kaito.sh/reconcile", "kaito.sh/prune", "kaito.sh/adopted", "kaito.sh/history", "kaito.sh/revision"]);
    let long = "a/".repeat(10_000);
    let values =
        ["", "/", ",", "{", "[[", "-1", "99999999999999999999", "1e999", "OnPodCompletion", "true/", "\u{0}\n\t", "é🦀", "*", &long];
    for place in ["annotations", "labels"] {
        for value in values {
            let mut input = String::new();
            for (number, key) in keys.iter().enumerate() {
                let metadata = json!({"name": format!("w{number}"), place: {*key: value}});
                _ = writeln!(input, "{}---", WORKSPACE.replace("{name: phi}", &metadata.to_string()));
                let set =
                    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{number}"), place: {*key: value}}});
                _ = writeln!(input, "{set}\n---");
            }
            for verb in [&["render", "-f", "-"][..], &["lint", "-f", "-"], &["render", "-f", "-", "--node-provisioner", "karpenter"]] {
                let run = run_with_input(verb, &input);
                assert!(
                    [0, 1].contains(&run.code) && !run.stderr.contains("panicked"),
                    "{place}: {value:.20}: {} {:.2000}",
                    run.code,
                    run.stderr
                );
            }
        }
    }
}

/// Lengths of time and names in the file of sources: what is none is said with its place.
#[test]
fn lengths_of_time_and_accounts_that_are_none() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("watch.yaml");
    let path = file.to_str().unwrap();
    let source = |interval: &str, account: &str| {
        json!({"apiVersion": "watch.kaito.sh/v1alpha1", "kind": "WatchConfig", "sources": [{"name": "a", "interval": interval,
            "sets": [{"applyset": "a", "namespace": "a", "paths": [home.path()], "serviceAccountName": account}]}]})
    };
    for interval in ["", "x", "0", "0s", "-5m", "1", "1e9h", "9999999999999999999999h", "5m5", "NaN", "∞", "1h 2m"] {
        fs::write(&file, source(interval, "deployer").to_string()).unwrap();
        let run = run(&["watch", "--watch-config", path]);
        refuses(&run, interval);
        assert!(run.stderr.contains("no length of time") && run.stderr.contains("watch.yaml:1:"), "{interval}: {}", run.stderr);
    }
    // Whoever acts as nobody would act as this process.
    for account in ["", " ", "a:b", "../admin", "System"] {
        fs::write(&file, source("5m", account).to_string()).unwrap();
        let run = run(&["watch", "--watch-config", path]);
        refuses(&run, account);
        assert!(run.stderr.contains("is no name for a ServiceAccount"), "{account}: {}", run.stderr);
    }
    for flag in [["--as", ""], ["--as-group", ""]] {
        let run = run(&[&["apply", "-f", "examples/phi-3-mini"], &flag[..]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    }
}

/// What providers send, without any of its fields or with something else in its place: it comes with the right token, and ends nothing.
#[test]
fn no_field_of_a_webhook_is_relied_on() {
    let hooks = Hooks::new(|_, _| {});
    let token = "It's a Secret to Everybody";
    let receiver = |name: &str, kind| Receiver {
        name: name.to_owned(),
        namespace: "kaito".to_owned(),
        kind,
        token: Arc::new(move || Some(token.into())),
    };
    hooks.set_receivers(vec![receiver("gitlab", Kind::GitLab), receiver("generic", Kind::Generic)]);
    let commit = "0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655";
    let bodies = [
        json!({"ref": "refs/heads/main", "after": commit, "deleted": false, "repository": {"clone_url": "https://x/a", "owner": {"url": "x"}}}),
        json!({"object_kind": "push", "ref": "refs/heads/main", "checkout_sha": commit, "project": {"git_http_url": "https://x/a"}}),
        json!({"event_name": "repository_update", "project": {"web_url": "https://x/a"}, "changes": [{"after": commit, "ref": "refs/heads/a"}]}),
        json!({"repository": {"links": {"html": {"href": "https://x/a"}, "clone": [{"href": "ssh://x/a"}]}}, "push": {"changes":
            [{"new": {"type": "branch", "name": "a", "target": {"hash": commit}}, "old": null}]}}),
        json!({"eventKey": "repo:refs_changed", "changes": [{"ref": {"id": "refs/heads/a"}, "toHash": commit}], "repository": {"links": {}}}),
    ];
    let others =
        [json!(null), json!(true), json!(-1), json!(1e300), json!(""), json!("\u{0}é"), json!([]), json!([[], 1]), json!({"a": {}})];
    let events = ["Push Hook", "Tag Push Hook", "System Hook", "", "x"];
    let mut statuses = BTreeSet::new();
    for (body, event) in bodies.iter().flat_map(|body| events.map(|event| (body, event))) {
        for (path, other) in crate::health::paths(body).iter().flat_map(|path| others.iter().map(move |other| (path, other))) {
            let mut changed = body.clone();
            *changed.pointer_mut(path).unwrap() = other.clone();
            for name in ["gitlab", "generic"] {
                let request = http::Request::post(format!("/hook/{name}")).header("x-gitlab-token", token);
                let request = request.header("authorization", format!("Bearer {token}")).header("x-gitlab-event", event);
                let answer = hooks.answer(&request.body(changed.to_string().into_bytes()).unwrap(), 0);
                statuses.insert(answer.status().as_u16());
            }
        }
    }
    assert!(statuses.contains(&202) && statuses.iter().all(|status| [200, 202, 400].contains(status)), "{statuses:?}");
}

/// A template of one's own reads no file, no variable of the environment, no network and no cluster.
#[test]
fn templates_see_nothing_of_the_machine() {
    let home = tempfile::tempdir().unwrap();
    let canary = home.path().join("canary.txt");
    fs::write(&canary, CANARY).unwrap();
    let templates = home.path().join("templates");
    fs::create_dir(&templates).unwrap();
    let path = canary.display();
    let tries = [
        format!("{{% include '{path}' %}}"),
        "{% include '../canary.txt' %}".to_owned(),
        format!("{{% import '{path}' as x %}}{{{{ x }}}}"),
        format!("{{% extends '{path}' %}}"),
        format!("{{{{ file('{path}') }}}}"),
        "{{ env('CANARY') }}".to_owned(),
        "{{ getHostByName('example.com') }}".to_owned(),
        "{{ lookup('v1', 'Secret', 'a', 'b') }}".to_owned(),
        "{{ self.__class__.__mro__ }}".to_owned(),
        "{{ namespace().__init__.__globals__ }}".to_owned(),
    ];
    for template in tries {
        let text = format!("apiVersion: v1\nkind: Service\nmetadata: {{name: x}}\nspec:\n  a: b\n{template}\n");
        fs::write(templates.join("service.yaml"), text).unwrap();
        let mut command = kaito();
        command.env("CANARY", CANARY).args(["render", "-f", "examples/data-parallel", "--templates"]).arg(&templates);
        refuses(&finish(&mut command), &template);
    }
}

/// The check of all that the suite's runs print and log finds what is printed.
#[test]
fn a_secret_that_is_shown_is_found() {
    for shown in [&["lint", "-f", "hunter2"][..], &["render", "-f", "hunter2"], &["schema", "hunter2"]] {
        assert!(std::panic::catch_unwind(|| run(shown)).is_err(), "{shown:?}");
    }
    assert_eq!(run(&["lint", "-f", "another"]).code, 1);
}

/// Every test that the table names is there, and each row names one.
#[test]
fn every_test_of_the_table_is_there() {
    let page = fs::read_to_string("docs/security.md").unwrap();
    let (_, table) = page.split_once("## What others had advisories about").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap_or((table, ""));
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what")).collect();
    assert!(rows.len() >= 20, "{rows:#?}");
    for row in rows {
        let tests = row.split('`').skip(1).step_by(2).filter(|word| word.contains(".rs::"));
        let missing: Vec<&str> = tests.clone().filter(|test| !is_test(test)).collect();
        assert!(tests.count() > 0 && missing.is_empty(), "{row}: {missing:?}");
    }
}

/// Whether `FILE::NAME` is a test.
fn is_test(test: &str) -> bool {
    let Some((file, name)) = test.split_once("::") else { return false };
    let text = fs::read_to_string(Path::new(file)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_there = |at: usize| lines[at.saturating_sub(4)..at].contains(&"#[test]");
    lines.iter().enumerate().any(|(at, line)| line.starts_with(&format!("fn {name}(")) && is_there(at))
}
