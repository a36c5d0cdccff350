//! `tell`: type one message into a session.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Context;
use super::args;
use super::client::{AT_ONCE, Client};
use super::failure::Failure;
use super::units::wish;
use crate::decide::MessageId;
use crate::protocol::Verb;
use crate::world::journal::{Entry, Follower, path};
use crate::world::random;

/// A daemon that was lost is waited for so long. While one lives, the message is, until it expires.
const AGAIN_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks at the journal. The kernel could tell of changes, but has only some watchers
/// for each user: those are not for a hundred verbs that wait for the same supervisor.
const LOOK: Duration = Duration::from_millis(200);

/// Returns when the message has arrived.
pub(super) fn run(context: &Context, args: args::Tell) -> Result<(), Failure> {
    let args::Tell { unit, text, expires } = args;
    let what = format!("{unit} to take the message");
    let id = MessageId::new(random::short());
    let verb = Verb::Tell {
        unit: unit.clone(),
        text,
        expires_s: Some(expires.as_secs()),
        id: Some(id.to_string()),
    };
    let (_, config) = context.config()?;
    let journal = path(&config.supervisor.state_dir);
    loop {
        let fate = Fate::watch(&journal, &unit, id);
        let told = wish(context, verb.clone(), &what);
        let Err(Failure::HungUp { .. }) = told else { return told };
        match fate?.learn(&context.client()?)? {
            Learnt::Arrived => return Ok(()),
            Learnt::Dropped(why) => return Err(Failure::failed(format!("{unit}: {why}"))),
            // The next one may hang up, too; one that is not there ends this.
            Learnt::NeverHeardOf => {}
        }
    }
}

/// What became of a message whose daemon hung up, as the journal says: its successor has the queue.
struct Fate {
    journal: Follower,
    unit: String,
    id: String,
}

enum Learnt {
    Arrived,
    Dropped(String),
    /// It was not heard by the one, and so is not known to the other.
    NeverHeardOf,
}

impl Fate {
    fn watch(journal: &Path, unit: &str, id: MessageId) -> Result<Self, Failure> {
        let follower =
            Follower::new(journal).with_context(|| format!("cannot read {}", journal.display()))?;
        Ok(Self { journal: follower, unit: unit.to_owned(), id: id.to_string() })
    }

    fn learn(mut self, client: &Client) -> Result<Learnt, Failure> {
        let mut lost = Instant::now();
        let (mut heard, mut back) = (false, false);
        while lost.elapsed() < AGAIN_WITHIN {
            let Some(line) = self.journal.next_now().context("cannot read the journal")? else {
                if back && !heard {
                    return Ok(Learnt::NeverHeardOf);
                }
                // What it has done before it answers is in the journal by the next look.
                back = client.status(AT_ONCE).is_ok();
                if back {
                    lost = Instant::now();
                }
                std::thread::sleep(LOOK);
                continue;
            };
            let Some(entry) = Entry::parse(&line) else { continue };
            let mut words = entry.why.split([' ', ':']).take_while(|word| !word.is_empty());
            if entry.unit.as_ref() != Some(&self.unit) || !words.any(|word| word == self.id) {
                continue;
            }
            match entry.event.as_str() {
                "message" => heard = true,
                "message-arrived" => return Ok(Learnt::Arrived),
                "message-dropped" => return Ok(Learnt::Dropped(entry.why)),
                _ => {}
            }
        }
        Err(Failure::failed(format!(
            "no supervisor is back within {1} s, and the message may be in the queue of {0}: see \
             `supervisor status {0}` before you tell it again",
            self.unit,
            AGAIN_WITHIN.as_secs(),
        )))
    }
}
