//! git over SSH: `git-upload-pack` or `git-receive-pack` behind a login, as in `ssh git@host git-upload-pack 'path'`. No program runs
//! here.
//!
//! The host must be known beforehand. A login is kept for the next time.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::client::{self, Config, Handle, Msg};
use russh::keys::{self, HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Preferred};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::Service;
use super::access::{Credentials, Identity};
use super::address::{Address, Ssh};
use super::error::{RemoteError, in_a_line};
use super::known_hosts::{KnownHosts, Verdict};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long nothing may come before the server is given up.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a login is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);
/// The bytes that are sent at once.
const CHUNK: usize = 64 << 10;
/// The most bytes that are read of what is said beside the answer.
const MOST_WORDS: usize = 4096;

/// A repository behind SSH.
pub(super) struct Login {
    at: Ssh,
    runtime: Option<Runtime>,
    session: Option<Session>,
}

struct Session {
    /// Whose it is; others need another one.
    identity: Identity,
    known_hosts: String,
    handle: Handle<Host>,
    used: Instant,
}

/// Judges the host's key.
struct Host(KnownHosts);

/// Why there is no session.
enum Fault {
    Key(Verdict, Box<PublicKey>),
    Other(russh::Error),
}

impl From<russh::Error> for Fault {
    fn from(error: russh::Error) -> Self {
        Self::Other(error)
    }
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(verdict, _) => verdict.fmt(out),
            Self::Other(error) => error.fmt(out),
        }
    }
}

impl client::Handler for Host {
    type Error = Fault;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Fault> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        match self.0.judge(key) {
            Verdict::Known => Ok(true),
            verdict => Err(Fault::Key(verdict, Box::new(key.clone()))),
        }
    }
}

impl Login {
    pub(super) fn new(at: Ssh) -> Self {
        Self { at, runtime: None, session: None }
    }

    /// Starts the service, which begins to talk.
    pub(super) fn talk(&mut self, address: &Address, who: &Credentials, service: Service) -> Result<Talk<'_>, RemoteError> {
        let fault = |why: &str, help: &str| RemoteError::credentials(address, why, help);
        let identity = who.identity.as_ref().ok_or_else(|| {
            fault("there is no identity, which is the private key of an SSH login", "make one with ssh-keygen, and let the server know it")
        })?;
        let known_hosts = who.known_hosts.as_ref().ok_or_else(|| {
            fault(
                "there is no known_hosts, and so no way to know the server",
                "see what `ssh-keyscan HOST` says, and compare it with what the server's owner says",
            )
        })?;
        if who.proxy.is_some() {
            return Err(fault("an SSH login goes over no proxy", "leave the proxy out, or use https"));
        }
        let runtime = match &mut self.runtime {
            Some(runtime) => runtime,
            none => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
                none.insert(runtime.map_err(|error| RemoteError::unreachable(address, error.to_string()))?)
            }
        };
        let is_kept = |session: &Session| {
            session.identity == *identity
                && session.known_hosts == *known_hosts
                && session.used.elapsed() < IDLE
                && !session.handle.is_closed()
        };
        let command = command(service, &self.at.path);
        if let Some(session) = self.session.as_mut().filter(|session| is_kept(session)) {
            session.used = Instant::now();
            // If the server has ended it meanwhile, there is a new one.
            if let Ok(Ok(channel)) = runtime.block_on(async { timeout(CONNECT, start(&session.handle, service, &command)).await }) {
                return Ok(Talk::new(runtime, channel));
            }
        }
        self.session = None;
        let handle = runtime.block_on(log_in(address, &self.at, identity, known_hosts))?;
        let started = runtime.block_on(async { timeout(CONNECT, start(&handle, service, &command)).await });
        let channel = started.map_err(|_| RemoteError::unreachable(address, "it doesn't answer in time"))?;
        let channel = channel.map_err(|error| RemoteError::answer(address, error.to_string()))?;
        self.session = Some(Session { identity: identity.clone(), known_hosts: known_hosts.clone(), handle, used: Instant::now() });
        Ok(Talk::new(runtime, channel))
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        self.session = None;
        // Waiting isn't allowed everywhere.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn log_in(address: &Address, at: &Ssh, identity: &Identity, known_hosts: &str) -> Result<Handle<Host>, RemoteError> {
    let key = keys::decode_secret_key(identity.key.expose(), identity.passphrase.as_ref().map(|passphrase| passphrase.expose().as_str()))
        .map_err(|error| {
        let why = match error {
            keys::Error::KeyIsEncrypted => "identity is encrypted, and there is no password for it",
            _ if identity.passphrase.is_some() => "identity is no private key, or password isn't the one for it",
            _ => "identity is no private key as ssh-keygen makes it",
        };
        RemoteError::credentials(address, why, "give the whole private key as identity, and its passphrase as password")
    })?;
    let known = KnownHosts::of(known_hosts, &at.host, at.port);
    let preferred = Preferred { key: known.known_first(Preferred::DEFAULT.key.to_vec()).into(), ..Preferred::DEFAULT };
    let config = Arc::new(Config { preferred, nodelay: true, window_size: 8 << 20, ..Config::default() });
    let late = |_| RemoteError::unreachable(address, "it doesn't answer in time");
    let stream = timeout(CONNECT, TcpStream::connect((at.host.as_str(), at.port))).await.map_err(late)?;
    let stream = stream.map_err(|error| RemoteError::unreachable(address, error.to_string()))?;
    _ = stream.set_nodelay(true);
    let connected = timeout(CONNECT, client::connect_stream(config, stream, Host(known))).await.map_err(late)?;
    let mut handle = connected.map_err(|fault| no_session(address, at, fault))?;
    let hung_up = |error: russh::Error| RemoteError::unreachable(address, error.to_string());
    // Only RSA keys may be used with several digests, of which the oldest isn't trusted any more.
    let hash = if key.algorithm().is_rsa() {
        handle.best_supported_rsa_hash().await.map_err(hung_up)?.flatten().or(Some(HashAlg::Sha256))
    } else {
        None
    };
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    let answer = timeout(CONNECT, handle.authenticate_publickey(&at.user, key)).await.map_err(late)?.map_err(hung_up)?;
    if answer.success() {
        return Ok(handle);
    }
    Err(RemoteError::Refused {
        url: address.to_string(),
        why: format!("it doesn't know the identity's key as one of {}", at.user),
        is_known: true,
    })
}

