//! Its login, as it prints it.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::agents::Account;
use crate::agents::text::evidence;

/// What is read of it. An expiry stands there only for logins whose end the program knows: as text,
/// and a number is taken too.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    logged_in: bool,
    auth_method: Option<String>,
    login_expires_at: Option<Expiry>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Expiry {
    Text(String),
    Number(u64),
}

pub(super) fn read(printed: &[u8]) -> Option<Account> {
    let printed: Printed = serde_json::from_slice(printed).ok()?;
    Some(Account {
        logged_in: printed.logged_in,
        method: printed.auth_method.filter(|it| it != "none").map(|it| evidence(&it)),
        expires: printed.login_expires_at.and_then(|expiry| expiry.at()),
    })
}

impl Expiry {
    fn at(&self) -> Option<SystemTime> {
        /// A number as large as this does not count seconds before the year 5000.
        const MILLISECONDS_FROM: u64 = 100_000_000_000;
        match self {
            Self::Text(text) => text.parse::<jiff::Timestamp>().ok().map(SystemTime::from),
            Self::Number(number) if *number < MILLISECONDS_FROM => {
                SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(*number))
            }
            Self::Number(number) => {
                SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(*number))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 2.1.330 prints it, with what differs put in.
    fn printed(logged_in: bool, method: &str, expires: &str) -> String {
        format!(
            r#"{{"loggedIn": {logged_in}, "authMethod": "{method}", "apiProvider": "firstParty",
            "analyticsDisabled": true, "projectsDirectory": "/h/.claude/projects",
            "configDirectory": "/h/.claude", "loginExpiresAt": {expires},
            "consoleProfileSignInOffered": true, "email": null, "orgId": null}}"#
        )
    }

    fn account(logged_in: bool, method: &str, expires: &str) -> Option<Account> {
        read(printed(logged_in, method, expires).as_bytes())
    }

    #[test]
    fn a_login_is_read_as_the_program_prints_it() {
        let it = |logged_in, method: Option<&str>| {
            Some(Account { logged_in, method: method.map(str::to_owned), expires: None })
        };
        assert_eq!(account(false, "none", "null"), it(false, None));
        assert_eq!(account(true, "api_key", "null"), it(true, Some("api_key")));
        assert_eq!(account(true, "oauth_token", "null"), it(true, Some("oauth_token")));
        assert_eq!(account(true, "claude.ai", "null"), it(true, Some("claude.ai")));
        assert_eq!(read(br#"{"loggedIn":true}"#), it(true, None));
    }

    #[test]
    fn an_expiry_is_read_in_every_form() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_262_400);
        for expires in ["\"2026-11-21T12:00:00.000Z\"", "1795262400", "1795262400000"] {
            let read = account(true, "claude.ai", expires).and_then(|account| account.expires);
            assert_eq!(read, Some(noon), "{expires}");
        }
        assert_eq!(account(true, "claude.ai", "\"soon\"").and_then(|it| it.expires), None);
    }

    #[test]
    fn anything_else_is_no_login() {
        for text in ["", "Not logged in", "{}", "[]", r#"{"loggedIn":"yes"}"#] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
