//! The programs of the cluster: from `KUBEBUILDER_ASSETS`, from the user's cache, or built by Go.

use std::env::{self, consts};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::will::Will;

/// Each program and the Go package that it is built from; its version stands in `tools/go.mod`.
const PROGRAMS: &[(&str, &str)] = &[("etcd", "go.etcd.io/etcd/server/v3"), ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver")];

const TOOLS: &str = "tests/cluster/tools";

const HELP: &str = "Install Go (https://go.dev/dl), with which the tests build etcd and kube-apiserver once;\n\
    or set KUBEBUILDER_ASSETS to a folder that has both: export KUBEBUILDER_ASSETS=$(setup-envtest use -p path 1.35)";

/// A folder with all programs.
pub(super) fn folder() -> Result<PathBuf, String> {
    if let Some(given) = env::var_os("KUBEBUILDER_ASSETS").filter(|given| !given.is_empty()) {
        let given = PathBuf::from(given);
        let lack = missing(&given).next();
        return lack
            .map_or(Ok(()), |(name, _)| {
                Err(format!("KUBEBUILDER_ASSETS is {}, which has no {name}; without it, Go builds what is needed", given.display()))
            })
            .map(|()| given);
    }
    let folder = cache()?;
    if missing(&folder).next().is_some() {
        build(&folder)?;
    }
    Ok(folder)
}

fn missing(folder: &Path) -> impl Iterator<Item = (&'static str, &'static str)> {
    PROGRAMS.iter().copied().filter(move |(name, _)| !folder.join(name).is_file())
}

/// The folder of these versions in the user's cache directory.
fn cache() -> Result<PathBuf, String> {
    let home = || env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".cache"));
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
    let base = base.ok_or("neither XDG_CACHE_HOME nor HOME says where programs are kept")?;
    let versions = format!("kubernetes-{}-etcd-{}", version("k8s.io/kubernetes"), version("go.etcd.io/etcd/server/v3"));
    Ok(base.join("kaito/test-cluster").join(format!("{versions}-{}-{}", consts::OS, consts::ARCH)))
}

/// The version of a module in `tools/go.mod`.
fn version(module: &str) -> String {
    let text = fs::read_to_string(format!("{TOOLS}/go.mod")).unwrap();
    let found = text.lines().find_map(|line| line.trim().strip_prefix(module)?.strip_prefix(" v")?.split(' ').next());
    found.unwrap_or_else(|| panic!("{TOOLS}/go.mod requires no {module}")).to_owned()
}

/// Builds what is missing beside its place, and moves it there when it is whole. Another run that wants the same waits.
fn build(folder: &Path) -> Result<(), String> {
    let fault = |error: io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(fault)?;
    let lock = File::create(folder.join(".lock")).map_err(fault)?;
    lock.lock().map_err(fault)?;
    let unfinished = folder.join(".unfinished");
    for (name, package) in missing(folder) {
        // Not by a macro: what those print isn't seen before the test is over.
        _ = writeln!(io::stderr(), "Go builds {name} for the tests, once; this may take ten minutes ({})", folder.display());
        go_build(package, &unfinished)?;
        fs::rename(&unfinished, folder.join(name)).map_err(fault)?;
    }
    Ok(())
}

fn go_build(package: &str, out: &Path) -> Result<(), String> {
    let kubernetes = version("k8s.io/kubernetes");
    let mut parts = kubernetes.split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // Without its version, which is stamped so, an API server doesn't know which of its features it has.
    let stamp = |name: &str, value: &str| format!("-X k8s.io/component-base/version.{name}={value}");
    let stamps = [stamp("gitVersion", &format!("v{kubernetes}")), stamp("gitMajor", major), stamp("gitMinor", minor)];
    let mut will = Will::new().map_err(|error| format!("sh: {error}"))?;
    let go = Command::new("go")
        .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", &format!("-s -w {}", stamps.join(" ")), "-o"])
        .arg(out)
        .arg(package)
        .current_dir(TOOLS)
        .envs([("CGO_ENABLED", "0"), ("GOWORK", "off")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let go = go.map_err(|error| format!("go: {error}\n{HELP}"))?;
    _ = will.say(&format!("kill {}", go.id()));
    let done = go.wait_with_output();
    _ = will.say(":");
    match done {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(format!("go build {package} failed\n{}", String::from_utf8_lossy(&done.stderr))),
        Err(error) => Err(format!("go build {package}: {error}")),
    }
}
