//! Its login, as `codex login status` prints it on standard error. A provider of the config's own with
//! a key in the environment needs none, and is not told of.

use crate::agents::Account;
use crate::agents::text::evidence;

/// What stands before the way of the login.
const BY: [(&str, &str); 2] = [("Logged in using ", ""), ("API key configured", "an API key")];

pub(super) fn read(printed: &[u8]) -> Option<Account> {
    let printed = String::from_utf8_lossy(printed);
    let lines = || printed.lines().map(str::trim);
    if lines().any(|line| line == "Not logged in") {
        return Some(Account { logged_in: false, method: None, expires: None });
    }
    let by = lines().find_map(|line| {
        let (begin, method) = BY.iter().find(|(begin, _)| line.starts_with(begin))?;
        // A key is shown in part, and shall not be.
        Some(evidence(if method.is_empty() { line.get(begin.len()..)? } else { method }))
    })?;
    Some(Account { logged_in: true, method: Some(by), expires: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_told_by_its_way_and_a_key_is_not_repeated() {
        let by = |text: &str| read(text.as_bytes()).map(|it| (it.logged_in, it.method));
        let key = "WARNING: no PATH aliases\nAPI key configured - sk-fake-***67890\nAuthentication is \
                   checked when you send a request.\n";
        assert_eq!(by(key), Some((true, Some("an API key".to_owned()))));
        assert_eq!(by("Logged in using ChatGPT\n"), Some((true, Some("ChatGPT".to_owned()))));
        assert_eq!(by("WARNING: x\nNot logged in\n"), Some((false, None)));
        assert_eq!(by("error: unrecognized subcommand"), None);
    }
}
