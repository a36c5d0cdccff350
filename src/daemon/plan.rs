//! The plan's repositories: told by the kernel that something was committed, looked at on a thread
//! of its own, and told to the watchdog. Not here: what follows from what stands there
//! ([`crate::decide`]), and how it is read ([`crate::world::git`]).

mod looks;
mod policy;
mod remotes;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use self::looks::{BlockedLook, CloneLook, DoneLook, HandoffLook, Look};
pub(super) use self::policy::{handoff_policies, plan_policy};
use self::remotes::Remotes;
use self::source::Place;
use super::shared::Shared;
use crate::config::{Config, Handoff, Repo};
use crate::decide::{UnitKind, UnitName};
use crate::world::git::mirror::Remote;
use crate::world::git::{Tips, Watch, Watched};

/// A look takes milliseconds, the first one at a long history seconds; beyond this a disk hangs.
const LOOK_CEILING: Duration = Duration::from_secs(60);
/// All is looked at so often although nothing was announced: the net below the kernel's word.
const NET: Duration = Duration::from_secs(5 * 60);
/// The same for what the kernel cannot tell of.
const NET_UNTOLD: Duration = Duration::from_secs(10);

/// What others may ask of the task that follows the plan.
#[derive(Default)]
pub(super) struct Plan {
    /// The phase that the plan is in, for looks on other threads.
    phase: Arc<Mutex<Option<String>>>,
    changed: Notify,
}

impl Plan {
    /// The phase is now this one: what is done is another question.
    pub(super) fn set_phase(&self, phase: Option<&String>) {
        let mut known = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() != phase {
            *known = phase.cloned();
            self.changed.notify_one();
        }
    }

