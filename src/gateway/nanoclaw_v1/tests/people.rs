//! People and letters, in random order, at the double of NanoClaw: nothing of what people write is
//! lost that would not be lost without us, and no letter is lost or comes twice.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::world::clock;

/// What happens, one after another.
#[derive(Clone, Debug)]
enum Step {
    /// A person writes into a chat; the channel brings it as many seconds late.
    Person { chat: bool, late: u64 },
    /// The agent's answer comes back from the channel.
    Agent { chat: bool },
    /// A letter is to be given.
    Letter { chat: bool },
    /// NanoClaw looks.
    Polls,
    /// A container ends well.
    Ends { chat: bool },
    /// NanoClaw dies and starts again, while its agents do nothing.
    Restarts,
    /// Time goes by.
    Waits { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<bool>(), 0..2_u64).prop_map(|(chat, late)| Step::Person { chat, late }),
        1 => any::<bool>().prop_map(|chat| Step::Agent { chat }),
        4 => any::<bool>().prop_map(|chat| Step::Letter { chat }),
        4 => Just(Step::Polls),
        2 => any::<bool>().prop_map(|chat| Step::Ends { chat }),
        1 => Just(Step::Restarts),
        3 => (1..4_u64).prop_map(|seconds| Step::Waits { seconds }),
    ]
}

/// Plays a story; answers what was heard. Without `letters` it is what NanoClaw does alone.
fn play(steps: &[Step], limit: usize, letters: bool) -> (Vec<String>, u32) {
    let (_dir, disk) = house();
    let mut nanoclaw = NanoClaw::start(&disk, limit);
    let mut heard = Vec::new();
    let mut now = time("2026-05-27T10:00:00.000Z");
    let chat = |chat: bool| if chat { (RYAN, "ryan") } else { (CODY, "cody") };
    let mut queues: [VecDeque<u32>; 2] = Default::default();
    let mut made = 0;
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Person { chat: which, late } => {
                // A channel's date is a whole second, and it is not always brought at once.
                let date = clock::rfc3339(now - Duration::from_secs(*late)).replace('Z', ".000Z");
                disk.person_writes(chat(*which).0, &format!("person-{number}"), "hello", &date);
            }
            Step::Agent { chat: which } => {
                let date = clock::rfc3339(now).replace('Z', ".000Z");
                disk.agent_is_shown(chat(*which).0, &format!("agent-{number}"), "done", &date);
            }
            Step::Letter { chat: which } => {
                made += 1;
                queues[usize::from(*which)].push_back(made);
            }
            Step::Polls => nanoclaw.polls(),
            Step::Ends { chat: which } => {
                if nanoclaw.is_at_work(chat(*which).0) {
                    nanoclaw.container_ends(chat(*which).0, 0, true);
                }
            }
            Step::Restarts => {
                // An agent that works when NanoClaw dies is another story: see the courier.
                for which in [true, false] {
                    if nanoclaw.is_at_work(chat(which).0) {
                        nanoclaw.container_ends(chat(which).0, 0, true);
                    }
                }
                heard.extend(all_heard(&nanoclaw));
                nanoclaw = NanoClaw::start(&disk, limit);
            }
            Step::Waits { seconds } => now += Duration::from_secs(*seconds),
        }
        now += Duration::from_millis(137);
        if letters {
            give_what_may_go(&disk, &mut queues, now);
        }
    }
    // In the end all come to rest.
    let mut quiet = 0;
    while quiet < 2 {
        now += Duration::from_secs(3);
        if letters {
            give_what_may_go(&disk, &mut queues, now);
        }
        nanoclaw.polls();
        for jid in [RYAN, CODY] {
            if nanoclaw.is_at_work(jid) {
                nanoclaw.container_ends(jid, 0, true);
            }
        }
        let empty = !letters || queues.iter().all(VecDeque::is_empty);
        quiet = if empty { quiet + 1 } else { 0 };
        assert!(now < time("2026-05-28T10:00:00.000Z"), "a letter is never given");
    }
    heard.extend(all_heard(&nanoclaw));
    (heard, made)
}

fn all_heard(nanoclaw: &NanoClaw) -> Vec<String> {
    nanoclaw.heard.values().flatten().map(|it| it.id.clone()).collect()
}

fn give_what_may_go(disk: &Disk, queues: &mut [VecDeque<u32>; 2], now: SystemTime) {
    for (queue, folder) in queues.iter_mut().zip(["cody", "ryan"]) {
        let Some(number) = queue.front() else { continue };
        let row = Row {
            id: format!("gw-{number:08}-1"),
            content: "a letter".into(),
            wake: false,
            crowds: false,
        };
        let inserted = insert(disk.directory(), &addressee(folder), &row, now).unwrap();
        if matches!(inserted, Inserted::Row { .. }) {
            queue.pop_front();
        }
    }
}

fn people(heard: &[String]) -> BTreeSet<&String> {
    heard.iter().filter(|id| id.starts_with("person")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_letter_is_heard_once_and_no_person_is_heard_less_than_without_letters(
        steps in proptest::collection::vec(step(), 1..40),
        limit in prop_oneof![Just(10_usize), Just(200)],
    ) {
        let (alone, _) = play(&steps, limit, false);
        let (with, made) = play(&steps, limit, true);
        let letters: Vec<_> = with.iter().filter(|id| id.starts_with("gw-")).collect();
        let once: BTreeSet<_> = letters.iter().collect();
        prop_assert_eq!(letters.len(), once.len(), "a letter was heard twice");
        prop_assert_eq!(u32::try_from(once.len()).unwrap(), made, "a letter was lost");
        let lost: Vec<_> = people(&alone).difference(&people(&with)).map(|id| (*id).clone()).collect();
        prop_assert!(lost.is_empty(), "lost by us: {lost:?}");
    }
}
