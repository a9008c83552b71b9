//! The programs of the clusters: from `KUBEBUILDER_ASSETS`, from the user's cache, or built by Go.

use std::env::{self, consts};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::will::Will;

/// A program, and where it comes from.
struct Program {
    name: &'static str,
    /// The Go package that it is built from.
    package: &'static str,
    tools: &'static Tools,
}

/// A Go module of ours that pins the versions of programs.
struct Tools {
    folder: &'static str,
    /// The modules whose versions name the folder of the cache, and what they are called there.
    versions: &'static [(&'static str, &'static str)],
    /// Whether it is a program itself, `main.go`.
    is_program: bool,
}

static KUBERNETES: Tools = Tools {
    folder: "tests/cluster/tools",
    versions: &[("kubernetes", "k8s.io/kubernetes"), ("etcd", "go.etcd.io/etcd/server/v3")],
    is_program: false,
};
static HELM: Tools = Tools { folder: "tests/cluster/tools/helm", versions: &[("helm", "helm.sh/helm/v4")], is_program: false };
static KWOK: Tools = Tools { folder: "tests/cluster/tools/kwok", versions: &[("kwok", "sigs.k8s.io/kwok")], is_program: false };
static KARPENTER: Tools =
    Tools { folder: "tests/cluster/tools/karpenter", versions: &[("karpenter", "sigs.k8s.io/karpenter")], is_program: true };

static KUBELET: Tools = Tools { folder: "tests/cluster/tools/kubelet", versions: &[("kubelet", "k8s.io/kubelet")], is_program: true };

static PROGRAMS: &[Program] = &[
    Program { name: "etcd", package: "go.etcd.io/etcd/server/v3", tools: &KUBERNETES },
    Program { name: "kube-apiserver", package: "k8s.io/kubernetes/cmd/kube-apiserver", tools: &KUBERNETES },
    Program { name: "kube-controller-manager", package: "k8s.io/kubernetes/cmd/kube-controller-manager", tools: &KUBERNETES },
    Program { name: "kube-scheduler", package: "k8s.io/kubernetes/cmd/kube-scheduler", tools: &KUBERNETES },
    Program { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl", tools: &KUBERNETES },
    Program { name: "helm", package: "helm.sh/helm/v4/cmd/helm", tools: &HELM },
    Program { name: "kubelet-forward", package: ".", tools: &KUBELET },
    Program { name: "kwok", package: "sigs.k8s.io/kwok/cmd/kwok", tools: &KWOK },
    Program { name: "karpenter-kwok", package: ".", tools: &KARPENTER },
];

/// What `setup-envtest` ships. The others are built even where `KUBEBUILDER_ASSETS` is set.
const ASSETS: &[&str] = &["etcd", "kube-apiserver", "kubectl"];

const HELP: &str = "Install Go (https://go.dev/dl), with which the tests build the programs of a cluster once;\n\
    etcd, kube-apiserver and kubectl may also come from elsewhere: export KUBEBUILDER_ASSETS=$(setup-envtest use -p path 1.35)";

/// Where a program is; it is built first if it has to be.
///
/// # Errors
/// It isn't where `KUBEBUILDER_ASSETS` says, or can't be built.
pub(super) fn path(name: &str) -> Result<PathBuf, String> {
    let program = PROGRAMS.iter().find(|program| program.name == name).ok_or_else(|| format!("{name} is no program of the cluster"))?;
    if let Some(given) = env::var_os("KUBEBUILDER_ASSETS").filter(|given| !given.is_empty() && ASSETS.contains(&name)) {
        let path = Path::new(&given).join(name);
        let lack = || format!("KUBEBUILDER_ASSETS is {}, which has no {name}; without it, Go builds what is needed", given.display());
        return if path.is_file() { Ok(path) } else { Err(lack()) };
    }
    let folder = cache(program.tools)?;
    let path = folder.join(name);
    if !path.is_file() {
        build(program, &folder)?;
    }
    Ok(path)
}

/// The version of kwok, whose module has more than the program.
pub(super) fn kwok_version() -> String {
    KWOK.version("sigs.k8s.io/kwok")
}

/// The folder of these versions in the user's cache directory.
fn cache(tools: &Tools) -> Result<PathBuf, String> {
    let home = || env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".cache"));
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
    let base = base.ok_or("neither XDG_CACHE_HOME nor HOME says where programs are kept")?;
    let mut versions: Vec<String> = tools.versions.iter().map(|(name, module)| format!("{name}-{}", tools.version(module))).collect();
    if tools.is_program {
        let text = fs::read(format!("{}/main.go", tools.folder)).unwrap();
        versions.push(Sha256::digest(text).iter().take(4).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat());
    }
    Ok(base.join("kaito/test-cluster").join(format!("{}-{}-{}", versions.join("-"), consts::OS, consts::ARCH)))
}

impl Tools {
    /// The version of a module in `go.mod`.
    fn version(&self, module: &str) -> String {
        let text = fs::read_to_string(format!("{}/go.mod", self.folder)).unwrap();
        let found = text.lines().find_map(|line| line.trim().strip_prefix(module)?.strip_prefix(" v")?.split(' ').next());
        found.unwrap_or_else(|| panic!("{}/go.mod requires no {module}", self.folder)).to_owned()
    }
}

/// Builds a program beside its place, and moves it there when it is whole. Another run that wants the same waits.
fn build(program: &Program, folder: &Path) -> Result<(), String> {
    let fault = |error: io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(fault)?;
    let lock = File::create(folder.join(".lock")).map_err(fault)?;
    lock.lock().map_err(fault)?;
    let (path, unfinished) = (folder.join(program.name), folder.join(".unfinished"));
    if path.is_file() {
        return Ok(());
    }
    // Not by a macro: what those print isn't seen before the test is over.
    _ = writeln!(io::stderr(), "Go builds {} for the tests, once; this may take some minutes ({})", program.name, folder.display());
    go_build(program, &unfinished)?;
    fs::rename(&unfinished, path).map_err(fault)
}

/// Without its version, which is stamped so, an API server doesn't know which of its features it has.
fn stamps() -> String {
    let kubernetes = KUBERNETES.version("k8s.io/kubernetes");
    let mut parts = kubernetes.split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let stamp = |name: &str, value: &str| format!("-X k8s.io/component-base/version.{name}={value}");
    [stamp("gitVersion", &format!("v{kubernetes}")), stamp("gitMajor", major), stamp("gitMinor", minor)].join(" ")
}

fn go_build(program: &Program, out: &Path) -> Result<(), String> {
    let (package, folder) = (program.package, program.tools.folder);
    let mut will = Will::new().map_err(|error| format!("sh: {error}"))?;
    let go = Command::new("go")
        .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", &format!("-s -w {}", stamps()), "-o"])
        .arg(out)
        .arg(package)
        .current_dir(folder)
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
        Ok(done) => Err(format!("go build {package} in {folder} failed\n{}", String::from_utf8_lossy(&done.stderr))),
        Err(error) => Err(format!("go build {package}: {error}")),
    }
}
