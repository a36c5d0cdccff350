//! How we are: whether the ledger takes what comes, and numbers for Prometheus.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime};

use hyper::StatusCode;
use serde_json::json;

use super::{Handler, chain};
use crate::gateway::answer::Answer;
use crate::gateway::ledger::State;
use crate::gateway::ledger::view::{self, Counts};
use crate::gateway::relay::book;
use crate::gateway::troubles::{self, STUCK};
use crate::protocol::gateway::Troubles;

/// How long an answer about the ledger holds: whoever asks often does not wear out the disk.
const READY_HOLDS: Duration = Duration::from_secs(2);
/// A ledger that cannot store for less than this is told to nobody but who wanted to store.
const FAILS_FOR: Duration = Duration::from_secs(10);

/// What is counted of requests since the start.
#[derive(Debug, Default)]
pub struct Counters {
    requests: RefCell<BTreeMap<(&'static str, u16), u64>>,
    duplicates: Cell<u64>,
    written: RefCell<Option<(Instant, Result<(), String>)>>,
    /// Since when the ledger cannot be written, as far as anybody has looked.
    failing: Cell<Option<Instant>>,
}

impl Counters {
    pub(super) fn count(&self, path: &str, status: StatusCode) {
        let path = match path {
            "/webhook/azure-devops" => "azure-devops",
            "/webhook/github" => "github",
            "/relay" => "relay",
            "/ack" => "ack",
            "/healthz" | "/readyz" | "/metrics" | "/troubles" => "health",
            _ => "other",
        };
        *self.requests.borrow_mut().entry((path, status.as_u16())).or_default() += 1;
    }

    pub(super) fn duplicate(&self) {
        self.duplicates.set(self.duplicates.get() + 1);
    }
}

impl Handler {
    /// Whether what comes can be stored, and what is stored gets out.
    pub(super) async fn ready(&self) -> Answer {
        if let Err(why) = self.written().await {
            return Answer::NotNow(format!("the ledger cannot be written: {why}"));
        }
        let counts = match self.ledger.read(view::counts).await {
            Ok(counts) => counts,
            Err(error) => return Answer::NotNow(chain(&error)),
        };
        let age = oldest(&counts);
        if age > STUCK {
            let minutes = age.as_secs() / 60;
            return Answer::NotNow(format!("a letter has been waiting for {minutes} minutes"));
        }
        Answer::Text("ready\n".to_owned())
    }

    /// Writes something, and says how that went.
    async fn written(&self) -> Result<(), String> {
        if let Some((at, result)) = &*self.counters.written.borrow()
            && at.elapsed() < READY_HOLDS
        {
            return result.clone();
        }
        let now = SystemTime::now();
        let written = self.ledger.write(move |it| book::mark(it, "readyz", now)).await;
        let written = written.map_err(|error| chain(&error));
        *self.counters.written.borrow_mut() = Some((Instant::now(), written.clone()));
        let failing = self.counters.failing.get().unwrap_or_else(Instant::now);
        self.counters.failing.set(written.is_err().then_some(failing));
        written
    }

    /// What a person should look at.
    pub(super) async fn troubles(&self) -> Answer {
        let written = self.written().await;
        let now = SystemTime::now();
        let read = self.ledger.read(move |it| troubles::read(it, now)).await;
        let whole = read.is_ok() && written.is_ok();
        let why = written.err().or_else(|| read.as_ref().err().map(|error| chain(error)));
        let mut all = read.unwrap_or_default();
        let lasts = self.counters.failing.get().is_some_and(|since| since.elapsed() >= FAILS_FOR);
        all.extend(why.filter(|_| lasts).map(|why| troubles::ledger_fails(&why)));
        Answer::Json(json!(Troubles { whole, troubles: all }))
    }

    pub(super) async fn metrics(&self) -> Answer {
        let read = |it: &rusqlite::Connection| Ok((view::counts(it)?, book::held(it)?.len()));
        let (counts, held) = match self.ledger.read(read).await {
            Ok(read) => read,
            Err(error) => return Answer::NotNow(chain(&error)),
        };
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: Vec<(String, u64)>| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let requests = self.counters.requests.borrow();
        let requests = requests.iter().map(|((path, status), count)| {
            (format!("{{path=\"{path}\",status=\"{status}\"}}"), *count)
        });
        let name = "supervisor_gateway_requests_total";
        family(name, "counter", "Requests answered since the start.", requests.collect());
        let name = "supervisor_gateway_duplicates_total";
        let one = |value: u64| vec![(String::new(), value)];
        let help = "Notifications and messages that had come before.";
        family(name, "counter", help, one(self.counters.duplicates.get()));
        let help = "Events in the ledger.";
        family("supervisor_gateway_events", "gauge", help, one(counts.events.into()));
        let letters = State::ALL.iter().map(|state| {
            let count = counts.letters.get(state).copied().unwrap_or_default();
            (format!("{{state=\"{state}\"}}"), u64::from(count))
        });
        let help = "Letters in the ledger, by state.";
        family("supervisor_gateway_letters", "gauge", help, letters.collect());
        let name = "supervisor_gateway_oldest_queued_seconds";
        let help = "Age of the oldest letter that NanoClaw has not been given.";
        family(name, "gauge", help, one(oldest(&counts).as_secs()));
        let help = "Threads of messages that wait for a person.";
        let held = u64::try_from(held).unwrap_or(u64::MAX);
        family("supervisor_gateway_threads_held", "gauge", help, one(held));
        let troubles = u64::try_from(counts.troubles.len()).unwrap_or(u64::MAX);
        let help = "Groups whose letters cannot be delivered.";
        family("supervisor_gateway_groups_in_trouble", "gauge", help, one(troubles));
        Answer::Text(text)
    }
}

fn oldest(counts: &Counts) -> Duration {
    let since = counts.oldest.as_ref().map(|(_, _, since)| *since);
    since.and_then(|since| SystemTime::now().duration_since(since).ok()).unwrap_or_default()
}
