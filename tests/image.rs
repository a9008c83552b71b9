//! The image and the release: what the Dockerfile is made of, as far as that can be told without building it, the SBOM, and the manifest for krew.

mod static_program;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// The instructions of the Dockerfile: each with its words, in one line.
fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string("Dockerfile").unwrap();
    let code: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let text = code.join("\n").replace("\\\n", " ");
    let of = |line: &str| line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.trim().to_owned()));
    text.lines().filter_map(of).collect()
}

fn all<'i>(instructions: &'i [(String, String)], name: &str) -> Vec<&'i str> {
    instructions.iter().filter(|(found, _)| found == name).map(|(_, rest)| rest.as_str()).collect()
}

/// What a build is sent: paths that a line of `.dockerignore` lets through, after all are held back.
fn sent() -> Vec<String> {
    let text = fs::read_to_string(".dockerignore").unwrap();
    let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    assert_eq!(lines.next(), Some("*"));
    lines.map(|line| line.strip_prefix('!').unwrap_or_else(|| panic!("{line} holds something back")).to_owned()).collect()
}

/// The value of a key in the first section of `Cargo.toml`.
fn of_package(key: &str) -> String {
    let manifest = fs::read_to_string("Cargo.toml").unwrap();
    let line = manifest.lines().find_map(|line| line.strip_prefix(&format!("{key} = \""))).unwrap();
    line.trim_end_matches('"').to_owned()
}

