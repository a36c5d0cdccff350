//! Secrets that got into a text by mistake: what has the shape of one is not passed on. Not here:
//! our own secrets, which are in no text at all.

/// What stands in place of a secret.
const GONE: &str = "[redacted]";

/// Beginnings that only keys have.
const PREFIXES: [&str; 12] = [
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-ant-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "ASIA",
];
/// A key is at least so much longer than its beginning, in bytes.
const KEY_MIN: usize = 12;
/// What follows `Bearer` or `Basic` is a credential if it is so long, in bytes.
const CREDENTIAL_MIN: usize = 16;
/// The length of an older personal access token of Azure DevOps: base 32.
const PAT: usize = 52;
/// The length of a newer one, which says so in its middle.
const LONG_PAT: usize = 84;
const LONG_PAT_MARK: &str = "AZDO";

/// `text` with a word in the place of each secret.
pub fn redact(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut after_scheme = false;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let secret = is_key(word) || (after_scheme && word.len() >= CREDENTIAL_MIN);
        kept.push_str(if secret { GONE } else { word });
        if !word.is_empty() {
            after_scheme = ["bearer", "basic"].iter().any(|it| word.eq_ignore_ascii_case(it));
        }
        let gap = after.find(is_part).unwrap_or(after.len());
        let (between, next) = after.split_at(gap);
        kept.push_str(between);
        rest = next;
    }
    kept
}

/// Whether a secret may contain it.
fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '+' | '/' | '=')
}

fn is_key(word: &str) -> bool {
    // `name=secret` and `path/secret` are one word to us.
    let last = word.rsplit(['=', '/']).find(|part| !part.is_empty()).unwrap_or_default();
    let long = |prefix: &&str| last.len() >= prefix.len() + KEY_MIN;
    PREFIXES.iter().any(|prefix| last.starts_with(prefix) && long(prefix))
        || (last.len() == PAT && last.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
        || (last.len() == LONG_PAT
            && last.contains(LONG_PAT_MARK)
            && last.bytes().all(|b| b.is_ascii_alphanumeric()))
}
