//! A forge whose comments are kept in memory: what the APIs of GitHub, GitLab and Gitea do with them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::notify::{Request, answer, read};

pub(super) const TOKEN: &str = "hunter-of-a-forge";

/// A forge, listening.
pub(super) struct Forge {
    pub url: String,
    state: Arc<Mutex<State>>,
}

/// A comment on the one pull request that there is.
#[derive(Clone)]
pub(super) struct Comment {
    pub id: u64,
    pub body: String,
    /// Whether the token may change it.
    pub is_own: bool,
    /// Whether GitLab itself has written it.
    pub is_system: bool,
}

struct State {
    comments: Vec<Comment>,
    /// The requests, as `POST /path`.
    asked: Vec<String>,
    may_write: bool,
    url: String,
}

impl Forge {
    /// A forge with a few comments of others, on more pages than one.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let other = |id| Comment { id, body: format!("remark {id}"), is_own: false, is_system: id == 2 };
        let state = State { comments: (1..=3).map(other).collect(), asked: Vec::new(), may_write: true, url: url.clone() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&mut stream);
                let answer = shared.lock().unwrap().answer(&request);
                _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, state }
    }

    /// From now on, tokens may only read.
    pub(super) fn read_only(&self) {
        self.state.lock().unwrap().may_write = false;
    }

    /// The comments that kaito has written, or somebody else who does as if.
    pub(super) fn comments(&self) -> Vec<Comment> {
        let state = self.state.lock().unwrap();
        state.comments.iter().filter(|comment| comment.body.starts_with("<!-- kaito-diff:")).cloned().collect()
    }

    /// Adds a comment.
    pub(super) fn add(&self, body: &str, is_own: bool, is_system: bool) {
        self.state.lock().unwrap().add(body, is_own, is_system);
    }

    /// What was asked since the last time.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

/// Comments on a page, however many are asked for.
const PAGE: usize = 2;

impl State {
    fn answer(&mut self, request: &Request) -> String {
        let mut words = request.line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.asked.push(format!("{method} {path}"));
        let message = |status: &str, text: &str| answer(status, "", &json!({"message": text}).to_string());
        let Some((collection, expected)) = (match path {
            _ if path.starts_with("/api/v4/") => Some(("/api/v4/projects/42/merge_requests/7/notes", ("private-token", TOKEN.to_owned()))),
            _ if path.starts_with("/api/v1/") => {
                Some(("/api/v1/repos/org/fleet/issues/7/comments", ("authorization", format!("token {TOKEN}"))))
            }
            _ => Some(("/repos/org/fleet/issues/7/comments", ("authorization", format!("Bearer {TOKEN}")))),
        }) else {
            return message("404 Not Found", "Not Found");
        };
        if request.header(expected.0) != Some(&expected.1) {
            return message("401 Unauthorized", &format!("Bad credentials {}", request.header(expected.0).unwrap_or_default()));
        }
        // GitLab's comments are below the merge request, others' below the repository.
        let one = if path.starts_with("/api/v4/") { collection.to_owned() } else { collection.replace("/7/comments", "/comments") };
        let id = path.strip_prefix(&format!("{one}/")).and_then(|id| id.parse::<u64>().ok());
        match (method, id) {
            ("GET", None) if path == collection => self.page(path, query),
            ("POST" | "PATCH" | "PUT", _) if !self.may_write => message("403 Forbidden", "Resource not accessible by integration"),
            ("POST", None) if path == collection => {
                let id = self.add(request.body()["body"].as_str().unwrap(), true, false);
                answer("201 Created", "", &json!({"id": id}).to_string())
            }
            ("PATCH" | "PUT", Some(id)) if (method == "PUT") == path.starts_with("/api/v4/") => {
                match self.comments.iter_mut().find(|comment| comment.id == id) {
                    Some(comment) if comment.is_own => {
                        request.body()["body"].as_str().unwrap().clone_into(&mut comment.body);
                        answer("200 OK", "", &json!({"id": id}).to_string())
                    }
                    Some(_) => message("403 Forbidden", "this is somebody else's"),
                    None => message("404 Not Found", "Not Found"),
                }
            }
            _ => message("404 Not Found", "Not Found"),
        }
    }

    fn add(&mut self, body: &str, is_own: bool, is_system: bool) -> u64 {
        let id = 100 + self.comments.len() as u64;
        self.comments.push(Comment { id, body: body.to_owned(), is_own, is_system });
        id
    }

    fn page(&self, path: &str, query: &str) -> String {
        let page = query.split('&').find_map(|pair| pair.strip_prefix("page=")).map_or(1, |page| page.parse().unwrap());
        let shown = self.comments.iter().skip((page - 1) * PAGE).take(PAGE);
        let shown: Vec<Value> = shown.map(|comment| json!({"id": comment.id, "body": comment.body, "system": comment.is_system})).collect();
        let mut links = format!("link: <{}{path}?per_page=100&page=1>; rel=\"first\"", self.url);
        if page * PAGE < self.comments.len() {
            _ = write!(links, ", <{}{path}?per_page=100&page={}>; rel=\"next\"", self.url, page + 1);
        }
        answer("200 OK", &format!("{links}\r\n"), &Value::from(shown).to_string())
    }
}
