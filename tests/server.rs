//! The server over real sockets: what is answered, what is refused, and how little a client can hold up.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver as Channel, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use kaito::secrets::Secret;
use kaito::server::hook::{Heard, Hooks, Kind, Push, Receiver, flux_path, same_repository};
use kaito::server::{Limits, Routes, Server};
use kaito::telemetry::{LogFormat, Metrics, level, subscriber};
use sha2::Sha256;

use crate::support::hides_secrets;

const TOKEN: &str = "It's a Secret to Everybody";
const BODY: &str = r#"{"ref": "refs/heads/main", "after": "0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655",
    "repository": {"clone_url": "https://github.com/org/models.git"}}"#;

/// A server on a free port, which answers by a table of paths.
fn start(limits: Limits, routes: Routes) -> Server {
    Server::start("127.0.0.1:0", limits, move |request| routes.answer(request)).unwrap()
}

fn healthy() -> Routes {
    Routes::new().health(|| Ok(()), || Ok(()))
}

/// A client that writes what it is told to, byte by byte.
struct Client(BufReader<TcpStream>);

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: String,
    body: String,
}

impl Client {
    fn new(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        // Only a server that hangs makes anybody wait for so long.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, text: &str) -> &mut Self {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
        self
    }

    fn answer(&mut self) -> Answer {
        let mut headers = String::new();
        while !headers.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut headers).unwrap(), 0, "the server hung up after {headers:?}");
        }
        let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = headers.to_lowercase();
        let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        hides_secrets("answer", &format!("{headers}{body}"));
        Answer { status, headers, body }
    }

    /// Whether the server hangs up, rather than saying anything more.
    fn is_hung_up_on(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

fn get(server: &Server, path: &str) -> Answer {
    Client::new(server).send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).answer()
}

type Headers<'a> = &'a [(&'a str, &'a str)];

