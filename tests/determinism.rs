//! The same bytes on every machine: other directories, orders, languages, time zones, threads.

use std::fs;

use crate::support::{examples, finish, kaito, run};

/// Every Workspace of the examples that needs no configuration of its own.
fn plain_examples() -> Vec<String> {
    let has = |name: &str, file: &str| fs::exists(format!("examples/{name}/{file}")).unwrap();
    let plain = |name: &String| has(name, "workspace.yaml") && !has(name, "kaito.yaml");
    // Names in examples repeat; of those that do, one is enough here.
    let mut seen = std::collections::BTreeSet::new();
    let is_first = |name: &String| {
        let text = fs::read_to_string(format!("examples/{name}/workspace.yaml")).unwrap();
        let line = text.lines().find(|line| line.starts_with("  name:")).unwrap().to_owned();
        seen.insert(line)
    };
    examples().into_iter().filter(plain).filter(is_first).map(|name| format!("examples/{name}/workspace.yaml")).collect()
}

#[test]
fn order_place_and_environment_do_not_matter() {
    let files = plain_examples();
    assert!(files.len() > 8);
    let mut args = vec!["render", "-o", "yaml"];
    files.iter().for_each(|file| args.extend(["-f", file]));
    let want = run(&args);
    assert_eq!(want.code, 0, "{}", want.stderr);

    let mut reversed = vec!["render"];
    files.iter().rev().for_each(|file| reversed.extend(["-f", file]));
    assert_eq!(run(&reversed).stdout, want.stdout, "files in reverse");

    let elsewhere = tempfile::tempdir().unwrap();
    for (index, file) in files.iter().enumerate() {
        let folder = elsewhere.path().join(format!("{}", 9 - index % 10));
        fs::create_dir_all(&folder).unwrap();
        fs::copy(file, folder.join(format!("{index}.yml"))).unwrap();
    }
    let other = finish(
        kaito()
            .args(["render", "-R", "-f", "."])
            .current_dir(&elsewhere)
            .env("LANG", "tr_TR.UTF-8")
            .env("LC_ALL", "tr_TR.UTF-8")
            .env("TZ", "Pacific/Chatham")
            .env("RAYON_NUM_THREADS", "1"),
    );
    assert_eq!(other.stdout, want.stdout, "another directory, language, time zone, and one thread");
}

#[test]
fn one_file_with_all_documents_gives_the_same_bytes() {
    let files = plain_examples();
    let mut args = vec!["render"];
    files.iter().for_each(|file| args.extend(["-f", file]));
    let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let joined = crate::support::run_with_input(&["render", "-f", "-"], &texts.join("\n---\n"));
    assert_eq!(joined.stdout, run(&args).stdout);
}
