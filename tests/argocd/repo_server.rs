//! Argo CD's own repo-server and cmp-server with the plugin as it is deployed, asked as Argo CD's controller and its UI ask.
//!
//! Building them takes minutes, so this runs only when it is asked for: `go build -o PROGRAM .` in `tests/argocd`.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{CONFIG_MAP, WORKSPACE, announced, deployed, generate, read, repository};
use crate::git::Repo;
use crate::support::json_lines;

/// The program that is all of these.
const PROGRAM: &str = "KAITO_TEST_ARGOCD";

/// How long servers may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

fn program() -> Command {
    Command::new(std::env::var_os(PROGRAM).unwrap_or_else(|| panic!("{PROGRAM} names no program")))
}

/// A server that ends with this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Both servers, in a directory of their own.
struct ArgoCd {
    home: tempfile::TempDir,
    port: u16,
    _servers: [Server; 2],
}

impl ArgoCd {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        ["plugins", "config", "cmp", "repo"].iter().for_each(|name| fs::create_dir(path(name)).unwrap());
        fs::write(path("config/plugin.yaml"), deployed("plugin.yaml")).unwrap();
        let kaito = Path::new(env!("CARGO_BIN_EXE_kaito")).parent().unwrap();
        let start = |temporary: &str, args: &[&str]| {
            let log = fs::File::create(path(args[0])).unwrap();
            let mut command = program();
            command.args(args).env("TMPDIR", path(temporary)).env("ARGOCD_PLUGINSOCKFILEPATH", path("plugins"));
            command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", kaito.display())).env("ARGOCD_GPG_ENABLED", "false");
            command.env("ARGOCD_ASK_PASS_SOCK", path("ask-pass.sock")).env("HOME", home.path());
            Server(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
        };
        let plugin = start("cmp", &["cmp-server", "--config-dir-path", path("config").to_str().unwrap()]);
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (port, metrics) = (free(), free().to_string());
        let at = port.to_string();
        let repo_server =
            start("repo", &["repo-server", "--disable-tls", "--address", "127.0.0.1", "--port", &at, "--metrics-port", &metrics]);
        let this = Self { port, _servers: [plugin, repo_server], home };
        let since = Instant::now();
        while fs::read_dir(this.home.path().join("plugins")).unwrap().next().is_none()
            || std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
        {
            assert!(since.elapsed() < PATIENCE, "{}", this.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
        this
    }

    fn logs(&self) -> String {
        ["cmp-server", "repo-server"].map(|name| fs::read_to_string(self.home.path().join(name)).unwrap_or_default()).concat()
    }

    fn ask(&self, questions: &[Value]) -> Vec<Value> {
        json_lines(program().arg("ask").arg(format!("127.0.0.1:{}", self.port)), questions)
    }
}

/// What Argo CD asks for an Application with this plugin.
fn question(repo: &Repo, plugin: &Value) -> Value {
    let url = format!("file://{}", repo.path.display());
    json!({"manifests": {
        "repo": {"repo": url}, "revision": "main", "appName": "models", "namespace": "models", "projectName": "default",
        "kubeVersion": "1.33", "apiVersions": ["v1", "apps/v1"], "noRevisionCache": true,
        "applicationSource": {"repoURL": url, "path": "apps/prod", "targetRevision": "main", "plugin": plugin},
    }})
}

/// The objects of an answer.
fn manifests(answer: &Value) -> Vec<Value> {
    let manifests = answer["manifests"]["manifests"].as_array().unwrap_or_else(|| panic!("{answer}"));
    manifests.iter().map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap()).collect()
}

#[test]
#[ignore = "it wants Argo CD's servers"]
fn applications_of_argo_cd_itself() {
    let (servers, files, repo) = (ArgoCd::start(), repository(), Repo::new());
    // A link that leads out of the repository is refused by Argo CD before a plugin is asked.
    for path in ["apps/prod/phi-4.yaml", "apps/prod/notes.yaml", "apps/prod/below/other.yaml", "apps/empty/README.md", "apps/wrong/a.yaml"]
    {
        repo.write(path, fs::read(files.path().join(path)).unwrap());
    }
    let first = repo.commit("one");
    let karpenter = json!({"name": "kaito", "parameters": [
        {"name": "nodeProvisioner", "string": "karpenter"}, {"name": "recursive", "string": "true"},
        {"name": "featureGates", "map": {"ModelMirror": "true"}},
    ]});
    let variables = json!({"name": "kaito", "env": [{"name": "SYNC_WAVES", "value": "true"}]});
    let elsewhere = |path: &str| json!({"name": "kaito", "parameters": [{"name": "paths", "array": [path]}]});
    let plugins = [json!({"name": "kaito"}), karpenter, variables, elsewhere("../wrong"), elsewhere("../empty"), elsewhere("../../..")];
    let answers = servers.ask(&plugins.each_ref().map(|plugin| question(&repo, plugin)));
    // The same as the plugin prints where it is called by hand.
    let sent = r#"[{"name": "nodeProvisioner", "string": "karpenter"}, {"name": "recursive", "string": "true"}, {"name": "featureGates", "map": {"ModelMirror": "true"}}]"#;
    let by_hand: [&[(&str, &str)]; 3] = [&[], &[("ARGOCD_APP_PARAMETERS", sent)], &[("ARGOCD_ENV_SYNC_WAVES", "true")]];
    for (answer, variables) in answers.iter().zip(by_hand) {
        assert_eq!(answer["manifests"]["revision"], first, "{answer}\n{}", servers.logs());
        assert_eq!(answer["manifests"]["sourceType"], "Plugin");
        assert_eq!(manifests(answer), read(&generate(files.path(), variables).stdout));
    }
    // What is wrong is said where people look for it.
    for (answer, says) in
        answers[3..].iter().zip(["the preset \"phi-5\" is unknown", "there is nothing to render", "outside of the repository"])
    {
        let error = answer["error"].as_str().unwrap_or_else(|| panic!("{answer}"));
        assert!(error.contains(says), "{error}");
    }

    repo.write("apps/prod/phi-4.yaml", WORKSPACE.replace("phi-4\n", "phi\n")).write("apps/prod/notes.yaml", CONFIG_MAP);
    let second = repo.commit("two");
    let answer = &servers.ask(&[question(&repo, &json!({"name": "kaito"}))])[0];
    assert_eq!(answer["manifests"]["revision"], second);
    assert!(manifests(answer).iter().any(|object| object["kind"] == "StatefulSet" && object["metadata"]["name"] == "phi"));

    let asked = question(&repo, &json!({"name": "kaito"}));
    let source = &asked["manifests"]["applicationSource"];
    let answer = &servers.ask(&[json!({"details": {"repo": asked["manifests"]["repo"], "source": source, "appName": "models"}})])[0];
    let shown = answer["details"]["plugin"]["parametersAnnouncement"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let names = |parameters: &[Value]| parameters.iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(shown), names(&announced()));
}
