//! etcd and kube-apiserver on free ports of the loopback address, until the test process is gone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::client::Client;
use super::will::Will;

/// A running API server. It ends, and its files go, with this value or its process.
pub(super) struct Server {
    url: String,
    token: String,
    certificate: Vec<u8>,
    _will: Will,
}

/// One of its two processes.
struct Process {
    name: &'static str,
    child: Child,
    log: std::path::PathBuf,
}

impl Process {
    /// Starts a program whose output goes to a file.
    fn start(programs: &Path, name: &'static str, home: &Path, args: &[String]) -> Result<Self, String> {
        let log = home.join(format!("{name}.log"));
        let fault = |error: io::Error| format!("{}: {error}", programs.join(name).display());
        let out = File::create(&log).map_err(fault)?;
        let mut command = Command::new(programs.join(name));
        command.args(args).current_dir(home).env_remove("KUBECONFIG").stdin(Stdio::null());
        let child = command.stdout(out.try_clone().map_err(fault)?).stderr(out).spawn().map_err(fault)?;
        Ok(Self { name, child, log })
    }

    /// What it said in the end, if it has ended.
    fn last_words(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        Some(format!("{} has ended ({status})\n{}", self.name, lines.into_iter().rev().collect::<Vec<_>>().join("\n")))
    }
}

impl Server {
    /// Starts both programs and waits until the server is ready.
    pub(super) fn start(programs: &Path) -> Result<Self, String> {
        // Between asking for a free port and using it, it may be taken.
        Self::try_start(programs).or_else(|_| Self::try_start(programs))
    }

    fn try_start(programs: &Path) -> Result<Self, String> {
        let fault = |error: io::Error| format!("the test cluster: {error}");
        let home = tempfile::Builder::new().prefix("kaito-test-cluster-").tempdir().map_err(fault)?;
        let mut will = Will::new().map_err(fault)?;
        // From here on the shell removes the directory: a static is never dropped.
        let home = TempDir::keep(home);
        let quoted = home.to_string_lossy();
        let quoted = shlex::try_quote(&quoted).map_err(|error| error.to_string())?;
        // A process may still be writing as it dies.
        let remove = format!("rm -rf {quoted} || {{ sleep 1; rm -rf {quoted}; }}");
        will.say(&remove).map_err(fault)?;
        let [etcd_port, port] = free_ports().map_err(fault)?;
        let token = token(&home).map_err(fault)?;

        let mut etcd = Process::start(programs, "etcd", &home, &etcd_flags(etcd_port))?;
        will.say(&format!("kill -9 {}; {remove}", etcd.child.id())).map_err(fault)?;
        let mut api_server = Process::start(programs, "kube-apiserver", &home, &api_server_flags(etcd_port, port))?;
        will.say(&format!("kill -9 {} {}; {remove}", etcd.child.id(), api_server.child.id())).map_err(fault)?;

        let url = format!("https://127.0.0.1:{port}");
        loop {
            for process in [&mut etcd, &mut api_server] {
                if let Some(words) = process.last_words() {
                    return Err(words);
                }
            }
            // The server makes its certificate before it listens.
            if let Ok(certificate) = fs::read(home.join("certificates/apiserver.crt"))
                && Client::new(&url, &token, &certificate).is_ok_and(|client| client.is_ready())
            {
                return Ok(Self { url, token, certificate, _will: will });
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// A kubeconfig for this server; its certificate is written into this directory. `user` is the token of another user, or who
    /// to act as.
    pub(super) fn kubeconfig(&self, home: &Path, user: &serde_json::Value) -> serde_json::Value {
        let authority = home.join("ca.crt");
        fs::write(&authority, &self.certificate).expect("a directory of the test");
        let mut user = user.clone();
        if user["token"].is_null() {
            user["token"] = self.token.clone().into();
        }
        serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": authority}}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        })
    }

    /// Somebody who may do everything.
    pub(super) fn client(&self) -> Client {
        Client::new(&self.url, &self.token, &self.certificate).expect("it was read before")
    }
}

fn free_ports() -> io::Result<[u16; 2]> {
    let (one, other) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}

/// A secret, and the file in which the server looks it up.
fn token(home: &Path) -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let token = format!("{:032x}", u128::from_ne_bytes(bytes));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(home.join("tokens.csv"))?;
    writeln!(file, "{token},admin,admin,system:masters")?;
    Ok(token)
}

fn etcd_flags(port: u16) -> Vec<String> {
    let url = format!("http://127.0.0.1:{port}");
    ["--data-dir=etcd", "--unsafe-no-fsync", "--listen-peer-urls=http://127.0.0.1:0"]
        .map(ToOwned::to_owned)
        .into_iter()
        .chain([format!("--listen-client-urls={url}"), format!("--advertise-client-urls={url}")])
        .collect()
}

fn api_server_flags(etcd_port: u16, port: u16) -> Vec<String> {
    [
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        "--cert-dir=certificates",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=RBAC",
        // As clusters have it.
        "--allow-privileged=true",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        // The key of the certificate that the server makes for itself.
        "--service-account-signing-key-file=certificates/apiserver.key",
        "--service-account-key-file=certificates/apiserver.key",
    ]
    .map(ToOwned::to_owned)
    .into_iter()
    .chain([format!("--etcd-servers=http://127.0.0.1:{etcd_port}"), format!("--secure-port={port}")])
    .collect()
}
