//! `reboots`: how often the machine came up. Read from the log itself, so it works without a daemon.

use anyhow::Context as _;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::render::{BOLD, Cell, FAINT, PLAIN, Table, View, count, put, put_json, relative};
use super::seams::reboots::read;
use crate::protocol::Reboot;

/// Prints the count, the last, and each boot.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let (_, config) = context.config()?;
    let log = &config.supervisor.reboot_log;
    let boots = read(log).with_context(|| format!("cannot read {}", log.display()))?;
    if context.json {
        return put_json(&json!({ "count": boots.len(), "last": boots.last(), "reboots": boots }));
    }
    put(&text(&boots, &log.display().to_string(), &View::of_stdout()))
}

fn text(boots: &[Reboot], log: &str, view: &View) -> String {
    let Some(last) = boots.last() else { return format!("no boot is logged in {log}\n") };
    let at = |boot: &Reboot| boot.at.clone().unwrap_or_default();
    let head = Cell::joined(
        vec![
            (BOLD, count(boots.len(), "boot")),
            (PLAIN, format!("last {}", relative(&at(last), view.now))),
        ],
        " · ",
    );
    let rows = boots.iter().enumerate().map(|(i, boot)| {
        let id = boot.boot_id.as_deref().unwrap_or("-");
        [
            Cell::new(FAINT, &(i + 1).to_string()),
            Cell::new(PLAIN, &at(boot)),
            Cell::new(FAINT, &relative(&at(boot), view.now)),
            Cell::new(PLAIN, id),
        ]
    });
    let heads = ["#", "AT", "", "BOOT_ID"];
    let head = Table::new([""], vec![[head]]).text(None);
    format!("{head}\n{}", Table::new(heads, rows.collect()).text(view.width))
}

#[cfg(test)]
mod tests {
    use super::{Reboot, View, text};

    #[test]
    fn boots_of_any_shape_are_counted_and_listed() {
        let boot = |at: &str, id: Option<&str>| Reboot {
            at: Some(at.to_owned()),
            boot_id: id.map(str::to_owned),
        };
        let boots = [boot("some", None), boot("2026-01-01T00:00:00Z", Some("5f2c"))];
        let now = "2026-01-01T02:00:00Z".parse().expect("a time");
        let shown = text(&boots, "log", &View { width: None, height: None, now });
        assert_eq!(
            anstream::adapter::strip_str(&shown).to_string(),
            "2 boots · last 2h ago\n\
             \n\
             #  AT                            BOOT_ID\n\
             1  some                  some    -\n\
             2  2026-01-01T00:00:00Z  2h ago  5f2c\n"
        );
    }
}
