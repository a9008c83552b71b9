//! The git server of `tests/git-server`, which Go builds, and the repository that it serves.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use kaito::source::{Access, Values};
use serde::Deserialize;
use serde_json::Value;

use crate::git::Repo;
use crate::support::plant;

/// A repository, `repo` in the directory that is served.
pub(crate) struct Served {
    pub repo: Repo,
    pub server: Server,
    cache: tempfile::TempDir,
}

/// A server that ends with this.
pub(crate) struct Server {
    child: Child,
    pub listens: Listens,
}

/// Where it listens, and what belongs to HTTPS.
#[derive(Clone, Deserialize)]
pub(crate) struct Listens {
    pub http: String,
    pub https: String,
    pub ssh: String,
    pub proxy: String,
    /// Where `Relay` of the rules is reached over TLS.
    pub relay: String,
    pub authority: String,
    /// The one that has signed what is shown if the rules say `"Papers": "next"`.
    pub next_authority: String,
    pub certificate: String,
    pub key: String,
}

/// A request that was answered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Asked {
    pub what: String,
    pub authorization: String,
    pub sent: u64,
}

/// A key for SSH.
#[derive(Deserialize)]
pub(crate) struct SshKey {
    pub private: String,
    /// As it stands in `authorized_keys`.
    pub public: String,
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<tempfile::TempPath> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let path = tempfile::Builder::new().prefix("git-server").tempfile().expect("a file can be made").into_temp_path();
        let built = Command::new("go").args(["build", "-o"]).arg(&path).arg(".").current_dir("tests/git-server").status();
        assert!(built.is_ok_and(|status| status.success()), "Go is needed to serve git repositories");
        path
    })
}

impl Server {
    /// Serves a directory; `again` is the address of a server that comes back.
    pub(crate) fn start(root: &Path, again: Option<&str>) -> Self {
        let mut command = Command::new(program());
        command.arg(root).args(again).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, listens: serde_json::from_str(&line).unwrap() }
    }

    /// Ends it, if it hasn't ended.
    pub(crate) fn kill(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Served {
    /// A repository with one commit on `main`, served to everybody.
    pub(crate) fn new() -> Self {
        let repo = Repo::new();
        repo.write("clusters/prod/phi.yaml", "kind: Workspace\n").commit("one");
        let server = Server::start(repo.path.parent().unwrap(), None);
        Self { repo, server, cache: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn root(&self) -> &Path {
        self.repo.path.parent().unwrap()
    }

    /// Where mirrors are.
    pub(crate) fn cache(&self) -> &Path {
        self.cache.path()
    }

    pub(crate) fn http(&self) -> String {
        format!("http://{}/repo", self.server.listens.http)
    }

    pub(crate) fn https(&self) -> String {
        format!("https://{}/repo", self.server.listens.https)
    }

    /// Changes what the server asks and does.
    pub(crate) fn rules(&self, rules: &Value) {
        let path = self.root().join("server.json.new");
        fs::write(&path, rules.to_string()).unwrap();
        fs::rename(path, self.root().join("server.json")).unwrap();
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        serde_json::from_str::<Option<Vec<Asked>>>(&self.ask("/asked")).unwrap().unwrap_or_default()
    }

    /// A new key for the GitHub App that the server knows.
    pub(crate) fn app_key(&self) -> String {
        plant(self.ask("/app-key"))
    }

    /// A new key for SSH.
    pub(crate) fn ssh_key(&self, kind: &str, passphrase: &str) -> SshKey {
        let key: SshKey = serde_json::from_str(&self.ask(&format!("/ssh-key?kind={kind}&passphrase={passphrase}"))).unwrap();
        plant(&key.private);
        key
    }

    /// A host's name as it stands in `known_hosts` where names are nobody's business.
    pub(crate) fn hashed(&self, host: &str) -> String {
        self.ask(&format!("/hashed?host={host}"))
    }

    fn ask(&self, path: &str) -> String {
        let config = ureq::Agent::config_builder().proxy(None).build();
        let url = format!("http://{}{path}", self.server.listens.http);
        ureq::Agent::from(config).get(url).call().unwrap().body_mut().read_to_string().unwrap()
    }

    /// The repository that is kept of a mirror.
    pub(crate) fn kept(&self) -> PathBuf {
        let mirror = fs::read_dir(self.cache()).unwrap().next().unwrap().unwrap().path();
        let mut kept: Vec<PathBuf> =
            fs::read_dir(mirror).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        kept.remove(0)
    }
}

/// Credentials with these keys.
pub(crate) fn values(pairs: &[(&str, &str)]) -> Values {
    Values::Map(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec().into())).collect::<BTreeMap<_, _>>())
}

pub(crate) fn access(pairs: &[(&str, &str)]) -> Access {
    Access::anonymous().with(values(pairs))
}
