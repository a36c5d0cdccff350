//! Does what the watchdog says. Everything that takes time is a task that answers by an event.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::agents::{self, Opening};
use super::commanded::Commanded;
use super::service::Service;
use super::session::Session;
use super::shared::Shared;
use super::telling::{Reaped, passed_on};
use super::watched::Slot;
use crate::agents::profile;
use crate::config::{Builtin, Program, Unit};
use crate::decide::{
    Answer, Dependency, Dialog, Event, Look, Message, NoStart, Process, Record, Ticket, UnitKind,
    UnitName,
};
use crate::world::probes;
use crate::world::records::Kept;
use crate::world::requirements;

/// A dependency is asked for again so often even if the kernel announced nothing: a docker engine
/// that hangs says nothing when it recovers.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// What is required and not so is looked at again so often: nobody announces it.
const REQUIRED_AGAIN: Duration = Duration::from_secs(30);

/// The hands of all units.
pub(super) struct Hands {
    shared: Rc<Shared>,
    units: BTreeMap<UnitName, Body>,
    outside: BTreeMap<Dependency, Slot>,
}

/// What kind of hands a unit needs.
enum Body {
    Service(Rc<Service>),
    Session(Rc<Session>),
    Commanded(Rc<Commanded>),
    /// Not run by this version: it is certainly not alive by our doing.
    Nothing,
}

impl Hands {
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        let of = |(name, unit): (&UnitName, &Unit)| (name.clone(), Body::of(&shared, unit));
        let mut units: BTreeMap<_, _> = shared.config.units.iter().map(of).collect();
        for (name, kept) in shared.records.borrow().units() {
            let body = || Body::of_retired(&shared, name, kept);
            units.entry(name.clone()).or_insert_with(body);
        }
        Self { shared, units, outside: BTreeMap::new() }
    }

    /// Begins a look.
    pub(super) fn look(&self, name: &UnitName, ticket: Ticket) {
        match self.units.get(name) {
            Some(Body::Service(service)) => service.look(ticket),
            Some(Body::Session(session)) => session.look(ticket),
            Some(Body::Commanded(unit)) => unit.look(ticket),
            Some(Body::Nothing) | None => {
                let look = Look::Absent { exit: None };
                self.shared.post(Event::Looked { unit: name.clone(), ticket, look });
            }
        }
    }

    /// Begins a start.
    pub(super) fn start(
        &self,
        name: &UnitName,
        ticket: Ticket,
        record: Record,
        opening: Option<Opening>,
    ) {
        match self.units.get(name) {
            Some(Body::Service(service)) => service.start(ticket, record),
            Some(Body::Session(session)) => session.start(ticket, record, opening),
            Some(Body::Commanded(unit)) => unit.start(ticket, record),
            Some(Body::Nothing) | None => {
                let outcome = Err(NoStart::Refused("this version cannot run it".to_owned()));
                self.shared.post(Event::Started { unit: name.clone(), ticket, outcome });
            }
        }
    }

    /// Begins a stop.
    pub(super) fn stop(&self, name: &UnitName, ticket: Ticket, grace: Duration) {
        match self.units.get(name) {
            Some(Body::Service(service)) => service.stop(ticket, grace),
            Some(Body::Session(session)) => session.stop(ticket, grace),
            Some(Body::Commanded(unit)) => unit.stop(ticket),
            Some(Body::Nothing) | None => {
                let outcome = Ok(None);
                self.shared.post(Event::Stopped { unit: name.clone(), ticket, outcome });
            }
        }
    }

    /// Says whether a dependency is there, and goes on until it is.
    pub(super) fn wait_for(&mut self, dependency: Dependency) {
        let shared = Rc::clone(&self.shared);
        let slot = self.outside.entry(dependency.clone()).or_default();
        match dependency {
            Dependency::Conversation(unit) => {
                return slot.run(agents::wait_until_free(shared, unit));
            }
            Dependency::Alone(unit) => return slot.run(agents::wait_until_alone(shared, unit)),
            Dependency::Requirements => return slot.run(required(shared)),
            Dependency::Unit(_) | Dependency::Docker | Dependency::Network => {}
        }
        slot.run(async move {
            loop {
                let (outcome, change) = ask(&dependency).await;
                let found = outcome.is_ok();
                shared.post(Event::Found { dependency: dependency.clone(), outcome });
                if found {
                    return;
                }
                // A time-out only means that it is asked again.
                let _ = tokio::time::timeout(ASK_AGAIN, change.happens()).await;
            }
        });
    }

    /// Types a message into a session.
    pub(super) fn type_message(
        &self,
        name: &UnitName,
        ticket: Ticket,
        message: Message,
        suspected: bool,
    ) {
        if let Some(session) = self.session(name) {
            session.type_message(ticket, message, suspected);
        }
    }

    /// Looks at the screen of a session.
    pub(super) fn read_screen(&self, name: &UnitName, ticket: Ticket) {
        if let Some(session) = self.session(name) {
            session.read_screen(ticket);
        }
    }

    /// Answers the dialog that a session is at.
    pub(super) fn answer(&self, name: &UnitName, ticket: Ticket, dialog: Dialog, answer: Answer) {
        if let Some(session) = self.session(name) {
            session.answer(ticket, dialog, answer);
        }
    }

    /// Says what the kickoff prompt of a session is.
    pub(super) fn say_kickoff(&self, name: &UnitName, because: String) {
        if let Some(session) = self.session(name) {
            session.say_kickoff(because);
        }
    }

    /// A session's process goes on in another conversation.
    pub(super) fn lease(&self, name: &UnitName, process: Process, conversation: &str) {
        if let Some(session) = self.session(name) {
            session.lease(process, conversation);
        }
    }

    /// The session of that name.
    pub(super) fn session(&self, name: &UnitName) -> Option<Rc<Session>> {
        match self.units.get(name) {
            Some(Body::Session(session)) => Some(Rc::clone(session)),
            Some(Body::Service(_) | Body::Commanded(_) | Body::Nothing) | None => None,
        }
    }
}

