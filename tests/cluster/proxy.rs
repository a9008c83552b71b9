//! Something between kaito and the API server that counts what is asked, and may fail.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::playground;
use crate::support::{hides_credentials, hides_secrets};

/// As whom everybody asks a proxy, who passes it on as somebody else.
const TOKEN: &str = "hunter-of-a-kubeconfig";

/// A proxy on the loopback address, and the kubeconfig that names it. It serves until the tests end.
pub(super) struct Proxy {
    state: Arc<Mutex<State>>,
    _home: tempfile::TempDir,
    pub kubeconfig: PathBuf,
    /// Where it listens.
    pub address: String,
}

#[derive(Default)]
struct State {
    /// Method and path of every request.
    asked: Vec<String>,
    /// How many of the next patches are turned away with 429.
    too_many: usize,
    /// How many writes are answered before one is not, and whether that one still gets to the server.
    holds: Option<(usize, bool)>,
    /// Whether somebody waits for an answer that never comes.
    is_held: bool,
    /// Whether it comes after all.
    is_resumed: bool,
    /// The connections that were ever made.
    connections: Vec<TcpStream>,
    /// Whether new ones are closed at once.
    is_down: bool,
    /// Whether the next watch is told that it comes too late.
    has_forgotten: bool,
    /// The API group that isn't there.
    without: Option<&'static str>,
    /// Whether answers come byte by byte.
    drips: bool,
    /// The tokens that were shown.
    tokens: BTreeSet<String>,
    /// Those that count no more.
    revoked: BTreeSet<String>,
}

/// How long it takes from one byte to the next of an answer that drips.
const DRIP: Duration = Duration::from_micros(50);

impl Proxy {
    pub(super) fn new(namespace: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        let home = tempfile::tempdir().unwrap();
        let kubeconfig = home.path().join("config");
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "test", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
            "current-context": "test",
        });
        fs::write(&kubeconfig, config.to_string()).unwrap();
        Self { state, _home: home, kubeconfig, address }
    }

    /// What has been asked since the last time.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// Answers so many writes, and the next one never; `passes` says whether that one still gets to the server.
    pub(super) fn hold(&self, writes: usize, passes: bool) {
        let mut state = self.state.lock().unwrap();
        state.holds = Some((writes, passes));
        state.is_held = false;
        state.is_resumed = false;
    }

    /// Answers everything again, also what was held; that one gets its answer late.
    pub(super) fn resume(&self) {
        let mut state = self.state.lock().unwrap();
        state.holds = None;
        state.is_resumed = true;
    }

    /// Answers everything again.
    pub(super) fn let_go(&self) {
        let mut state = self.state.lock().unwrap();
        state.holds = None;
        state.is_held = false;
    }

    /// Whether somebody waits for an answer that never comes.
    pub(super) fn is_held(&self) -> bool {
        self.state.lock().unwrap().is_held
    }

    /// Closes all connections, and new ones at once.
    pub(super) fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.is_down = true;
        state.connections.drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }

    /// Takes connections again. `has_forgotten` says whether the next watch comes too late to be told what it has missed.
    pub(super) fn mend(&self, has_forgotten: bool) {
        let mut state = self.state.lock().unwrap();
        state.is_down = false;
        state.has_forgotten = has_forgotten;
    }

    /// Answers as a server does whose cluster has no definition of a group's kinds.
    pub(super) fn forget_group(&self, group: &'static str) {
        self.state.lock().unwrap().without = Some(group);
    }

    /// Answers byte by byte, or no more.
    pub(super) fn drip(&self, drips: bool) {
        self.state.lock().unwrap().drips = drips;
    }

    /// Whether somebody has shown a token.
    pub(super) fn has_seen(&self, token: &str) -> bool {
        self.state.lock().unwrap().tokens.contains(token)
    }

    /// Turns away whoever shows a token from now on.
    pub(super) fn revoke(&self, token: &str) {
        self.state.lock().unwrap().revoked.insert(token.to_owned());
    }

    /// Turns the next patches away.
    pub(super) fn turn_away(&self, count: usize) {
        self.state.lock().unwrap().too_many = count;
    }
}

/// Answers requests until the other side has no more.
fn serve(stream: TcpStream, state: &Mutex<State>) {
    {
        let mut state = state.lock().unwrap();
        if state.is_down {
            return;
        }
        state.connections.push(stream.try_clone().unwrap());
    }
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Ok(true) = serve_one(&mut reader, &mut stream, state) {}
}

