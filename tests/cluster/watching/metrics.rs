//! Every metric that is documented is told by a loop that runs, and every one that is told is documented.

use std::collections::BTreeSet;
use std::fs;

use super::Watching;
use super::stage::{SETTINGS, Stage, workspace};
use crate::git::Repo;
use crate::support::{hides_secrets, kaito};

/// The metrics that the documentation tells of.
fn documented() -> BTreeSet<String> {
    let page = fs::read_to_string("docs/watch.md").unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with("Metrics\n")).unwrap();
    let names = section.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    names.flat_map(|names| names.split(',').map(|name| name.trim().trim_matches('`').to_owned())).collect()
}

/// The names of the metrics in a text: those of counters end in `_total`.
fn told(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() }).collect()
}

#[test]
fn all_are_fed_and_told() {
    let (stage, repo) = (Stage::new("metrics", &[]), Repo::new());
    repo.write("prod/phi.yaml", workspace("phi")).write("prod/settings.yaml", SETTINGS).commit("one");
    let token = stage.directory.path().join("token");
    fs::write(&token, "secret").unwrap();
    let mut command = kaito();
    command.args(["watch", "-R", "-f", "prod", "--applyset", "prod", "--health-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
    command.args(["--webhook-listen", "127.0.0.1:0", "--interval", "1h", "--webhook-token"]).arg(&token);
    command.arg("--url").arg(&repo.path).arg("--cache-dir").arg(stage.directory.path().join("mirrors"));
    command.arg("--kubeconfig").arg(&stage.proxy.kubeconfig);
    let mut watching = Watching::of(&mut command);
    let listening = watching.until(&["listening"]);
    let address = listening.split("address=").nth(1).unwrap().split(' ').next().unwrap().trim_matches('"').to_owned();
    watching.until(&["reconciled", "created=6"]);
    // Something drifts, something can't be applied, and somebody calls.
    stage.until_condition("phi", "Reconciling", "True", "Progressing");
    stage.merge("/api/v1/namespaces/NAMESPACE/configmaps/settings", "kubectl-edit", &serde_json::json!({"data": {"a": "7"}}));
    watching.until(&["drift is put right"]);
    let answer = ureq::post(format!("http://{address}/hook/kaito")).header("Authorization", "Bearer wrong").send("{}");
    assert!(answer.is_err(), "{answer:?}");
    // A pass is told of before its statuses are written, and only then it is at its end.
    let at_rest = [
        r#"kaito_gitops_workspaces{source="watching-metrics/prod",state="progressing"} 1"#,
        r#"workqueue_depth{name="watching-metrics/prod",controller="watch"} 0"#,
    ];
    let text = stage.wait("everything is counted", || {
        let text = ureq::get(format!("http://{address}/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
        hides_secrets("metrics", &text);
        at_rest.iter().all(|line| text.contains(line)).then_some(text)
    });
    assert_eq!(told(&text), documented());
    for line in [
        r#"rest_client_requests_total{code="200",method="PATCH",host="127.0.0.1"#,
        r#"rest_client_requests_total{code="201",method="PATCH",host="127.0.0.1"#,
        r#"rest_client_request_duration_seconds_count{verb="GET",host="127.0.0.1"#,
        r#"kaito_gitops_webhook_requests_total{receiver="kaito",result="refused"} 1"#,
        r#"kaito_gitops_objects_total{source="watching-metrics/prod",outcome="created"} 6"#,
        r#"kaito_gitops_drift_total{source="watching-metrics/prod"} 1"#,
        // The Workspace and what is nobody's, and that once more.
        r#"workqueue_adds_total{name="watching-metrics/prod",controller="watch"} 3"#,
        r#"workqueue_work_duration_seconds_count{name="watching-metrics/prod",controller="watch"} 2"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
