//! `reboots`: how often the machine came up. Read from the log itself, so it works without a daemon.

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::render::{BOLD, Cell, FAINT, PLAIN, Table, View, count, put, put_json, relative};
use crate::protocol::Reboot;
use crate::world::reboots::{Entry, read};

/// Prints the count, the last, and each boot.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let (_, config) = context.config()?;
    let log = &config.supervisor.reboot_log;
    let boots = read(log).with_context(|| format!("cannot read {}", log.display()))?;
    let (lines, boots): (Vec<String>, Vec<Reboot>) = boots.into_iter().map(told).unzip();
    if context.json {
        return put_json(&json!({ "count": boots.len(), "last": boots.last(), "reboots": boots }));
    }
    put(&text(&boots, &lines, &log.display().to_string(), &View::of_stdout()))
}

/// The whole line, and what it says in the words of the protocol.
fn told(entry: Entry) -> (String, Reboot) {
    let at = entry.at.and_then(|at| Timestamp::try_from(at).ok());
    (entry.line, Reboot { at: at.map(|at| at.to_string()), boot_id: entry.boot_id })
}

fn text(boots: &[Reboot], lines: &[String], log: &str, view: &View) -> String {
    let Some(last) = boots.last() else { return format!("no boot is logged in {log}\n") };
    let at = |boot: &Reboot| boot.at.clone().unwrap_or_default();
    let when = last.at.as_ref().map(|at| format!("last {}", relative(at, view.now)));
    let when = when.unwrap_or_default();
    let head = Cell::joined(vec![(BOLD, count(boots.len(), "boot")), (PLAIN, when)], " · ");
    let rows = boots.iter().zip(lines).enumerate().map(|(i, (boot, line))| {
        // An entry of another shape is shown as it was written.
        let id = boot.boot_id.as_ref().unwrap_or(line);
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
        let boot = |at: Option<&str>, id: Option<&str>| Reboot {
            at: at.map(str::to_owned),
            boot_id: id.map(str::to_owned),
        };
        let boots = [boot(None, None), boot(Some("2026-01-01T00:00:00Z"), Some("5f2c"))];
        let now = "2026-01-01T02:00:00Z".parse().expect("a time");
        let shown = text(
            &boots,
            &["some day in May".to_owned(), String::new()],
            "log",
            &View { width: None, height: None, now },
        );
        assert_eq!(
            anstream::adapter::strip_str(&shown).to_string(),
            "2 boots · last 2h ago\n\
             \n\
             #  AT                            BOOT_ID\n\
             1                                some day in May\n\
             2  2026-01-01T00:00:00Z  2h ago  5f2c\n"
        );
    }
}
