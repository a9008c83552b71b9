//! `kaito chat` through a real API server and a kubelet's own port-forward, to a model that answers on this machine.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::manifest::Manifest;
use super::model::{Kubelet, Model};
use super::playground;
use super::scene::Scene;
use crate::support::{Run, finish, hides_secrets, kaito};

const WORKSPACE: &str = "
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: phi-4}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {apps: phi-4}}}
inference: {preset: {name: phi-4}}
";

/// A Workspace whose pod runs on a node of its own, as far as the API tells.
struct Stage {
    scene: Scene,
    kubelet: Kubelet,
}

impl Stage {
    fn new(name: &str, model: &Model) -> Self {
        let scene = Scene::new(name, &[WORKSPACE]);
        scene.apply();
        let stage = Self { kubelet: Kubelet::new(model.address), scene };
        stage.make("v1", "ServiceAccount", "default", json!({}));
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}});
        playground().client.apply(&node.clone().into(), "").unwrap();
        let mut status = node;
        status["status"] = json!({
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": stage.kubelet.port}},
        });
        playground().client.apply_status(&status.into()).unwrap();
        stage
    }

    fn make(&self, api_version: &str, kind: &str, name: &str, fields: Value) {
        playground().client.take_over(&self.scene.object(api_version, kind, name, fields), "somebody").unwrap();
    }

    /// The pod of the Workspace, ready or not.
    fn pod(&self, ready: &str) {
        let container = json!({"name": "phi-4", "image": "a", "ports": [{"containerPort": 5000}]});
        let spec = json!({"nodeName": self.scene.namespace, "containers": [container]});
        self.make("v1", "Pod", "phi-4-0", json!({"metadata": {"labels": {"kaito.sh/workspace": "phi-4"}}, "spec": spec}));
        let condition = json!({"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let status = json!({"status": {"phase": "Running", "conditions": [condition]}});
        playground().client.apply_status(&self.scene.object("v1", "Pod", "phi-4-0", status)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = kaito();
        command.args(["chat"]).args(args).args(["-n", &self.scene.namespace, "--kubeconfig"]);
        command.arg(playground().server.kubeconfig_file());
        command
    }

    fn chat(&self, args: &[&str]) -> Run {
        finish(&mut self.command(args))
    }
}

/// OpenAI's protocol: says how many messages there were, and the last one.
fn open_ai(path: &str, body: &str) -> (u16, &'static str, String) {
    if path == "/v1/models" {
        return (200, "application/json", json!({"data": [{"id": "phi-4"}, {"id": "adapter"}]}).to_string());
    }
    let body: Value = serde_json::from_str(body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    let last = messages.last().unwrap()["content"].as_str().unwrap();
    if last == "too long" {
        return (400, "application/json", json!({"error": {"message": "the context has 16384 tokens"}}).to_string());
    }
    if last == "die" {
        return (0, "", String::new());
    }
    let pieces = [format!("{} of {}: ", messages.len(), body["model"].as_str().unwrap()), last.to_owned(), "\u{1b}[2J!".to_owned()];
    let events = pieces.iter().map(|piece| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": piece}}]})));
    (200, "text/event-stream", events.chain(["data: [DONE]\n\n".to_owned()]).collect())
}

#[test]
fn questions_and_answers() {
    let model = Model::new(open_ai);
    let stage = Stage::new("chat", &model);
    // Arguments; the exit code, what is printed, what is said.
    let expect = |args: &[&str], code: i32, stdout: &str, stderr: &str| {
        let run = stage.chat(args);
        assert_eq!((run.code, run.stdout.as_str()), (code, stdout), "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(stderr) && !run.stderr.contains('\u{1b}'), "{args:?}: {}", run.stderr);
    };
    expect(&["phi-5", "-m", "hi"], 1, "", "there is no Workspace phi-5 in namespace chat");
    expect(&["phi-5", "-m", "hi"], 1, "", "its Workspaces are phi-4");
    expect(&["phi-4", "-m", "hi"], 3, "", "Workspace chat/phi-4 is not ready: ");
    stage.pod("False");
    expect(&["phi-4", "-m", "hi"], 3, "", "Workspace chat/phi-4 is not ready: ");
    stage.pod("True");
    expect(&["phi-4", "-m", "hi"], 0, "1 of phi-4: hi\u{fffd}[2J!\n", "");
    expect(&["workspace/phi-4", "-m", "hi", "--model", "adapter", "--system", "s"], 0, "2 of adapter: hi\u{fffd}[2J!\n", "");
    expect(&["phi-4", "-m", "hi", "--model", "gpt"], 1, "", "the server has no model gpt: it has phi-4, adapter");
    expect(&["phi-4", "-m", "too long"], 1, "", "refuses: 400: the context has 16384 tokens");
    expect(&["phi-4", "-m", "die"], 1, "", "pod phi-4-0 doesn't answer on port 5000: ");
    expect(&["phi-4", "-m", " "], 2, "", "there is nothing to ask");
    expect(&["phi-4", "-m", "hi", "--temperature", "hot"], 2, "", "it is a number from 0");
    model.asked();
    expect(&["phi-4", "-m", "hi", "--max-tokens", "7", "--temperature", "0"], 0, "1 of phi-4: hi\u{fffd}[2J!\n", "");
    let (path, body) = model.asked().remove(1);
    let body: Value = serde_json::from_str(&body).unwrap();
    let messages = json!([{"role": "user", "content": "hi"}]);
    let want = json!({"model": "phi-4", "messages": messages, "stream": true, "max_tokens": 7, "temperature": 0.0});
    assert_eq!((path.as_str(), body), ("/v1/chat/completions", want));
}

#[test]
fn a_message_on_standard_input() {
    let stage = Stage::new("chat-stdin", &Model::new(open_ai));
    stage.pod("True");
    let mut child = stage.command(&["phi-4"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    hides_secrets("stdout", &said);
    assert_eq!(said, "1 of phi-4: one\ntwo\u{fffd}[2J!\n");
}

#[test]
fn what_kaito_0_3_serves() {
    let generation = |path: &str, body: &str| {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        match path {
            "/chat" => (200, "application/json", json!({"Result": format!("You said {}.", body["prompt"].as_str().unwrap())}).to_string()),
            _ => (404, "application/json", json!({"detail": "Not Found"}).to_string()),
        }
    };
    let stage = Stage::new("chat-older", &Model::new(generation));
    stage.pod("True");
    let run = stage.chat(&["phi-4", "-m", "hi"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "You said hi.\n"), "{}", run.stderr);
}

#[test]
fn nobody_answers() {
    let model = Model::new(open_ai);
    let mut stage = Stage::new("chat-nobody", &model);
    stage.pod("True");
    // A port where nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let elsewhere = Kubelet::new(free);
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "chat-nobody"}, "status": {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": elsewhere.port}},
    }});
    playground().client.apply_status(&node.into()).unwrap();
    stage.kubelet = elsewhere;
    let run = stage.chat(&["phi-4", "-m", "hi"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert!(run.stderr.contains("pod phi-4-0 doesn't answer on port 5000: "), "{}", run.stderr);
    assert!(run.stderr.contains("connection refused"), "{}", run.stderr);
}

#[test]
fn rights() {
    let stage = Stage::new("chat-rights", &Model::new(open_ai));
    stage.pod("True");
    let printed = finish(kaito().args(["rbac", "--for", "chat", "-n", &stage.scene.namespace])).stdout;
    let rules = Manifest::all("kaito rbac", &printed)[0].value["rules"].clone();
    let is_forward = |rule: &&Value| rule["resources"][0] == "pods/portforward";
    let lists: Vec<&Value> = rules.as_array().unwrap().iter().filter(|rule| !is_forward(rule)).collect();
    let chat = |name: &str, rules: &Value| {
        let account = playground().account(&stage.scene.namespace, name, rules, &json!([]));
        finish(kaito().args(["chat", "phi-4", "-m", "hi", "--kubeconfig"]).arg(&account.kubeconfig))
    };
    let without = chat("without", &json!(lists));
    assert_eq!((without.code, without.stdout.as_str()), (1, ""), "{}", without.stderr);
    assert!(without.stderr.contains("it takes the verbs get and create on pods/portforward"), "{}", without.stderr);
    let with = chat("with", &rules);
    assert_eq!((with.code, with.stdout.as_str()), (0, "1 of phi-4: hi\u{fffd}[2J!\n"), "{}", with.stderr);
}

/// On a terminal of Python's: what is typed, and what is then to be read.
const TYPE: &str = r#"
import os, pty, signal, sys
child, terminal = pty.fork()
if child == 0:
    # Whoever runs the tests in the background lets it be ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
read = b""
def wait_for(text):
    global read
    while text.encode() not in read:
        read += os.read(terminal, 4096)
    print(repr(text))
    read = read.split(text.encode(), 1)[1]
for line, answer in [("hi", "1 of phi-4: hi"), ("too long", "400: the context"), ("again", "3 of phi-4: again")]:
    wait_for(">>> ")
    os.write(terminal, line.encode() + b"\n")
    wait_for(answer)
wait_for(">>> ")
os.write(terminal, b"\x04" if os.environ["END"] == "EOF" else b"\x03")
status = os.waitpid(child, 0)[1]
print("signal", os.WTERMSIG(status)) if os.WIFSIGNALED(status) else print("code", os.WEXITSTATUS(status))
"#;

#[test]
fn a_talk_on_a_terminal() {
    let stage = Stage::new("chat-terminal", &Model::new(open_ai));
    stage.pod("True");
    let script = stage.scene.directory.path().join("type.py");
    fs::write(&script, TYPE).unwrap();
    for (end, want) in [("EOF", "code 0"), ("Ctrl-C", "signal 2")] {
        let chat = stage.command(&["phi-4"]);
        let run = finish(Command::new("python3").arg(&script).arg(chat.get_program()).args(chat.get_args()).env("END", end));
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        assert_eq!(run.stdout.lines().last(), Some(want), "{}", run.stdout);
    }
}
