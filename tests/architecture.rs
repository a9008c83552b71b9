//! The floors of the house: the pure core names no file, network, clock, environment or randomness, and nobody names the door.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules that may touch the world, and the one that may print.
const EDGES: [&str; 7] = ["source", "cluster", "output_dir", "pem", "server", "telemetry", "notify"];
/// The modules that bring both together, with threads and clocks.
const LOOP: [&str; 2] = ["reconcile", "watch"];
const DOOR: [&str; 2] = ["cli", "main"];

/// What the core must not name. Each is looked for as written in a path or a call.
const FORBIDDEN: [&str; 20] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::io",
    "std::thread",
    "std::time",
    "SystemTime",
    "Instant::now",
    "rand::",
    "tokio",
    "kube::",
    "futures_util",
    "tempfile",
    "git2",
    "ureq",
    "println!",
    "eprintln!",
    "print!(",
    "clap::",
];

fn sources() -> Vec<(String, PathBuf)> {
    let mut open = vec![PathBuf::from("src")];
    let mut found = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let module =
                    path.strip_prefix("src").unwrap().components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
                found.push((module, path));
            }
        }
    }
    found
}

/// The code of a file: comments may name anything.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_core_is_pure() {
    let mut faults = Vec::new();
    let is_core = |module: &str| ![&EDGES[..], &LOOP, &DOOR].iter().any(|floor| floor.contains(&module));
    for (module, path) in sources().into_iter().filter(|(module, _)| is_core(module)) {
        let code = code(&path);
        faults.extend(
            FORBIDDEN.iter().filter(|name| code.contains(**name)).map(|name| format!("{} ({module}) names {name}", path.display())),
        );
        faults.extend(
            EDGES.iter().filter(|edge| code.contains(&format!("crate::{edge}"))).map(|edge| format!("{} names {edge}", path.display())),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Only who sends a secret, signs or decodes with it can read one.
#[test]
fn few_files_read_secrets() {
    const READERS: [&str; 19] = [
        "cli/ci/environment.rs",
        "notify/forge.rs",
        "notify/post.rs",
        "secrets/secret.rs",
        "server/hook/receiver.rs",
        "server/hook/signature.rs",
        "source/git/cloned.rs",
        "source/git/remote/access.rs",
        "source/git/remote/github_app.rs",
        "source/git/remote/http.rs",
        "source/git/remote/proxy.rs",
        "source/git/remote/ssh.rs",
        "source/git/remote/tls.rs",
        "source/git/signature/keys.rs",
        "source/git/signature/sign.rs",
        "source/http.rs",
        "source/registry/client.rs",
        "source/registry/login.rs",
        "source/secret_file.rs",
    ];
    let mut readers: Vec<PathBuf> = sources().into_iter().map(|(_, path)| path).filter(|path| code(path).contains(".expose()")).collect();
    readers.sort();
    assert_eq!(readers, READERS.map(|file| Path::new("src").join(file)));
}

/// Archives are made and never unpacked: what leads out of a directory, or is a bomb, gets nowhere.
#[test]
fn nobody_unpacks_an_archive() {
    for (_, path) in sources() {
        let code = code(&path);
        let unpacks = ["tar::Archive", "Archive::new", "Decoder", "Decompress", ".unpack"].into_iter().find(|word| code.contains(word));
        assert_eq!(unpacks, None, "{}", path.display());
    }
}

#[test]
fn only_one_file_is_unsafe() {
    let faults: Vec<String> = sources()
        .into_iter()
        .filter(|(module, path)| module != "heap" && code(path).contains("unsafe "))
        .map(|(_, path)| path.display().to_string())
        .collect();
    assert_eq!(faults, [] as [String; 0]);
}

#[test]
fn nobody_uses_the_door_and_only_one_file_prints() {
    let mut faults = Vec::new();
    for (module, path) in sources() {
        let code = code(&path);
        if !DOOR.contains(&module.as_str()) && module != "lib" && code.contains("crate::cli") {
            faults.push(format!("{} uses the command line", path.display()));
        }
        if !path.ends_with("cli/output.rs")
            && ["println!", "eprintln!", "print!(", "stdout()", "stderr()"].iter().any(|name| code.contains(name))
        {
            faults.push(format!("{} prints", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Rendering is offline: one file speaks to a network for it, and one verb asks it to. Remote repositories and registries have files of their
/// own, two listen, two tell forges and others something, and one traces.
#[test]
fn only_an_import_asks_the_network() {
    let allowed = |word: &str| match word {
        "Hub::new" => vec!["src/source/hub.rs", "src/cli/preset/import.rs"],
        "TcpStream" => vec!["src/server/connection.rs", "src/source/git/remote/ssh.rs"],
        _ => vec![
            "src/pem.rs",
            "src/source/http.rs",
            "src/source/git/remote/github_app.rs",
            "src/source/git/remote/http.rs",
            "src/source/git/remote/proxy.rs",
            "src/source/git/remote/tls.rs",
            "src/source/registry/client.rs",
            "src/server/listen.rs",
            "src/notify/forge.rs",
            "src/notify/post.rs",
            "src/telemetry/otlp.rs",
        ],
    };
    for (_, path) in sources() {
        let code = code(&path);
        for word in ["ureq", "Hub::new", "std::net", "TcpStream"].into_iter().filter(|word| code.contains(*word)) {
            assert!(allowed(word).iter().any(|allowed| path == Path::new(allowed)), "{} names {word}", path.display());
        }
    }
}

/// One file knows how git keeps its objects, one how a mirror writes them, one how they are copied from a repository beside and to it, and
/// one how commits are made.
/// Nobody runs git: the one program that is started is the user's own.
#[test]
fn few_files_know_git() {
    let mut users: Vec<PathBuf> = sources().into_iter().map(|(_, path)| path).filter(|path| code(path).contains("git2")).collect();
    users.sort();
    assert_eq!(users, ["objects.rs", "push/draft.rs", "remote/local.rs", "store.rs"].map(|file| Path::new("src/source/git").join(file)));
    let starts = |path: &PathBuf| ["process::Command", "Command::new"].iter().any(|word| code(path).contains(word));
    let starters: Vec<PathBuf> = sources().into_iter().map(|(_, path)| path).filter(starts).collect();
    assert_eq!(starters, [Path::new("src/cli/diff/external.rs")]);
}

/// One edge asks API servers, and one verb asks it to; of others, only a login over SSH waits for anything.
#[test]
fn only_verbs_of_a_cluster_ask_one() {
    const VERBS: [&str; 14] = [
        "applyset.rs",
        "chat",
        "cluster.rs",
        "completion/values.rs",
        "control.rs",
        "apply",
        "delete",
        "diff/live.rs",
        "import.rs",
        "rbac.rs",
        "status.rs",
        "survey.rs",
        "tree.rs",
        "watch",
    ];
    let users = |words: &[&str]| {
        let uses = |path: &PathBuf| words.iter().any(|word| code(path).contains(word));
        sources()
            .into_iter()
            .filter(|(module, path)| module != "cluster" && module != "server" && !LOOP.contains(&module.as_str()) && uses(path))
            .map(|(_, path)| path)
            .collect::<Vec<_>>()
    };
    assert_eq!(users(&["kube::", "k8s_openapi", "futures_util"]), Vec::<PathBuf>::new());
    assert_eq!(users(&["tokio"]), [Path::new("src/source/git/remote/ssh.rs")]);
    let is_verb = |path: &PathBuf| VERBS.iter().any(|verb| path.starts_with(Path::new("src/cli").join(verb)));
    let others: Vec<PathBuf> =
        users(&["crate::cluster", "cli::cluster", "super::cluster"]).into_iter().filter(|path| !is_verb(path)).collect();
    assert_eq!(others, Vec::<PathBuf>::new());
}

/// What listens and what tells of itself know nothing of what they serve, nor of each other; one file makes lines of logs.
#[test]
fn who_is_asked_knows_only_that() {
    for (module, path) in sources().into_iter().filter(|(module, _)| module == "server" || module == "telemetry") {
        let code = code(&path);
        let named = |other: &&str| code.contains(&format!("crate::{other}")) && *other != module;
        let named: Vec<&str> = ["cluster", "source", "watch", "server", "telemetry"].into_iter().filter(named).collect();
        assert!(named.is_empty() && !code.contains("kube::"), "{} names {named:?} or kube", path.display());
    }
    let users: Vec<PathBuf> =
        sources().into_iter().map(|(_, path)| path).filter(|path| code(path).contains("tracing_subscriber")).collect();
    assert_eq!(users, [Path::new("src/telemetry/logs.rs")]);
}

#[test]
fn no_file_is_long() {
    for (_, path) in sources() {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 500, "{} has {lines} lines: split it by meaning", path.display());
    }
}
