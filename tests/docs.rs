//! What the documentation shows is true.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::run;

/// The code blocks of one language in a file.
fn blocks(path: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let parts = text.split("```").skip(1).step_by(2);
    parts.filter_map(|part| part.strip_prefix(&format!("{language}\n")).map(ToOwned::to_owned)).collect()
}

#[test]
fn the_configuration_that_is_shown_is_read() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    fs::write(path("kaito.yaml"), &blocks("docs/configuration.md", "yaml")[0]).unwrap();
    fs::write(path("w.yaml"), fs::read_to_string("examples/byo-declared/workspace.yaml").unwrap()).unwrap();
    fs::create_dir_all(path("presets/skus")).unwrap();
    fs::create_dir_all(path("templates")).unwrap();
    let shown = blocks("docs/presets.md", "yaml");
    let files = ["presets/models.yaml", "presets/phi-4.yaml", "presets/old.yaml", "presets/skus/azure.yaml", "presets/vllm.yaml"];
    assert_eq!(shown.len(), files.len());
    files.iter().zip(&shown).for_each(|(file, text)| fs::write(path(file), text).unwrap());
    let checked = crate::support::run(&["preset", "check", path("presets").to_str().unwrap()]);
    assert!(checked.stderr.contains("5 files, 3 models, 1 size: nothing is wrong"), "{}", checked.stderr);
    fs::write(path("templates/service.yaml"), &blocks("docs/templates.md", "yaml")[0]).unwrap();
    let run = run(&["render", "-f", path("w.yaml").to_str().unwrap(), "--node-provisioner", "byo"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("image: registry.example.com/kaito/kaito-base:0.5.0"), "{}", run.stdout);
    assert!(run.stdout.contains("namespace: models"));
}

#[test]
fn the_images_and_patches_that_are_shown_are_read() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let shown = blocks("docs/configuration.md", "yaml");
    let of = |field: &str| shown.iter().find(|block| block.starts_with(field)).unwrap();
    let config = format!("apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n{}{}", of("registryMirrors:"), of("patches:"));
    fs::write(path("kaito.yaml"), config).unwrap();
    fs::copy("examples/patches/workspace.yaml", path("w.yaml")).unwrap();
    fs::create_dir(path("patches")).unwrap();
    fs::copy("examples/patches/patches/phi-4.yaml", path("patches/phi-4.yaml")).unwrap();
    let run = run(&["render", "-R", "-f", home.path().to_str().unwrap()]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    for part in ["image: registry.corp/mcr/aks/kaito/kaito-base@sha256:", "priorityClassName: inference", "example.com/team: search"] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
}

/// The file of sources: what comes after reading it is that there is no cluster.
#[test]
fn the_sources_that_are_shown_are_read() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let shown = [blocks("docs/watch.md", "yaml"), blocks("docs/rendered-branch.md", "yaml")].concat();
    let all: Vec<&String> = shown.iter().filter(|block| block.contains("kind: WatchConfig")).collect();
    assert_eq!(all.len(), 2);
    let kubeconfig = "{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], contexts: []}";
    fs::write(path("kubeconfig"), kubeconfig).unwrap();
    for (text, code) in all.into_iter().flat_map(|sources| [(sources.clone(), 4), (sources.replace("applyset:", "applySet:"), 1)]) {
        fs::write(path("watch.yaml"), text).unwrap();
        let run = run(&["watch", "--watch-config", &path("watch.yaml"), "--kubeconfig", &path("kubeconfig"), "--context", "none"]);
        assert_eq!(run.code, code, "{}", run.stderr);
    }
}

#[test]
fn every_flag_of_watch_is_told() {
    let page = fs::read_to_string("docs/watch.md").unwrap();
    let help = run(&["watch", "--help"]).stdout;
    let (own, _) = help.split_once("\nRendering (").unwrap();
    for flag in own.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2) {
        let flag: String = flag.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '-').collect();
        assert!(["--color", "--help"].contains(&flag.as_str()) || page.contains(&flag), "{flag} is missing");
    }
}

#[test]
fn every_flag_of_install_is_told() {
    let page = fs::read_to_string("docs/install.md").unwrap();
    for verb in ["install", "uninstall"] {
        let help = run(&[verb, "--help"]).stdout;
        let flags = help.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
        for flag in flags.map(|flag| flag.split(['[', '=']).next().unwrap()).filter(|flag| flag.len() > 2) {
            assert!(["--color", "--help"].contains(&flag) || page.contains(flag), "{flag} is missing");
        }
    }
}

/// The pages below `docs`.
fn pages() -> Vec<String> {
    let below = |folder: &str| {
        let stems = crate::support::names(folder).into_iter().filter_map(|name| name.strip_suffix(".md").map(ToOwned::to_owned));
        stems.map(|stem| format!("{folder}/{stem}.md")).collect::<Vec<_>>()
    };
    [below("docs"), below("docs/reference")].concat()
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let contents = fs::read_to_string("docs/README.md").unwrap();
    for page in pages().iter().filter_map(|page| page.strip_prefix("docs/")).filter(|page| !page.contains('/') && *page != "README.md") {
        assert!(contents.contains(&format!("({page})")), "{page} is missing");
    }
}

