//! Everything that belongs to one unit, and its end: first politely, then surely.
//!
//! With a leaf the kernel keeps the list of members. Without one, members are the processes that
//! carry the unit's marks, those in the session or process group of the main process, and the
//! descendants of all these. Who is gone is asked of pidfds alone: a pid can be used again, and a
//! zombie still answers to `kill`. Not here: when a unit is to end, and how its main process did.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::timeout;

use super::cgroup::Leaf;
use super::{pidfd, procs};
use crate::decide::{Process, UnitName};

/// How many ends are waited for at once; each costs two descriptors.
const HELD_MAX: usize = 128;

/// How long one look through `/proc` may take. It takes milliseconds, but a process stuck in a
/// page fault holds up for ever whoever reads its environment.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// Between two looks when the ends waited for have come and there are members still: programs that
/// fork as they die, which the kernel does not announce.
const PAUSE_FIRST: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// What belongs to a unit.
#[derive(Clone, Debug)]
pub struct Group {
    /// The unit.
    pub unit: UnitName,
    /// The supervisor's instance, as in the marks.
    pub instance: String,
    /// Its cgroup, where there is one.
    pub leaf: Option<Leaf>,
    /// Its main process, if it ever had one; it may be gone.
    pub main: Option<Process>,
    /// Members that are to live on, such as the tmux server when only its pane's tree must go.
    /// They are no members here, nor is who shares the session that one of them leads: never
    /// signalled, never waited for.
    pub spare: Vec<Process>,
}

/// What is left of a group that had to be gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("still alive after SIGKILL: {pids:?}")]
pub struct StillAlive {
    /// As they were last seen. Empty if nobody could look.
    pub pids: Vec<i32>,
}

impl Group {
    /// All living members, less the spared ones and ourselves.
    ///
    /// Without a leaf this reads all of `/proc` (see [`procs::marked`] for what that means).
    pub fn members(&self) -> Vec<Process> {
        let found = match self.leaf.as_ref().map(|leaf| self.in_leaf(leaf)) {
            Some(Ok(found)) => found,
            // No leaf, or one that cannot be read, which must not pass for an empty one.
            Some(Err(_)) | None => self.in_proc(),
        };
        let ours = std::process::id().cast_signed();
        found.into_iter().filter(|p| p.pid != ours && !self.is_spared(*p)).collect()
    }

    /// Whether a process is to live on, or serves one that is. A tmux server forks helpers
    /// (utempter at the end of a pane), which stay in its session; one that has not executed yet
    /// still has the server's signal handlers, and hands a SIGTERM on to the server, which ends.
    fn is_spared(&self, process: Process) -> bool {
        self.spare.contains(&process)
            || !self.spare.is_empty()
                && procs::stat(process.pid).is_some_and(|stat| self.leads_spared(stat.session))
    }

    fn leads_spared(&self, session: i32) -> bool {
        self.spare.iter().any(|spared| spared.pid == session)
    }

    /// Ends the group: `SIGTERM` to all and, to those who stay for longer than `grace`, `SIGKILL`.
    /// Returns as soon as all are gone. Dropping this stops it where it is.
    ///
    /// # Errors
    /// Who was there still `ceiling` after the `SIGKILL`: the kernel itself cannot end them now.
    pub async fn end(&self, grace: Duration, ceiling: Duration) -> Result<(), StillAlive> {
        if self.ask(Signal::TERM, grace).await {
            return Ok(());
        }
        self.end_now(ceiling).await
    }

    /// Sends `signal` to all and waits for at most `grace`; says whether all are gone. Those are
    /// not told to end who come into being after the signal, for they may be there to help.
    pub async fn ask(&self, signal: Signal, grace: Duration) -> bool {
        !grace.is_zero() && timeout(grace, self.gone_by(signal)).await.is_ok()
    }

    /// Ends the group with `SIGKILL`.
    ///
    /// # Errors
    /// As [`Group::end`].
    pub async fn end_now(&self, ceiling: Duration) -> Result<(), StillAlive> {
        let mut seen = Vec::new();
        let killed = timeout(ceiling, self.kill(&mut seen)).await;
        killed.map_err(|_| StillAlive {
            pids: seen.into_iter().filter(|p| procs::is_alive(*p)).map(|p| p.pid).collect(),
        })
    }

    /// Returns when everyone has heard the signal and gone by itself.
    async fn gone_by(&self, signal: Signal) {
        let mut told = BTreeSet::new();
        let mut pause = Pause::new();
        loop {
            if let Some(members) = self.look().await {
                if members.is_empty() {
                    return;
                }
                for member in &members {
                    if told.insert(*member) {
                        // A stopped process hears nothing before it is continued.
                        send(*member, &[signal, Signal::CONT]);
                    }
                }
                ends(&members).await;
            }
            pause.next().await;
        }
    }

