//! The two protocols, as requests.

use serde_json::{Value, json};

/// Where a server of OpenAI's protocol tells which models it has.
pub const MODELS: &str = "/v1/models";

/// A part of a talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who says it: `system`, `user` or `assistant`.
    pub role: &'static str,
    /// What is said.
    pub content: String,
}

/// How an answer is wanted. What isn't said is the server's choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// The most tokens of an answer; of Kaito 0.3 the question counts too, and its usual is 200.
    pub max_tokens: Option<u32>,
    /// How much is left to chance, from 0.
    pub temperature: Option<f64>,
}

/// How a server is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's, with the model that is asked for.
    OpenAi(String),
    /// That of the images of Kaito 0.3, which have one model and answer in one piece.
    Older,
}

impl Protocol {
    /// By what a server says to a question for its models: the first is the one that Kaito serves, adapters come after it. `wanted` must be among them.
    ///
    /// # Errors
    /// What is wrong with the answer, or which models there are.
    pub fn of(status: u16, body: &[u8], wanted: Option<&str>) -> Result<Self, String> {
        if status == 404 {
            return Ok(Self::Older);
        }
        if status != 200 {
            return Err(super::refusal(status, body));
        }
        let answer: Value = serde_json::from_slice(body).map_err(|_| format!("{MODELS} isn't answered in JSON"))?;
        let names: Vec<&str> = answer["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str()).collect();
        match wanted {
            None => names.first().map(|name| Self::OpenAi((*name).to_owned())).ok_or_else(|| "the server has no model".to_owned()),
            Some(wanted) if names.contains(&wanted) => Ok(Self::OpenAi(wanted.to_owned())),
            Some(wanted) => Err(format!("the server has no model {wanted}: it has {}", names.join(", "))),
        }
    }

    /// The path to post to.
    pub fn path(&self) -> &'static str {
        match self {
            Self::OpenAi(_) => "/v1/chat/completions",
            Self::Older => "/chat",
        }
    }

    /// The question, which is the last message of a talk.
    pub fn question(&self, talk: &[Message], wishes: Wishes) -> Value {
        let messages: Vec<Value> = talk.iter().map(|message| json!({"role": message.role, "content": message.content})).collect();
        let Wishes { max_tokens, temperature } = wishes;
        let with = |mut body: Value, limit: &str| {
            if let Some(tokens) = max_tokens {
                body[limit] = tokens.into();
            }
            if let Some(temperature) = temperature {
                body["temperature"] = temperature.into();
            }
            body
        };
        match self {
            Self::OpenAi(model) => with(json!({"model": model, "messages": messages, "stream": true}), "max_tokens"),
            // Images for text generation take the prompt, those for conversations the messages, and llama-2's the input data. Each leaves the
            // others alone.
            Self::Older => json!({
                "prompt": talk.last().map_or("", |message| &message.content),
                "return_full_text": false,
                "messages": messages,
                "input_data": {"input_string": [messages]},
                "generate_kwargs": with(json!({}), "max_length"),
                "parameters": with(json!({}), "max_gen_len"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_protocol_it_is() {
        let two = r#"{"object": "list", "data": [{"id": "phi-4"}, {"id": "adapter"}]}"#;
        let open_ai = |model: &str| Ok(Protocol::OpenAi(model.to_owned()));
        let table = [
            (200, two, None, open_ai("phi-4")),
            (200, two, Some("adapter"), open_ai("adapter")),
            (200, two, Some("gpt"), Err("the server has no model gpt: it has phi-4, adapter")),
            (200, r#"{"data": []}"#, None, Err("the server has no model")),
            (200, "<html>", None, Err("/v1/models isn't answered in JSON")),
            (404, r#"{"detail": "Not Found"}"#, None, Ok(Protocol::Older)),
            (503, "no healthy upstream", None, Err("503: no healthy upstream")),
        ];
        for (status, body, wanted, want) in table {
            assert_eq!(Protocol::of(status, body.as_bytes(), wanted), want.map_err(ToOwned::to_owned), "{status} {body}");
        }
    }

    #[test]
    fn questions() {
        let talk = [("system", "Be brief."), ("user", "Hi")].map(|(role, content)| Message { role, content: content.to_owned() });
        let messages = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]);
        let wishes = Wishes { max_tokens: Some(7), temperature: None };
        let open_ai = Protocol::OpenAi("phi-4".to_owned()).question(&talk, wishes);
        assert_eq!(open_ai, json!({"model": "phi-4", "messages": messages, "stream": true, "max_tokens": 7}));
        let older = Protocol::Older.question(&talk, wishes);
        assert_eq!((&older["prompt"], &older["generate_kwargs"]), (&json!("Hi"), &json!({"max_length": 7})));
        assert_eq!((&older["messages"], &older["input_data"]["input_string"][0]), (&messages, &messages));
    }
}
