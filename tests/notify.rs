//! Notifications over real sockets: what arrives, what is sent again, where nothing is sent to, and what is never logged.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver as Inbox, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use kaito::diagnostic::SourceFile;
use kaito::notify::{Channel, Event, Notice, Notifier, Provider, Repository, Set};
use kaito::telemetry::{LogFormat, subscriber};
use kaito::watch::config::WatchConfig;
use kaito::yaml::{self, Limits};
use serde_json::Value;
use sha2::Sha256;

use crate::support::hides_secrets;

const COMMIT: &str = "0f3c5a1e9d7b2c4860f1e2d3c4b5a69788776655";
const TOKEN: &str = "hunter-of-notices";

/// Only what hangs makes anybody wait for so long.
const HANGS: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    /// In lower case, but for their values.
    headers: Vec<(String, String)>,
    text: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

/// Somebody who is notified, and keeps what they are told.
pub(crate) struct Receiver {
    pub(crate) url: String,
    inbox: Inbox<Request>,
}

impl Receiver {
    /// One whose answers are made from the request and its number, from 1 on; who answers nothing hangs up.
    pub(crate) fn new(answer: impl Fn(usize, &Request) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (outbox, inbox) = channel();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let request = read(&mut stream);
                _ = stream.write_all(answer(number + 1, &request).as_bytes());
                drop(stream);
                if outbox.send(request).is_err() {
                    return;
                }
            }
        });
        Self { url, inbox }
    }

    pub(crate) fn next(&self) -> Request {
        self.inbox.recv_timeout(HANGS).unwrap()
    }

    fn is_silent(&self) -> bool {
        self.inbox.try_recv().is_err()
    }
}

pub(crate) fn read(stream: &mut TcpStream) -> Request {
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let headers: Vec<(String, String)> =
        lines[1..].iter().filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let text = String::from_utf8(body).unwrap();
    hides_secrets("notification", &text);
    Request { line: lines[0].clone(), headers, text }
}

pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

pub(crate) fn ok(_: usize, _: &Request) -> String {
    answer("201 Created", "", "{}")
}

/// A directory with secrets, and all that is logged.
struct Place {
    home: tempfile::TempDir,
    logs: Arc<Mutex<String>>,
}

impl Place {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), logs: Arc::default() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A notifier whose logs are kept here.
    fn notifier(&self) -> Notifier {
        let lines = Arc::clone(&self.logs);
        let write = move |line: &str| lines.lock().unwrap().push_str(line);
        let logs = subscriber(LogFormat::Text, tracing::Level::TRACE, SystemTime::now, write);
        tracing::subscriber::with_default(logs, || Notifier::start().unwrap())
    }

    fn logs(&self) -> String {
        let logs = self.logs.lock().unwrap().clone();
        hides_secrets("log", &logs);
        logs
    }
}

fn notice(event: Event, summary: &str) -> Notice {
    Notice {
        set: Set { kind: "Secret".to_owned(), namespace: "models".to_owned(), name: "fleet".to_owned(), shard: None },
        source: "fleet".to_owned(),
        revision: Some(format!("main@sha1:{COMMIT}")),
        event,
        summary: summary.to_owned(),
        details: Vec::new(),
        is_news: true,
        at: Timestamp::from_second(1_750_000_000).unwrap(),
    }
}

fn webhook(provider: Provider, receiver: &Receiver) -> Channel {
    Channel { address: Some(format!("{}/hook", receiver.url)), ..Channel::new(provider) }
}

fn github(root: String, token: &Path) -> Channel {
    Channel {
        address: Some(root),
        token_file: Some(token.to_owned()),
        cluster: Some("prod".to_owned()),
        repository: Some(Repository { site: "https://github.com".to_owned(), path: "org/models".to_owned() }),
        ..Channel::new(Provider::GitHub)
    }
}

