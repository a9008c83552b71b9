//! Images: none is forgotten in the list, and none escapes a mirror.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{examples, names, run};

/// Mirrors of every registry that Kaito's images come from, and of that of the examples' own.
const MIRRORS: &str = "registryMirrors:
- {prefix: mcr.microsoft.com, location: mirror.test/mcr}
- {prefix: ghcr.io, location: mirror.test/ghcr}
- {prefix: docker.io, location: mirror.test/hub}
- {prefix: registry.k8s.io, location: mirror.test/k8s}
- {prefix: registry.example.com, location: mirror.test/own}
- {prefix: registry.example.com/kaito, location: mirror.test/kaito}
";

fn lines(args: &[&str]) -> BTreeSet<String> {
    let run = run(args);
    assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
    run.stdout.lines().map(ToOwned::to_owned).collect()
}

/// Every string below a field called `image`, wherever it is.
fn image_fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| image_fields(item, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                found.extend(value.as_str().filter(|_| name == "image").map(ToOwned::to_owned));
                image_fields(value, found);
            }
        }
        _ => {}
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The inputs that show everything: examples, and the cases that are rendered without flags.
fn inputs() -> Vec<String> {
    let cases = names("golden/cases").into_iter().map(|name| format!("golden/cases/{name}"));
    let rendered =
        cases.filter(|case| fs::exists(format!("{case}/expected.yaml")).unwrap() && !fs::exists(format!("{case}/args")).unwrap());
    examples().into_iter().map(|name| format!("examples/{name}")).chain(rendered).collect()
}

fn input_of(directory: &str) -> String {
    let file = format!("{directory}/input.yaml");
    if fs::exists(&file).unwrap() { file } else { directory.to_owned() }
}

#[test]
fn every_image_is_listed() {
    let all = lines(&["images", "--all"]);
    for directory in inputs() {
        let input = input_of(&directory);
        let listed = lines(&["images", "-f", &input]);
        let objects: Value = serde_json::from_str(&run(&["render", "-f", &input, "-o", "json"]).stdout).unwrap();
        let mut named = BTreeSet::new();
        image_fields(&objects, &mut named);
        assert!(named.is_subset(&listed), "{directory}: {named:?} are named, {listed:?} are listed");
        if fs::exists(format!("{directory}/kaito.yaml")).unwrap() {
            continue;
        }
        let text: String =
            fs::read_dir(&directory).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap_or_default()).collect();
        for image in listed.difference(&all) {
            let name = image.trim_start_matches("docker.io/").trim_start_matches("library/").trim_end_matches(":latest");
            assert!(text.contains(name), "{directory}: {image} is neither Kaito's nor the input's own");
        }
    }
}

#[test]
fn no_image_escapes_a_mirror() {
    let hosts = ["mcr.microsoft.com", "ghcr.io", "docker.io", "registry.k8s.io", "registry.example.com"];
    for directory in inputs() {
        let home = tempfile::tempdir().unwrap();
        copy(Path::new(&directory), home.path());
        let config = home.path().join("kaito.yaml");
        let own = fs::read_to_string(&config).unwrap_or_else(|_| "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n".to_owned());
        // Those that say themselves where images come from have cases of their own.
        if ["registryMirrors:", "images:", "image:"].iter().any(|field| own.contains(field)) {
            continue;
        }
        fs::write(&config, format!("{own}{MIRRORS}")).unwrap();
        let input = input_of(home.path().to_str().unwrap());
        let rendered = run(&["render", "-f", &input]);
        assert_eq!(rendered.code, 0, "{directory}: {}", rendered.stderr);
        // The image that a tuned adapter is pushed to is the user's to choose.
        let pushed = |line: &str| line.trim_start().starts_with("image='registry.example.com/");
        for line in rendered.stdout.lines().filter(|line| !pushed(line)) {
            assert!(!hosts.iter().any(|host| line.contains(host)), "{directory}: {line}");
        }
        let listed = lines(&["images", "-f", &input]);
        let escaped: Vec<_> = listed.iter().filter(|image| !image.starts_with("mirror.test/")).collect();
        assert!(escaped.is_empty(), "{directory}: {escaped:?}");
        assert_eq!(lines(&["images", "-f", &input, "-o", "mirror"]).len(), listed.len(), "{directory}: each has its source");
        let mut named = BTreeSet::new();
        let objects: Value = serde_json::from_str(&run(&["render", "-f", &input, "-o", "json"]).stdout).unwrap();
        image_fields(&objects, &mut named);
        assert!(named.iter().all(|image| image.starts_with("mirror.test/")), "{directory}: {named:?}");
    }
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("kaito.yaml");
    fs::write(&config, format!("apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n{MIRRORS}")).unwrap();
    let all = lines(&["images", "--all", "--config", config.to_str().unwrap()]);
    assert!(all.len() > 10 && all.iter().all(|image| image.starts_with("mirror.test/")), "{all:?}");
}

#[test]
fn images_of_the_catalog_are_references() {
    for version in ["0.12", "0.3"] {
        let all = lines(&["images", "--all", "--kaito-version", version]);
        assert!(all.len() > 10, "{version}: {all:?}");
        for image in all {
            assert!(kaito::image::is_reference(&image), "{version}: {image}");
        }
    }
}
