//! One message to one target, over its own wire. Not here: when, and how often.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use sha2::Digest as _;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::words::Message;
use super::{Hands, Severity, nanoclaw};
use crate::config::{Target, UrlSource};
use crate::decide::Exit;
use crate::world::children;
use crate::world::http::{self, HttpError, Request};

/// A request has a time of its own; beyond this the resolver or a mount hangs, and that is said.
const HANGS_AFTER: Duration = Duration::from_secs(30);
/// A command may well ask somebody over the network.
const COMMAND_WITHIN: Duration = Duration::from_secs(30);

/// Why a target did not take a message. The text holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It may at another time.
    Later { why: String, patience: Option<Duration> },
    /// Not this message.
    Never { why: String },
    /// There is nobody there just now, and that is ordinary.
    Down { why: String },
}

/// How it is called where people read it.
pub(super) fn name(target: &Target) -> String {
    let at = |url: &UrlSource| match url {
        UrlSource::Written(url) => url.host().to_owned(),
        UrlSource::File(path) => format!("of {}", path.display()),
    };
    match target {
        Target::Ntfy { url, .. } => format!("ntfy {}", at(url)),
        Target::Webhook { url, .. } => format!("webhook {}", at(url)),
        Target::Command(words) => format!("command {}", words.first().map_or("", String::as_str)),
        Target::Nanoclaw { group, .. } => format!("nanoclaw {group}"),
    }
}

/// How it is called in the files: a digest, for its URL is a secret.
pub(super) fn id(target: &Target) -> String {
    let mut digest = sha2::Sha256::new();
    let url = |digest: &mut sha2::Sha256, url: &UrlSource| match url {
        UrlSource::Written(url) => digest.update(url.whole()),
        UrlSource::File(path) => digest.update(path.as_os_str().as_encoded_bytes()),
    };
    let kind = match target {
        Target::Ntfy { url: to, .. } => {
            url(&mut digest, to);
            "ntfy"
        }
        Target::Webhook { url: to, .. } => {
            url(&mut digest, to);
            "webhook"
        }
        Target::Command(words) => {
            for word in words {
                digest.update(word);
                digest.update([0]);
            }
            "command"
        }
        Target::Nanoclaw { group, .. } => {
            digest.update(group);
            "nanoclaw"
        }
    };
    let digest = digest.finalize();
    let digest: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}-{digest}")
}

/// Says it once. `hanging` is called when that takes longer than it should; the thread that hangs is
/// waited for all the same, so that there is one for each target and no more.
pub(super) async fn tell(
    target: &Target,
    message: &Message,
    hands: &Hands,
    hanging: &dyn Fn(&str),
) -> Result<(), Refusal> {
    if let Target::Command(argv) = target {
        return command(argv, message, hands).await;
    }
    let (target, message) = (target.clone(), message.clone());
    let mut told = spawn_blocking(move || match &target {
        Target::Ntfy { url, token_file } => {
            let headers = ntfy_headers(&message);
            call(url, token_file.as_deref(), headers, message.text.clone().into_bytes())
        }
        Target::Webhook { url, token_file, template } => {
            let headers = vec![("Content-Type", "application/json".to_owned())];
            let body = match template {
                Some(template) => filled_in(template, &message),
                None => as_json(&message),
            };
            call(url, token_file.as_deref(), headers, body.into_bytes())
        }
        Target::Nanoclaw { directory, folder, jid, .. } => {
            nanoclaw::show(directory.as_deref(), folder, jid.as_deref(), &message)
        }
        Target::Command(_) => Ok(()),
    });
    let told = match timeout(HANGS_AFTER, &mut told).await {
        Ok(told) => told,
        Err(_) => {
            hanging(&format!("no end within {} s", HANGS_AFTER.as_secs()));
            told.await
        }
    };
    let gone = Refusal::Later { why: "its thread is gone".to_owned(), patience: None };
    told.unwrap_or(Err(gone))
}