#[test]
fn a_commit_has_a_status_and_tokens_change() {
    let (place, forge) = (Place::new(), Receiver::new(ok));
    let token = place.file("token", "first\n");
    let notifier = place.notifier();
    let desk = notifier.desk(vec![github(format!("{}/api/v3/", forge.url), &token)]);
    desk.notify(notice(Event::Progressing, "applied, and not all of it is ready yet"));
    let request = forge.next();
    assert_eq!(request.line, format!("POST /api/v3/repos/org/models/statuses/{COMMIT} HTTP/1.1"));
    assert_eq!(request.header("authorization"), Some("Bearer first"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("x-github-api-version"), Some("2022-11-28"));
    assert_eq!(request.body()["state"], "pending");
    assert_eq!(request.body()["context"], "kaito/prod/models/fleet");
    place.file("token", "second");
    desk.notify(notice(Event::Progressing, "applied, and not all of it is ready yet"));
    desk.notify(notice(Event::Succeeded, "applied"));
    let request = forge.next();
    assert_eq!(request.body()["state"], "success", "an equal state isn't sent again");
    assert_eq!(request.header("authorization"), Some("Bearer second"));
}

#[test]
fn webhooks_are_signed() {
    let (place, receiver) = (Place::new(), Receiver::new(ok));
    let signed = Channel { token_file: Some(place.file("key", TOKEN)), ..webhook(Provider::GenericHmac, &receiver) };
    let notifier = place.notifier();
    notifier.desk(vec![signed]).notify(notice(Event::Failed, "not all is applied"));
    let request = receiver.next();
    assert_eq!(request.line, "POST /hook HTTP/1.1");
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(request.text.as_bytes());
    let want: String = mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    assert_eq!(request.header("x-signature"), Some(format!("sha256={want}").as_str()));
    assert_eq!(request.body()["reason"], "Failed");
    assert!(!format!("{request:?}").contains(TOKEN), "a key to sign with never travels");
}

#[test]
fn who_is_busy_is_told_later_and_nobody_waits_for_them() {
    let busy = Receiver::new(|number, _| match number {
        1 => answer("429 Too Many Requests", "retry-after: 1\r\n", ""),
        2 => String::new(),
        _ => answer("200 OK", "", "ok"),
    });
    let (place, other) = (Place::new(), Receiver::new(ok));
    let notifier = place.notifier();
    let desk = notifier.desk(vec![webhook(Provider::Slack, &busy), webhook(Provider::Generic, &other)]);
    desk.notify(notice(Event::Failed, "first"));
    desk.notify(notice(Event::Failed, "second"));
    assert_eq!(other.next().body()["message"], "first");
    assert_eq!(other.next().body()["message"], "second");
    let texts: Vec<Value> = (0..4).map(|_| busy.next().body()["text"].clone()).collect();
    let (first, second) = ("models/fleet: first", "models/fleet: second");
    assert_eq!(texts, [first, first, first, second], "in order, and each as often as it takes");
    assert!(place.logs().contains("429"), "{}", place.logs());
}

#[test]
fn what_is_refused_is_not_sent_again_and_holds_nothing_up() {
    let (place, elsewhere) = (Place::new(), Receiver::new(ok));
    let location = format!("location: {}/stolen\r\n", elsewhere.url);
    let refusing = Receiver::new(move |number, request| match number {
        1 => answer("307 Temporary Redirect", &location, ""),
        2 => answer("422 Unprocessable Entity", "content-type: application/json\r\n", r#"{"message": "No commit found"}"#),
        _ => ok(number, request),
    });
    let notifier = place.notifier();
    let desk = notifier.desk(vec![github(refusing.url.clone(), &place.file("token", TOKEN))]);
    for event in [Event::Progressing, Event::Failed, Event::Succeeded] {
        desk.notify(notice(event, "so it is"));
    }
    let states: Vec<Value> = (0..3).map(|_| refusing.next().body()["state"].clone()).collect();
    assert_eq!(states, ["pending", "failure", "success"]);
    assert!(elsewhere.is_silent(), "a redirection is never followed");
    let logs = place.logs();
    assert!(logs.contains("it redirects") && logs.contains("No commit found"), "{logs}");
}

#[test]
fn no_secret_is_logged() {
    let place = Place::new();
    // What is refused is told with the receiver's words, which may hold what it was sent.
    let receiver = Receiver::new(|number, request| {
        let path = request.line.split(' ').nth(1).unwrap();
        let words = format!("{path} and {} are wrong", request.header("authorization").unwrap_or_default());
        answer(if number == 1 { "500 Internal Server Error" } else { "400 Bad Request" }, "content-type: text/plain\r\n", &words)
    });
    let address = format!("{}/services/{TOKEN}?key={TOKEN}", receiver.url);
    let token = place.file("token", TOKEN);
    let channels = vec![
        Channel { address_file: Some(place.file("address", &address)), ..Channel::new(Provider::Slack) },
        Channel { address_file: Some(place.file("bad", &format!("gopher://{TOKEN}"))), ..Channel::new(Provider::Slack) },
        Channel { address_file: Some(place.file("nobody", &format!("http://127.0.0.1:1/{TOKEN}"))), ..Channel::new(Provider::Slack) },
        Channel { token_file: Some(token.clone()), ..webhook(Provider::Generic, &receiver) },
        // Over http a token goes to nobody but this machine and the cluster.
        Channel { token_file: Some(token), address: Some("http://192.0.2.1/hook".to_owned()), ..Channel::new(Provider::Generic) },
    ];
    let notifier = place.notifier();
    notifier.desk(channels).notify(notice(Event::Failed, "so it is"));
    (0..3).for_each(|_| drop(receiver.next()));
    notifier.stop(HANGS);
    let logs = place.logs();
    assert!(!logs.contains(TOKEN), "{logs}");
    for part in
        ["/***/***?key=*** and are wrong", "/hook and *** are wrong", "neither https:// nor http://", "over http, anybody on the way"]
    {
        assert!(logs.contains(part), "{part}: {logs}");
    }
}

#[test]
fn what_waits_is_told_before_the_end() {
    let (place, receiver) = (Place::new(), Receiver::new(ok));
    let notifier = place.notifier();
    let desk = notifier.desk(vec![webhook(Provider::Generic, &receiver)]);
    (0..20).for_each(|number| desk.notify(notice(Event::Failed, &number.to_string())));
    notifier.stop(HANGS);
    let told: Vec<Value> = (0..20).map(|_| receiver.next().body()["message"].clone()).collect();
    assert_eq!(told, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
}

/// Reads a file of sources with these notifications, for its one source or for all.
fn config(for_source: &str, for_all: &str, git: &str) -> Result<WatchConfig, String> {
    let text = format!(
        "apiVersion: watch.kaito.sh/v1alpha1\nkind: WatchConfig\nnotifications: [{for_all}]\nsources:\n- name: fleet\n  git: {git}\n  \
         notifications: [{for_source}]\n  sets: [{{applyset: secrets/fleet, paths: [.]}}]\n"
    );
    let file = SourceFile::new("watch.yaml", text);
    let mut findings = Vec::new();
    let document = yaml::read(&file, Limits::default(), &mut findings).pop().unwrap();
    let config = WatchConfig::read(&document, &mut findings);
    config.ok_or_else(|| findings.iter().map(|finding| format!("{}: {}\n", finding.field, finding.message)).collect::<Vec<_>>().concat())
}

#[test]
fn who_is_notified_is_configured() {
    let git = "{url: 'git@github.com:org/models.git'}";
    let read = config("{type: github, tokenFile: /t, cluster: prod}", "{type: slack, addressFile: /a, events: [failed]}", git).unwrap();
    let source = &read.sources[0];
    let channels: Vec<Channel> = source.notifications.iter().map(|config| config.channel(source.git.as_ref())).collect();
    let repository = Some(Repository { site: "https://github.com".to_owned(), path: "org/models".to_owned() });
    let want = [
        Channel {
            token_file: Some("/t".into()),
            cluster: Some("prod".to_owned()),
            repository: repository.clone(),
            ..Channel::new(Provider::GitHub)
        },
        Channel { address_file: Some("/a".into()), events: [Event::Failed].into(), repository, ..Channel::new(Provider::Slack) },
    ];
    assert_eq!(channels, want);
    let table = [
        ("{type: carrier-pigeon, address: 'https://x'}", "type", "carrier-pigeon"),
        ("{type: generic}", "address", "generic needs an address"),
        ("{type: generic, address: x.example.com}", "address", "this address is none"),
        ("{type: generic, address: 'https://x', addressFile: /a}", "addressFile", "both address and addressFile"),
        ("{type: generic-hmac, address: 'https://x'}", "tokenFile", "generic-hmac needs a token"),
        ("{type: gitlab}", "tokenFile", "gitlab needs a token"),
        ("{type: slack, address: 'https://x', tokenFile: /t}", "tokenFile", "has no token"),
        ("{type: gitea, tokenFile: /t, events: [pruned]}", "events", "no status of a commit tells of Pruned"),
        ("{type: gitea, tokenFile: /t, events: [rumours]}", "events", "rumours"),
        ("{type: gitea, tokenFile: /t, cluster: 'a/b'}", "cluster", "no name for a cluster"),
        ("{type: generic, address: 'https://x', sets: [flet]}", "sets", "there is no set called flet"),
        ("{type: generic, address: 'https://x', token: secret}", "token", "token"),
    ];
    for (notification, field, message) in table {
        for (for_source, for_all) in [(notification, ""), ("", notification)] {
            let said = config(for_source, for_all, git).unwrap_err();
            assert!(said.contains(&format!("notifications[0].{field}")) && said.contains(message), "{notification}: {said}");
        }
    }
    let github = "{type: github, tokenFile: /t}";
    for (git, message) in [("null", "these files have none"), ("{url: /srv/models.git}", "only on disk")] {
        assert!(config(github, "", git).unwrap_err().contains(message), "{git}");
        assert!(config("", github, git).is_ok(), "for all sources, it is about those that can have statuses");
    }
}

#[test]
fn the_documentation_shows_what_is_read() {
    let text = fs::read_to_string("docs/notifications.md").unwrap();
    let shown = text.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let file = SourceFile::new("watch.yaml", shown);
    let mut findings = Vec::new();
    let document = yaml::read(&file, Limits::default(), &mut findings).pop().unwrap();
    let config = WatchConfig::read(&document, &mut findings).unwrap_or_else(|| panic!("{findings:?}"));
    let providers: Vec<Provider> = config.sources[0].notifications.iter().map(|config| config.provider).collect();
    assert_eq!(providers, [Provider::GitHub, Provider::Slack]);
}