impl Body {
    fn of(shared: &Rc<Shared>, unit: &Unit) -> Self {
        let shared = Rc::clone(shared);
        match (&unit.program, unit.kind) {
            (Program::Command(argv), UnitKind::Service) => {
                Self::Service(Service::new(shared, unit.clone(), argv.clone()))
            }
            (Program::Command(argv), UnitKind::Session | UnitKind::Orchestrator) => {
                Self::Session(Session::new(shared, unit.clone(), argv.clone(), None))
            }
            (Program::Agent { agent, command }, UnitKind::Session | UnitKind::Orchestrator) => {
                let profile = profile(*agent);
                let program = || vec![profile.program().to_owned()];
                let argv = command.clone().unwrap_or_else(program);
                Self::Session(Session::new(shared, unit.clone(), argv, Some(profile)))
            }
            (Program::SystemdUnit(name), _) => {
                Self::Commanded(Commanded::new(shared, unit.name.clone(), name.clone()))
            }
            (Program::Builtin(Builtin::Gateway), UnitKind::Service) => {
                let argv = gateway(&shared);
                Self::Service(Service::new(shared, unit.clone(), argv))
            }
            (Program::Builtin(_), _) | (Program::Agent { .. }, UnitKind::Service) => Self::Nothing,
        }
    }

    /// A unit that is in no config any more is looked at and ended by its record and marks alone.
    fn of_retired(shared: &Rc<Shared>, name: &UnitName, kept: &Kept) -> Self {
        let shared = Rc::clone(shared);
        if let Some(unit) = &kept.anchor.systemd_unit {
            return Self::Commanded(Commanded::new(shared, name.clone(), unit.clone()));
        }
        let unit = Unit::retired(name.clone(), kept.record.kind);
        match unit.kind {
            UnitKind::Service => Self::Service(Service::new(shared, unit, Vec::new())),
            UnitKind::Session | UnitKind::Orchestrator => {
                Self::Session(Session::new(shared, unit, Vec::new(), None))
            }
        }
    }
}

/// This very binary as the gateway, with our own configuration.
fn gateway(shared: &Shared) -> Vec<String> {
    let config = shared.config.file.iter();
    let config = config.flat_map(|file| ["--config".to_owned(), file.display().to_string()]);
    let mut argv = vec![shared.binary().display().to_string()];
    argv.extend(config);
    argv.extend(["gateway".to_owned(), "serve".to_owned()]);
    argv
}

/// What may announce that a missing dependency has come. Opened before the look, so that what
/// changes between the two is not missed.
enum Change {
    Network(probes::NetworkWatch),
    Docker(probes::DockerWatch),
    Nothing,
}

impl Change {
    async fn happens(self) {
        let watched = match self {
            Self::Network(mut watch) => watch.changed().await,
            Self::Docker(watch) => watch.changed().await,
            Self::Nothing => std::future::pending().await,
        };
        if let Err(error) = watched {
            tracing::debug!(%error, "cannot be told of a change; asking again instead");
            std::future::pending::<()>().await;
        }
    }
}

async fn ask(dependency: &Dependency) -> (Result<(), String>, Change) {
    let words = |error: &probes::NotThere| super::told::chain(error);
    match dependency {
        Dependency::Network => {
            let change = probes::NetworkWatch::open().map_or(Change::Nothing, Change::Network);
            (probes::network().map_err(|error| words(&error)), change)
        }
        Dependency::Docker => match probes::docker_socket() {
            Ok(socket) => {
                let change =
                    probes::DockerWatch::open(&socket).map_or(Change::Nothing, Change::Docker);
                (probes::docker(&socket).await.map_err(|error| words(&error)), change)
            }
            Err(error) => (Err(words(&error)), Change::Nothing),
        },
        // The watchdog knows of units by itself.
        Dependency::Unit(_)
        | Dependency::Conversation(_)
        | Dependency::Alone(_)
        | Dependency::Requirements => (Ok(()), Change::Nothing),
    }
}

/// Says whether all that the operator requires is so, and goes on until it is.
async fn required(shared: Rc<Shared>) {
    let children = Reaped(Rc::clone(&shared.reaper));
    loop {
        let mut outcome = Ok(());
        for requirement in &shared.config.requirements {
            if let Err(unmet) = requirements::check(requirement, &children, passed_on()).await {
                outcome = Err(requirements::told(requirement, &super::told::chain(&unmet)));
                break;
            }
        }
        let is_so = outcome.is_ok();
        shared.post(Event::Found { dependency: Dependency::Requirements, outcome });
        if is_so {
            return;
        }
        tokio::time::sleep(REQUIRED_AGAIN).await;
    }
}
