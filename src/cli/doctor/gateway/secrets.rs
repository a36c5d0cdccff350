//! The gateway's secrets: there, readable for it, and for nobody else. None of them is shown.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{Check, ELSEWHERE, Viewer};
use crate::cli::render::count;
use crate::config::Gateway;
use crate::gateway::secrets::SecretFile;

const NAME: &str = "gateway secrets";
/// Where systemd puts them, for as long as the unit runs.
const CREDENTIALS: &str = "/run/credentials";

/// One for each that is amiss; one line for all that are well.
pub(super) fn checks(gateway: &Gateway, viewer: Viewer) -> Vec<Check> {
    let files = files(gateway);
    let mut checks: Vec<Check> =
        files.iter().filter_map(|(whose, file)| check(whose, file, viewer)).collect();
    if checks.is_empty() {
        let finding = match files.len() {
            0 => "none: nobody but agents with a socket can say anything".to_owned(),
            files => format!("{}, closed to others", count(files, "file")),
        };
        checks.push(Check::ok(NAME, finding));
    }
    checks
}

/// Whose, by which name it is rotated, and where.
fn files(gateway: &Gateway) -> Vec<(String, &Path)> {
    let mut files = Vec::new();
    if let Some(azure) = &gateway.azure_devops {
        files.extend(azure.secret_files.iter().map(|file| ("azure-devops".to_owned(), file)));
        let token =
            azure.reconcile.iter().map(|it| ("Azure DevOps' token".to_owned(), &it.token_file));
        files.extend(token);
    }
    let github = gateway.github.iter().flat_map(|github| &github.secret_files);
    files.extend(github.map(|file| ("github".to_owned(), file)));
    files.extend(gateway.relay.secret_file.iter().map(|file| ("relay".to_owned(), file)));
    for (name, group) in &gateway.groups {
        files.extend(group.token_file.iter().map(|file| (name.clone(), file)));
    }
    files.into_iter().map(|(whose, file)| (whose, file.as_path())).collect()
}

fn check(whose: &str, file: &Path, viewer: Viewer) -> Option<Check> {
    let shown = format!("{whose}: {}", file.display());
    let about = match fs::metadata(file) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !viewer.sees_all() => {
            let finding = format!("{shown} is not for this user to see");
            return Some(Check::warn(NAME, finding, ELSEWHERE));
        }
        Err(_) if file.starts_with(CREDENTIALS) => {
            let remedy = "systemd puts it there while the gateway's unit runs, by LoadCredential=";
            return Some(Check::warn(NAME, format!("{shown} is not there now"), remedy));
        }
        Err(error) => {
            let remedy = "write the secret into its first line, with mode 0600 and the gateway's \
                          user as its owner";
            return Some(Check::fail(NAME, format!("{shown}: {error}"), remedy));
        }
    };
    if !may_read(&about, viewer.gateway) {
        let finding = format!("{shown} cannot be read by the gateway's user, {}", viewer.gateway);
        let remedy = format!("chown {} {}; chmod 0600 it", viewer.gateway, file.display());
        return Some(Check::fail(NAME, finding, &remedy));
    }
    if is_open(file, &about) {
        let finding = format!("{shown} can be read by everybody on this machine");
        let remedy =
            format!("chmod 0600 {}, then `supervisor gateway rotate-secret`", file.display());
        return Some(Check::warn(NAME, finding, &remedy));
    }
    match SecretFile::new(file).valid() {
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !viewer.is_gateway() => None,
        Err(error) => {
            let remedy =
                "let its first line hold the secret; an older one may end in ` until=DATE`";
            Some(Check::fail(NAME, format!("{shown}: {error}"), remedy))
        }
    }
}

/// By its mode; whether a group is the user's cannot be seen here, and is believed.
fn may_read(about: &Metadata, uid: u32) -> bool {
    let mode = about.mode();
    let owns = about.uid() == uid && mode & 0o400 != 0;
    uid == 0 || owns || mode & 0o044 != 0
}

/// Whether others may read it, and may get to it.
fn is_open(file: &Path, about: &Metadata) -> bool {
    let passes = |folder: &Path| fs::metadata(folder).is_ok_and(|it| it.mode() & 0o001 != 0);
    let whole = fs::canonicalize(file);
    let whole = whole.as_deref().unwrap_or(file);
    about.mode() & 0o004 != 0 && whole.ancestors().skip(1).all(passes)
}
