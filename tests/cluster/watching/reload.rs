//! Another configuration: what is the same goes on, and nobody waits for a remote that doesn't answer.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::Watching;
use super::stage::{SETTINGS, Stage};
use crate::support::kaito;

#[test]
fn a_remote_that_does_not_answer() {
    let stage = Stage::new("reload", &[]);
    for name in ["a", "b", "c"] {
        std::fs::create_dir(stage.directory.path().join(name)).unwrap();
        stage.write(&format!("{name}/0.yaml"), &SETTINGS.replace("settings", name));
    }
    // It takes connections, and says nothing.
    let remote = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/fleet.git", remote.local_addr().unwrap());
    let set = |name: &str, path: Value| json!([{"applyset": name, "namespace": stage.namespace, "paths": [path]}]);
    let silent = |interval: &str| json!({"name": "silent", "git": {"url": url}, "interval": interval, "sets": set("silent", json!("."))});
    let files = |path: &str| json!({"name": "files", "sets": set("prod", json!(stage.directory.path().join(path)))});
    let path = stage.directory.path().join("watch.yaml");
    let configure = |sources: Value| {
        let config = json!({"apiVersion": "watch.kaito.sh/v1alpha1", "kind": "WatchConfig", "sources": sources});
        std::fs::write(&path, config.to_string()).unwrap();
    };
    configure(json!([files("a"), silent("1m")]));
    let mut command = kaito();
    command.args(["watch", "--watch-config"]).arg(&path).arg("--kubeconfig").arg(&stage.proxy.kubeconfig);
    let mut watching = Watching::of(command.arg("--cache-dir").arg(stage.directory.path().join("mirrors")));
    watching.until(&["reconciled", "created=1"]);
    let _asked = remote.accept().unwrap();
    // It takes its own place, another one comes in the place of the other, and then it goes.
    configure(json!([files("b"), silent("2m")]));
    stage.until("/api/v1/namespaces/NAMESPACE/configmaps/b", |_| true);
    configure(json!([files("c")]));
    stage.until("/api/v1/namespaces/NAMESPACE/configmaps/c", |_| true);
    assert_eq!(watching.said(&["silent", "can't be read"]), [""; 0], "nobody has waited for it");
    assert_eq!(watching.stop().code(), Some(0));
}
