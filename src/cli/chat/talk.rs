//! The talk itself: questions, and answers that are shown as they come.

use std::io;
use std::ops::ControlFlow;

use http::Request;

use super::super::output::{self, Color, Exit, Stdout};
use crate::chat::{Answer, MODELS, Message, Place, Protocol, Wishes, printable, refusal};
use crate::cluster::Cluster;
use crate::diagnostic::Diagnostic;

/// The most that is read of an answer that isn't the model's.
const LONGEST: usize = 1 << 20;

/// A talk with a model.
pub(super) struct Talk<'c> {
    cluster: &'c Cluster,
    place: Place,
    protocol: Protocol,
    wishes: Wishes,
    said: Vec<Message>,
}

impl<'c> Talk<'c> {
    /// Finds out how the model is spoken to.
    pub(super) fn begin(
        cluster: &'c Cluster,
        place: Place,
        model: Option<&str>,
        system: Option<&str>,
        wishes: Wishes,
    ) -> Result<Self, Box<Diagnostic>> {
        let mut body = Vec::new();
        let status = send(cluster, &place, request("GET", MODELS, String::new())?, &mut |_, piece| {
            body.extend_from_slice(piece);
            if body.len() < LONGEST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let protocol = Protocol::of(status, &body, model).map_err(|why| Box::new(refused(&place, &why)))?;
        let said = system.iter().map(|text| Message { role: "system", content: (*text).to_owned() }).collect();
        Ok(Self { cluster, place, protocol, wishes, said })
    }

    /// Asks, and shows the answer. What fails is not part of the talk.
    ///
    /// # Errors
    /// Why there is no answer, or none to the end.
    pub(super) fn ask(&mut self, question: &str) -> Result<Exit, Box<Diagnostic>> {
        self.said.push(Message { role: "user", content: question.to_owned() });
        let answered = self.answer();
        match &answered {
            Ok((content, _)) => self.said.push(Message { role: "assistant", content: content.clone() }),
            Err(_) => drop(self.said.pop()),
        }
        answered.map(|(_, exit)| exit)
    }

    fn answer(&self) -> Result<(String, Exit), Box<Diagnostic>> {
        let question = self.protocol.question(&self.said, self.wishes).to_string();
        let (mut answer, mut refusing, mut fault) = (Answer::new(&self.protocol), Vec::new(), None);
        let mut shown = Shown::new();
        let status = send(self.cluster, &self.place, request("POST", self.protocol.path(), question)?, &mut |status, piece| {
            if status != 200 {
                refusing.extend_from_slice(piece);
                return if refusing.len() < LONGEST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
            }
            match answer.take(piece) {
                Ok(said) => shown.show(&said),
                Err(why) => {
                    fault = Some(why);
                    ControlFlow::Break(())
                }
            }
        });
        let status = status.inspect_err(|_| drop(shown.end_line()))?;
        if status != 200 {
            return Err(Box::new(refused(&self.place, &refusal(status, &refusing))));
        }
        if fault.is_none() && shown.result.is_ok() {
            match answer.end() {
                Ok(said) => drop(shown.show(&said)),
                Err(why) => fault = Some(why),
            }
        }
        let written = shown.end_line();
        if let Some(why) = fault {
            return Err(Box::new(refused(&self.place, &why)));
        }
        if answer.is_cut {
            output::done("(the answer was cut: --max-tokens allows longer ones, as far as the model does)");
        }
        Ok((shown.text, output::finish(written)))
    }

    /// Asks what somebody types, until there is no more.
    pub(super) fn go_on(&mut self, color: Color) -> Exit {
        let model = match &self.protocol {
            Protocol::OpenAi(model) => printable(model),
            Protocol::Older => "the model".to_owned(),
        };
        output::done(&format!("You talk to {model} in pod {}/{}; Ctrl-D ends it.", self.place.namespace, self.place.pod));
        loop {
            output::prompt(">>> ");
            let mut line = String::new();
            match io::stdin().read_line(&mut line) {
                Ok(0) => {
                    output::done("");
                    return Exit::Done;
                }
                Ok(_) if line.trim().is_empty() => {}
                Ok(_) => match self.ask(line.trim()) {
                    Ok(Exit::Done) => {}
                    Ok(exit) => return exit,
                    // The next question may go better.
                    Err(finding) => _ = output::findings_with(vec![*finding], color, "ask again, or Ctrl-D"),
                },
                Err(error) => {
                    output::error(&format!("standard input: {error}"));
                    return Exit::Invalid;
                }
            }
        }
    }
}

/// What has been shown of an answer.
struct Shown {
    out: Stdout,
    text: String,
    result: io::Result<()>,
}

impl Shown {
    fn new() -> Self {
        Self { out: Stdout::new(), text: String::new(), result: Ok(()) }
    }

    /// Shows a piece at once. Where nobody reads any more the answer needn't go on.
    fn show(&mut self, said: &str) -> ControlFlow<()> {
        if said.is_empty() {
            return ControlFlow::Continue(());
        }
        self.text.push_str(said);
        self.result = self.out.write(&printable(said)).and_then(|()| self.out.flush());
        if self.result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// Ends the last line.
    fn end_line(&mut self) -> io::Result<()> {
        std::mem::replace(&mut self.result, Ok(()))?;
        if self.text.is_empty() || self.text.ends_with('\n') {
            return Ok(());
        }
        self.out.write("\n").and_then(|()| self.out.flush())
    }
}

fn request(method: &str, path: &str, body: String) -> Result<Request<String>, Box<Diagnostic>> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost").header("content-type", "application/json");
    // Some proxies and servers keep back a stream unless it is asked for.
    let request = request.header("accept", "text/event-stream, application/json");
    request.body(body).map_err(|error| Box::new(Diagnostic::error(error.to_string())))
}

fn send(
    cluster: &Cluster,
    place: &Place,
    request: Request<String>,
    take: &mut dyn FnMut(u16, &[u8]) -> ControlFlow<()>,
) -> Result<u16, Box<Diagnostic>> {
    cluster.ask_pod((&place.namespace, &place.pod), place.port, request, take).map_err(|error| Box::new(error.finding()))
}

fn refused(place: &Place, why: &str) -> Diagnostic {
    let finding = Diagnostic::error(format!("the model in pod {}/{} refuses: {}", place.namespace, place.pod, printable(why)));
    finding.help(format!("`kubectl logs {} -n {}` tells more", place.pod, place.namespace))
}