#[test]
fn the_dockerfile_is_for_a_restricted_pod() {
    let instructions = instructions();
    let from = all(&instructions, "FROM");
    assert_eq!(from, ["rust:${RUST_VERSION}-alpine AS build", "scratch AS program", "scratch"]);
    let version = all(&instructions, "ARG").into_iter().find_map(|arg| arg.strip_prefix("RUST_VERSION=")).unwrap();
    let number = |text: &str| text.split('.').map(|part| part.parse::<u32>().unwrap()).collect::<Vec<_>>();
    assert!(version.split('.').count() == 3 && number(version) >= number(&of_package("rust-version")), "{version}");
    // As the Deployment says it.
    let deployment = fs::read_to_string("templates/install/deployment.yaml").unwrap();
    let user = deployment.lines().find_map(|line| line.trim().strip_prefix("runAsUser: ")).unwrap();
    assert_eq!(all(&instructions, "USER"), [format!("{user}:{user}")]);
    // Flags without a target are those of procedural macros too, which can't be static.
    assert!(all(&instructions, "ENV").concat().contains("RUSTFLAGS=\"-C target-feature=+crt-static\""));
    assert!(all(&instructions, "RUN").iter().any(|run| run.contains("cargo build") && run.contains("--target \"$target\"")));
    assert_eq!(all(&instructions, "ENTRYPOINT"), [r#"["/usr/local/bin/kaito"]"#]);
    assert!(all(&instructions, "ARG").contains(&format!("VERSION={}", of_package("version")).as_str()));
    assert!(all(&instructions, "ENV").contains(&"PATH=/usr/local/bin"), "Argo CD's plugin calls it by its name");
    let label = all(&instructions, "LABEL").concat();
    for key in ["title", "description", "licenses", "version", "revision"] {
        assert!(label.contains(&format!("org.opencontainers.image.{key}=")), "{key} is missing");
    }
    assert!(label.contains(&format!("\"{}\"", of_package("license"))) && label.contains(&of_package("description")), "{label}");
}

/// Cargo finds all targets in what a build is sent, and the sources name no other file.
#[test]
fn the_image_is_built_of_what_it_is_sent() {
    let instructions = instructions();
    let copied: BTreeSet<String> = all(&instructions, "COPY")
        .into_iter()
        .filter(|rest| !rest.starts_with("--from"))
        .flat_map(|rest| rest.rsplit_once(' ').unwrap().0.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>())
        .collect();
    let sent = sent();
    let covers = |path: &str| sent.iter().any(|sent| sent == path || sent.split('/').next() == Some(path));
    copied.iter().for_each(|path| assert!(Path::new(path).exists() && covers(path), "{path} isn't sent"));
    let home = tempfile::tempdir().unwrap();
    for path in &copied {
        let copied = Command::new("cp").arg("-r").arg(path).arg(home.path()).status().unwrap();
        assert!(copied.success());
    }
    let cargo = || Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let found = cargo().args(["metadata", "--locked", "--no-deps", "--format-version=1"]).current_dir(home.path()).output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    for file in sources(Path::new("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        for named in ["include_str!(\"", "include_bytes!(\""].into_iter().flat_map(|word| code.split(word).skip(1)) {
            let path = file.parent().unwrap().join(named.split('"').next().unwrap());
            let real = fs::canonicalize(&path).unwrap();
            let is_sent = copied.iter().any(|copied| real.starts_with(fs::canonicalize(copied).unwrap()));
            assert!(is_sent, "{} wants {}", file.display(), path.display());
        }
        for folder in code.split("#[folder = \"").skip(1).filter_map(|rest| rest.split(['/', '"']).next()) {
            assert!(copied.contains(folder), "{} wants {folder}", file.display());
        }
    }
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// What a static program can't have: libraries of the system, and what only glibc offers.
#[test]
fn nothing_needs_what_musl_lacks() {
    let mut only_glibc: Vec<PathBuf> = sources(Path::new("src"));
    only_glibc.retain(|path| fs::read_to_string(path).unwrap().contains("libc::"));
    assert_eq!(only_glibc, [Path::new("src/heap.rs")]);
    let bom = sbom("x86_64-unknown-linux-musl");
    let names: BTreeSet<&str> = bom["components"].as_array().unwrap().iter().map(|component| component["name"].as_str().unwrap()).collect();
    let of_the_system: Vec<&&str> = names.iter().filter(|name| name.ends_with("-sys")).collect();
    // libgit2, mimalloc and zlib are built with it and linked in; inotify's and linux-raw's are definitions alone.
    for name in &of_the_system {
        assert!(
            ["inotify-sys", "libgit2-sys", "libmimalloc-sys", "libz-sys", "linux-raw-sys"].contains(name),
            "{name}: can it be linked in?"
        );
    }
    assert!(of_the_system.len() >= 2, "{names:?}");
}

fn sbom(target: &str) -> Value {
    let made = Command::new("python3").args(["scripts/sbom.py", "--target", target]).env_remove("SOURCE_DATE_EPOCH").output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    serde_json::from_slice(&made.stdout).unwrap()
}

/// As its format has it: every component once, with its licence and digest, and dependencies that are all there.
#[test]
fn the_sbom_is_whole() {
    let target = "x86_64-unknown-linux-musl";
    let bom = sbom(target);
    assert_eq!(bom, sbom(target), "the same files give the same SBOM");
    assert_eq!((&bom["bomFormat"], &bom["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    let components = bom["components"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut refs: BTreeSet<String> = components.iter().map(|component| text(&component["bom-ref"])).collect();
    assert_eq!(refs.len(), components.len());
    for component in components {
        let digest = text(&component["hashes"][0]["content"]);
        let licence = text(&component["licenses"][0]["expression"]);
        assert!(digest.len() == 64 && !licence.is_empty() && licence != "NOASSERTION" && !licence.contains('/'), "{component}");
        assert_eq!(component["purl"], component["bom-ref"]);
    }
    let own = &bom["metadata"]["component"];
    assert_eq!((text(&own["name"]), text(&own["version"])), ("kaito".to_owned(), of_package("version")));
    refs.insert(text(&own["bom-ref"]));
    let dependencies = bom["dependencies"].as_array().unwrap();
    assert_eq!(dependencies.len(), refs.len());
    for dependency in dependencies {
        let all = dependency["dependsOn"].as_array().unwrap().iter().chain([&dependency["ref"]]);
        all.for_each(|name| assert!(refs.contains(name.as_str().unwrap()), "{name}"));
    }
    let scope = |name: &str| components.iter().find(|component| component["name"] == name).map(|component| text(&component["scope"]));
    let table =
        [("kube", Some("required")), ("libgit2-sys", Some("required")), ("cc", Some("excluded")), ("serde_derive", Some("excluded"))];
    for (name, want) in table.into_iter().chain([("proptest", None), ("divan", None)]) {
        assert_eq!(scope(name).as_deref(), want, "{name}");
    }
}

/// Every action is pinned by its commit, and nothing of the event is put into a script.
#[test]
fn workflows_are_pinned() {
    for file in crate::support::names(".github/workflows") {
        is_pinned(&fs::read_to_string(Path::new(".github/workflows").join(file)).unwrap());
    }
}

fn is_pinned(text: &str) {
    let uses: Vec<&str> = text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")).collect();
    assert!(!uses.is_empty());
    for action in uses {
        let (_, commit) = action.split_once('@').unwrap();
        let commit = commit.split(' ').next().unwrap();
        assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
    }
    // A script is what stands behind `run:`, and the lines below it that are further in.
    let mut script = None;
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let begins = line.trim_start().trim_start_matches("- ").starts_with("run:");
        script = if begins { Some(depth) } else { script.filter(|begun| depth > *begun && !line.trim().is_empty()) };
        assert!(script.is_none() || !line.contains("${{"), "{line}");
    }
}

/// Each architecture has its program.
#[test]
fn a_release_is_whole() {
    let text = fs::read_to_string(".github/workflows/release.yml").unwrap();
    for part in ["kaito-linux-$ARCH.cdx.json", "SHA256SUMS", "x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"] {
        assert!(text.contains(part), "{part} is missing");
    }
}

/// By krew's own rules, it installs what the release has, under a name that isn't that of Kaito's plugin.
#[test]
fn krew_can_install_it() {
    let home = tempfile::tempdir().unwrap();
    let sums = home.path().join("SHA256SUMS");
    let digest = |arch: &str| format!("{arch:a>64}").replace(|c: char| !c.is_ascii_hexdigit(), "0");
    let archive = |arch: &str| format!("kaito-linux-{arch}.tar.gz");
    let print = |archs: &[&str]| {
        let lines: Vec<String> = archs.iter().map(|arch| format!("{}  {}\n", digest(arch), archive(arch))).collect();
        fs::write(&sums, lines.concat()).unwrap();
        let args = ["--tag", "v0.1.0", "--repository", "acme/kaito", "--checksums"];
        Command::new("scripts/krew.py").args(args).arg(&sums).output().unwrap()
    };
    let printed = print(&["amd64", "arm64"]);
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let manifest = crate::install::objects(&String::from_utf8(printed.stdout).unwrap()).remove(0);
    assert_eq!((&manifest["apiVersion"], &manifest["kind"]), (&"krew.googlecontainertools.github.com/v1alpha2".into(), &"Plugin".into()));
    assert_eq!((&manifest["metadata"]["name"], &manifest["spec"]["version"]), (&"kaito-gitops".into(), &"v0.1.0".into()));
    let short = manifest["spec"]["shortDescription"].as_str().unwrap();
    assert!(short.len() <= 50 && !short.ends_with('.') && !short.contains("kubectl"), "{short}");
    let release = fs::read_to_string(".github/workflows/release.yml").unwrap();
    assert!(release.contains("kaito-linux-$ARCH.tar.gz") && release.contains("scripts/krew.py"));
    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 2);
    for (platform, arch) in platforms.iter().zip(["amd64", "arm64"]) {
        assert_eq!(platform["selector"]["matchLabels"], serde_json::json!({"os": "linux", "arch": arch}));
        assert_eq!(platform["uri"], format!("https://github.com/acme/kaito/releases/download/v0.1.0/{}", archive(arch)));
        assert_eq!((&platform["sha256"], &platform["bin"]), (&digest(arch).into(), &"kaito".into()));
    }
    let lacking = print(&["amd64"]);
    assert!(!lacking.status.success() && String::from_utf8_lossy(&lacking.stderr).contains("has no kaito-linux-arm64.tar.gz"));
    // What it installs is in the archive, which is the same whenever it is made.
    let (program, made) = (home.path().join("kaito"), |name: &str| home.path().join(name));
    fs::write(&program, "#!/bin/sh\n").unwrap();
    for name in ["one.tar.gz", "two.tar.gz"] {
        let run = Command::new("scripts/archive.sh").arg(&program).arg(made(name)).env("SOURCE_DATE_EPOCH", "1").output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        fs::write(&program, "#!/bin/sh\n").unwrap();
    }
    assert_eq!(fs::read(made("one.tar.gz")).unwrap(), fs::read(made("two.tar.gz")).unwrap());
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(made("one.tar.gz")).unwrap()));
    let entries = archive.entries().unwrap().map(|entry| entry.unwrap());
    let has: Vec<(PathBuf, u32)> = entries.map(|entry| (entry.path().unwrap().into_owned(), entry.header().mode().unwrap())).collect();
    assert_eq!(has, [("LICENSE".into(), 0o644), ("kaito".into(), 0o755)]);
}
