//! What is asked: the parts of a request that matter here, and what the real service would refuse.

use serde::Deserialize;
use serde_json::Value;

use super::failure::Refusal;
use super::mode::mark;

/// What an agent puts around words that are not its user's.
const REMINDER: &str = "<system-reminder>";

/// What an agent puts around what its user said while a tool ran.
const WHILE_WORKING: &str = "The user sent a new message while you were working:\n";
const AFTER_THAT: &str = "\n\nThis is how Claude Code surfaces";

/// A request for an answer, as far as it is looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    pub(super) model: String,
    pub(super) messages: Vec<Turn>,
    #[serde(default)]
    pub(super) max_tokens: Option<u64>,
    #[serde(default)]
    pub(super) stream: bool,
    #[serde(default)]
    tools: Vec<Value>,
    #[serde(default)]
    output_config: Option<Value>,
}

/// One message of the conversation.
#[derive(Debug, Deserialize)]
pub(super) struct Turn {
    role: String,
    content: Content,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    ToolUse {
        id: String,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(default)]
        content: Option<Content>,
    },
    #[serde(other)]
    Other,
}

impl Request {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// What the real service would say to such a body.
    pub(super) fn read(body: &[u8], counts: bool) -> Result<Self, Refusal> {
        let request: Self = serde_json::from_slice(body)
            .map_err(|error| Refusal::invalid(format!("the request body is not valid: {error}")))?;
        let empty = request.messages.is_empty();
        match request.max_tokens {
            _ if empty => Err(Refusal::invalid("messages: at least one message is required")),
            None if !counts => Err(Refusal::invalid("max_tokens: Field required")),
            Some(0) => {
                Err(Refusal::invalid("max_tokens: Input should be greater than or equal to 1"))
            }
            Some(_) | None => request.paired().map(|()| request),
        }
    }

    /// Every call of a tool has its result in the next message, and every result its call in the
    /// one before: a broken history is what wedges an agent for good.
    fn paired(&self) -> Result<(), Refusal> {
        let talk: Vec<&Turn> = self.messages.iter().filter(|turn| turn.role != "system").collect();
        if let Some(turn) = talk.iter().find(|turn| !["user", "assistant"].contains(&&*turn.role)) {
            let role = &turn.role;
            return Err(Refusal::invalid(format!("messages: Unexpected role \"{role}\"")));
        }
        for (at, turn) in talk.iter().enumerate() {
            let results = talk.get(at + 1).map(|next| next.results()).unwrap_or_default();
            if let Some(id) = turn.calls().into_iter().find(|id| !results.contains(id)) {
                return Err(Refusal::invalid(format!(
                    "messages.{at}: `tool_use` ids were found without `tool_result` blocks \
                     immediately after: {id}. Each `tool_use` block must have a corresponding \
                     `tool_result` block in the next message."
                )));
            }
            let before = at.checked_sub(1).and_then(|before| talk.get(before));
            let calls = before.map(|before| before.calls()).unwrap_or_default();
            if let Some(id) = turn.results().into_iter().find(|id| !calls.contains(id)) {
                return Err(Refusal::invalid(format!(
                    "messages.{at}.content.0: unexpected `tool_use_id` found in `tool_result` \
                     blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` \
                     block in the previous message."
                )));
            }
        }
        Ok(())
    }

    /// How this request is to be answered, in the words of a mark: the one in the newest paragraph,
    /// else a sticky one anywhere in the conversation, else `standing`, else normally. Requests on
    /// the side (titles, quotas) are none that anybody's mode is meant for.
    pub(super) fn wanted(&self, standing: Option<String>) -> String {
        let normal = || "normal".to_owned();
        if self.is_aside() {
            return normal();
        }
        let sticky = || {
            let said = self.messages.iter().filter(|turn| turn.role == "user");
            said.map(Turn::text).find_map(|text| mark("sticky", &text).map(str::to_owned))
        };
        let newest = mark("mode", &self.newest()).map(str::to_owned);
        newest.or_else(sticky).or(standing).unwrap_or_else(normal)
    }

