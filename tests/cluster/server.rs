//! etcd and kube-apiserver on free ports of the loopback address, until the test process is gone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::process::Household;
use super::programs;
use crate::support::plant;

/// Between two questions whether it is ready.
const PAUSE: Duration = Duration::from_millis(50);

/// Namespaces whose `kaito-watch` is watched: what it asks is in the server's audit log.
pub(super) const AUDITED: [&str; 4] = ["rights-git", "rights-pools", "rights-cluster", "rights-flux"];

/// A running API server, and whatever runs beside it. All ends, and its files go, with this value or its process.
pub(super) struct Server {
    url: String,
    /// Where etcd listens.
    etcd: String,
    token: String,
    certificate: Vec<u8>,
    household: Mutex<Household>,
}

impl Server {
    /// Starts both programs and waits until the server is ready.
    pub(super) fn start() -> Result<Self, String> {
        let (etcd, api_server) = (programs::path("etcd")?, programs::path("kube-apiserver")?);
        // Between asking for a free port and using it, it may be taken.
        Self::try_start(&etcd, &api_server).or_else(|_| Self::try_start(&etcd, &api_server))
    }

    fn try_start(etcd: &Path, api_server: &Path) -> Result<Self, String> {
        let fault = |error: io::Error| format!("the test cluster: {error}");
        let mut household = Household::new()?;
        let [etcd_port, port] = free_ports().map_err(fault)?;
        let token = token(household.home()).map_err(fault)?;
        fs::write(household.home().join("audit.yaml"), audit_policy().to_string()).map_err(fault)?;
        household.start(etcd, &etcd_flags(etcd_port))?;
        household.start(api_server, &api_server_flags(etcd_port, port))?;
        let url = format!("https://127.0.0.1:{port}");
        let certificate = loop {
            household.check()?;
            // The server makes its certificate before it listens.
            if let Ok(certificate) = fs::read(household.home().join("certificates/apiserver.crt"))
                && Client::new(&url, &token, &certificate).is_ok_and(|client| client.is_ready())
            {
                break certificate;
            }
            thread::sleep(PAUSE);
        };
        let server = Self { url, etcd: format!("http://127.0.0.1:{etcd_port}"), token, certificate, household: Mutex::new(household) };
        let home = server.home();
        let kubeconfig = server.kubeconfig(&home, &json!({}));
        secret_file(&server.kubeconfig_file()).and_then(|mut file| write!(file, "{kubeconfig}")).map_err(fault)?;
        Ok(server)
    }

    /// Starts another program of the cluster in the same directory.
    ///
    /// # Errors
    /// It can't be built or started.
    pub(super) fn start_beside(&self, program: &str, args: &[String]) -> Result<(), String> {
        let program = programs::path(program)?;
        self.household.lock().unwrap().start(&program, args)
    }

    /// Kills one of the programs: `etcd` or `kube-apiserver`.
    pub(super) fn kill(&self, program: &str) {
        self.household.lock().unwrap().kill(program).unwrap();
    }

    /// Starts those again that were killed, wakes those up that were stopped, and waits until the server is ready. It is the same one to
    /// everybody.
    ///
    /// # Errors
    /// One doesn't run, and what it said in the end.
    pub(super) fn revive(&self) -> Result<(), String> {
        self.household.lock().unwrap().revive()?;
        let client = self.client();
        while !client.is_ready() {
            self.check()?;
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Sends one of the programs a signal by its name: `STOP`, with which it does nothing until there is a `CONT`.
    pub(super) fn signal(&self, program: &str, signal: &str) {
        self.household.lock().unwrap().signal(program, signal);
    }

    /// Has etcd take itself for full, as it does when it has more than its quota, or not any more.
    pub(super) fn fill_etcd(&self, is_full: bool) {
        let agent = ureq::Agent::from(ureq::Agent::config_builder().proxy(None).build());
        let ask = |path: &str, what: &Value| -> Value {
            let mut answer = agent.post(format!("{}/v3/{path}", self.etcd)).send(what.to_string()).expect("etcd answers");
            serde_json::from_str(&answer.body_mut().read_to_string().expect("etcd answers")).expect("etcd answers in JSON")
        };
        let member = ask("cluster/member/list", &json!({}))["members"][0]["ID"].clone();
        let action = if is_full { "ACTIVATE" } else { "DEACTIVATE" };
        ask("maintenance/alarm", &json!({"action": action, "memberID": member, "alarm": "NOSPACE"}));
    }

    /// That all programs are still running that were not killed.
    ///
    /// # Errors
    /// Which one isn't, and what it said in the end.
    pub(super) fn check(&self) -> Result<(), String> {
        self.household.lock().unwrap().check()
    }

    /// The end of the log of each program.
    pub(super) fn last_words(&self) -> String {
        self.household.lock().unwrap().last_words()
    }

    /// The directory where the programs work. It goes with them.
    pub(super) fn home(&self) -> PathBuf {
        self.household.lock().unwrap().home().to_owned()
    }

    /// A kubeconfig of somebody who may do everything.
    pub(super) fn kubeconfig_file(&self) -> PathBuf {
        self.home().join("kubeconfig")
    }

    /// A kubeconfig for this server; its certificate is written into this directory. `user` is the token of another user, or who
    /// to act as.
    pub(super) fn kubeconfig(&self, home: &Path, user: &Value) -> Value {
        let authority = home.join("ca.crt");
        fs::write(&authority, &self.certificate).expect("a directory of the test");
        let mut user = user.clone();
        if user["token"].is_null() {
            user["token"] = self.token.clone().into();
        }
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": authority}}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        })
    }

    /// What one of those who are watched has asked, as the server's audit log has it.
    pub(super) fn audited(&self, user: &str) -> Vec<Value> {
        let log = fs::read_to_string(self.home().join("audit.log")).unwrap_or_default();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|event| event["user"]["username"] == user).collect()
    }

    /// Somebody who may do everything.
    pub(super) fn client(&self) -> Client {
        self.client_of(&self.token)
    }

    /// Whoever has this token.
    pub(super) fn client_of(&self, token: &str) -> Client {
        Client::new(&self.url, token, &self.certificate).expect("it was read before")
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
    plant(&token);
    writeln!(secret_file(&home.join("tokens.csv"))?, "{token},admin,admin,system:masters")?;
    Ok(token)
}

/// Everything that those who are watched ask, without what is in it.
fn audit_policy() -> Value {
    let users = AUDITED.map(|namespace| format!("system:serviceaccount:{namespace}:kaito-watch"));
    json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": users}, {"level": "None"}],
    })
}

/// A new file that nobody else may read.
fn secret_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
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
        "--audit-policy-file=audit.yaml",
        "--audit-log-path=audit.log",
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
