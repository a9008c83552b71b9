//! A repository that strangers push to: whatever one file is, the others go on, and so do other sets.

use std::fmt::Write as _;

use super::Watching;
use super::stage::{SETTINGS, Stage, workspace};
use crate::git::Repo;
use crate::support::kaito;

fn config_map(name: &str, namespace: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name:?}, namespace: {namespace:?}}}\n")
}

#[test]
fn one_of_many_files() {
    let (stage, repo) = (Stage::new("hostile", &[]), Repo::new());
    repo.write("phi.yaml", workspace("phi")).write("settings.yaml", SETTINGS).write("x.yaml", "").commit("one");
    let mut command = kaito();
    let url = format!("file://{}", repo.path.display());
    command.args(["watch", "-R", "-f", ".", "--applyset", "prod", "--interval", "200ms", "--url", &url]);
    command.arg("--cache-dir").arg(stage.directory.path().join("mirrors")).arg("--kubeconfig").arg(&stage.proxy.kubeconfig);
    let mut watching = Watching::of(&mut command);
    watching.until(&["reconciled", "failed=0"]);
    let before: Vec<String> = stage.versions_at_rest().into_keys().collect();
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    (1..12).for_each(|level| _ = writeln!(bomb, "a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", ")));
    let table = [
        (bomb, "once its aliases are expanded"),
        (format!("a: {}", "[".repeat(100_000)), "x.yaml"),
        ("a:\n---\n".repeat(200_001), "more than 200000 documents"),
        (workspace("w").replace("phi-4", &"x".repeat(10 << 20)), "x.yaml"),
        ("a: \u{0}\n".to_owned(), "x.yaml"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, name: b}\n".to_owned(), "stands here again"),
        // Names that would be more than a name in the address of a request, or make it none.
        (config_map("a b", "default"), "is no name"),
        (config_map("x?dryRun=All#", "default"), "is no name"),
        (config_map("../secrets/x", "default"), "is no name"),
        (config_map("x", "../../x"), "is no name"),
        (config_map("x", "a b"), "is no name"),
    ];
    for (number, (text, says)) in table.into_iter().enumerate() {
        watching.skip();
        repo.write("x.yaml", text);
        // Beside it, somebody goes on with their work.
        let want = (number + 2).to_string();
        repo.write("settings.yaml", SETTINGS.replace("\"1\"", &format!("{want:?}"))).commit("hostile");
        watching.until(&[says]);
        stage.until("/api/v1/namespaces/NAMESPACE/configmaps/settings", |object| object["data"]["a"] == want.as_str());
        assert_eq!(stage.versions_at_rest().into_keys().collect::<Vec<_>>(), before, "{says}");
    }
}