    /// The phase that the plan is in.
    pub(super) fn phase(&self) -> Option<String> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One look that is made again and again.
struct Job {
    /// Which repositories it is about.
    watched: BTreeSet<Watched>,
    /// Which mirrors, by their folders.
    mirrors: BTreeSet<PathBuf>,
    /// None while it is being made.
    look: Option<Box<dyn Look>>,
    /// Something changed while it was being made.
    again: bool,
    /// It is asked when the phase changes.
    of_phase: bool,
    /// Counts the looks that have stood here: one that was replaced while it was being made is
    /// dropped when it comes back.
    serial: u32,
}

/// A hand-off from a clone that is not there yet, or has no remote yet, and is to be fetched for.
struct Late {
    /// The number of its job.
    job: usize,
    handoff: Handoff,
    clone: PathBuf,
    every: Duration,
}

/// Follows the repositories of the plan for ever. `heads` is up to where each clone was looked at.
pub(super) async fn follow(shared: Rc<Shared>, heads: BTreeMap<String, Vec<String>>) {
    let (mut jobs, mut remotes, mut late) = jobs(&shared, &heads).await;
    if jobs.is_empty() {
        return;
    }
    let mut watch = Watch::new();
    watch.set(jobs.iter().flat_map(|job| job.watched.iter().cloned()).collect());
    let (back, mut answers) = mpsc::unbounded_channel();
    let (fetched, mut fetches) = mpsc::unbounded_channel();
    let (looked, mut found) = mpsc::unbounded_channel();
    remotes.follow(&shared, &fetched);
    for number in 0..jobs.len() {
        run(&shared, &mut jobs, number, &back);
    }
    let mut net = Instant::now() + NET_UNTOLD;
    loop {
        // Every arm may be dropped without losing anything.
        let due: Vec<usize> = tokio::select! {
            changed = watch.changed() => which(&jobs, |job| !job.watched.is_disjoint(&changed)),
            Some((number, serial, look)) = answers.recv() => {
                take_back(&mut jobs, number, serial, look).into_iter().collect()
            }
            Some(mirror) = fetches.recv() => which(&jobs, |job| job.mirrors.contains(&mirror)),
            () = shared.plan.changed.notified() => which(&jobs, |job| job.of_phase),
            () = tokio::time::sleep_until(net) => {
                let told = jobs.iter().flat_map(|job| &job.watched).all(|it| watch.is_told_of(it));
                net = Instant::now() + if told { NET } else { NET_UNTOLD };
                late.drain(..).for_each(|it| look_for_remote(it, &looked));
                which(&jobs, |_| true)
            }
            Some((it, remote)) = found.recv() => {
                let Some(remote) = remote else {
                    late.push(it);
                    continue;
                };
                let places = [place(&shared.config, &it.handoff.repo), remotes.place(&remote)];
                remotes.follow_late(remote, it.every, &shared, &fetched);
                let serial = jobs[it.job].serial + 1;
                if let Some(job) = handoff_job(&it.handoff, &places) {
                    jobs[it.job] = Job { serial, ..job };
                }
                vec![it.job]
            }
        };
        for number in due {
            run(&shared, &mut jobs, number, &back);
        }
    }
}

fn which(jobs: &[Job], wanted: impl Fn(&Job) -> bool) -> Vec<usize> {
    (0..jobs.len()).filter(|number| wanted(&jobs[*number])).collect()
}

/// Looks whether there is a remote by now; the answer comes later, a disk may hang.
fn look_for_remote(it: Late, looked: &mpsc::UnboundedSender<(Late, Option<Remote>)>) {
    let looked = looked.clone();
    tokio::task::spawn_local(async move {
        let remote = remotes::of_clone(&it.clone).await;
        let _ = looked.send((it, remote));
    });
}

type Back = mpsc::UnboundedSender<(usize, u32, Box<dyn Look>)>;

/// Takes a look back that was made; the number if it is to be made again.
fn take_back(jobs: &mut [Job], number: usize, serial: u32, look: Box<dyn Look>) -> Option<usize> {
    let job = jobs.get_mut(number).filter(|job| job.serial == serial)?;
    job.look = Some(look);
    std::mem::take(&mut job.again).then_some(number)
}

/// Has a look made. One that does not come back is told of, and keeps its thread.
fn run(shared: &Rc<Shared>, jobs: &mut [Job], number: usize, back: &Back) {
    let Some(job) = jobs.get_mut(number) else { return };
    let Some(mut look) = job.look.take() else {
        job.again = true;
        return;
    };
    let (hangs, serial) = (look.hangs(), job.serial);
    let (shared, back) = (Rc::clone(shared), back.clone());
    tokio::task::spawn_local(async move {
        let mut work = tokio::task::spawn_blocking(move || {
            let events = look.look();
            (look, events)
        });
        let told = match tokio::time::timeout(LOOK_CEILING, &mut work).await {
            Ok(told) => told,
            Err(_) => {
                hangs.into_iter().for_each(|event| shared.post(event));
                work.await
            }
        };
        // A panic ends the process; only a runtime that ends takes the work away.
        let Ok((look, events)) = told else { return };
        events.into_iter().for_each(|event| shared.post(event));
        let _ = back.send((number, serial, look));
    });
}

/// All that is to be looked at, and what is to be fetched for it.
async fn jobs(
    shared: &Rc<Shared>,
    heads: &BTreeMap<String, Vec<String>>,
) -> (Vec<Job>, Remotes, Vec<Late>) {
    let config = &shared.config;
    let mut remotes = Remotes::new(config.supervisor.state_dir.clone());
    let mut jobs = Vec::new();
    let mut late = Vec::new();
    for handoff in &config.handoffs {
        let mut places = vec![place(config, &handoff.repo)];
        let mut is_late = None;
        match (&handoff.repo, handoff.fetch) {
            (Repo::Url(url), every) => {
                remotes.add(Remote::at(url), every.unwrap_or(config.plan.fetch));
            }
            (Repo::Clone(clone), Some(every)) => match remotes::of_clone(clone).await {
                Some(remote) => {
                    places.push(remotes.place(&remote));
                    remotes.add(remote, every);
                }
                None => is_late = Some((clone.clone(), every)),
            },
            (Repo::Clone(_), None) => {}
        }
        let Some(job) = handoff_job(handoff, &places) else { continue };
        let number = jobs.len();
        late.extend(is_late.map(|(clone, every)| Late {
            job: number,
            handoff: handoff.clone(),
            clone,
            every,
        }));
        jobs.push(job);
    }
    let mut ends: Vec<Place> = Vec::new();
    for repo in config.plan.phases.iter().flat_map(|phase| {
        let consent = phase.consent.as_ref().map(|it| &it.repo);
        phase.done.as_ref().map(|it| &it.repo).into_iter().chain(consent)
    }) {
        let place = place(config, repo);
        if let Repo::Url(url) = repo {
            remotes.add(Remote::at(url), config.plan.fetch);
        }
        if !ends.contains(&place) {
            ends.push(place);
        }
    }
    if !ends.is_empty() {
        let phase = Arc::clone(&shared.plan.phase);
        let look = DoneLook::new(&config.plan, phase, |repo| place(config, repo));
        jobs.push(Job { of_phase: true, ..job(&ends, None, Box::new(look)) });
    }
    if let Some(blocked) = &config.plan.blocked {
        if let Repo::Url(url) = &blocked.repo {
            remotes.add(Remote::at(url), config.plan.fetch);
        }
        let place = place(config, &blocked.repo);
        let look = BlockedLook::new(blocked, &place);
        jobs.push(job(&[place], None, Box::new(look)));
    }
    if !config.plan.phases.is_empty() || !config.plan.owners.is_empty() {
        jobs.extend(clones(config, heads));
    }
    (jobs, remotes, late)
}

/// The job of one hand-off; none if there is nothing to look at.
fn handoff_job(handoff: &Handoff, places: &[Place]) -> Option<Job> {
    let working = handoff.working.then(|| handoff.file.clone());
    let look = HandoffLook::new(policy::key(handoff), handoff, places)?;
    Some(job(places, working, Box::new(look)))
}

/// A job for the clone of each session that works on the plan.
fn clones<'a>(
    config: &'a Config,
    heads: &'a BTreeMap<String, Vec<String>>,
) -> impl Iterator<Item = Job> + 'a {
    let sessions = config.units.values().filter(|unit| unit.kind == UnitKind::Session);
    let clones = sessions.filter_map(|unit| Some((unit.name.clone(), unit.directory.clone()?)));
    let clones: Vec<(UnitName, PathBuf)> = clones.collect();
    let owned: Vec<String> = config.plan.owners.keys().cloned().collect();
    let all = clones.clone();
    clones.into_iter().enumerate().map(move |(number, (session, clone))| {
        let heads = heads.get(&clone.display().to_string()).cloned().unwrap_or_default();
        let place = Place { path: clone.clone(), tips: Tips::Clone };
        let look = CloneLook {
            clone,
            owned: owned.clone(),
            clones: all.clone(),
            session,
            is_first: number == 0,
            told: !heads.is_empty(),
            heads,
        };
        job(&[place], None, Box::new(look))
    })
}

fn place(config: &Config, repo: &Repo) -> Place {
    match repo {
        Repo::Clone(path) => Place { path: path.clone(), tips: Tips::Clone },
        Repo::Url(url) => {
            let remote = Remote::at(url);
            Place { path: remote.mirror(&config.supervisor.state_dir), tips: remote.tips() }
        }
    }
}

fn job(places: &[Place], file: Option<String>, look: Box<dyn Look>) -> Job {
    let (mirrors, clones): (Vec<&Place>, Vec<&Place>) =
        places.iter().partition(|it| it.is_mirror());
    let watched = |place: &Place| Watched { repo: place.path.clone(), file: file.clone() };
    Job {
        watched: clones.into_iter().map(watched).collect(),
        mirrors: mirrors.into_iter().map(|place| place.path.clone()).collect(),
        look: Some(look),
        again: false,
        of_phase: false,
        serial: 0,
    }
}