/// What troubleshooting says that kaito says, it does.
#[test]
fn every_message_that_is_told_of_is_in_the_sources() {
    fn texts(folder: &std::path::Path, all: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { texts(&path, all) } else { all.push_str(&fs::read_to_string(path).unwrap_or_default()) }
        }
    }
    let mut sources = String::new();
    texts(std::path::Path::new("src"), &mut sources);
    let page = fs::read_to_string("docs/troubleshooting.md").unwrap();
    let first_cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let messages: Vec<&str> = first_cells.filter_map(|cell| cell.strip_prefix('`')?.strip_suffix('`')).collect();
    assert!(messages.len() > 15, "{messages:?}");
    for part in messages.iter().flat_map(|message| message.split("...")).map(str::trim).filter(|part| !part.is_empty()) {
        assert!(sources.contains(part), "nobody says {part:?}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let further = ["README.md", "ARCHITECTURE.md", "SECURITY.md", "benches/peers/README.md"].map(ToOwned::to_owned);
    for page in pages().into_iter().chain(further) {
        let page = page.as_str();
        let text = fs::read_to_string(page).unwrap();
        let folder = std::path::Path::new(page).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| !link.starts_with("http")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { std::path::PathBuf::from(page) } else { folder.join(file) };
            assert!(target.exists(), "{page}: {link} leads nowhere");
            // As GitHub makes them.
            let is_kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | ' ');
            let anchor = |line: &str| {
                line.trim_start_matches(['#', ' ']).to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-")
            };
            let has = |text: String| text.lines().any(|line| line.starts_with('#') && anchor(line) == heading);
            assert!(heading.is_empty() || has(fs::read_to_string(&target).unwrap()), "{page}: {link} leads to no heading");
        }
    }
}

/// Each crate is there for something that is said, and no other is said to be.
#[test]
fn every_dependency_has_its_reason() {
    let manifest = fs::read_to_string("Cargo.toml").unwrap();
    let mut section = "";
    let mut wanted = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if section.ends_with("dependencies")
            && section != "dev-dependencies"
            && let Some((name, _)) = line.split_once('=')
        {
            wanted.insert(name.trim());
        }
    }
    let text = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let (_, table) = text.split_once("\n## Dependencies\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | ").map(|(crates, _)| crates));
    let said: BTreeSet<&str> = cells.flat_map(|crates| crates.split('`').step_by(2)).collect();
    assert_eq!(said.difference(&wanted).collect::<Vec<_>>(), Vec::<&&str>::new(), "nobody needs them");
    assert_eq!(wanted.difference(&said).collect::<Vec<_>>(), Vec::<&&str>::new(), "ARCHITECTURE.md says not what for");
}

/// Each part of the nightly script has a machine, and the tests that it names are there: a name that is none would pass.
#[test]
fn what_is_run_every_night_is_there() {
    let script = fs::read_to_string("scripts/nightly.sh").unwrap();
    let workflow = fs::read_to_string(".github/workflows/nightly.yml").unwrap();
    let parts: BTreeSet<&str> = script.lines().filter_map(|line| line.strip_suffix("() {")).collect();
    let (_, matrix) = workflow.split_once("part: [").unwrap();
    assert_eq!(matrix.split(']').next().unwrap().split(", ").collect::<BTreeSet<_>>(), parts);
    for (file, name, named) in [
        ("tests/cluster/faults/schedule.rs", "at_random", "cluster::faults::schedule::at_random"),
        ("tests/simulation/main.rs", "schedules", "--test simulation -- --nocapture schedules"),
    ] {
        let is_there = fs::read_to_string(file).unwrap().contains(&format!("#[test]\nfn {name}() {{"));
        assert!(is_there && script.contains(named), "{named}");
    }
}

#[test]
fn every_example_is_told_of() {
    let page = fs::read_to_string("docs/examples.md").unwrap();
    for name in crate::support::names("examples") {
        assert!(page.contains(&format!("(../examples/{name})")), "{name} is missing");
    }
}

/// The fields of JSON and of what is in it.
fn fields(text: &str) -> BTreeSet<String> {
    fn add(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        // What objects and their fields hold is not this form's.
        if path.ends_with("objects.before")
            || path.ends_with("objects.after")
            || path.contains("fields.before")
            || path.contains("fields.after")
        {
            return;
        }
        match value {
            Value::Object(entries) => entries.iter().for_each(|(name, value)| {
                found.insert(format!("{path}.{name}"));
                add(value, &format!("{path}.{name}"), found);
            }),
            Value::Array(items) => items.iter().for_each(|item| add(item, path, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    add(&serde_json::from_str(text).unwrap(), "", &mut found);
    found
}

/// The JSON that is shown has the fields of a real one, and no other.
#[test]
fn the_json_that_is_shown_is_real() {
    let shown = |page: &str| fields(&blocks(page, "json")[0]);
    assert_eq!(shown("docs/diff.md"), fields(&fs::read_to_string("golden/diff/everything/expected.json").unwrap()));
    let story = fs::read_to_string("golden/status/sets.txt").unwrap();
    let (_, printed) = story.split_once("$ kaito status -o json\n").unwrap();
    assert_eq!(shown("docs/status.md"), fields(printed.split_once("[exit code").unwrap().0));
}

/// The first steps, as they stand there.
#[test]
fn the_quick_start_works_as_written() {
    let home = tempfile::tempdir().unwrap();
    let mut here = home.path().to_owned();
    let shown = &blocks("docs/quickstart.md", "console")[0];
    for words in shown.lines().map(|line| shlex::split(line.trim_start_matches("$ ")).unwrap()) {
        if words[0] == "cd" {
            here.push(&words[1]);
            continue;
        }
        let run = crate::support::finish(crate::support::kaito().current_dir(&here).args(&words[1..]));
        assert_eq!(run.code, 0, "{words:?}: {}", run.stderr);
    }
    assert!(here.join("workspaces/phi-4.yaml").exists());
}