    /// Whether this is about the conversation and not a part of it: no tools are offered, and
    /// nothing was answered yet.
    fn is_aside(&self) -> bool {
        !self.offers_tools() && !self.messages.iter().any(|turn| turn.role == "assistant")
    }

    /// Whether the model may call tools.
    pub(super) fn offers_tools(&self) -> bool {
        !self.tools.is_empty()
    }

    /// Whether the model may call this one.
    pub(super) fn offers(&self, tool: &str) -> bool {
        self.tools.iter().any(|offered| offered["name"] == tool)
    }

    /// The schema that the answer must have, if it is to be JSON.
    pub(super) fn schema(&self) -> Option<&Value> {
        self.output_config.as_ref()?.get("format")?.get("schema")
    }

    /// The newest thing the user said.
    pub(super) fn prompt(&self) -> String {
        self.newest_prompt().map(|(_, text)| text).unwrap_or_default()
    }

    /// The last paragraph of that: what was said before and got no answer comes again in front of
    /// it, in the same message. What was said while a tool ran comes in words of the agent's.
    pub(super) fn newest(&self) -> String {
        let prompt = self.prompt();
        let said = match prompt.rsplit_once(WHILE_WORKING) {
            Some((_, rest)) => rest.split(AFTER_THAT).next().unwrap_or(rest),
            None => &prompt,
        };
        let mut paragraphs = said.rsplit("\n\n").filter(|part| !part.trim().is_empty());
        paragraphs.next().unwrap_or_default().to_owned()
    }

    /// What a tool has put out since the newest prompt, if one has.
    pub(super) fn tool_result(&self) -> Option<String> {
        // A prompt that comes along with results is newer than they are.
        let from = self.newest_prompt().map_or(0, |(at, _)| at + 1);
        let since = self.messages.iter().skip(from).rev();
        since.filter(|turn| turn.role == "user").find_map(Turn::result)
    }

    fn newest_prompt(&self) -> Option<(usize, String)> {
        let said = |(at, turn): (usize, &Turn)| {
            Some((at, turn.text())).filter(|(_, text)| !text.is_empty())
        };
        let turns = self.messages.iter().enumerate().rev();
        turns.filter(|(_, turn)| turn.role == "user").find_map(said)
    }
}

impl Turn {
    /// What a person wrote of it.
    fn text(&self) -> String {
        self.content.text()
    }

    fn calls(&self) -> Vec<&str> {
        self.content.ids(|block| match block {
            Block::ToolUse { id } => Some(id),
            Block::Text { .. } | Block::ToolResult { .. } | Block::Other => None,
        })
    }

    fn results(&self) -> Vec<&str> {
        self.content.ids(|block| match block {
            Block::ToolResult { tool_use_id, .. } => Some(tool_use_id),
            Block::Text { .. } | Block::ToolUse { .. } | Block::Other => None,
        })
    }

    /// What the last tool of this message put out, if this message brings any.
    fn result(&self) -> Option<String> {
        self.content.blocks().iter().rev().find_map(|block| match block {
            Block::ToolResult { content, .. } => {
                Some(content.as_ref().map(Content::text).unwrap_or_default())
            }
            Block::Text { .. } | Block::ToolUse { .. } | Block::Other => None,
        })
    }
}

impl Content {
    fn text(&self) -> String {
        if let Self::Text(text) = self {
            return text.clone();
        }
        let texts = self.blocks().iter().filter_map(|block| match block {
            Block::Text { text } if !text.starts_with(REMINDER) => Some(text.as_str()),
            Block::Text { .. }
            | Block::ToolUse { .. }
            | Block::ToolResult { .. }
            | Block::Other => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    fn ids<'a>(&'a self, id: impl Fn(&'a Block) -> Option<&'a String>) -> Vec<&'a str> {
        self.blocks().iter().filter_map(id).map(String::as_str).collect()
    }

    fn blocks(&self) -> &[Block] {
        match self {
            Self::Text(_) => &[],
            Self::Blocks(blocks) => blocks,
        }
    }
}

#[cfg(test)]
mod tests;