fn call(
    url: &UrlSource,
    token_file: Option<&Path>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
) -> Result<(), Refusal> {
    let later = |error: HttpError| Refusal::Later { why: with_source(&error), patience: None };
    let url = http::url(url).map_err(later)?;
    let token = token_file.map(http::secret).transpose().map_err(later)?;
    let answer =
        http::send(Request { url: &url, token, headers, body: Some(body) }).map_err(later)?;
    if answer.is_good() {
        return Ok(());
    }
    let status = answer.status;
    let why = match status {
        401 | 403 => format!("{} answers with status {status}: see its token", url.host()),
        300..=399 => format!("{} answers with status {status}: it is elsewhere", url.host()),
        _ => format!("{} answers with status {status}", url.host()),
    };
    Err(match status {
        // It is the message that it does not like.
        400 | 406 | 411 | 413 | 415 | 422 => Refusal::Never { why },
        _ => Refusal::Later { why, patience: answer.retry_after },
    })
}

fn with_source(error: &HttpError) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn ntfy_headers(message: &Message) -> Vec<(&'static str, String)> {
    let (priority, tag) = match message.severity {
        Severity::Info => ("default", "information_source"),
        Severity::Warning => ("high", "warning"),
        Severity::Urgent => ("urgent", "rotating_light"),
    };
    vec![
        ("Title", in_a_header(&message.headline())),
        ("Priority", priority.to_owned()),
        ("Tags", tag.to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
    ]
}

/// A text as a header may hold it (RFC 2047), which ntfy reads.
fn in_a_header(text: &str) -> String {
    if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return text.to_owned();
    }
    let mut encoded = String::from("=?UTF-8?Q?");
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b':' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('_'),
            other => encoded.push_str(&format!("={other:02X}")),
        }
    }
    encoded + "?="
}

fn as_json(message: &Message) -> String {
    let Message { id, key, title, text, severity, count, time } = message;
    json!({
        "id": id, "key": key, "title": title, "text": text, "severity": severity, "count": count,
        "time": time, "host": super::words::host(),
    })
    .to_string()
}

/// The words of a template, each as it may stand between quotes in JSON. What a title says is not
/// searched for words again.
fn filled_in(template: &str, message: &Message) -> String {
    let quoted = |text: &str| {
        let json = serde_json::Value::from(text).to_string();
        json[1..json.len() - 1].to_owned()
    };
    let words = [
        ("{title}", quoted(&message.title)),
        ("{text}", quoted(&message.text)),
        ("{severity}", message.severity.as_str().to_owned()),
        ("{key}", quoted(&message.key)),
        ("{count}", message.count.to_string()),
        ("{time}", message.time.clone()),
        ("{host}", quoted(&super::words::host())),
    ];
    let mut filled = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        match words.iter().find(|(word, _)| from.starts_with(word)) {
            Some((word, text)) => {
                filled.push_str(text);
                rest = &from[word.len()..];
            }
            None => {
                filled.push('{');
                rest = &from[1..];
            }
        }
    }
    filled + rest
}

async fn command(argv: &[String], message: &Message, hands: &Hands) -> Result<(), Refusal> {
    let mut env = hands.environment.clone();
    let Message { id, key, title, severity, count, time, .. } = message;
    let count = count.to_string();
    for (name, value) in [
        ("ID", id.as_str()),
        ("KEY", key),
        ("TITLE", title),
        ("SEVERITY", severity.as_str()),
        ("COUNT", &count),
        ("TIME", time),
    ] {
        let name = OsString::from(format!("SUPERVISOR_NOTICE_{name}"));
        env.retain(|(other, _)| *other != name);
        // The kernel's words end with a NUL.
        env.push((name, OsString::from(value.replace('\0', ""))));
    }
    let input = message.text.as_bytes();
    let ended = children::run(&*hands.children, argv, env, input, COMMAND_WITHIN).await;
    let why = match ended {
        Ok(Exit::Code(0)) => return Ok(()),
        Ok(Exit::Code(code)) => format!("it ended with {code}"),
        Ok(Exit::Signal(signal)) => format!("it was ended by signal {signal}"),
        Ok(Exit::OutOfMemory) => "it was killed for want of memory".to_owned(),
        // Nobody knows, so it is said again.
        Ok(Exit::Unknown) => "it ended, and nobody knows how".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Refusal::Later { why, patience: None })
}

#[cfg(test)]
mod tests;
