//! What the daemon knows of agent sessions beyond their processes: where their programs keep what,
//! which conversation is whose, who else has one open.

mod alone;
mod answering;
mod holders;
mod hooks;
mod kickoff;
mod login;
mod prepare;
mod registry;
mod transcripts;
mod typing;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::rc::Rc;

use tokio::sync::Notify;

pub(super) use self::alone::{wait_until_alone, watch as watch_for_others};
pub(super) use self::answering::Hand;
pub(super) use self::holders::wait_until_free;
pub(super) use self::hooks::{listen, open};
pub(super) use self::kickoff::say as say_kickoff;
pub(super) use self::prepare::{Opening, prepare};
pub(super) use self::typing::{Glance, glance, type_message};
use super::environment::Environment;
use crate::agents::{Places, Profile};
use crate::decide::{Mono, Process, UnitName};

/// The variable that tells a hook where to leave what it was told.
pub(super) use crate::world::hook_spool::SPOOL_VARIABLE;
use crate::world::leases;

/// So many prompts are remembered for a message that waits for its proof.
const PROMPTS_MAX: usize = 64;

/// What is known of all agent sessions.
#[derive(Default)]
pub(super) struct Agents {
    known: RefCell<BTreeMap<UnitName, Rc<Known>>>,
    /// As they are saved.
    conversations: RefCell<BTreeMap<UnitName, String>>,
    /// Who else has a unit's conversation open.
    strangers: RefCell<BTreeMap<UnitName, BTreeSet<Process>>>,
    /// One for each registry.
    watches: RefCell<BTreeMap<PathBuf, Rc<registry::Watch>>>,
    /// A registry has changed.
    pub(super) listed: Notify,
    logins: login::Logins,
    transcripts: transcripts::Transcripts,
}

/// What is known of one.
pub(super) struct Known {
    pub(super) profile: &'static dyn Profile,
    pub(super) places: Places,
    /// Where the supervisors of its user keep their leases.
    pub(super) leases: PathBuf,
    pub(super) heard: Heard,
    /// The conversation that its process has a lease on.
    pub(super) leased: RefCell<Option<String>>,
    /// When a hook last said which conversation its process is in.
    followed: Cell<Option<Mono>>,
}

/// The prompts that were entered lately, as the hooks tell.
#[derive(Default)]
pub(super) struct Heard {
    prompts: RefCell<VecDeque<(Process, String)>>,
    news: Notify,
}

impl Heard {
    fn add(&self, process: Process, prompt: &str) {
        let mut prompts = self.prompts.borrow_mut();
        if prompts.len() >= PROMPTS_MAX {
            prompts.pop_front();
        }
        prompts.push_back((process, prompt.to_owned()));
        self.news.notify_waiters();
    }

    /// Whether a prompt with this text in it was entered in that process lately.
    fn has(&self, process: Process, text: &str) -> bool {
        self.prompts.borrow().iter().any(|(of, prompt)| *of == process && prompt.contains(text))
    }

    /// Waits until a prompt with this text in it is entered: for ever, if none is; the caller has
    /// the deadline.
    async fn wait_for(&self, process: Process, text: &str) {
        loop {
            let news = self.news.notified();
            if self.has(process, text) {
                return;
            }
            news.await;
        }
    }
}

impl Agents {
    /// Takes note of where a session's program keeps what, by the environment it is started with.
    /// None if that names no home.
    pub(super) fn know(
        &self,
        unit: &UnitName,
        profile: &'static dyn Profile,
        environment: &Environment,
    ) -> Option<Rc<Known>> {
        let places = profile.places(&variables(environment))?;
        let leases = leases::folder(&variables(environment))?;
        let mut known = self.known.borrow_mut();
        if let Some(same) = known.get(unit).filter(|it| it.places == places && it.leases == leases)
        {
            return Some(Rc::clone(same));
        }
        let new = Rc::new(Known {
            profile,
            places,
            leases,
            heard: Heard::default(),
            leased: RefCell::default(),
            followed: Cell::default(),
        });
        known.insert(unit.clone(), Rc::clone(&new));
        Some(new)
    }

    pub(super) fn of(&self, unit: &UnitName) -> Option<Rc<Known>> {
        self.known.borrow().get(unit).cloned()
    }

    /// The conversations are now these.
    pub(super) fn set_conversations(&self, conversations: &BTreeMap<UnitName, String>) {
        self.conversations.borrow_mut().clone_from(conversations);
    }

    pub(super) fn conversation(&self, unit: &UnitName) -> Option<String> {
        self.conversations.borrow().get(unit).cloned()
    }

    /// What `status` says of a unit whose conversation others have open too.
    pub(super) fn notes(&self, unit: &UnitName) -> Vec<String> {
        let strangers = self.strangers.borrow();
        let pids = strangers.get(unit).into_iter().flatten().map(|it| it.pid);
        pids.map(|pid| {
            format!(
                "its conversation is also open in pid {pid}, which is not ours: one of the two \
                 will lose what it adds; end one"
            )
        })
        .collect()
    }
}

/// The variables of an environment, by name.
fn variables(environment: &Environment) -> impl Fn(&str) -> Option<OsString> {
    move |name| environment.get(OsStr::new(name)).filter(|value| !value.is_empty()).cloned()
}
