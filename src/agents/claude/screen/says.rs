//! What the program says, as tables: the errors a turn ends with, its dialogs, its last words. All
//! of it is matched without white space. Another text is another row.

use crate::decide::{Complaint, Dialog as Asks, Failure, Wedge};

/// An error that ended the last turn.
#[derive(Debug)]
pub(super) struct Error {
    /// It begins so.
    begins: &'static str,
    /// And has this in it.
    has: &'static str,
    /// What it means.
    pub(super) means: Failure,
}

/// The first row that fits holds.
const ERRORS: &[Error] = &[
    // A conversation whose every further turn fails the same way.
    wedged("API Error: 400", "blocks in the latest assistant message cannot be modified"),
    wedged("API Error: 400 due to tool use concurrency issues", ""),
    wedged("API Error: 400 orphaned tool_result", ""),
    wedged("API Error: 400", "duplicate tool_use ID in conversation history"),
    wedged("Error during compaction:", ""),
    full("Context limit reached", ""),
    full("Prompt is too long", ""),
    full("An image in the conversation exceeds the dimension limit", ""),
    full("Request too large", ""),
    limited("You've hit your", "limit"),
    limited("You've reached your", "limit"),
    limited("You're out of", "usage"),
    limited("Usage limit reached", ""),
    limited("5-hour limit reached", ""),
    limited("Weekly limit reached", ""),
    limited("Automatic continue stopped", ""),
    logged_out("Please run /login", ""),
    logged_out("Not logged in", ""),
    logged_out("Login expired", ""),
    logged_out("OAuth token revoked", ""),
    logged_out("Failed to authenticate", ""),
    logged_out("Invalid API key", ""),
    error_of("Credit balance", "too low", Failure::Unpaid),
    error_of("There's an issue with the selected model", "", Failure::Misconfigured),
    errored("API Error", ""),
];

/// Which error `said`, squeezed, is.
pub(super) fn error(said: &str) -> Option<&'static Error> {
    ERRORS.iter().find(|error| begins(said, error.begins) && has(said, error.has))
}

/// Below the input line while a limit is waited for.
pub(super) const LIMIT_NOTICE: &str = "⚠ Usage limit reached";

/// What turns while a limit is waited for in the middle of a turn: it goes on by itself.
pub(super) const LIMIT_RETRIED: &str = "limit reached · retrying in";

/// In the footer of a turn that goes on.
pub(super) const INTERRUPT: &str = "esc to interrupt";

/// What turns says so if something goes on: an ellipsis, or these. What is over has neither.
pub(super) const GOES_ON: [&str; 3] = ["…", "retrying in", "Waiting for API response"];

/// At the end of what a good turn took; versions without it say what any turn took.
pub(super) const WELL_OVER: &str = "· done";

/// A dialog.
#[derive(Debug)]
pub(super) struct Dialog {
    /// Its box begins so.
    begins: &'static str,
    /// And has this in it.
    has: &'static str,
    /// What it is called.
    pub(super) name: &'static str,
    /// What would have spared it; `{directory}` stands for the working directory.
    pub(super) spared: &'static str,
    /// What it asks.
    pub(super) asks: Asks,
}

/// The title of the trust dialog; below it stands the directory.
pub(super) const TRUST_TITLE: &str = "Accessing workspace:";

/// The first row that fits holds. Boxes that come up before the conversation first: what would have
/// spared them can be told.
const DIALOGS: &[Dialog] = &[
    start(TRUST_TITLE, "trust this folder", "the trust dialog", TRUST),
    start("Do you trust the files in this folder?", "", "the trust dialog", TRUST),
    start(
        "WARNING: Claude Code running in Bypass Permissions mode",
        "",
        "the warning of the bypass mode",
        "set skipDangerousModePermissionPrompt to true in ~/.claude/settings.json",
    ),
    start(
        "Detected a custom API key in your environment",
        "",
        "the question whether to use the API key",
        "add the key's last 20 characters to customApiKeyResponses.approved in ~/.claude.json",
    ),
    start(
        "Allow external CLAUDE.md file imports?",
        "",
        "the question about imports in CLAUDE.md",
        "set projects[\"{directory}\"].hasClaudeMdExternalIncludesApproved to true (or \
         …WarningShown, to go without them) in ~/.claude.json",
    ),
    start("", "new MCP server", "the question about MCP servers", MCP),
    start("New MCP server found in", "", "the question about MCP servers", MCP),
    start(
        "This session is",
        "tokens",
        "the question how to resume a long conversation",
        "set resumeReturnDismissed to true in ~/.claude.json",
    ),
    start("Resume session", "", "the picker of conversations", "resume by the conversation's id"),
    start("", "Select login method:", "the login", LOGIN),
    start("Login", "", "the login", LOGIN),
    dialog("What do you want to do?", "limit to reset", "the usage-limit dialog", Asks::Limit),
    dialog("", "Tab to amend", "a permission prompt", Asks::Permission),
    dialog("", "Do you want to", "a permission prompt", Asks::Permission),
    dialog("", "Would you like to proceed?", "a permission prompt", Asks::Permission),
    dialog("", "Enter to select · ↑/↓ to navigate", "a question of the agent", Asks::Question),
];

