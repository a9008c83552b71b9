//! A model that answers on this machine, and the part of a kubelet that forwards to it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use super::programs;

/// What a model answers to a path and a body: the status, the kind of content and the content.
type Answers = dyn Fn(&str, &str) -> (u16, &'static str, String) + Send + Sync;

/// A model's server.
pub(super) struct Model {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Model {
    /// One that answers so, until the tests end.
    pub(super) fn new(answers: impl Fn(&str, &str) -> (u16, &'static str, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, answers): (_, Arc<Answers>) = (Arc::clone(&asked), Arc::new(answers));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (heard, answers) = (Arc::clone(&heard), Arc::clone(&answers));
                thread::spawn(move || serve(stream, &heard, &*answers));
            }
        });
        Self { address, asked }
    }

    /// Path and body of what has been asked since the last time.
    pub(super) fn asked(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn serve(mut stream: TcpStream, heard: &Mutex<Vec<(String, String)>>, answers: &Answers) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        length = line.to_lowercase().strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (path, body) = (first.split(' ').nth(1).unwrap().to_owned(), String::from_utf8(body).unwrap());
    let (status, kind, content) = answers(&path, &body);
    heard.lock().unwrap().push((path, body));
    // A status of 0 is no answer at all.
    if status > 0 {
        write!(stream, "HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n{content}")?;
    }
    Ok(())
}

/// The program that forwards what is for any pod to one address, until this value is gone.
pub(super) struct Kubelet {
    pub port: u16,
    _stdin: ChildStdin,
    child: Child,
}

impl Kubelet {
    pub(super) fn new(to: SocketAddr) -> Self {
        let program = programs::path("kubelet-forward").unwrap_or_else(|fault| panic!("{fault}"));
        let mut child =
            Command::new(program).arg(to.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { port: line.trim().parse().unwrap(), _stdin: child.stdin.take().unwrap(), child }
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
