//! How a server is born: the one command line and the environment it is started with.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use tmux_interface::{NewSession, SetOption, StartServer};

use super::Tmux;
use super::quote::{Words, sequence};
use super::server::{SESSION, Size, identity_format};

/// How many lines that have scrolled away are kept. They cost memory only when used.
const HISTORY: &str = "10000";

/// What must not reach the server. With a user bus in sight a tmux built for systemd moves its
/// panes into scopes of their own; with the other two it takes itself for nested. The agent gets
/// back what it needs in its launch file.
const WITHHELD: [&str; 4] = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "TMUX", "TMUX_PANE"];

/// The whole birth as one command line: tmux carries it out without a gap, so that the options
/// hold before the pane's program can end.
pub(super) fn argv(tmux: &Tmux, socket: &Path, size: Size, program: &[OsString]) -> Vec<OsString> {
    let size = size.at_least(Size::LEAST);
    let session = || SetOption::new().global();
    let window = || SetOption::new().global().window();
    let server = || SetOption::new().server();
    let mut commands: Vec<Words> = vec![StartServer::new().build().into()];
    let options = [
        (window(), "remain-on-exit", "on"),
        // Nothing is to be drawn over the last screen.
        (window(), "remain-on-exit-format", ""),
        (window(), "allow-rename", "off"),
        (window(), "automatic-rename", "off"),
        (session(), "history-limit", HISTORY),
        (session(), "status", "off"),
        (session(), "set-titles", "off"),
        (session(), "destroy-unattached", "off"),
        (session(), "mouse", "on"),
        // A client that attaches must not change what the pane's next program inherits.
        (session(), "update-environment", ""),
        (server(), "default-terminal", "screen-256color"),
        (server(), "escape-time", "0"),
        // A server that lost its pane is of no use, and its end is how that is learnt.
        (server(), "exit-empty", "on"),
    ];
    commands.extend(options.map(|(set, name, value)| set.option(name).value(value).build().into()));
    let new_session = NewSession::new()
        .detached()
        .print()
        .format(identity_format())
        .session_name(SESSION)
        .window_name(SESSION)
        .width(size.columns.into())
        .height(size.rows.into());
    commands.push(Words::from(new_session.build()).and(["--"]).and(program));
    // A fixed size, so that no client that attaches can shrink the pane: it sees a part and the
    // view follows the cursor. Set on this window alone, and after it is there: tmux 3.3a dies
    // of a new window under a global `window-size manual`.
    let fixed = SetOption::new().window().target_pane(format!("={SESSION}:"));
    commands.push(fixed.option("window-size").value("manual").build().into());

    let mut argv: Vec<OsString> = vec![tmux.program().into()];
    argv.extend(["-u", "-f", "/dev/null", "-S"].map(OsString::from));
    argv.push(socket.into());
    argv.extend(sequence(commands));
    argv
}

/// Leaves out what the server must not see, and sees to a UTF-8 locale.
pub(super) fn environment(environment: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let mut environment = environment;
    environment.retain(|(name, _)| !WITHHELD.iter().any(|withheld| name == withheld));
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|wanted| {
        environment.iter().find(|(name, value)| name == wanted && !value.is_empty())
    });
    if !locale.is_some_and(|(_, value)| is_utf8_locale(value)) {
        environment.retain(|(name, _)| name != "LC_ALL" && name != "LC_CTYPE");
        environment.push(("LC_CTYPE".into(), "C.UTF-8".into()));
    }
    environment
}

fn is_utf8_locale(value: &OsStr) -> bool {
    let value = value.to_string_lossy().to_ascii_lowercase();
    value.contains("utf-8") || value.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        list.iter().map(|(k, v)| (k.into(), v.into())).collect()
    }

    #[test]
    fn a_server_sees_no_user_bus_and_no_other_tmux() {
        let given = pairs(&[
            ("DBUS_SESSION_BUS_ADDRESS", "unix:x"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
            ("TMUX", "a"),
            ("TMUX_PANE", "%1"),
            ("LANG", "de_DE.UTF-8"),
            ("A", "b"),
        ]);
        assert_eq!(environment(given), pairs(&[("LANG", "de_DE.UTF-8"), ("A", "b")]));
    }

    #[test]
    fn a_server_without_a_utf8_locale_gets_one_that_wins() {
        let utf8 = ("LC_CTYPE", "C.UTF-8");
        assert_eq!(environment(pairs(&[])), pairs(&[utf8]));
        let c = pairs(&[("LC_ALL", "C"), ("LANG", "en_US.utf8")]);
        assert_eq!(environment(c), pairs(&[("LANG", "en_US.utf8"), utf8]));
        let good = pairs(&[("LC_ALL", ""), ("LC_CTYPE", "en_US.utf8"), ("LANG", "C")]);
        assert_eq!(environment(good.clone()), good);
    }
}