fn post(path: &str, headers: Headers, body: &str) -> String {
    let headers = headers.iter().fold(String::new(), |text, (name, value)| format!("{text}{name}: {value}\r\n"));
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

fn signature(token: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A receiver for GitHub whose token can be changed, the server with it, its metrics, and what it hears.
struct GitHub {
    server: Server,
    token: Arc<Mutex<Option<Secret>>>,
    metrics: Arc<Metrics>,
    heard: Channel<(String, Heard)>,
}

fn github() -> GitHub {
    github_within(Limits::default())
}

fn github_within(limits: Limits) -> GitHub {
    let (metrics, token) = (Arc::new(Metrics::new()), Arc::new(Mutex::new(Some(TOKEN.into()))));
    let (tell, heard) = channel();
    let counted = Arc::clone(&metrics);
    let hooks = Hooks::new(move |receiver, heard| {
        counted.webhook(receiver, heard.word());
        tell.send((receiver.to_owned(), heard.clone())).unwrap();
    });
    let current = Arc::clone(&token);
    let receiver = Receiver {
        name: "models".to_owned(),
        namespace: "kaito".to_owned(),
        kind: Kind::GitHub,
        token: Arc::new(move || current.lock().unwrap().clone()),
    };
    hooks.set_receivers(vec![receiver]);
    let text = Arc::clone(&metrics);
    let routes = healthy().hooks(Arc::new(hooks)).metrics(move || text.text());
    GitHub { server: start(limits, routes), token, metrics, heard }
}

#[test]
fn webhooks() {
    let github = github();
    let signed = signature(TOKEN, BODY);
    let wrong = signature("another", BODY);
    let ping = signature(TOKEN, "{}");
    let table: [(&str, Headers, &str, u16, &str); 10] = [
        ("models", &[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "1"), ("X-Hub-Signature-256", &signed)], BODY, 202, "push"),
        ("models", &[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "1"), ("X-Hub-Signature-256", &signed)], BODY, 202, "repeated"),
        ("models", &[("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "2"), ("X-Hub-Signature-256", &signed)], BODY, 202, "push"),
        ("models", &[("X-GitHub-Event", "ping"), ("X-Hub-Signature-256", &ping)], "{}", 200, "ping"),
        ("models", &[("X-GitHub-Event", "issues"), ("X-Hub-Signature-256", &ping)], "{}", 202, "ignored"),
        ("models", &[("X-GitHub-Event", "push"), ("X-Hub-Signature-256", &signature(TOKEN, "{"))], "{", 400, "unreadable"),
        ("models", &[("X-GitHub-Event", "push"), ("X-Hub-Signature-256", &wrong)], BODY, 401, "refused"),
        ("models", &[("X-GitHub-Event", "push")], BODY, 401, "refused"),
        ("models", &[("X-GitHub-Event", "ping"), ("X-Hub-Signature-256", &signed)], "{}", 401, "refused"),
        ("other", &[("X-GitHub-Event", "push"), ("X-Hub-Signature-256", &signed)], BODY, 401, "refused"),
    ];
    let mut refusals = Vec::new();
    // All over one connection.
    let mut client = Client::new(&github.server);
    for (name, headers, body, status, word) in table {
        let answer = client.send(&post(&format!("/hook/{name}"), headers, body)).answer();
        let (receiver, heard) = github.heard.recv().unwrap();
        assert_eq!((answer.status, heard.word()), (status, word), "{headers:?}");
        assert_eq!(receiver, if name == "models" { "models" } else { "" });
        if let Heard::Push(push) = &heard {
            let Push { repositories, reference, .. } = push;
            assert!(same_repository(&repositories[0], "git@github.com:org/models.git"));
            assert_eq!(reference.as_deref(), Some("refs/heads/main"));
        }
        if status == 401 {
            let date = answer.headers.lines().find(|line| line.starts_with("date:")).unwrap().to_owned();
            refusals.push(format!("{}{}", answer.headers.replace(&date, ""), answer.body));
        }
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "what is refused tells nothing about why: {refusals:?}");
    let text = github.metrics.text();
    assert!(text.contains(r#"kaito_gitops_webhook_requests_total{receiver="models",result="push"} 2"#), "{text}");
    assert!(text.contains(r#"kaito_gitops_webhook_requests_total{receiver="",result="refused"} 1"#), "{text}");
    assert_eq!(get(&github.server, "/hook/models").status, 405);
}

#[test]
fn a_token_can_change_and_be_taken_away() {
    let github = github();
    let status = |token: &str| {
        let request = post("/hook/models", &[("X-GitHub-Event", "push"), ("X-Hub-Signature-256", &signature(token, BODY))], BODY);
        Client::new(&github.server).send(&request).answer().status
    };
    assert_eq!((status(TOKEN), status("new")), (202, 401));
    *github.token.lock().unwrap() = Some("new".into());
    assert_eq!((status(TOKEN), status("new")), (401, 202));
    for none in [None, Some(Secret::default())] {
        *github.token.lock().unwrap() = none;
        assert_eq!((status(TOKEN), status("")), (401, 401));
    }
}

#[test]
fn bodies_have_a_limit() {
    let github = github();
    let limits = Limits { body: 1000, ..Limits::default() };
    let server = start(limits, healthy().hooks(Arc::new(Hooks::new(|_, _| {}))));
    let chunked = "POST /hook/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("190\r\n{}\r\n", "x".repeat(400));
    let table = [
        (post("/hook/a", &[], &"x".repeat(1000)), 401),
        (post("/hook/a", &[], &"x".repeat(1001)), 413),
        // It is refused before it is sent.
        ("POST /hook/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n".to_owned(), 413),
        ("POST /hook/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n".to_owned(), 413),
        (format!("{chunked}{chunk}{chunk}0\r\n\r\n"), 401),
        (format!("{chunked}{chunk}{chunk}{chunk}"), 413),
        ("POST /hook/a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n".to_owned(), 400),
        ("nonsense\r\n\r\n".to_owned(), 400),
    ];
    for (request, status) in table {
        assert_eq!(Client::new(&server).send(&request).answer().status, status, "{:?}", &request[..request.len().min(120)]);
    }
    let usual = format!("POST /hook/a HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", (5 << 20) + 1);
    assert_eq!(Client::new(&github.server).send(&usual).answer().status, 413);
}

/// Together, clients can't make the server hold more than it should.
#[test]
fn all_bodies_have_a_limit() {
    let limits = Limits { body: 1000, all_bodies: 1500, ..Limits::default() };
    let server = start(limits, healthy().hooks(Arc::new(Hooks::new(|_, _| {}))));
    let (half, rest) = ("x".repeat(900), "x".repeat(100));
    let mut first = Client::new(&server);
    // It asks for the body once it waits for it; then what is sent after is read after.
    first.send("POST /hook/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(first.answer().status, 100);
    first.send(&half);
    let second = || Client::new(&server).send(&post("/hook/a", &[], &half)).answer().status;
    while second() != 503 {
        // Until the first body has been read as far as it is sent.
        std::thread::yield_now();
    }
    assert_eq!(first.send(&rest).answer().status, 401);
    assert_eq!(second(), 401, "what was held is free again");
}

#[test]
fn slow_clients_hold_nobody_up_and_are_hung_up_on() {
    let limits =
        Limits { connections: 4, head_time: Duration::from_millis(300), body_time: Duration::from_millis(300), ..Limits::default() };
    let server = start(limits, healthy().hooks(Arc::new(Hooks::new(|_, _| {}))));
    let mut silent = Client::new(&server);
    let mut slow_head = Client::new(&server);
    slow_head.send("GET /healthz HTTP/1.1\r\nHo");
    let mut slow_body = Client::new(&server);
    slow_body.send("POST /hook/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(get(&server, "/healthz").status, 200, "in the fourth connection");
    // These are more than fit, and are let in as others go.
    let others: Vec<Client> = (0..8).map(|_| Client::new(&server)).collect();
    assert_eq!(get(&server, "/healthz").status, 200);
    assert_eq!(slow_body.answer().status, 408);
    assert!(slow_body.is_hung_up_on());
    assert!(silent.is_hung_up_on());
    // hyper says so to who has begun a request.
    let end = slow_head.0.fill_buf().map(|bytes| bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 408"));
    assert!(end.is_ok_and(|end| end));
    drop(others);
}

/// Sending byte by byte is no way to have more time: who waits behind those that do is let in when theirs is over.
#[test]
fn who_sends_byte_by_byte_holds_nobody_up() {
    let limits = Limits { head_time: Duration::from_secs(1), body_time: Duration::from_secs(1), ..Limits::default() };
    let (github, health) = (github_within(limits), start(limits, healthy()));
    let heads =
        ["POST /hook/models HTTP/1.1\r\nHost: x\r\nX-Slow: ", "POST /hook/models HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"];
    // More than are let in at once.
    let mut slow: Vec<Client> = (0..150).map(|_| Client::new(&github.server)).collect();
    slow.iter_mut().zip(heads.into_iter().cycle()).for_each(|(client, head)| _ = client.send(head));
    std::thread::scope(|scope| {
        let dripping = scope.spawn(move || {
            while !slow.is_empty() {
                slow.retain_mut(|client| client.0.get_mut().write_all(b"x").is_ok());
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        assert_eq!(get(&health, "/healthz").status, 200, "at another address nobody notices");
        let push = [("X-GitHub-Event", "push"), ("X-Hub-Signature-256", &*signature(TOKEN, BODY))];
        assert_eq!(Client::new(&github.server).send(&post("/hook/models", &push, BODY)).answer().status, 202);
        dripping.join().unwrap();
    });
}

#[test]
fn connections_are_kept_and_end() {
    let limits = Limits { connection_time: Duration::from_millis(300), ..Limits::default() };
    let server = start(limits, healthy());
    let mut client = Client::new(&server);
    for _ in 0..3 {
        let answer = client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").answer();
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    }
    assert!(client.is_hung_up_on(), "in the end");
    let mut client = Client::new(&server);
    let answer = client.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").answer();
    assert_eq!(answer.status, 200);
    assert!(client.is_hung_up_on());
    let mut client = Client::new(&server);
    client.send("HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut text = String::new();
    client.0.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("\r\n\r\n"), "{text}");
}

#[test]
fn it_stops_while_connections_are_open() {
    let server = start(Limits::default(), healthy());
    let address = server.address();
    let mut idle = Client::new(&server);
    idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").answer();
    let mut begun = Client::new(&server);
    begun.send("GET /healthz HTTP/1.1\r\nHo");
    let mut unsent = Client::new(&server);
    unsent.send("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(unsent.answer().status, 100);
    drop(server);
    for client in [&mut idle, &mut begun, &mut unsent] {
        assert!(client.is_hung_up_on());
    }
    let error = TcpStream::connect(address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "the port is free");
    Server::start(&address.to_string(), Limits::default(), |_| unreachable!()).unwrap();
}

#[test]
fn readiness_comes_and_goes() {
    let is_ready = Arc::new(AtomicBool::new(false));
    let ready = Arc::clone(&is_ready);
    let check = move || if ready.load(Ordering::SeqCst) { Ok(()) } else { Err("prod has not been listed yet".to_owned()) };
    let server = start(Limits::default(), Routes::new().health(|| Ok(()), check));
    for now in [false, true, false] {
        is_ready.store(now, Ordering::SeqCst);
        let answer = get(&server, "/readyz");
        let want = if now { (200, "ok\n") } else { (500, "prod has not been listed yet\n") };
        assert_eq!((answer.status, answer.body.as_str()), want);
        assert_eq!(get(&server, "/healthz").status, 200);
    }
    for path in ["/", "/metrics", "/healthz/x", "/readyz/../healthz"] {
        assert_eq!(get(&server, path).status, 404, "{path}");
    }
}

/// What breaks while it answers ends its own connection and nothing else.
#[test]
fn an_answer_that_panics_is_the_only_one() {
    let server = Server::start("127.0.0.1:0", Limits::default(), |request| match request.uri().path() {
        "/healthz" => kaito::server::answer(http::StatusCode::OK, "ok"),
        path => panic!("{path}"),
    });
    let server = server.unwrap();
    let mut client = Client::new(&server);
    client.send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(client.is_hung_up_on());
    assert_eq!(get(&server, "/healthz").status, 200);
}

/// Every line is what the format allows: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
#[test]
fn metrics_line_by_line() {
    let github = github();
    github.metrics.webhook("models", "push");
    github.metrics.leader(true);
    let answer = get(&github.server, "/metrics");
    assert!(answer.headers.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{}", answer.headers);
    assert!(answer.body.ends_with("# EOF\n") && answer.body.matches("# EOF").count() == 1);
    let mut family = (String::new(), String::new());
    let mut names = Vec::new();
    for line in answer.body.lines().filter(|line| *line != "# EOF") {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(help.ends_with('.') && !names.contains(&name.to_owned()), "{line}");
            names.push(name.to_owned());
            family.0 = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, family.0, "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            family.1 = kind.to_owned();
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let ends: &[&str] = match family.1.as_str() {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(ends.iter().any(|end| name == format!("{}{end}", family.0)), "{line} is none of {family:?}");
            assert!(labels.ends_with('}'), "{line}");
        }
    }
    let line = |text: &str| answer.body.lines().any(|line| line == text);
    assert!(line(r#"kaito_gitops_webhook_requests_total{receiver="models",result="push"} 1"#) && line("kaito_gitops_leader 1"));
    if cfg!(target_os = "linux") {
        let value = |name: &str| -> f64 {
            let line = answer.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} is missing")).parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 1e6 && value("process_open_fds") > 3.0);
        assert!(value("process_start_time_seconds") > 1e9 && value("process_cpu_seconds_total") >= 0.0);
    }
}

/// An address for several purposes has one table of paths.
#[test]
fn paths_can_share_an_address() {
    let metrics = Routes::new().metrics(|| "# EOF\n".to_owned());
    let server = start(Limits::default(), healthy().and(metrics).hooks(Arc::new(Hooks::new(|_, _| {}))));
    assert_eq!((get(&server, "/metrics").status, get(&server, "/healthz").status), (200, 200));
    assert_eq!(Client::new(&server).send(&post("/hook/a", &[], "")).answer().status, 401);
    let taken = Server::start(&server.address().to_string(), Limits::default(), |_| unreachable!()).unwrap_err().to_string();
    assert!(taken.contains("another program listens there"), "{taken}");
}

/// The log says why something was refused, and nothing that would help whoever reads it to do better.
#[test]
fn logs_say_why_without_secrets() {
    let token = |token: &str| -> kaito::server::hook::Token {
        let token = Secret::from(token);
        Arc::new(move || Some(token.clone()))
    };
    let receiver = |name: &str, kind, secret| Receiver { name: name.to_owned(), namespace: "kaito".to_owned(), kind, token: token(secret) };
    let hooks = Hooks::new(|_, _| {});
    let receivers =
        [("github", Kind::GitHub, TOKEN), ("none", Kind::Auto, ""), ("gitlab", Kind::GitLab, TOKEN), ("open", Kind::Generic, TOKEN)];
    hooks.set_receivers(receivers.into_iter().map(|(name, kind, secret)| receiver(name, kind, secret)).collect());
    let secret_path = flux_path(&TOKEN.into(), "open", "kaito");
    let (right, wrong) = (signature(TOKEN, BODY), signature("another", BODY));
    let table: [(&str, Headers, &str); 9] = [
        (
            "/hook/github",
            &[("x-hub-signature-256", &right), ("x-github-event", "push")],
            "INFO webhook: push receiver=github reference=refs/heads/main",
        ),
        ("/hook/github", &[("x-hub-signature-256", &wrong)], "x-hub-signature-256 doesn't fit the body and the receiver's token"),
        ("/hook/github", &[], "the header x-hub-signature-256 is missing"),
        ("/hook/none", &[], "the receiver has no token"),
        ("/hook/gitlab", &[("x-gitlab-token", "guessed-token")], "x-gitlab-token doesn't fit"),
        ("/hook/typo", &[], "no receiver has this path"),
        (&secret_path, &[], "INFO webhook: push receiver=open"),
        (&secret_path[..69], &[], "no receiver has this path"),
        ("/hook/open", &[("authorization", "Bearer guessed-token")], "authorization doesn't fit"),
    ];
    for (path, headers, want) in table {
        let lines = Arc::new(Mutex::new(String::new()));
        let log = Arc::clone(&lines);
        let subscriber =
            subscriber(LogFormat::Text, level("trace").unwrap(), || UNIX_EPOCH, move |line| log.lock().unwrap().push_str(line));
        let request = headers.iter().fold(http::Request::post(path), |request, (name, value)| request.header(*name, *value));
        tracing::subscriber::with_default(subscriber, || hooks.answer(&request.body(BODY.as_bytes().to_vec()).unwrap(), 0));
        let line = lines.lock().unwrap().clone();
        hides_secrets("log", &line);
        assert!(line.contains(want), "{path}: {line}");
        for secret in [TOKEN, "guessed", &right[7..], &wrong[7..], &secret_path[6..60]] {
            assert!(!line.contains(secret), "{path}: {line}");
        }
    }
}
