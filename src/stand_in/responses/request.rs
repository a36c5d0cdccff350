//! A request of the Responses API, as far as it is looked at, and what the real service would refuse.

use serde::Deserialize;
use serde_json::Value;

use super::super::mode::mark;
use super::Refusal;

/// What an agent tells of itself stands in user messages of its own, between tags such as
/// `<environment_context>`.
const TAG: char = '<';

/// A request for an answer.
#[derive(Debug, Deserialize)]
pub(in crate::stand_in) struct Request {
    pub(in crate::stand_in) model: String,
    input: Vec<Item>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    tools: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item {
    Message {
        role: String,
        content: Vec<Part>,
    },
    #[serde(alias = "custom_tool_call")]
    FunctionCall {
        call_id: String,
    },
    #[serde(alias = "custom_tool_call_output")]
    FunctionCallOutput {
        call_id: String,
        output: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

impl Request {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// What the real service would say to such a body.
    pub(in crate::stand_in) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let request: Self = serde_json::from_slice(body)
            .map_err(|error| Refusal::invalid(format!("the request body is not valid: {error}")))?;
        if request.input.is_empty() {
            return Err(Refusal::invalid("Missing required parameter: 'input'."));
        }
        if !request.stream {
            // No agent that is run against this asks for anything else.
            return Err(Refusal::invalid("this double only streams: set 'stream' to true"));
        }
        request.paired().map(|()| request)
    }

    /// Every call of a tool has its output further down, and every output its call further up: a
    /// broken history is what wedges an agent for good.
    fn paired(&self) -> Result<(), Refusal> {
        for (at, item) in self.input.iter().enumerate() {
            let (before, after) = self.input.split_at(at);
            match item {
                Item::FunctionCall { call_id } => {
                    let is_output = |item: &Item| matches!(item, Item::FunctionCallOutput { call_id: of, .. } if of == call_id);
                    if !after.iter().any(is_output) {
                        let what = format!("No tool output found for function call {call_id}.");
                        return Err(Refusal::invalid(what));
                    }
                }
                Item::FunctionCallOutput { call_id, .. } => {
                    let is_call = |item: &Item| matches!(item, Item::FunctionCall { call_id: of } if of == call_id);
                    if !before.iter().any(is_call) {
                        let what = format!(
                            "No tool call found for function call output with call_id {call_id}."
                        );
                        return Err(Refusal::invalid(what));
                    }
                }
                Item::Message { .. } | Item::Other => {}
            }
        }
        Ok(())
    }

    /// How this request is to be answered, in the words of a mark: the one in the newest prompt, else
    /// a sticky one anywhere in the conversation, else `standing`, else normally. Requests on the side
    /// (titles) are none that anybody's mode is meant for.
    pub(in crate::stand_in) fn wanted(&self, standing: Option<String>) -> String {
        let normal = || "normal".to_owned();
        if !self.offers_tools() {
            return normal();
        }
        let sticky = || self.said().find_map(|(_, text)| mark("sticky", &text).map(str::to_owned));
        let newest = mark("mode", &self.prompt()).map(str::to_owned);
        newest.or_else(sticky).or(standing).unwrap_or_else(normal)
    }

    /// Whether the model may call tools: for a title it may not.
    pub(in crate::stand_in) fn offers_tools(&self) -> bool {
        !self.tools.is_empty()
    }

    /// Whether the model may call this one.
    pub(super) fn offers(&self, tool: &str) -> bool {
        self.tools.iter().any(|offered| offered["name"] == tool)
    }

    /// How many items the conversation has.
    pub(in crate::stand_in) fn length(&self) -> usize {
        self.input.len()
    }

    /// The newest thing the user said.
    pub(in crate::stand_in) fn prompt(&self) -> String {
        self.said().last().map(|(_, text)| text).unwrap_or_default()
    }

    /// What a tool has put out since the newest prompt, if one has.
    pub(in crate::stand_in) fn tool_result(&self) -> Option<String> {
        let from = self.said().last().map_or(0, |(at, _)| at + 1);
        self.input.iter().skip(from).rev().find_map(|item| match item {
            Item::FunctionCallOutput { output: Value::String(text), .. } => Some(text.clone()),
            Item::FunctionCallOutput { output, .. } => Some(output.to_string()),
            Item::Message { .. } | Item::FunctionCall { .. } | Item::Other => None,
        })
    }

    /// What a person wrote, and where it stands.
    fn said(&self) -> impl Iterator<Item = (usize, String)> {
        self.input.iter().enumerate().filter_map(|(at, item)| match item {
            Item::Message { role, content } if role == "user" => {
                let text: Vec<&str> = content.iter().map(|part| part.text.as_str()).collect();
                let text = text.join("\n");
                (!text.starts_with(TAG) && !text.is_empty()).then_some((at, text))
            }
            Item::Message { .. }
            | Item::FunctionCall { .. }
            | Item::FunctionCallOutput { .. }
            | Item::Other => None,
        })
    }
}
