//! Passes are traced for a collector that the environment names.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use super::Watching;
use super::stage::{SETTINGS, Stage, workspace};
use crate::git::Repo;
use crate::support::{hides_secrets, kaito};

/// Long enough for a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a collector was sent: the first line, the headers in lower case, and what is traced.
struct Sent {
    line: String,
    headers: String,
    traces: ExportTraceServiceRequest,
}

/// A collector, which takes everything.
fn collector() -> (String, Receiver<Sent>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            // A connection is kept for the next.
            thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                while let Some(sent) = take(&mut stream) {
                    _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                    _ = sender.send(sent);
                }
            });
        }
    });
    (address, receiver)
}

fn take(stream: &mut BufReader<TcpStream>) -> Option<Sent> {
    let mut lines: Vec<String> = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let headers = lines.split_off(1).join("\n").to_lowercase();
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    hides_secrets("trace", &String::from_utf8_lossy(&body));
    Some(Sent { line: lines.remove(0), headers, traces: ExportTraceServiceRequest::decode(&body[..]).unwrap() })
}

fn said(all: &[KeyValue], name: &str) -> String {
    let found = all.iter().find(|one| one.key == name).and_then(|one| one.value.clone()?.value);
    match found {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{name}: {other:?} in {all:?}"),
    }
}

/// A loop that follows a repository, with these variables.
fn watch(stage: &Stage, repo: &Repo, variables: &[(&str, &str)]) -> Command {
    let mut command = kaito();
    command.args(["watch", "-R", "-f", "prod", "--applyset", "prod", "--interval", "1h"]).envs(variables.iter().copied());
    command.arg("--url").arg(&repo.path).arg("--cache-dir").arg(stage.directory.path().join("mirrors"));
    command.arg("--kubeconfig").arg(&stage.proxy.kubeconfig);
    command
}

#[test]
fn a_pass_is_a_trace() {
    let (stage, repo, (address, sent)) = (Stage::new("traces", &[]), Repo::new(), collector());
    repo.write("prod/phi.yaml", workspace("phi")).write("prod/settings.yaml", SETTINGS).commit("one");
    let endpoint = format!("http://{address}");
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter-of-traces"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let mut watching = Watching::of(&mut watch(&stage, &repo, &variables));
    watching.until(&["reconciled", "failed=0"]);
    let first = sent.recv_timeout(PATIENCE).unwrap();
    assert_eq!(first.line, "POST /v1/traces HTTP/1.1");
    for header in ["authorization: bearer hunter-of-traces", "content-type: application/x-protobuf"] {
        assert!(first.headers.contains(header), "{}", first.headers);
    }
    let [of_resource] = &first.traces.resource_spans[..] else { panic!("{:?}", first.traces) };
    let resource = &of_resource.resource.as_ref().unwrap().attributes;
    assert_eq!((said(resource, "service.name"), said(resource, "deployment.environment.name")), ("kaito".to_owned(), "test".to_owned()));
    let spans: Vec<&Span> = of_resource.scope_spans.iter().flat_map(|scope| &scope.spans).collect();
    let pass = spans.iter().find(|span| span.name == "pass").unwrap();
    let revision = format!("sha1:{}", repo.git(&["rev-parse", "HEAD"]).trim());
    let told = |name: &str| said(&pass.attributes, name);
    assert_eq!(told("kaito.set"), format!("{}/prod", stage.namespace));
    assert!(told("kaito.revision").ends_with(&revision), "{}", told("kaito.revision"));
    assert_eq!((told("kaito.owners"), told("kaito.objects.created")), ("2".to_owned(), "6".to_owned()));
    let parts: Vec<&&Span> = spans.iter().filter(|span| span.parent_span_id == pass.span_id).collect();
    let mut names: Vec<&str> = parts.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["apply", "diff", "fetch", "notice", "render", "status"]);
    // Clocks are read one after the other, so that the ends may differ by a little.
    let slack = 5_000_000;
    for part in parts {
        assert_eq!(part.trace_id, pass.trace_id);
        let is_within = part.start_time_unix_nano + slack >= pass.start_time_unix_nano
            && part.start_time_unix_nano <= part.end_time_unix_nano
            && part.end_time_unix_nano <= pass.end_time_unix_nano + slack;
        assert!(is_within, "{part:?} is not within {pass:?}");
    }
    // A collector that is away is told of once, and keeps nothing from being done.
    drop(watching);
    let variables = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces"), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let mut watching = Watching::of(&mut watch(&stage, &repo, &variables));
    watching.until(&["reconciled", "failed=0"]);
    watching.until(&["traces are not taken"]);
    assert_eq!(watching.stop().code(), Some(0));
}

#[test]
fn nothing_is_traced_that_is_not_asked_for() {
    let (stage, repo, (address, sent)) = (Stage::new("untraced", &[SETTINGS]), Repo::new(), collector());
    repo.write("prod/settings.yaml", SETTINGS).commit("one");
    let endpoint = format!("http://{address}");
    for variable in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_TRACES_SAMPLER", "always_off")] {
        let mut watching = Watching::of(&mut watch(&stage, &repo, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), variable]));
        watching.until(&["reconciled", "failed=0"]);
        // What has not been sent by now is sent in the end.
        assert_eq!(watching.stop().code(), Some(0));
        assert!(sent.try_recv().is_err(), "{variable:?}");
    }
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let refused = crate::support::finish(&mut watch(&stage, &repo, &variables));
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf"), "{}", refused.stderr);
}
