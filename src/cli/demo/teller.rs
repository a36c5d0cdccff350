//! How a demo is told: headings, commands, the supervisor's journal as it comes in, and what was
//! found to be so. Not here: what happens.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::cli::events;
use crate::cli::failure::Failure;
use crate::cli::render::{BAD, BOLD, BUSY, FAINT, GOOD, View, clean, paint, put, wrap};
use crate::world::journal::Follower;

/// Between two looks while the journal is silent.
const LOOK: Duration = Duration::from_millis(20);

/// What a person needs to read a heading before things begin to move, and at the end of a step.
const HEADING_READ: Duration = Duration::from_millis(500);
const STEP_READ: Duration = Duration::from_millis(600);

/// Entries of the journal that only announce what the next one says was done.
const ANNOUNCEMENTS: [&str; 3] = ["starting", "asked", "stopping"];

/// How far everything below a heading is set in.
const INDENT: usize = 3;
/// The same for what the supervisor and the screens say.
const INDENT_QUOTED: usize = 5;
/// No line is longer: prose is not read across a whole wide screen.
const WIDTH_MAX: usize = 100;

/// Why a demo does not go on.
#[derive(Debug)]
pub(super) enum Halt {
    /// Somebody wants it to end.
    Interrupted,
    /// Something did not happen, or not in time: what.
    Missed(String),
    /// Something could not even be tried.
    Failed(Failure),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Tells.
pub(super) struct Teller {
    journal: Follower,
    /// For how long anything is waited for.
    ceiling: Duration,
    enough: Arc<AtomicBool>,
    is_read: bool,
    begun: Instant,
    /// When what is being shown was set off.
    act: Instant,
    steps: usize,
    claims: usize,
}

impl Teller {
    /// With the journal followed from here on; `enough` is set when it shall end, and nothing is
    /// waited for longer than `ceiling`.
    pub(super) fn new(journal: Follower, enough: Arc<AtomicBool>, ceiling: Duration) -> Self {
        let now = Instant::now();
        let is_read = std::io::stdout().is_terminal();
        Self { journal, ceiling, enough, is_read, begun: now, act: now, steps: 0, claims: 0 }
    }

    /// How long it has taken so far.
    pub(super) fn took(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How much was found to be so.
    pub(super) fn claims(&self) -> usize {
        self.claims
    }

    /// How many steps were begun.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// Begins a step: its title, and what it is about to do.
    pub(super) fn step(&mut self, title: &str, about: &str) -> Result<(), Halt> {
        if self.steps > 0 {
            self.pause(STEP_READ)?;
        }
        self.steps += 1;
        let number = self.steps;
        put(&format!("\n{}  {}\n", paint(BUSY, &number.to_string()), paint(BOLD, title)))?;
        self.prose(about)?;
        self.pause(HEADING_READ)
    }

    /// What there is to know beforehand.
    pub(super) fn preface(&self, text: &str) -> Result<(), Halt> {
        for line in wrap(text, width(0)) {
            put(&format!("{}\n", paint(FAINT, &line)))?;
        }
        Ok(())
    }

    /// Text in lines that fit.
    fn prose(&self, text: &str) -> Result<(), Halt> {
        for line in wrap(text, width(INDENT)) {
            put(&format!("{}{}\n", " ".repeat(INDENT), line))?;
        }
        Ok(())
    }

    /// Shows a command that a person would type for what is now done, and starts the clock.
    pub(super) fn command(&mut self, command: &str) -> Result<(), Halt> {
        self.show_journal()?;
        put(&format!("{}{} {}\n", " ".repeat(INDENT), paint(FAINT, "$"), paint(BOLD, command)))?;
        self.act = Instant::now();
        Ok(())
    }

    /// How long ago that was.
    pub(super) fn since_act(&self) -> Duration {
        self.act.elapsed()
    }

    /// Something was found to be so.
    pub(super) fn claim(&mut self, what: &str) -> Result<(), Halt> {
        self.show_journal()?;
        self.claims += 1;
        let mut mark = paint(GOOD, "✓");
        for line in wrap(what, width(INDENT + 2)) {
            put(&format!("{}{mark} {line}\n", " ".repeat(INDENT)))?;
            mark = " ".to_owned();
        }
        Ok(())
    }

    /// Quotes a screen.
    pub(super) fn quote<'a>(
        &mut self,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Halt> {
        Ok(quote(lines)?)
    }

    /// Shows what another verb prints.
    pub(super) fn output(
        &mut self,
        of: impl FnOnce(&View) -> Result<String, Failure>,
    ) -> Result<(), Halt> {
        self.show_journal()?;
        for line in of(&view(INDENT))?.lines() {
            let line = format!("{}{line}", " ".repeat(INDENT));
            put(&format!("{}\n", line.trim_end()))?;
        }
        Ok(())
    }

    /// Looks until there is an answer, showing meanwhile what the supervisor writes down.
    pub(super) fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut() -> Result<Option<T>, Halt>,
    ) -> Result<T, Halt> {
        let deadline = Instant::now() + self.ceiling;
        loop {
            self.go_on()?;
            self.show_journal()?;
            if let Some(found) = look()? {
                self.show_journal()?;
                return Ok(found);
            }
            if Instant::now() >= deadline {
                let seconds = self.ceiling.as_secs();
                return Err(Halt::Missed(format!("{what}: not so after {seconds} s")));
            }
            self.show_next(LOOK)?;
        }
    }