const TRUST: &str =
    "set projects[\"{directory}\"].hasTrustDialogAccepted to true in ~/.claude.json";
const MCP: &str = "set enableAllProjectMcpServers to true in ~/.claude/settings.json, or name the \
                   servers in disabledMcpjsonServers";
const LOGIN: &str = "log in once with `claude` as this user, or set CLAUDE_CODE_OAUTH_TOKEN (of \
                     `claude setup-token`) or ANTHROPIC_API_KEY in its environment_file";

/// Which dialog a box, squeezed, is.
pub(super) fn dialog_of(asks: &str) -> Option<&'static Dialog> {
    DIALOGS.iter().find(|dialog| begins(asks, dialog.begins) && has(asks, dialog.has))
}

/// Before the very first conversation there are no boxes: a picture, and a question below it.
pub(super) const WELCOME: &str = "Welcome to Claude Code";
const ONBOARDING: [(&str, &str); 3] = [
    ("Choose the text style", "set hasCompletedOnboarding to true and theme in ~/.claude.json"),
    ("Select login method:", LOGIN),
    ("Press Enter to continue", "set hasCompletedOnboarding to true in ~/.claude.json"),
];

/// What an onboarding screen, squeezed, asks, and what would have spared it.
pub(super) fn onboarding(screen: &str) -> Option<(&'static str, &'static str)> {
    let asks = |(asks, _): &&(&str, &str)| has(screen, asks);
    begins(screen, WELCOME).then(|| ONBOARDING.iter().find(asks).copied()).flatten()
}

/// How it begins its advice at its end.
pub(super) const HOW_TO_RESUME: &str = "Resume this session with:";

/// What it says before it ends, and what that is about; none for what says nothing, or nothing of its
/// own.
const LAST_WORDS: &[(&str, &str, Option<Complaint>)] = &[
    ("No conversation found with session ID", "", Some(Complaint::Conversation)),
    ("Error: Session ID", "is already in use", Some(Complaint::Conversation)),
    ("Error: Invalid session ID", "", Some(Complaint::Conversation)),
    ("No conversation found to continue", "", None),
    ("Claude Code didn't start because", "", None),
    ("--dangerously-skip-permissions cannot be used with root", "", None),
    (HOW_TO_RESUME, "", None),
    ("Unable to connect to Anthropic services", "", Some(Complaint::Network)),
    ("Failed to connect to api.anthropic.com", "", Some(Complaint::Network)),
    ("Check your internet connection and network settings", "", None),
    ("Claude Code might not be available in your country", "", None),
    ("Error: Input must be provided", "", None),
];

/// Whether a paragraph, squeezed, is of its last words, and what they are about.
pub(super) fn last_words(paragraph: &str) -> Option<Option<Complaint>> {
    let is = |(words, more, _): &&(&str, &str, Option<Complaint>)| {
        begins(paragraph, words) && has(paragraph, more)
    };
    LAST_WORDS.iter().find(is).map(|(_, _, about)| *about)
}

fn begins(text: &str, words: &str) -> bool {
    let mut text = text.chars();
    words.chars().filter(|c| !c.is_whitespace()).all(|c| text.next() == Some(c))
}

/// The tables are matched against a few hundred characters, a few times a minute.
fn has(text: &str, words: &str) -> bool {
    text.contains(&crate::agents::rows::squeeze(words))
}

const fn wedged(begins: &'static str, has: &'static str) -> Error {
    error_of(begins, has, Failure::Wedged(Wedge::Poisoned))
}

const fn full(begins: &'static str, has: &'static str) -> Error {
    error_of(begins, has, Failure::Wedged(Wedge::Full))
}

const fn limited(begins: &'static str, has: &'static str) -> Error {
    error_of(begins, has, Failure::Limited { until: None })
}

const fn logged_out(begins: &'static str, has: &'static str) -> Error {
    error_of(begins, has, Failure::LoggedOut)
}

const fn errored(begins: &'static str, has: &'static str) -> Error {
    error_of(begins, has, Failure::Errored)
}

const fn error_of(begins: &'static str, has: &'static str, means: Failure) -> Error {
    Error { begins, has, means }
}

const fn start(
    begins: &'static str,
    has: &'static str,
    name: &'static str,
    spared: &'static str,
) -> Dialog {
    Dialog { begins, has, name, spared, asks: Asks::Start }
}

const fn dialog(begins: &'static str, has: &'static str, name: &'static str, asks: Asks) -> Dialog {
    Dialog { begins, has, name, spared: "", asks }
}