    /// Returns when everyone has been killed; `seen` is who was there at the last look.
    async fn kill(&self, seen: &mut Vec<Process>) {
        let mut frozen = BTreeSet::new();
        let mut pause = Pause::new();
        let mut leaf_killed = false;
        // Without a leaf, somebody in the middle of an exec shows no marks for a moment.
        let mut sure = self.leaf.is_some();
        loop {
            if let Some(members) = self.look().await {
                seen.clone_from(&members);
                if members.is_empty() && !std::mem::replace(&mut sure, true) {
                    pause.next().await;
                    continue;
                }
                if members.is_empty() {
                    if let Some(leaf) = self.leaf.as_ref().filter(|_| leaf_killed) {
                        // See `Leaf::kill`. One that cannot be removed is removed at the next boot.
                        let _ = leaf.remove();
                    }
                    return;
                }
                sure = self.leaf.is_some();
                let killed_now = self.kill_leaf();
                leaf_killed |= killed_now;
                if !killed_now {
                    // Whoever is stopped cannot fork: when a look shows nobody new, all are
                    // stopped, and those who multiply cannot outrun the kill.
                    let mut new = false;
                    for member in &members {
                        if frozen.insert(*member) {
                            new |= send(*member, &[Signal::STOP]);
                        }
                    }
                    if new {
                        tokio::task::yield_now().await;
                        continue;
                    }
                }
                for member in &members {
                    send(*member, &[Signal::KILL]);
                }
                ends(&members).await;
            }
            pause.next().await;
        }
    }

    /// Has the kernel kill the leaf, unless someone in it is to live on.
    fn kill_leaf(&self) -> bool {
        let Some(leaf) = &self.leaf else { return false };
        let ours = std::process::id().cast_signed();
        let spared = |pid: &i32| *pid == ours || self.spare.iter().any(|s| s.pid == *pid);
        let to_the_last = leaf.members().is_ok_and(|pids| !pids.iter().any(spared));
        to_the_last && leaf.kill().is_ok()
    }

    /// The members, looked for where that holds nobody up; `None` if it could not be learnt.
    pub async fn look(&self) -> Option<Vec<Process>> {
        if self.leaf.is_some() {
            return Some(self.members());
        }
        let group = self.clone();
        let look = tokio::task::spawn_blocking(move || group.members());
        timeout(LOOK_MAX, look).await.ok()?.ok()
    }

    /// The members of the leaf, and the main process wherever it is.
    fn in_leaf(&self, leaf: &Leaf) -> std::io::Result<Vec<Process>> {
        // The one file that speaks for the cgroups within, too, spares a restart the others.
        let pids = if leaf.is_empty()? { Vec::new() } else { leaf.members()? };
        let found: Vec<Process> = pids.into_iter().filter_map(procs::identify).collect();
        let mut members = BTreeSet::new();
        if !found.is_empty() {
            // Who was in the leaf before and after it was identified is the one who is in it.
            let still: BTreeSet<i32> = leaf.members()?.into_iter().collect();
            members.extend(found.into_iter().filter(|p| still.contains(&p.pid)));
        }
        members.extend(self.main.filter(|main| procs::is_alive(*main)));
        Ok(members.into_iter().collect())
    }

    fn in_proc(&self) -> Vec<Process> {
        // The starts were read before the environments: a pid that changed hands in between has
        // no handle under the old start.
        let all = procs::with_marks(&self.unit, &self.instance);
        // A number stays taken while a session or group has it. If it names another process now,
        // then the main process's session is over, and this one is a stranger's.
        let main = self.main.filter(|main| procs::identify(main.pid).is_none_or(|p| p == *main));
        let leads = |number: i32| main.is_some_and(|main| main.pid == number);

        let ours = std::process::id().cast_signed();
        let is_outside = |s: &procs::Stat| {
            let process = s.process;
            process.pid == ours || self.spare.contains(&process) || self.leads_spared(s.session)
        };
        let living = all.iter().filter(|(s, _)| !s.is_dead() && !is_outside(s));
        let mut members = BTreeSet::new();
        let mut others = Vec::new();
        for (stat, marked) in living {
            if *marked || leads(stat.process.pid) || leads(stat.session) || leads(stat.group) {
                members.insert(stat.process);
            } else {
                others.push(stat);
            }
        }
        let mut parents: BTreeSet<i32> = members.iter().map(|p| p.pid).collect();
        loop {
            let (children, rest): (Vec<&procs::Stat>, Vec<_>) =
                others.into_iter().partition(|s| parents.contains(&s.parent));
            if children.is_empty() {
                return members.into_iter().collect();
            }
            parents = children.iter().map(|s| s.process.pid).collect();
            members.extend(children.iter().map(|s| s.process));
            others = rest;
        }
    }
}

/// Signals that very process, and says whether it was there to hear.
fn send(process: Process, signals: &[Signal]) -> bool {
    let Ok(Some(handle)) = pidfd::open(process) else { return false };
    signals.iter().all(|s| pidfd::signal(&handle, *s).is_ok()) && !pidfd::gone(&handle)
}

/// Returns when these have ended, or the first many of them.
async fn ends(processes: &[Process]) {
    let handles: Vec<_> = (processes.iter().take(HELD_MAX))
        .filter_map(|process| pidfd::open(*process).ok().flatten())
        .collect();
    for handle in &handles {
        // Where the end cannot be waited for, the next look shows it.
        let _ = pidfd::exited(handle).await;
    }
}

/// A growing pause between two looks; before the second look there is none.
struct Pause {
    next: Option<Duration>,
}

impl Pause {
    fn new() -> Self {
        Self { next: None }
    }

    async fn next(&mut self) {
        match self.next {
            None => tokio::task::yield_now().await,
            Some(pause) => tokio::time::sleep(pause).await,
        }
        self.next = Some(self.next.map_or(PAUSE_FIRST, |p| (p * 2).min(PAUSE_MAX)));
    }
}

#[cfg(test)]
mod tests;
