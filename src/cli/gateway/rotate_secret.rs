//! `gateway rotate-secret`: a new secret in its file, the old one valid for a while. Nothing of a
//! secret is printed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;

use super::hand::configured;
use crate::cli::Context;
use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::render::put;
use crate::config::Gateway;
use crate::gateway::secrets::{self, UNTIL};
use crate::world::files::{sync_folder_of, tmp_beside};

/// The length of a secret, in bytes before they are written in hexadecimal.
const LENGTH: usize = 32;
/// The mode of a file that was not there.
const MODE: u32 = 0o600;

/// Writes it.
pub(super) fn run(context: &Context, args: args::RotateSecret) -> Result<(), Failure> {
    let (_, config) = configured(context)?;
    let file = match args.file {
        Some(file) => file,
        None => configured_file(&config, &args.name)?,
    };
    let now = Timestamp::now();
    let until = now.saturating_add(args.keep).context("that is too long")?;
    let old = match fs::read(&file) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(anyhow::Error::from(error).context(cannot(&file)).into()),
    };
    let text = rotated(&old, &fresh().context("cannot draw a secret")?, now, until);
    replace(&file, &text).with_context(|| cannot(&file))?;
    let old = if old.is_empty() {
        String::new()
    } else {
        format!(", the old one valid until {until:.0}")
    };
    put(&format!("the new secret is the first line of {}{old}\n", file.display()))
}

fn cannot(file: &Path) -> String {
    format!(
        "cannot rotate the secret in {} (if it is a copy that systemd made: name the original with \
         --file)",
        file.display()
    )
}

fn configured_file(config: &Gateway, name: &str) -> Result<PathBuf, Failure> {
    let found = match name {
        "azure-devops" => config.azure_devops.as_ref().and_then(|it| it.secret_files.first()),
        "github" => config.github.as_ref().and_then(|it| it.secret_files.first()),
        "relay" => config.relay.secret_file.as_ref(),
        agent => config.group(agent).and_then(|group| group.token_file.as_ref()),
    };
    found.cloned().ok_or_else(|| {
        Failure::failed(format!(
            "{name:?} has no secret here: name azure-devops, github, relay, or an agent with a token_file"
        ))
    })
}

/// The file's new text: the new secret, and those that are still valid, none of them for longer than
/// `until`.
fn rotated(old: &[u8], fresh: &str, now: Timestamp, until: Timestamp) -> Vec<u8> {
    let mut text = format!("{fresh}\n").into_bytes();
    for secret in secrets::parse(old) {
        let until = secret.until().map_or(until, |its| its.min(until));
        if until > now {
            text.extend_from_slice(secret.text());
            text.extend_from_slice(format!("{UNTIL}{until:.0}\n").as_bytes());
        }
    }
    text
}

fn fresh() -> io::Result<String> {
    let mut bytes = [0; LENGTH];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whoever could read the old file can read the new one, and nobody else.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let tmp = tmp_beside(path);
    let written = (|| {
        let about = fs::metadata(path).ok();
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&tmp)?;
        if let Some(about) = about {
            fchown(&file, Some(about.uid()), Some(about.gid()))?;
            file.set_permissions(about.permissions())?;
        }
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&tmp, path)?;
        sync_folder_of(path)
    })();
    if written.is_err() {
        // It may not be there at all.
        let _ = fs::remove_file(&tmp);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_secret_comes_first_and_old_ones_end() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (now, until) = (at("2026-05-01T00:00:00Z"), at("2026-05-02T00:00:00Z"));
        let old = b"b\na until=2026-05-01T12:00:00Z\nz until=2026-04-30T00:00:00Z\n";
        let text = String::from_utf8(rotated(old, "c", now, until)).unwrap();
        let expected = "c\nb until=2026-05-02T00:00:00Z\na until=2026-05-01T12:00:00Z\n";
        assert_eq!(text, expected);
    }
}