/// Why there is no session with a host.
fn no_session(address: &Address, at: &Ssh, fault: Fault) -> RemoteError {
    let url = address.to_string();
    let (verdict, key) = match fault {
        Fault::Key(verdict, key) => (verdict, key),
        Fault::Other(russh::Error::NoCommonAlgo { kind, .. }) => {
            return RemoteError::answer(address, format!("it knows no {kind:?} algorithm that is known here and safe"));
        }
        Fault::Other(error) => return RemoteError::unreachable(address, error.to_string()),
    };
    let shown = format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
    let name = if at.port == 22 { at.host.clone() } else { format!("[{}]:{}", at.host, at.port) };
    let scan = format!("`ssh-keyscan -p {} {}`", at.port, at.host);
    let (why, help) = match verdict {
        Verdict::Changed => (
            format!("its key is {shown}, and known_hosts has another one for {name}"),
            "somebody may stand between; if its owner says that the key has changed, replace the line in known_hosts".to_owned(),
        ),
        Verdict::Revoked => (format!("its key {shown} is revoked in known_hosts"), "ask its owner for the new key".to_owned()),
        Verdict::Unknown | Verdict::Known => (
            format!("known_hosts has no key of {name}; it shows {shown}"),
            format!("if its owner says that this is its key, add what {scan} prints to known_hosts"),
        ),
    };
    RemoteError::HostKey { url, why, help }
}

/// What the other side's shell is told, quoted as git does.
fn command(service: Service, path: &str) -> String {
    format!("{} '{}'", service.name(), path.replace('\'', r"'\''").replace('!', r"'\!'"))
}

async fn start(handle: &Handle<Host>, service: Service, command: &str) -> Result<Channel<Msg>, russh::Error> {
    let channel = handle.channel_open_session().await?;
    // A server that doesn't take this speaks version 0.
    if let Some((_, version)) = service.version() {
        channel.set_env(false, "GIT_PROTOCOL", version).await?;
    }
    channel.exec(true, command).await?;
    Ok(channel)
}

/// A talk with a service.
pub(super) struct Talk<'a> {
    runtime: &'a Runtime,
    channel: Channel<Msg>,
    /// What came and isn't read yet, from `at` on.
    came: Vec<u8>,
    at: usize,
    is_over: bool,
    /// What was said beside the answer.
    words: Vec<u8>,
}

impl<'a> Talk<'a> {
    fn new(runtime: &'a Runtime, channel: Channel<Msg>) -> Self {
        Self { runtime, channel, came: Vec::new(), at: 0, is_over: false, words: Vec::new() }
    }

    /// Sends a request.
    pub(super) fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        for some in bytes.chunks(CHUNK) {
            let sent = self.runtime.block_on(async { timeout(SILENCE, self.channel.data(some)).await });
            sent.map_err(|_| io::ErrorKind::TimedOut)?.map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Why there was no answer, if the server has said so.
    pub(super) fn complaint(&self, address: &Address) -> Option<RemoteError> {
        let words = in_a_line(&String::from_utf8_lossy(&self.words));
        let lower = words.to_lowercase();
        let says = |any: &[&str]| any.iter().any(|part| lower.contains(part));
        let url = address.to_string();
        Some(if words.is_empty() {
            return None;
        } else if says(&["not found", "not be found", "does not appear to be", "no such", "not exist"]) {
            RemoteError::NoRepository { url, why: words }
        } else if says(&["denied", "permission", "not allowed", "unauthorized", "forbidden", "read only"]) {
            RemoteError::Refused { url, why: words, is_known: true }
        } else {
            RemoteError::Answer { url, why: words, broke_off: true }
        })
    }
}

impl Read for Talk<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.came.len() && !self.is_over {
            let came = self.runtime.block_on(async { timeout(SILENCE, self.channel.wait()).await });
            match came.map_err(|_| io::ErrorKind::TimedOut)? {
                Some(ChannelMsg::Data { data }) => {
                    self.came.clear();
                    self.came.extend_from_slice(&data);
                    self.at = 0;
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = MOST_WORDS.saturating_sub(self.words.len());
                    self.words.extend(data.iter().take(room));
                }
                // Words may still come behind the end of the answer.
                Some(ChannelMsg::Close | ChannelMsg::Failure) | None => self.is_over = true,
                Some(_) => {}
            }
        }
        let length = buffer.len().min(self.came.len() - self.at);
        buffer[..length].copy_from_slice(&self.came[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

impl Drop for Talk<'_> {
    fn drop(&mut self) {
        // An empty request ends the talk.
        _ = self.runtime.block_on(async {
            timeout(Duration::from_secs(1), async {
                _ = self.channel.data(&b"0000"[..]).await;
                _ = self.channel.close().await;
            })
            .await
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Service;
    use super::command;

    #[test]
    fn a_path_is_one_word() {
        for path in ["/srv/a.git", "~/a b", "a'; rm -rf '/", "a!b"] {
            let words = shlex::split(&command(Service::ReceivePack, path)).unwrap();
            assert_eq!(words, ["git-receive-pack", path]);
        }
    }
}
