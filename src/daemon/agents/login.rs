//! On which login a session works, and when the files of a login change. Not here: what follows
//! from either.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use sha2::Digest as _;
use tokio::sync::Notify;

use super::{Known, variables};
use crate::agents::{Places, Profile};
use crate::config::Unit;
use crate::daemon::environment::Environment;
use crate::daemon::shared::Shared;
use crate::daemon::watched::Slot;
use crate::decide::{Event, UnitName};
use crate::world::inotify::{AsyncWatcher, WatchMask};

/// Files that cannot be watched are looked at so often: nobody waits for a login by the second.
const UNTOLD: Duration = Duration::from_secs(60);
/// A look at a handful of files takes microseconds; beyond this a mount hangs.
const CEILING: Duration = Duration::from_secs(30);

/// The logins of all sessions.
#[derive(Default)]
pub(super) struct Logins {
    of: RefCell<BTreeMap<UnitName, Login>>,
    /// There is one watch for all of them: the instances of inotify are counted by the user.
    task: Slot,
    watched: Cell<bool>,
    /// There are others than before.
    news: Notify,
}

#[derive(Debug)]
struct Login {
    account: String,
    /// By which it is renewed.
    files: Vec<PathBuf>,
}

impl Shared {
    /// Says on which account a session works that has this environment, and from here on when the
    /// files of its login have changed.
    pub(in crate::daemon) fn know_login(
        self: &Rc<Self>,
        unit: &Unit,
        known: &Known,
        environment: &Environment,
    ) {
        let account = account(known.profile, &known.places, environment);
        let files = files(unit, known.profile, &known.places, environment);
        self.post(Event::Account { unit: unit.name.clone(), account: account.clone() });
        let logins = &self.agents.logins;
        logins.of.borrow_mut().insert(unit.name.clone(), Login { account, files });
        if logins.watched.replace(true) {
            logins.news.notify_one();
        } else {
            logins.task.run(keep(Rc::clone(self)));
        }
    }
}

