//! `attach`: become a tmux client of a session's live pane.

use std::os::unix::process::CommandExt;
use std::process::Command;

use super::Context;
use super::args;
use super::failure::Failure;

/// Does not return where it succeeds: this process becomes the client.
pub(super) fn run(context: &Context, args: args::Attach) -> Result<(), Failure> {
    let unit = args.unit;
    let client = context.client()?;
    let (socket, pane) = client.pane(&unit)?;
    // tmux lets nobody else in, and says only that it cannot connect.
    if let Some(user) = client.of_another_user() {
        return Err(Failure::failed(format!(
            "{unit} is a terminal of the user {user}: `sudo -u {user} supervisor attach {unit}`; \
             `supervisor logs {unit} --screen` only looks"
        )));
    }
    let error = tmux(&socket, &pane).exec();
    let context = format!("cannot start tmux to enter {unit}");
    Err(anyhow::Error::new(error).context(context).into())
}

/// Given a pane, tmux attaches to the session it is in. A tmux around us is another server: without
/// `TMUX` in its environment the client does not mistake it for its own.
fn tmux(socket: &str, pane: &str) -> Command {
    let mut command = Command::new("tmux");
    command.args(["-u", "-S", socket, "attach-session", "-t", pane]).env_remove("TMUX");
    command
}