    /// Lets a person read; what the supervisor writes down meanwhile is shown.
    fn pause(&mut self, length: Duration) -> Result<(), Halt> {
        let end = Instant::now() + if self.is_read { length } else { Duration::ZERO };
        loop {
            self.go_on()?;
            let left = end.saturating_duration_since(Instant::now());
            self.show_next(left.min(LOOK))?;
            if left.is_zero() {
                return Ok(());
            }
        }
    }

    fn go_on(&self) -> Result<(), Halt> {
        if self.enough.load(Ordering::Relaxed) { Err(Halt::Interrupted) } else { Ok(()) }
    }

    fn show_journal(&mut self) -> Result<(), Halt> {
        while self.show_next(Duration::ZERO)? {}
        Ok(())
    }

    /// Shows the next entry if one comes in time; answers whether one did.
    fn show_next(&mut self, within: Duration) -> Result<bool, Halt> {
        let next = self.journal.next_within(within).context("cannot read the journal")?;
        let Some(entry) = next else { return Ok(false) };
        let when = format!("{:>8}", format!("+{}", length(self.act.elapsed())));
        if let Some(line) = events::aside(&entry, &when, &ANNOUNCEMENTS, &view(INDENT_QUOTED)) {
            put(&format!("{}{line}", " ".repeat(INDENT_QUOTED)))?;
        }
        Ok(true)
    }

    /// The last words of a demo that went well.
    pub(super) fn end_well(&self, what: &str) -> Result<(), Failure> {
        put(&format!("\n{}  {}\n", paint(GOOD, "✓"), paint(BOLD, what)))
    }

    /// Says which step failed, and what the daemon said last.
    pub(super) fn end_badly(&self, why: &str, last_words: &[String]) -> Result<(), Failure> {
        put(&format!(
            "\n{}{} {}\n",
            " ".repeat(INDENT),
            paint(BAD, "✗"),
            paint(BOLD, &clean(why))
        ))?;
        quote(last_words.iter().map(String::as_str))
    }
}

fn quote<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<(), Failure> {
    for line in lines {
        let line = paint(FAINT, &format!("│ {}", clean(line)));
        put(&format!("{}{line}\n", " ".repeat(INDENT_QUOTED)))?;
    }
    Ok(())
}

/// A length of time as a person says it: `42 ms`, `1.3 s`.
pub(super) fn length(time: Duration) -> String {
    match time.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// Standard output, less what is left free on the left.
fn view(indent: usize) -> View {
    let view = View::of_stdout();
    View { width: view.width.map(|width| width.saturating_sub(indent)), ..view }
}

fn width(indent: usize) -> usize {
    let width = View::of_stdout().width.unwrap_or(80);
    width.min(WIDTH_MAX).saturating_sub(indent)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::length;

    #[test]
    fn a_length_is_told_in_milliseconds_up_to_a_second() {
        for (ms, told) in [(0, "0 ms"), (42, "42 ms"), (999, "999 ms"), (1340, "1.3 s")] {
            assert_eq!(length(Duration::from_millis(ms)), told);
        }
    }
}
