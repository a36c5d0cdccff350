//! One message between agents, from JSON or from plain text. Pure. Not here: whether the sender may
//! write to the addressee.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::gateway::clean;

/// The longest name of a group, in bytes.
const NAME_MAX: usize = 64;
/// The longest thread, in characters.
const THREAD_MAX: usize = 100;
/// The longest id that makes a message the same as another one, in bytes.
const ID_MAX: usize = 200;
/// The longest kind, in bytes.
const KIND_MAX: usize = 40;
/// The longest branch that is kept, in bytes.
const BRANCH_MAX: usize = 250;

/// The kind after which the next build of the branch is worth a wake.
pub const FIX_PUSHED: &str = "fix_pushed";
/// What a message is that says nothing of its kind.
const PLAIN: &str = "info";

/// A message as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Who says that they wrote it.
    pub from: Option<String>,
    /// Who shall read it.
    pub to: String,
    /// What they shall read.
    pub body: Body,
    /// What it is about, by the sender's own name for it.
    pub thread: Option<String>,
    /// `handoff`, `fix_pushed`, …
    pub kind: String,
    /// By which the same message sent twice is known.
    pub id: Option<String>,
    /// The branch it is about, without `refs/heads/`.
    pub branch: Option<String>,
}

/// What is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// As text; what is no UTF-8 is replaced.
    pub text: String,
    /// The very bytes, where the text is not all of them.
    pub bytes: Option<Vec<u8>>,
}

impl Body {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { text: text.to_owned(), bytes: None },
            Err(_) => Self {
                text: String::from_utf8_lossy(bytes).into_owned(),
                bytes: Some(bytes.to_vec()),
            },
        }
    }
}

/// The JSON form; further keys are left for later releases.
#[derive(Deserialize)]
struct Json {
    from: Option<String>,
    to: Option<String>,
    message: Option<String>,
    thread: Option<String>,
    incident: Option<String>,
    kind: Option<String>,
    id: Option<String>,
    branch: Option<String>,
}

/// Reads a message. `content_type` decides: `text/plain` is a text whose other fields are in the
/// query; anything else, or nothing, is JSON.
///
/// # Errors
/// What is wrong with it, in words for its sender.
pub fn parse(content_type: &str, query: &str, body: &[u8]) -> Result<Message, String> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("text/plain") {
        let mut query = fields(query)?;
        let mut take = |name: &str| query.remove(name);
        let thread = take("thread").or_else(|| take("incident"));
        return checked(
            [take("from"), take("to"), thread, take("kind"), take("id"), take("branch")],
            Body::of(body),
        );
    }
    let Json { from, to, message, thread, incident, kind, id, branch } =
        serde_json::from_slice(body).map_err(|error| {
            format!(
                "the body is no JSON of a message ({error}); send {{\"from\":…,\"to\":…,\"message\":…}}, \
                 or Content-Type: text/plain with ?from=…&to=…"
            )
        })?;
    let body = Body { text: message.unwrap_or_default(), bytes: None };
    checked([from, to, thread.or(incident), kind, id, branch], body)
}

fn checked(fields: [Option<String>; 6], body: Body) -> Result<Message, String> {
    let [from, to, thread, kind, id, branch] =
        fields.map(|field| field.map(|text| text.trim().to_owned()).filter(|it| !it.is_empty()));
    let to = to.ok_or("it does not say `to` whom")?;
    for name in from.iter().chain([&to]) {
        if name.len() > NAME_MAX || name.chars().any(char::is_control) {
            return Err("`from` or `to` is no name of an agent".to_owned());
        }
    }
    if body.text.trim().is_empty() {
        return Err("the message is empty".to_owned());
    }
    let kind = kind.unwrap_or_else(|| PLAIN.to_owned()).to_ascii_lowercase().replace('-', "_");
    if kind.len() > KIND_MAX || !kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err("`kind` is no word such as handoff or fix_pushed".to_owned());
    }
    if id.as_ref().is_some_and(|id| id.len() > ID_MAX) {
        return Err(format!("`id` is longer than {ID_MAX} bytes"));
    }
    let branch = branch.map(|branch| crate::gateway::news::short(&branch).to_owned());
    if branch.as_ref().is_some_and(|branch| branch.len() > BRANCH_MAX) {
        return Err(format!("`branch` is longer than {BRANCH_MAX} bytes"));
    }
    let thread = thread.map(|thread| clean::cap(&clean::reference(&thread), THREAD_MAX));
    Ok(Message { from, to, body, thread, kind, id, branch })
}

impl Message {
    /// What it is about: its thread, or else all that these two say to each other in a day, in
    /// either direction.
    pub fn thread(&self, from: &str, day: &str) -> String {
        let mut pair = [from, self.to.as_str()];
        pair.sort_unstable();
        let day = || clean::reference(&format!("{}-{}-{day}", pair[0], pair[1]));
        self.thread.clone().unwrap_or_else(day)
    }

    /// By which it is seen that the same thing is said again, whatever its punctuation.
    pub fn digest(&self) -> Vec<u8> {
        let mut hasher = Sha256::new();
        hasher.update(self.thread.as_deref().unwrap_or_default());
        hasher.update([0]);
        hasher.update(self.branch.as_deref().unwrap_or_default());
        hasher.update([0]);
        let words = self.body.text.chars().filter(|c| c.is_alphanumeric());
        for c in words.flat_map(char::to_lowercase) {
            hasher.update(c.encode_utf8(&mut [0; 4]));
        }
        hasher.finalize().to_vec()
    }
}

/// The fields of a query, decoded.
fn fields(query: &str) -> Result<BTreeMap<String, String>, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        })
        .collect()
}

fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next(), rest.next()];
                let hex = digits.map(|digit| digit.and_then(|it| char::from(it).to_digit(16)));
                let byte = match hex {
                    [Some(high), Some(low)] => u8::try_from(high * 16 + low).ok(),
                    [None, _] | [_, None] => None,
                };
                byte.ok_or_else(|| format!("the query has a bad escape: {text:?}"))?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| "the query is no UTF-8".to_owned())
}

#[cfg(test)]
mod tests;
