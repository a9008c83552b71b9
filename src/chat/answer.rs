//! Answers, read as they come.

use serde_json::Value;

use super::protocol::Protocol;
use crate::health::line;

/// The most that is kept of an answer that makes no lines.
const LONGEST: usize = 16 << 20;

/// An answer that comes in pieces, which may end anywhere.
#[derive(Debug)]
pub struct Answer {
    is_stream: bool,
    /// What has come and isn't a whole line yet, or not the whole answer.
    rest: Vec<u8>,
    /// Whether something was said at all.
    has_begun: bool,
    /// Whether the answer was ended for its length.
    pub is_cut: bool,
}

impl Answer {
    /// Nothing yet, by this protocol.
    pub fn new(protocol: &Protocol) -> Self {
        Self { is_stream: matches!(protocol, Protocol::OpenAi(_)), rest: Vec::new(), has_begun: false, is_cut: false }
    }

    /// What further bytes say.
    ///
    /// # Errors
    /// What the server says went wrong, or what is wrong with its answer.
    pub fn take(&mut self, bytes: &[u8]) -> Result<String, String> {
        self.rest.extend_from_slice(bytes);
        let mut said = String::new();
        while self.is_stream
            && let Some(end) = self.rest.iter().position(|byte| *byte == b'\n')
        {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            said.push_str(&self.event(&line)?);
        }
        if self.rest.len() > LONGEST {
            return Err("the answer is too long".to_owned());
        }
        Ok(said)
    }

    /// What is said in the end.
    ///
    /// # Errors
    /// As those of [`Answer::take`].
    pub fn end(&mut self) -> Result<String, String> {
        let rest = std::mem::take(&mut self.rest);
        if rest.iter().all(u8::is_ascii_whitespace) {
            return if self.has_begun { Ok(String::new()) } else { Err("the answer is empty".to_owned()) };
        }
        match serde_json::from_slice::<Value>(&rest) {
            Ok(whole) => self.said(&whole).ok_or_else(|| format!("the answer can't be understood: {}", line(&whole.to_string()))),
            Err(_) if self.is_stream => self.event(&rest),
            Err(_) => Err(format!("the answer can't be understood: {}", line(&String::from_utf8_lossy(&rest)))),
        }
    }

    /// A line of a stream of events. Only its data are looked at.
    fn event(&mut self, line: &[u8]) -> Result<String, String> {
        let text = String::from_utf8_lossy(line);
        // Some servers answer in one piece, whatever they are asked for.
        if text.starts_with('{') {
            self.is_stream = false;
            self.rest.splice(..0, line.iter().copied());
            return Ok(String::new());
        }
        let Some(data) = text.strip_prefix("data:").map(str::trim) else { return Ok(String::new()) };
        if data == "[DONE]" {
            self.has_begun = true;
            return Ok(String::new());
        }
        let event: Value =
            serde_json::from_str(data).map_err(|_| format!("the answer can't be understood: {}", crate::health::line(data)))?;
        if !event["error"].is_null() || event["object"] == "error" {
            return Err(fault(&event).unwrap_or_else(|| crate::health::line(data)));
        }
        Ok(self.said(&event).unwrap_or_default())
    }

    /// What a whole answer or a piece of one says: of OpenAI's protocol, of text generation, of llama-2's conversations.
    fn said(&mut self, answer: &Value) -> Option<String> {
        let choice = &answer["choices"][0];
        self.is_cut |= choice["finish_reason"] == "length";
        let conversation = || answer["results"][0].as_array()?.last()?["content"].as_str();
        let said = choice["delta"]["content"].as_str().or_else(|| choice["message"]["content"].as_str());
        let said = said.or_else(|| answer["Result"].as_str()).or_else(conversation)?;
        self.has_begun = true;
        Some(said.to_owned())
    }
}

/// What a server says that refuses: its status and its words.
pub fn refusal(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words = serde_json::from_str(&text).ok().and_then(|answer| fault(&answer)).unwrap_or_else(|| line(&text));
    if words.is_empty() { format!("status {status}") } else { format!("{status}: {words}") }
}

/// What an answer says went wrong: OpenAI's `error`, vLLM's `message`, FastAPI's `detail`.
fn fault(answer: &Value) -> Option<String> {
    let told = |value: &Value| value.as_str().map(line);
    let details = || Some(answer["detail"].as_array()?.iter().filter_map(|detail| told(&detail["msg"])).collect::<Vec<_>>().join("; "));
    let error = told(&answer["error"]["message"]).or_else(|| told(&answer["error"]));
    error.or_else(|| told(&answer["message"])).or_else(|| told(&answer["detail"])).or_else(details)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_ai() -> Protocol {
        Protocol::OpenAi("m".to_owned())
    }

    /// What an answer says that comes in pieces of this length, and whether it was cut.
    fn read(protocol: &Protocol, text: &str, length: usize) -> Result<(String, bool), String> {
        let mut answer = Answer::new(protocol);
        let mut said = String::new();
        for piece in text.as_bytes().chunks(length) {
            said.push_str(&answer.take(piece)?);
        }
        said.push_str(&answer.end()?);
        Ok((said, answer.is_cut))
    }

    #[test]
    fn answers() {
        let stream = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n: ping\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"Grüß \"}}]}\n\ndata:{\"choices\":[{\"delta\":{\"content\":\"Gott\"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\ndata: {\"choices\":[],\"usage\":{}}\n\ndata: [DONE]\n\n";
        let whole = "{\"choices\": [\n{\"message\": {\"content\": \"Hello\"}, \"finish_reason\": \"stop\"}]}";
        let refused = "data: {\"error\":{\"message\":\"too\\u001b[31m long\",\"code\":400}}\n\n";
        let llama = r#"{"results": [[{"role": "User", "content": "Hi"}, {"role": "Assistant", "content": "Hello"}]]}"#;
        let table = [
            (open_ai(), stream, Ok(("Grüß Gott", true))),
            (open_ai(), whole, Ok(("Hello", false))),
            (open_ai(), "data: [DONE]", Ok(("", false))),
            (open_ai(), refused, Err("too [31m long")),
            (open_ai(), "data: {broken\n", Err("the answer can't be understood: {broken")),
            (open_ai(), "", Err("the answer is empty")),
            (Protocol::Older, "{\"Result\":\n \"Hello\"}", Ok(("Hello", false))),
            (Protocol::Older, llama, Ok(("Hello", false))),
            (Protocol::Older, r#"{"else": 1}"#, Err("the answer can't be understood: {\"else\":1}")),
            (Protocol::Older, "<html>", Err("the answer can't be understood: <html>")),
        ];
        for (protocol, text, want) in table {
            for length in [1, 7, 1000] {
                let want = want.map(|(said, is_cut)| (said.to_owned(), is_cut)).map_err(ToOwned::to_owned);
                assert_eq!(read(&protocol, text, length), want, "{text} in pieces of {length}");
            }
        }
    }

    #[test]
    fn refusals() {
        let table = [
            (400, r#"{"error": {"message": "no such model"}}"#, "400: no such model"),
            (400, r#"{"object": "error", "message": "too long"}"#, "400: too long"),
            (500, r#"{"detail": "Error during text generation"}"#, "500: Error during text generation"),
            (422, r#"{"detail": [{"loc": ["body"], "msg": "field required"}, {"msg": "none"}]}"#, "422: field required; none"),
            (502, "<h1>\u{1b}[2JBad\nGateway</h1>", "502: <h1> [2JBad Gateway</h1>"),
            (503, "", "status 503"),
        ];
        for (status, body, want) in table {
            assert_eq!(refusal(status, body.as_bytes()), want);
        }
    }
}
