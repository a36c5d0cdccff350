//! Its log of a conversation: one JSON record a line. Most of them are book-keeping; what people
//! said and were told is what is read here.

mod news;

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

pub(super) use self::news::news;
use crate::agents::text::{one_line, second};

/// Longer lines are book-keeping (or pictures), in bytes.
const LINE_MAX: usize = 32 << 20;

/// What a tool was asked for is one line of at most so many characters.
const ASKED_MAX: usize = 160;

/// Which key of a tool's input says best what it is asked for.
const TELLING: [&str; 9] = [
    "command",
    "file_path",
    "notebook_path",
    "pattern",
    "query",
    "url",
    "skill",
    "description",
    "prompt",
];

/// The kinds of records that are read, as they stand in a line: the rest is not even parsed.
const KINDS: [&[u8]; 5] = [
    br#""type":"user""#,
    br#""type":"assistant""#,
    br#""type":"system""#,
    br#""type":"queued_command""#,
    br#""type":"queue-operation""#,
];

/// Instead of a prompt, where a turn was broken off.
const INTERRUPTED: &str = "[Request interrupted by user";

/// Who said what, as `TIME who: text`, with the further lines of a text indented.
pub(super) fn shown(line: &[u8]) -> Option<String> {
    let record = Record::read(line)?;
    let mut said = Vec::new();
    match record.kind.as_str() {
        "user" => user(record.content()?, &mut said),
        "assistant" => assistant(&record, &mut said),
        "system" => said.extend(system(&record)),
        "attachment" => said.push(("user", queued(&record)?)),
        _ => return None,
    }
    let time = record.timestamp.as_deref().and_then(second);
    let time = time.map(|time| format!("{time}Z ")).unwrap_or_default();
    let lines = said.iter().filter_map(|(who, text)| {
        let text = plain(text);
        let text = text.trim_matches(['\n', ' ', '\t']);
        (!text.is_empty()).then(|| {
            format!("{time}{who}: {}", text.replace('\n', "\n  ").replace("\n  \n", "\n\n"))
        })
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The text that was entered. A prompt that had to wait shows more than once: when it was entered,
/// and when the agent got it.
pub(super) fn prompt(line: &[u8]) -> Option<String> {
    let record = Record::read(line)?;
    match record.kind.as_str() {
        "user" => entered(record.content()?),
        "attachment" => queued(&record),
        "queue-operation" if record.operation.as_deref() == Some("enqueue") => {
            record.content.as_ref()?.as_str().map(str::to_owned)
        }
        _ => None,
    }
}

/// The name that a person or an argument has given the conversation.
pub(super) fn title(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Title {
        #[serde(rename = "type")]
        kind: String,
        #[serde(rename = "customTitle")]
        title: String,
    }
    let title: Title = serde_json::from_slice(line).ok()?;
    (title.kind == "custom-title").then_some(title.title)
}

/// A folder is called as the directory, with a dash for whatever is no letter or digit of ASCII. Of
/// a long one only the beginning is the directory's.
pub(super) fn is_folder(name: &str, directory: &Path) -> bool {
    const WHOLE_MAX: usize = 200;
    let directory = directory.to_string_lossy();
    let dashed: String = directory
        .encode_utf16()
        .map(|unit| u8::try_from(unit).map_or('-', char::from))
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    match dashed.get(..WHOLE_MAX) {
        Some(begin) if dashed.len() > WHOLE_MAX => name.starts_with(begin),
        Some(_) | None => name == dashed,
    }
}

/// What is read of a record; everything else in it is passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(rename = "type")]
    kind: String,
    subtype: Option<String>,
    timestamp: Option<String>,
    message: Option<Message>,
    content: Option<Value>,
    attachment: Option<Queued>,
    operation: Option<String>,
    level: Option<String>,
    #[serde(default)]
    is_meta: bool,
    #[serde(default)]
    is_sidechain: bool,
    #[serde(default)]
    is_compact_summary: bool,
    #[serde(default)]
    is_visible_in_transcript_only: bool,
    #[serde(default)]
    is_api_error_message: bool,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Option<Value>,
}

/// A prompt that the agent got in the middle of a turn.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Queued {
    #[serde(rename = "type")]
    kind: String,
    prompt: Option<Value>,
    command_mode: Option<String>,
}

impl Record {
    /// None for what is no record, and for records of which nothing is shown.
    fn read(line: &[u8]) -> Option<Self> {
        if line.len() > LINE_MAX || !KINDS.iter().any(|kind| has(line, kind)) {
            return None;
        }
        let record: Self = serde_json::from_slice(line).ok()?;
        let is_aside = record.is_meta
            || record.is_sidechain
            || record.is_compact_summary
            || record.is_visible_in_transcript_only;
        (!is_aside).then_some(record)
    }

    fn content(&self) -> Option<&Value> {
        self.message.as_ref()?.content.as_ref()
    }
}

fn user(content: &Value, said: &mut Vec<(&'static str, String)>) {
    if let Some(text) = content.as_str() {
        said.extend(local(text).or_else(|| Some(("user", text.to_owned()))));
        return;
    }
    for block in content.as_array().into_iter().flatten() {
        match text_at(block, "type") {
            "text" => {
                let text = text_at(block, "text");
                let who = if text.starts_with(INTERRUPTED) { "note" } else { "user" };
                said.push((who, text.to_owned()));
            }
            "image" => said.push(("user", "[image]".to_owned())),
            // What a tool answers is long; that it failed is worth a line.
            "tool_result" if block.get("is_error").and_then(Value::as_bool) == Some(true) => {
                let text = texts(block.get("content").unwrap_or(&Value::Null));
                said.push((
                    "tool",
                    format!("failed: {}", one_line(text.split_whitespace(), ASKED_MAX)),
                ));
            }
            _ => {}
        }
    }
}

fn assistant(record: &Record, said: &mut Vec<(&'static str, String)>) {
    let who = if record.is_api_error_message { "error" } else { "claude" };
    let blocks = record.content().and_then(Value::as_array);
    for block in blocks.into_iter().flatten() {
        match text_at(block, "type") {
            "text" => said.push((who, text_at(block, "text").to_owned())),
            "tool_use" => said.push(("tool", asked(block))),
            _ => {}
        }
    }
}

fn system(record: &Record) -> Option<(&'static str, String)> {
    let text = record.content.as_ref()?.as_str()?;
    match record.subtype.as_deref() {
        Some("local_command") => local(text),
        Some("informational" | "compact_boundary") => Some(("note", text.to_owned())),
        Some(_) | None => {
            let is_loud = matches!(record.level.as_deref(), Some("warning" | "error"));
            is_loud.then(|| ("note", text.to_owned()))
        }
    }
}

/// What the program did by itself, without the agent: commands that begin with a slash or a `!`, and
/// what they answered.
fn local(text: &str) -> Option<(&'static str, String)> {
    if let Some(command) = command(text) {
        return Some(("user", command));
    }
    if let Some(command) = tagged(text, "bash-input") {
        return Some(("user", format!("! {command}")));
    }
    let answers = ["local-command-stdout", "local-command-stderr", "bash-stdout", "bash-stderr"];
    if !answers.iter().any(|tag| text.starts_with(&format!("<{tag}>"))) {
        return None;
    }
    let answers = answers.iter().filter_map(|tag| tagged(text, tag));
    Some(("note", answers.collect::<Vec<_>>().join("\n")))
}

fn queued(record: &Record) -> Option<String> {
    let queued = record.attachment.as_ref()?;
    let is_prompt =
        queued.kind == "queued_command" && queued.command_mode.as_deref() == Some("prompt");
    let text = texts(queued.prompt.as_ref().filter(|_| is_prompt)?);
    (!text.is_empty()).then_some(text)
}

fn entered(content: &Value) -> Option<String> {
    let text = texts(content);
    if let Some(command) = command(&text) {
        return Some(command);
    }
    let is_local = local(&text).is_some();
    (!text.is_empty() && !is_local && !text.starts_with(INTERRUPTED)).then_some(text)
}

/// `/name arguments`, as it was entered.
fn command(text: &str) -> Option<String> {
    text.starts_with("<command-").then_some(())?;
    let name = tagged(text, "command-name")?;
    let arguments = tagged(text, "command-args").unwrap_or_default();
    Some(format!("{name} {arguments}").trim_end().to_owned())
}

fn tagged<'t>(text: &'t str, tag: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{tag}>"))?;
    rest.split_once(&format!("</{tag}>")).map(|(inner, _)| inner)
}

/// The tool and what it is asked for, in one line.
fn asked(block: &Value) -> String {
    let input = block.get("input").unwrap_or(&Value::Null);
    let telling = TELLING.iter().find_map(|key| input.get(key)?.as_str());
    let what = match telling {
        Some(text) => text.to_owned(),
        None if input.as_object().is_none_or(serde_json::Map::is_empty) => String::new(),
        None => input.to_string(),
    };
    one_line([text_at(block, "name")].into_iter().chain(what.split_whitespace()), ASKED_MAX)
}

/// A text, or the texts of blocks.
fn texts(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let blocks = content.as_array().into_iter().flatten();
    let texts = blocks.filter_map(|block| block.get("text")?.as_str());
    texts.collect::<Vec<_>>().join("\n")
}

fn text_at<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Without what would steer a terminal.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\x1b' && chars.peek() == Some(&'[') {
            chars.next();
            let _end = chars.find(|c| ('\x40'..='\x7e').contains(c));
        } else if !c.is_control() || c == '\n' || c == '\t' {
            plain.push(c);
        }
    }
    plain
}

fn has(line: &[u8], words: &[u8]) -> bool {
    line.windows(words.len()).any(|window| window == words)
}

#[cfg(test)]
mod tests;
