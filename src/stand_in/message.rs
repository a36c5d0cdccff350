//! A message of the model, whole or as the events of a stream.

use serde_json::{Value, json};

/// In so many pieces a text comes over a stream.
const PIECES: usize = 3;

/// What the model says.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) parts: Vec<Part>,
    pub(super) input_tokens: u64,
}

/// A part of it.
#[derive(Debug)]
pub(super) enum Part {
    Thought(String),
    Text(String),
    Call { id: String, name: String, input: Value },
}

impl Message {
    /// As one piece of JSON.
    pub(super) fn whole(&self) -> String {
        let parts: Vec<Value> = self.parts.iter().map(Part::whole).collect();
        let mut message = self.frame(parts, json!(self.stop_reason()), self.output_tokens());
        if let Some(message) = message.as_object_mut() {
            message.insert("stop_details".to_owned(), Value::Null);
        }
        message.to_string()
    }

    /// As the events of a stream, in order.
    pub(super) fn events(&self) -> Vec<String> {
        let start = self.frame(Vec::new(), Value::Null, 1);
        let mut events = vec![
            event(&json!({ "type": "message_start", "message": start })),
            event(&json!({ "type": "ping" })),
        ];
        for (index, part) in self.parts.iter().enumerate() {
            let block = part.beginning();
            let start =
                json!({ "type": "content_block_start", "index": index, "content_block": block });
            events.push(event(&start));
            events.extend(part.deltas().into_iter().map(|delta| {
                event(&json!({ "type": "content_block_delta", "index": index, "delta": delta }))
            }));
            events.push(event(&json!({ "type": "content_block_stop", "index": index })));
        }
        events.push(event(&json!({
            "type": "message_delta",
            "delta": { "stop_reason": self.stop_reason(), "stop_sequence": null },
            "usage": { "output_tokens": self.output_tokens() },
        })));
        events.push(event(&json!({ "type": "message_stop" })));
        events
    }

    fn frame(&self, content: Vec<Value>, stop_reason: Value, output_tokens: u64) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": null,
            "usage": {
                "input_tokens": self.input_tokens,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": output_tokens,
                "service_tier": "standard",
            },
        })
    }

    fn stop_reason(&self) -> &'static str {
        let calls = self.parts.iter().any(|part| matches!(part, Part::Call { .. }));
        if calls { "tool_use" } else { "end_turn" }
    }

    fn output_tokens(&self) -> u64 {
        let length: usize = self.parts.iter().map(|part| part.whole().to_string().len()).sum();
        tokens(length)
    }
}

impl Part {
    fn whole(&self) -> Value {
        match self {
            Self::Thought(text) => {
                json!({ "type": "thinking", "thinking": text, "signature": SIGNATURE })
            }
            Self::Text(text) => json!({ "type": "text", "text": text }),
            Self::Call { id, name, input } => {
                json!({ "type": "tool_use", "id": id, "name": name, "input": input })
            }
        }
    }

    fn beginning(&self) -> Value {
        match self {
            Self::Thought(_) => json!({ "type": "thinking", "thinking": "", "signature": "" }),
            Self::Text(_) => json!({ "type": "text", "text": "" }),
            Self::Call { id, name, .. } => {
                json!({ "type": "tool_use", "id": id, "name": name, "input": {} })
            }
        }
    }

    fn deltas(&self) -> Vec<Value> {
        match self {
            Self::Thought(text) => {
                let thought = |text| json!({ "type": "thinking_delta", "thinking": text });
                let signed = json!({ "type": "signature_delta", "signature": SIGNATURE });
                pieces(text).into_iter().map(thought).chain([signed]).collect()
            }
            Self::Text(text) => {
                let said = |text| json!({ "type": "text_delta", "text": text });
                pieces(text).into_iter().map(said).collect()
            }
            Self::Call { input, .. } => {
                let given = |json| json!({ "type": "input_json_delta", "partial_json": json });
                pieces(&input.to_string()).into_iter().map(given).collect()
            }
        }
    }
}

/// Nobody but the real service can tell that it is none.
const SIGNATURE: &str = "c3RhbmQtaW4=";

/// About how many tokens so many bytes are.
pub(super) fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes / 4).unwrap_or(u64::MAX).max(1)
}

/// One event of a stream; its name is its type.
pub(super) fn event(data: &Value) -> String {
    let name = data["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n")
}

fn pieces(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let size = letters.len().div_ceil(PIECES).max(1);
    letters.chunks(size).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Message, Part};

    fn message(parts: Vec<Part>) -> Message {
        Message { id: "msg_1".to_owned(), model: "m".to_owned(), parts, input_tokens: 7 }
    }

    fn data(events: &[String]) -> Vec<Value> {
        let data = |event: &String| {
            let (_, data) = event.split_once("\ndata: ").expect("data");
            serde_json::from_str(data).expect("JSON")
        };
        events.iter().map(data).collect()
    }

    #[test]
    fn the_pieces_of_a_stream_make_the_whole() {
        let input = json!({ "command": "echo \"größer\"" });
        let message = message(vec![
            Part::Thought("so be it".to_owned()),
            Part::Text("größer als alles".to_owned()),
            Part::Call { id: "toolu_1".to_owned(), name: "Bash".to_owned(), input: input.clone() },
        ]);
        let events = data(&message.events());
        let joined = |key: &str| -> String {
            events.iter().filter_map(|event| event["delta"][key].as_str()).collect()
        };
        assert_eq!(joined("thinking"), "so be it");
        assert_eq!(joined("text"), "größer als alles");
        assert_eq!(serde_json::from_str::<Value>(&joined("partial_json")).expect("JSON"), input);
        assert_eq!(joined("stop_reason"), "tool_use");
        let whole: Value = serde_json::from_str(&message.whole()).expect("JSON");
        assert_eq!(whole["content"][2]["input"], input);
        assert_eq!(whole["usage"]["input_tokens"], 7);
    }

    #[test]
    fn every_block_is_opened_and_closed_before_the_message_is() {
        let message = message(vec![Part::Text(String::new()), Part::Text("b".to_owned())]);
        let kinds: Vec<String> = data(&message.events())
            .iter()
            .map(|event| event["type"].as_str().expect("a type").replace("content_block", "block"))
            .collect();
        assert_eq!(
            kinds.join(" "),
            "message_start ping block_start block_stop block_start block_delta block_stop \
             message_delta message_stop"
        );
    }
}
