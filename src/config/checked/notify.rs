//! Who is told, and what is called while all is well. Not here: what is said, and when.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// `[notify]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// All of them are told.
    pub targets: Vec<Target>,
    /// The dead-man's switch.
    pub heartbeat: Option<Heartbeat>,
}

/// `heartbeat = { url = "…", every = "5m" }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// What is called.
    pub url: UrlSource,
    /// How often.
    pub every: Duration,
}

/// One way to the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A topic of an ntfy server.
    Ntfy {
        /// The topic's.
        url: UrlSource,
        /// A file with the access token.
        token_file: Option<PathBuf>,
    },
    /// Something that takes JSON.
    Webhook {
        /// Its URL.
        url: UrlSource,
        /// A file with what is sent as `Authorization: Bearer …`.
        token_file: Option<PathBuf>,
        /// The JSON that is sent, with `{title}` and the like in it; `None` = our own form.
        template: Option<String>,
    },
    /// A program of the operator's, with its arguments; the text is on its standard input.
    Command(Vec<String>),
    /// A group of NanoClaw.
    Nanoclaw {
        /// Its name in our configuration.
        group: String,
        /// Where NanoClaw is installed, if the configuration says so.
        directory: Option<PathBuf>,
        /// The group's folder there.
        folder: String,
        /// Its chat, if the configuration says so.
        jid: Option<String>,
    },
}

/// Where a URL is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UrlSource {
    /// It stands in the configuration.
    Written(SecretUrl),
    /// It is the first line of a file, read each time.
    File(PathBuf),
}

/// An address of HTTP. The topic of ntfy and the path of a ping are passwords, so all that it ever
/// shows is its host.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    whole: String,
    host: (usize, usize),
}

impl SecretUrl {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right; never the text itself.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let start = ["https://", "http://"].iter().find(|scheme| text.starts_with(**scheme));
        let start = start.ok_or("is no URL; write \"https://…\"")?.len();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("is no URL: it has blanks or other odd characters in it; take them out");
        }
        let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |length| start + length);
        let host = &text[start..end];
        if host.contains('@') {
            return Err("has a login in it; put a token into a `token_file` instead");
        }
        if host.is_empty() || host.starts_with(':') {
            return Err("names no host; write \"https://host/…\"");
        }
        Ok(Self { whole: text.to_owned(), host: (start, end) })
    }

    /// The secret itself, for nobody but whoever calls it.
    pub fn whole(&self) -> &str {
        &self.whole
    }

    /// What may be shown.
    pub fn host(&self) -> &str {
        &self.whole[self.host.0..self.host.1]
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", &self.whole[..self.host.1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_nothing_but_its_host() {
        for (text, host) in [
            ("https://ntfy.example.org/s3cret", "ntfy.example.org"),
            ("http://127.0.0.1:80?s3cret", "127.0.0.1:80"),
            ("https://[::1]:1/s3cret#x", "[::1]:1"),
        ] {
            let url = SecretUrl::parse(text).unwrap();
            assert_eq!((url.host(), url.whole()), (host, text));
            assert!(!format!("{url:?}").contains("s3cret"));
        }
    }

    #[test]
    fn what_is_no_url_is_refused_and_not_repeated() {
        for text in
            ["s3cret", "ftp://x/s3cret", "https:///s3cret", "https://s3cret:x@h/", "https://:1"]
        {
            assert!(!SecretUrl::parse(text).unwrap_err().contains("s3cret"), "{text}");
        }
        assert!(SecretUrl::parse("https://h/a b").is_err());
        assert!(SecretUrl::parse("https://h/\r\nX: y").is_err());
    }
}