/// A digest of what the sessions of one login have in common. It tells nothing of a secret.
fn account(profile: &dyn Profile, places: &Places, environment: &Environment) -> String {
    let variable = variables(environment);
    let login = profile.login();
    let mut digest = sha2::Sha256::new();
    let mut add = |name: &str, value: &std::ffi::OsStr| {
        for part in [name.as_bytes(), value.as_encoded_bytes()] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    };
    for name in login.service.iter().chain(login.secrets) {
        if let Some(value) = variable(name) {
            add(name, &value);
        }
    }
    if !login.secrets.iter().any(|name| variable(name).is_some()) {
        add("", places.credentials.as_os_str());
    }
    digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// The files by which the login of a session is renewed.
fn files(
    unit: &Unit,
    profile: &dyn Profile,
    places: &Places,
    environment: &Environment,
) -> Vec<PathBuf> {
    let variable = variables(environment);
    let secrets = profile.login().secrets;
    let by_variable = secrets.iter().any(|name| variable(name).is_some());
    let in_config = secrets.iter().any(|name| unit.environment.contains_key(*name));
    let credentials = (!by_variable).then(|| places.credentials.clone());
    // One that has no secret in it yet may get one.
    let file = unit.environment_file.clone().filter(|_| !in_config);
    credentials.into_iter().chain(file).collect()
}

async fn keep(shared: Rc<Shared>) {
    let logins = &shared.agents.logins;
    let mut watch = Watch::default();
    loop {
        let files = || logins.of.borrow().values().flat_map(|login| login.files.clone()).collect();
        let changed = watch.look(files()).await;
        let accounts: BTreeSet<String> = {
            let of = logins.of.borrow();
            let touched =
                of.values().filter(|login| login.files.iter().any(|file| changed.contains(file)));
            touched.map(|login| login.account.clone()).collect()
        };
        for account in accounts {
            shared.post(Event::LoginChanged { account });
        }
        tokio::select! {
            () = watch.changed() => {}
            () = logins.news.notified() => {}
        }
    }
}

/// What a file was when it was last looked at: it is another one when this is; none if it is not
/// there.
type Stamp = Option<(u64, u64, i64, i64)>;

/// The watch over some files, which may be replaced, or lie behind links.
#[derive(Default)]
struct Watch {
    watcher: Option<AsyncWatcher>,
    /// All that is watched tells of changes.
    told: bool,
    stamps: BTreeMap<PathBuf, Stamp>,
}

impl Watch {
    /// The files that have changed since the last look. One that is looked at for the first time has
    /// not.
    async fn look(&mut self, files: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let look = tokio::task::spawn_blocking(move || {
            let look = |file: PathBuf| (folders(&file), stamp(&file), file);
            files.into_iter().map(look).collect::<Vec<_>>()
        });
        let Ok(Ok(seen)) = tokio::time::timeout(CEILING, look).await else {
            self.told = false;
            return BTreeSet::new();
        };
        if self.watcher.is_none() {
            self.watcher = AsyncWatcher::new().ok();
        }
        let mut told = self.watcher.is_some();
        let mut changed = BTreeSet::new();
        for (folders, stamp, file) in seen {
            // A folder that is watched already is watched once; one that was made anew, again.
            for folder in folders {
                let changes = WatchMask::CLOSE_WRITE | WatchMask::MOVED_TO;
                told &= self.watcher.as_mut().is_some_and(|it| it.add(&folder, changes).is_ok());
            }
            let before = self.stamps.insert(file.clone(), stamp);
            // One that is gone may come back, and is no login.
            if before.is_some_and(|before| before != stamp && stamp.is_some()) {
                changed.insert(file);
            }
        }
        self.told = told;
        changed
    }

    /// Waits until something may have changed.
    async fn changed(&mut self) {
        let told = async {
            match &mut self.watcher {
                Some(watcher) => watcher.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        let heard = match self.told {
            true => told.await,
            false => tokio::time::timeout(UNTOLD, told).await.unwrap_or(true),
        };
        if !heard {
            self.watcher = None;
            tokio::time::sleep(UNTOLD).await;
        }
    }
}

/// Where a file may be replaced: beside its name, and where that leads to.
fn folders(file: &Path) -> BTreeSet<PathBuf> {
    let real = file.canonicalize().ok();
    let folders = [Some(file), real.as_deref()].map(|file| file.and_then(Path::parent));
    folders.into_iter().flatten().map(Path::to_owned).collect()
}

fn stamp(file: &Path) -> Stamp {
    let known = std::fs::metadata(file).ok()?;
    Some((known.ino(), known.size(), known.mtime(), known.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::claude::Claude;
    use crate::decide::UnitKind;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let all = [("HOME", "/home/a")].iter().chain(variables);
        all.map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn places(environment: &Environment) -> Places {
        Claude.places(&variables(environment)).unwrap()
    }

    fn of(variables: &[(&str, &str)]) -> String {
        let environment = environment(variables);
        account(&Claude, &places(&environment), &environment)
    }

    #[test]
    fn one_login_has_one_account_and_another_login_another() {
        assert_eq!(of(&[]), of(&[("LANG", "C")]));
        let accounts = [
            of(&[]),
            of(&[("HOME", "/home/b")]),
            of(&[("CLAUDE_CONFIG_DIR", "/srv/c")]),
            of(&[("ANTHROPIC_API_KEY", "k")]),
            of(&[("ANTHROPIC_API_KEY", "l")]),
            of(&[("ANTHROPIC_AUTH_TOKEN", "k")]),
            of(&[("CLAUDE_CODE_OAUTH_TOKEN", "k")]),
            of(&[("CLAUDE_CODE_OAUTH_TOKEN", "k"), ("ANTHROPIC_BASE_URL", "http://x")]),
            of(&[("ANTHROPIC_BASE_URL", "http://x")]),
        ];
        let different: BTreeSet<_> = accounts.iter().collect();
        assert_eq!(different.len(), accounts.len(), "{accounts:?}");
        let key = of(&[("ANTHROPIC_API_KEY", "k"), ("HOME", "/home/b")]);
        assert_eq!(key, of(&[("ANTHROPIC_API_KEY", "k")]), "a key is the same in every home");
    }

    #[test]
    fn a_login_is_renewed_by_the_file_that_it_came_from() {
        let mut unit = Unit::retired(UnitName::new("builder").unwrap(), UnitKind::Session);
        let files = |unit: &Unit, variables: &[(&str, &str)]| {
            let environment = environment(variables);
            files(unit, &Claude, &places(&environment), &environment)
        };
        let credentials = PathBuf::from("/home/a/.claude/.credentials.json");
        let token = [("CLAUDE_CODE_OAUTH_TOKEN", "t")];
        assert_eq!(files(&unit, &[]), std::slice::from_ref(&credentials));
        assert_eq!(files(&unit, &token), [] as [PathBuf; 0]);
        unit.environment_file = Some("/srv/env".into());
        assert_eq!(files(&unit, &token), [PathBuf::from("/srv/env")]);
        assert_eq!(files(&unit, &[]), [credentials, "/srv/env".into()]);
        unit.environment = BTreeMap::from([("CLAUDE_CODE_OAUTH_TOKEN".into(), "t".into())]);
        assert_eq!(files(&unit, &token), [] as [PathBuf; 0]);
    }

    fn runs(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test);
    }

    #[test]
    fn a_file_that_is_written_replaced_or_made_is_told_and_its_neighbours_are_not() {
        runs(async {
            let folder = tempfile::tempdir().unwrap();
            let (real, link) = (folder.path().join("real/env"), folder.path().join("link"));
            std::fs::create_dir(folder.path().join("real")).unwrap();
            std::fs::write(&real, "a").unwrap();
            std::os::unix::fs::symlink(&real, &link).unwrap();
            let credentials = folder.path().join(".credentials.json");
            let files = BTreeSet::from([link.clone(), credentials.clone()]);
            let mut watch = Watch::default();
            let none = BTreeSet::new();
            assert_eq!(watch.look(files.clone()).await, none, "for the first time");
            assert!(watch.told);
            let told = async |watch: &mut Watch| {
                watch.changed().await;
                watch.look(files.clone()).await
            };
            std::fs::write(folder.path().join("history"), "x").unwrap();
            assert_eq!(told(&mut watch).await, none, "a neighbour");
            std::fs::write(&credentials, "{}").unwrap();
            assert_eq!(told(&mut watch).await, BTreeSet::from([credentials.clone()]));
            let half = folder.path().join("half");
            std::fs::write(&half, "{ }").unwrap();
            assert_eq!(told(&mut watch).await, none, "not in its place yet");
            std::fs::rename(&half, &credentials).unwrap();
            assert_eq!(told(&mut watch).await, BTreeSet::from([credentials.clone()]));
            std::fs::write(&real, "ab").unwrap();
            assert_eq!(told(&mut watch).await, BTreeSet::from([link.clone()]), "behind a link");
            // Where nothing can be told, it is looked at.
            let mut blind = Watch { watcher: None, told: false, ..watch };
            std::fs::write(&real, "abc").unwrap();
            assert_eq!(blind.look(files.clone()).await, BTreeSet::from([link.clone()]));
        });
    }
}