fn serve_one(reader: &mut impl BufRead, stream: &mut TcpStream, state: &Mutex<State>) -> io::Result<bool> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let header = |name: &str| head.iter().find_map(|line| line.to_lowercase().strip_prefix(&format!("{name}: ")).map(ToOwned::to_owned));
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = head[0].split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if is_revoked(&head, state) {
        let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","code":401,"reason":"Unauthorized"}"#;
        return respond(stream, "401 Unauthorized", status, state).map(|()| true);
    }
    // Secrets are applied as they are; whatever else is told may be read by others.
    let hides = if path.contains("/secrets") { hides_credentials } else { hides_secrets };
    hides("request", &String::from_utf8_lossy(&body));
    if path.contains("watch=true") {
        let has_forgotten = {
            let mut state = state.lock().unwrap();
            state.asked.push(format!("{method} {path}"));
            std::mem::take(&mut state.has_forgotten)
        };
        return serve_watch(path, stream, has_forgotten, state).map(|()| false);
    }
    let is_unknown = state.lock().unwrap().without.is_some_and(|group| path == format!("/apis/{group}"));
    let is_turned_away = {
        let mut state = state.lock().unwrap();
        state.asked.push(format!("{method} {path}"));
        let is_turned_away = method == "PATCH" && state.too_many > 0;
        state.too_many -= usize::from(is_turned_away);
        is_turned_away
    };
    let is_write = is_write(method, path);
    let hold = {
        let mut state = state.lock().unwrap();
        match &mut state.holds {
            Some((0, passes)) if is_write => Some(*passes),
            Some((left, _)) if is_write => {
                *left -= 1;
                None
            }
            _ => None,
        }
    };
    if let Some(passes) = hold {
        let form = header("content-type").unwrap_or_else(|| "application/json".to_owned());
        let answer = if passes { Some(playground().client.pass(method, path, &form, body).map_err(io::Error::other)?) } else { None };
        state.lock().unwrap().is_held = true;
        // Until the other side is gone, or it is let through.
        while !state.lock().unwrap().is_resumed {
            if is_gone(stream) {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(5));
        }
        let Some((status, text)) = answer else { return Ok(false) };
        return respond(stream, &format!("{status} Status"), &text, state).map(|()| true);
    }
    let (status, text) = if is_turned_away {
        (429, r#"{"kind":"Status","apiVersion":"v1","status":"Failure","code":429,"reason":"TooManyRequests"}"#.to_owned())
    } else if is_unknown {
        (404, "404 page not found\n".to_owned())
    } else {
        let form = header("content-type").unwrap_or_else(|| "application/json".to_owned());
        playground().client.pass(method, path, &form, body).map_err(io::Error::other)?
    };
    let wait = if status == 429 { "\r\nRetry-After: 1" } else { "" };
    respond(stream, &format!("{status} Status{wait}"), &text, state).map(|()| true)
}

/// Takes note of the token that somebody shows; whether it counts no more.
fn is_revoked(head: &[String], state: &Mutex<State>) -> bool {
    let token = |line: &String| Some(line.split_once(": Bearer ").or_else(|| line.split_once(": bearer "))?.1.to_owned());
    let Some(token) = head.iter().find_map(token) else { return false };
    let mut state = state.lock().unwrap();
    let is_revoked = state.revoked.contains(&token);
    state.tokens.insert(token);
    is_revoked
}

/// Answers, with a status, whatever headers stand behind it, and a body.
fn respond(stream: &mut TcpStream, status: &str, body: &str, state: &Mutex<State>) -> io::Result<()> {
    let text = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    send(stream, text.as_bytes(), state)
}

/// Sends bytes, one by one as long as all is to drip.
fn send(stream: &mut TcpStream, bytes: &[u8], state: &Mutex<State>) -> io::Result<()> {
    let mut rest = bytes;
    while rest.len() > 1 && state.lock().unwrap().drips {
        stream.set_nodelay(true)?;
        stream.write_all(&rest[..1])?;
        rest = &rest[1..];
        thread::sleep(DRIP);
    }
    stream.write_all(rest)
}

/// Whether something is changed that is applied: who leads, and what has happened, is told besides.
fn is_write(method: &str, path: &str) -> bool {
    method != "GET" && !["/leases", "/events"].iter().any(|besides| path.contains(besides))
}

/// Passes on what a watch tells, until either side ends it.
fn serve_watch(path: &str, stream: &mut TcpStream, has_forgotten: bool, state: &Mutex<State>) -> io::Result<()> {
    let gone = r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}"#;
    let mut told: Box<dyn BufRead> =
        if has_forgotten { Box::new(gone.as_bytes()) } else { Box::new(playground().client.stream(path).map_err(io::Error::other)?) };
    // Without a length it lasts as long as the connection.
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")?;
    let mut line = String::new();
    while told.read_line(&mut line)? > 0 {
        send(stream, line.as_bytes(), state)?;
        line.clear();
    }
    // It has a second handle, so that dropping this one doesn't end it.
    stream.shutdown(Shutdown::Both)
}

/// Whether the other side has closed the connection.
fn is_gone(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    matches!(peeked, Ok(0)) || peeked.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
}
