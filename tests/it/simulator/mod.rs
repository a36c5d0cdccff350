//! A simulated house: the watchdog is led through days of faults in milliseconds, and the laws
//! are checked after every step. Not here: anything real; no file, process or clock is touched.
//!
//! `SIM_SEED=7` plays one seed and prints all that happens; `SIM_SEEDS=1000..5000` plays others, and
//! with `SIM_LIST=1` it only says which of them fail, and shortens none.
#![cfg(test)]

mod dice;
mod house;
mod story;

mod world;

mod client;
mod hands;
mod repos;
mod typing;

mod acting;
mod calm;
mod course;
mod judge;
mod laws;
mod post;
mod remedies;
mod shown;
mod talk;

mod play;

mod shrink;

use std::ops::Range;

use laws::Breach;
use play::Player;
use story::Story;

/// What is played when nothing else is asked for.
const SEEDS: Range<u64> = 0..300;

#[test]
fn the_laws_hold_in_every_story() {
    let (seeds, tell) = asked();
    let middle = seeds.start.midpoint(seeds.end);
    let failure = std::thread::scope(|scope| {
        let halves = [seeds.start..middle, middle..seeds.end];
        let halves = halves.map(|half| scope.spawn(move || first_failure(half, tell)));
        halves.into_iter().find_map(|half| half.join().unwrap())
    });
    if let Some(failure) = failure {
        panic!("{failure}");
    }
}

#[test]
fn the_same_seed_does_the_same_acts() {
    for seed in (0..300).step_by(30) {
        let story = Story::drawn(seed);
        let traces = [(); 2].map(|()| Player::new(&story).traced().play().unwrap().trace);
        assert_eq!(traces[0], traces[1], "seed {seed}");
    }
}

/// The seeds to play, and whether to print all that happens.
fn asked() -> (Range<u64>, bool) {
    let number = |text: &str| text.trim().parse().expect("a seed is a number");
    if let Ok(seed) = std::env::var("SIM_SEED") {
        let seed = number(&seed);
        return (seed..seed + 1, true);
    }
    match std::env::var("SIM_SEEDS") {
        Ok(seeds) => {
            let (from, to) = seeds.split_once("..").expect("SIM_SEEDS=FROM..TO");
            (number(from)..number(to), false)
        }
        Err(_) => (SEEDS, false),
    }
}

fn first_failure(seeds: Range<u64>, tell: bool) -> Option<String> {
    let mut sum = play::Played::default();
    let mut failed = 0;
    for seed in seeds.clone() {
        let story = Story::drawn(seed);
        match shrink::play(&story) {
            Ok(played) => {
                sum.told += played.told;
                sum.acts += played.acts;
                sum.calms += played.calms;
                sum.arrived += played.arrived;
                sum.lasted += played.lasted;
            }
            Err(breach) if std::env::var_os("SIM_LIST").is_some() => {
                if tell {
                    let _ = Player::new(&story).told(true).play();
                }
                println!("seed {seed}: {breach}");
                failed += 1;
            }
            Err(breach) => {
                println!("seed {seed}: {breach}\nThe story is being made shorter.");
                return Some(failure(&story, breach, tell));
            }
        }
    }
    println!("seeds {seeds:?}: {sum:?}");
    (failed > 0).then(|| format!("{failed} seeds of {seeds:?} fail"))
}

fn failure(story: &Story, breach: Breach, tell: bool) -> String {
    let (shortest, breach) = shrink::shortest(story, breach);
    if tell {
        let _ = Player::new(&shortest).told(true).play();
    }
    let lines: Vec<String> = shortest.events.iter().map(|event| format!("  {event}\n")).collect();
    format!(
        "seed {seed}: {breach}\nThe shortest story:\n{lines}Play it again, step by step: \
         SIM_SEED={seed} cargo test --test it simulator",
        seed = story.seed,
        lines = lines.concat(),
    )
}
