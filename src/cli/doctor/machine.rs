//! What the machine must offer: tools, kernel, cgroups.

use std::path::Path;

use super::Check;
use super::programs::{answer, on_path};
use crate::config::Config;
use crate::daemon::{chain, instance};
use crate::decide::UnitKind;
use crate::world::cgroup::{Cgroups, Roots};
use crate::world::{logs, scope};

/// The oldest tmux whose behaviour we know, and the first that never loses the end of a pane.
const TMUX_LEAST: (u32, u32) = (3, 3);
const TMUX_WHOLE: (u32, u32) = (3, 6);

/// Where the kernel says which boot this is, unless the configuration says otherwise.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// All of them; what depends on the configuration is left out without one.
pub(super) fn checks(config: Option<&Config>) -> Vec<Check> {
    let sessions = config
        .is_none_or(|config| config.units.values().any(|unit| unit.kind != UnitKind::Service));
    let limits =
        config.is_some_and(|config| config.units.values().any(|unit| unit.memory_max.is_some()));
    let boot_id = config.map_or(Path::new(BOOT_ID), |config| &config.supervisor.boot_id_file);
    let mut checks = vec![
        tmux_now(sessions),
        git(),
        boot(boot_id),
        cgroups(config),
        memory(memory_cap_manager(), limits),
    ];
    if let Some(config) = config {
        let dir = &config.supervisor.state_dir;
        checks.push(hole_punching(dir));
    }
    checks
}

/// The tmux of this machine.
pub(super) fn tmux_now(sessions: bool) -> Check {
    tmux(on_path("tmux", &[]).and_then(|_| answer("tmux", &["-V"]).ok()), sessions)
}

/// Judges what `tmux -V` said.
fn tmux(said: Option<String>, sessions: bool) -> Check {
    const NAME: &str = "tmux";
    let remedy = "install the package tmux, 3.3 or later: sessions live in it";
    let Some(said) = said else {
        let finding = "not found on PATH";
        return if sessions {
            Check::fail(NAME, finding, remedy)
        } else {
            Check::warn(NAME, finding, remedy)
        };
    };
    match version(&said) {
        None => Check::warn(NAME, format!("{said}: of no version that we know"), remedy),
        Some(found) if found < TMUX_LEAST => {
            Check::fail(NAME, format!("{said} is too old"), remedy)
        }
        Some(found) if found < TMUX_WHOLE => Check::warn(
            NAME,
            format!("{said} sometimes loses the end of a program, which is cured as it happens"),
            "tmux 3.6 does not lose it",
        ),
        Some(_) => Check::ok(NAME, said),
    }
}

/// The numbers in `tmux 3.3a` or `tmux next-3.7`.
fn version(said: &str) -> Option<(u32, u32)> {
    let from = said.find(|c: char| c.is_ascii_digit())?;
    let (major, rest) = said.get(from..)?.split_once('.')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((major.parse().ok()?, rest.get(..end)?.parse().ok()?))
}

fn git() -> Check {
    match answer("git", &["--version"]) {
        Ok(said) => Check::ok("git", said),
        Err(why) => Check::warn("git", why, "install git: agents and the reboot log use it"),
    }
}

fn boot(file: &Path) -> Check {
    match std::fs::read_to_string(file) {
        Ok(id) if !id.trim().is_empty() => Check::ok("boot_id", id.trim()),
        Ok(_) => Check::fail(
            "boot_id",
            format!("{} is empty", file.display()),
            "let supervisor.boot_id_file name the kernel's",
        ),
        Err(error) => Check::fail(
            "boot_id",
            format!("cannot read {}: {error}", file.display()),
            "mount /proc, or let supervisor.boot_id_file name a file that is there",
        ),
    }
}

fn cgroups(config: Option<&Config>) -> Check {
    const NAME: &str = "cgroups";
    let state_dir = config.map_or(Path::new("/"), |config| &config.supervisor.state_dir);
    match Cgroups::find(&instance(state_dir), &Roots::default()) {
        Ok(_) => Check::ok(NAME, "each unit is born in a cgroup of its own"),
        Err(why) => Check::warn(
            NAME,
            format!("{}: units are grouped by process group and marks", chain(&why)),
            why.remedy(),
        ),
    }
}

/// Asks over D-Bus, so in a runtime of its own.
fn memory_cap_manager() -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let available = runtime.map_err(|error| error.to_string())?.block_on(scope::available());
    match available {
        Ok(()) => Ok("a systemd manager keeps them".to_owned()),
        Err(why) => Err(chain(&why)),
    }
}

fn hole_punching(state_dir: &Path) -> Check {
    const NAME: &str = "hole punching";
    let logs = state_dir.join("logs");
    // Before the first run there is no such folder yet; its nearest parent is on the same disk.
    let Some(folder) = logs.ancestors().find(|folder| folder.is_dir()) else {
        return Check::warn(NAME, "no folder to try it in", "make state_dir");
    };
    if logs::supports_punching(folder) {
        Check::ok(NAME, "logs are rotated while they are written")
    } else {
        Check::warn(
            NAME,
            format!("not in {}: logs are rotated only when a service starts", folder.display()),
            "put state_dir on ext4, xfs, btrfs or tmpfs, and let it be writable",
        )
    }
}

fn memory(found: Result<String, String>, wanted: bool) -> Check {
    const NAME: &str = "memory limits";
    match found {
        Ok(finding) => Check::ok(NAME, finding),
        Err(why) if wanted => {
            Check::warn(NAME, why, "until then units with memory_max run uncapped")
        }
        Err(why) => Check::ok(NAME, format!("none are asked for ({why})")),
    }
}

#[cfg(test)]
mod tests {
    use super::{tmux, version};
    use crate::cli::doctor::Verdict;

    #[test]
    fn versions_of_tmux_are_read_as_it_writes_them() {
        for (said, read) in [
            ("tmux 3.3a", Some((3, 3))),
            ("tmux 3.6", Some((3, 6))),
            ("tmux next-3.7", Some((3, 7))),
            ("tmux 10.12b", Some((10, 12))),
            ("tmux openbsd", None),
        ] {
            assert_eq!(version(said), read, "{said}");
        }
    }

    #[test]
    fn a_tmux_is_judged_by_what_is_known_of_its_version() {
        for (said, sessions, verdict) in [
            (None, true, Verdict::Fail),
            (None, false, Verdict::Warn),
            (Some("tmux 3.2a"), true, Verdict::Fail),
            (Some("tmux 3.3a"), true, Verdict::Warn),
            (Some("tmux 3.5a"), true, Verdict::Warn),
            (Some("tmux 3.6"), true, Verdict::Ok),
            (Some("tmux master"), true, Verdict::Warn),
        ] {
            assert_eq!(tmux(said.map(str::to_owned), sessions).verdict, verdict, "{said:?}");
        }
    }
}
