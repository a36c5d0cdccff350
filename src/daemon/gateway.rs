//! The gateway's troubles are asked for once a minute, and the operator told of each once, for as long
//! as it lasts: it runs as another user, confined, and reaches no outbox. Asked by HTTP, for its ledger
//! is its own. Not here: what is a trouble (the gateway says it), and what is told of it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::shared::Shared;
use super::telling::Lasting;
use crate::config::{Builtin, Config, Endpoint, Gateway, Program};
use crate::decide::{GATEWAY_SILENT, Mono, StateView, UnitName, Watchdog, gateway_trouble};
use crate::protocol::gateway::{Trouble, Troubles};
use crate::world::clock;
use crate::world::local_http::{Ask, ask};

/// It answers in milliseconds, and waits for no lock for longer.
const ANSWER: Duration = Duration::from_secs(15);
/// One that is up and has not answered for so long hangs: a restart, or a full disk, takes less.
const SILENT: Duration = Duration::from_secs(5 * 60);
/// So many are told; more are one trouble, and not many.
const MOST: usize = 100;
/// By this name a unit is the gateway, though systemd runs it.
const NAME: &str = "gateway";

/// What is remembered between two looks.
#[derive(Default)]
pub(super) struct GatewayWatch {
    /// A look that has not come back.
    at_work: Arc<AtomicBool>,
    /// Since when nobody answers, although the unit is up.
    silent: Cell<Option<Mono>>,
}

impl Shared {
    /// Looks at the gateway, if there is one. Does not wait for it.
    pub(super) fn look_at_gateway(self: &Rc<Self>, watchdog: &Watchdog) {
        let Some(gateway) = &self.config.gateway else { return };
        let endpoints = known(gateway);
        let watch = &self.telling.gateway;
        if endpoints.is_empty() || watch.at_work.swap(true, Ordering::SeqCst) {
            return;
        }
        let now = clock::now();
        let unit = unit(&self.config);
        let is_up = watchdog
            .view(now)
            .iter()
            .any(|view| Some(&view.name) == unit && view.state == StateView::Up);
        let (this, at_work) = (Rc::clone(self), Arc::clone(&watch.at_work));
        tokio::task::spawn_local(async move {
            // It comes back: each of its waits has an end, but that for a place in a queue.
            let asked = tokio::task::spawn_blocking(move || {
                let answer = endpoints.iter().find_map(answer);
                at_work.store(false, Ordering::SeqCst);
                answer
            });
            let said = asked.await.ok().flatten();
            let watch = &this.telling.gateway;
            watch.silent.set(silent_since(watch.silent.get(), is_up && said.is_none(), now.mono));
            match said {
                Some(said) => this.tell_troubles(said).await,
                None if is_long(watch.silent.get(), now.mono) => this.tell_silence().await,
                None => {}
            }
        });
    }

    async fn tell_troubles(self: &Rc<Self>, said: Troubles) {
        let Troubles { whole, mut troubles } = said;
        troubles.truncate(MOST);
        let lasting = troubles.iter().filter_map(lasting).collect();
        self.tell_lasting(lasting, whole).await;
    }

    async fn tell_silence(self: &Rc<Self>) {
        let trouble = Trouble {
            kind: GATEWAY_SILENT.to_owned(),
            name: NAME.to_owned(),
            mark: String::new(),
            why: "it is up, and has not answered for five minutes".to_owned(),
            remedy: "see `supervisor logs gateway`, then `supervisor restart gateway`".to_owned(),
        };
        self.tell_lasting(lasting(&trouble).into_iter().collect(), false).await;
    }
}

/// Since when nobody answers, as of now.
fn silent_since(before: Option<Mono>, is_silent: bool, now: Mono) -> Option<Mono> {
    is_silent.then(|| before.unwrap_or(now))
}

fn is_long(since: Option<Mono>, now: Mono) -> bool {
    since.is_some_and(|since| now.since(since) >= SILENT)
}

fn lasting(trouble: &Trouble) -> Option<Lasting> {
    let Trouble { kind, name, mark, why, remedy } = trouble;
    let words = if remedy.is_empty() { why.clone() } else { format!("{why}; {remedy}") };
    let entry = gateway_trouble(kind, name, &words);
    Lasting::new(entry, &format!("{kind} {name}"), mark)
}

/// Where it can be asked.
fn known(gateway: &Gateway) -> Vec<Endpoint> {
    let endpoints = gateway.relay_endpoints().iter();
    endpoints.filter(|endpoint| !endpoint.is_any_port()).cloned().collect()
}

/// The unit that is the gateway, if it is ours to run.
fn unit(config: &Config) -> Option<&UnitName> {
    let is = |program: &Program, name: &UnitName| match program {
        Program::Builtin(Builtin::Gateway) => true,
        Program::SystemdUnit(_) | Program::Command(_) => name.as_str() == NAME,
        Program::Agent { .. } => false,
    };
    config.units.values().find(|unit| is(&unit.program, &unit.name)).map(|unit| &unit.name)
}

fn answer(endpoint: &Endpoint) -> Option<Troubles> {
    let asked = Ask { method: "GET", target: "/troubles", headers: &[], body: b"", within: ANSWER };
    let answer = ask(endpoint, &asked);
    let answer =
        answer.inspect_err(|error| tracing::debug!(%endpoint, %error, "the gateway")).ok()?;
    let said = serde_json::from_str(&answer.body).ok().filter(|_| answer.status == 200);
    if said.is_none() {
        let status = answer.status;
        tracing::debug!(%endpoint, status, "the gateway does not tell of its troubles");
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_silent_if_it_is_up_and_says_nothing_for_minutes_on_end() {
        let at = |seconds| Mono::default() + Duration::from_secs(seconds);
        let mut since = None;
        for (second, is_silent, is_long_now) in [
            (0, true, false),
            (299, true, false),
            (300, true, true),
            (360, false, false),
            (420, true, false),
        ] {
            since = silent_since(since, is_silent, at(second));
            assert_eq!(is_long(since, at(second)), is_long_now, "{second}");
        }
    }
}
