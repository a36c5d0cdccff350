//! Who has a conversation open besides us.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::agents::{Places, Profile};
use crate::daemon::shared::Shared;
use crate::daemon::told::chain;
use crate::decide::{Dependency, Event, NoStart, Process, UnitName};
use crate::world::{holders, pidfd, procs};

/// Who else may open the conversation meanwhile is looked for again so often; the end of whoever
/// has it open is told by the kernel.
const AGAIN: Duration = Duration::from_secs(30);

/// A process that is not ours to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Holder {
    /// Another supervisor's.
    Supervisor(Process),
    /// A person's.
    Hand(Process),
}

impl Holder {
    /// Why no other process is started in the conversation.
    pub(super) fn not_free(self) -> NoStart {
        NoStart::Taken(self.why())
    }

    fn why(self) -> String {
        format!("it is open in {self}")
    }

    fn process(self) -> Process {
        match self {
            Self::Supervisor(process) | Self::Hand(process) => process,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Supervisor(process) => {
                write!(f, "pid {}, which another supervisor started", process.pid)
            }
            Self::Hand(process) => write!(f, "pid {}, which was started by hand", process.pid),
        }
    }
}

/// The living processes that have `conversation` open, by their own registry or their command
/// line, less `ours`. Reads all of /proc: not for the loop's thread.
pub(super) fn strangers(
    profile: &dyn Profile,
    places: &Places,
    conversation: &str,
    ours: &BTreeSet<i32>,
) -> Result<Vec<Process>, String> {
    let files = places.registry.as_deref().map_or_else(|| Ok(Vec::new()), holders::registry);
    let files = files.map_err(|error| chain(&error))?;
    let listed: BTreeMap<Process, String> = files
        .iter()
        .filter_map(|file| profile.live(&file.bytes))
        .map(|live| (live.process, live.conversation))
        .collect();
    // Arguments name what a process began with; where it is by now, the registry knows better.
    let named = holders::openers(&|arguments| profile.opens(arguments)).into_iter();
    let named = named.map(|it| (it.process, it.conversation));
    let named: Vec<_> = named.filter(|(process, _)| !listed.contains_key(process)).collect();
    let all = listed.into_iter().chain(named).filter(|(_, id)| id == conversation);
    let all: BTreeSet<Process> = all.map(|(process, _)| process).collect();
    let others = all.into_iter().filter(|it| !ours.contains(&it.pid));
    Ok(others.filter(|process| procs::is_alive(*process)).collect())
}

/// Says whether the conversation of a unit is free, and goes on until it is.
pub(in crate::daemon) async fn wait_until_free(shared: Rc<Shared>, unit: UnitName) {
    let dependency = Dependency::Conversation(unit.clone());
    loop {
        let (why, process) = match find(&shared, &unit).await {
            Ok(None) => {
                shared.post(Event::Found { dependency, outcome: Ok(()) });
                return;
            }
            Ok(Some(holder)) => (holder.why(), Some(holder.process())),
            Err(why) => (why, None),
        };
        let outcome = Err(why);
        shared.post(Event::Found { dependency: dependency.clone(), outcome });
        let ended = async {
            match process.map(pidfd::open) {
                Some(Ok(Some(handle))) => pidfd::exited(&handle).await.is_ok(),
                // It has ended meanwhile.
                Some(Ok(None)) => true,
                Some(Err(_)) | None => std::future::pending().await,
            }
        };
        // A time-out only means that it is asked again.
        let _ = tokio::time::timeout(AGAIN, ended).await;
    }
}

async fn find(shared: &Rc<Shared>, unit: &UnitName) -> Result<Option<Holder>, String> {
    let (Some(known), Some(conversation)) =
        (shared.agents.of(unit), shared.agents.conversation(unit))
    else {
        return Ok(None);
    };
    let (profile, places) = (known.profile, known.places.clone());
    let group = shared.group(unit);
    let leases = shared.leases(&known.leases);
    let look = tokio::task::spawn_blocking(move || {
        let ours: BTreeSet<i32> = group.members().iter().map(|it| it.pid).collect();
        let leased = leases.holder(&conversation).map_err(|error| chain(&error))?;
        let leased = leased.map(|it| it.process).filter(|it| !ours.contains(&it.pid));
        let strangers = strangers(profile, &places, &conversation, &ours)?;
        let hand = strangers.first().copied().map(Holder::Hand);
        Ok(leased.map(Holder::Supervisor).or(hand))
    });
    look.await.map_err(|error| error.to_string())?
}
