//! The transcripts of one session: where they are, and what is new in them. It is read on a thread
//! of its own. Not here: when to look, and what follows from it.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::agents::{Places, Profile, TranscriptNews};
use crate::daemon::agents::prepare::transcript;
use crate::decide::{Doing, Mono, Now, Process, Spent};
use crate::world::lines::{Line, Lines};
use crate::world::usage::{FileCount, Files};

/// So much of the end of a transcript is read of which nothing was ever counted.
const FIRST: u64 = 4 * 1024 * 1024;
/// What a session does now is in so much of its transcript's end.
const NEWEST: u64 = 256 * 1024;
/// At most so much is read of a file at a time, so that many of them get their turn.
const AT_ONCE: usize = 4 * 1024 * 1024;

/// Which session, and what of it.
#[derive(Clone, PartialEq)]
pub(super) struct Subject {
    pub(super) process: Process,
    /// When that was started: what is older says nothing of it.
    pub(super) since: Mono,
    pub(super) conversation: String,
    pub(super) places: Places,
    pub(super) directory: PathBuf,
}

/// One session's transcripts, while they are followed.
pub(super) struct Followed {
    profile: &'static dyn Profile,
    pub(super) subject: Subject,
    /// What it is from the next look on.
    next: Option<Subject>,
    /// The file of the conversation, once it is there.
    main: Option<PathBuf>,
    open: BTreeMap<PathBuf, Opened>,
    /// How far they are counted.
    pub(super) files: Files,
    /// What was said last of the session, if there is more to be said.
    said: Option<Doing>,
}

struct Opened {
    lines: Lines,
    /// Of what is older nothing is counted: it was, or is not ours.
    after: Option<SystemTime>,
}

/// What one look has found.
#[derive(Default)]
pub(super) struct Found {
    /// Something was written since the last look.
    pub(super) progress: bool,
    /// It is counted further than it was.
    pub(super) counted: bool,
    /// There is more to be read at once.
    pub(super) more: bool,
    /// What was spent, and when.
    pub(super) spent: Vec<(SystemTime, Spent)>,
    /// What is to be said of the session: since when, what, by which evidence.
    pub(super) says: Option<(Mono, Doing, String)>,
    /// What could not be read.
    pub(super) trouble: Option<(PathBuf, io::Error)>,
}

/// What has to be watched so that nothing is missed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// What is written into a file, or into any file of a folder.
    Written(PathBuf),
    /// What is made in a folder.
    Made(PathBuf),
}

impl Followed {
    pub(super) fn new(profile: &'static dyn Profile, subject: Subject, files: Files) -> Self {
        Self { profile, subject, next: None, main: None, open: BTreeMap::new(), files, said: None }
    }

    /// Goes on with this, once all is read of what was before. Answers whether it is another
    /// process or another conversation.
    pub(super) fn meet(&mut self, subject: Subject) -> bool {
        if self.next.as_ref().unwrap_or(&self.subject) == &subject {
            return false;
        }
        self.next = Some(subject);
        true
    }

    /// Whether there is a transcript to be read.
    pub(super) fn is_found(&self) -> bool {
        self.main.is_some()
    }

    /// Looks for what is new.
    pub(super) fn look(&mut self, now: Now) -> (Found, Vec<Wanted>) {
        let mut found = Found::default();
        if let Some(next) = self.next.take() {
            self.look_once(now, &mut found);
            if found.more {
                self.next = Some(next);
            } else {
                self.becomes(next, now, &mut found);
            }
        }
        let wanted = self.look_once(now, &mut found);
        self.files.tidy();
        (found, wanted)
    }

    /// What an error said of the last process, or conversation, is no more.
    fn becomes(&mut self, subject: Subject, now: Now, found: &mut Found) {
        let same = subject.process == self.subject.process;
        if subject.conversation != self.subject.conversation {
            self.main = None;
            self.open.clear();
        } else if same {
            self.subject = subject;
            return;
        }
        let failed = matches!(self.said.take(), Some(Doing::Failed(_)));
        let evidence = || "another conversation".to_owned();
        found.says = (same && failed).then(|| (now.mono, Doing::Idle, evidence()));
        self.subject = subject;
    }

    fn look_once(&mut self, now: Now, found: &mut Found) -> Vec<Wanted> {
        if self.main.as_ref().is_none_or(|main| !main.exists()) {
            let Subject { places, conversation, .. } = &self.subject;
            self.main = transcript(self.profile, places, conversation);
        }
        let Some(main) = self.main.clone() else { return self.where_it_will_be() };
        let mut last = None;
        self.read(&main, false, now, found, &mut last);
        let mut wanted = vec![Wanted::Written(main.clone())];
        if let Some(aside) = self.aside(&main) {
            match files_in(&aside, &main) {
                Ok(files) => {
                    files.iter().for_each(|it| self.read(it, true, now, found, &mut None));
                    wanted.push(Wanted::Written(aside));
                }
                // It is made with the first sub-agent.
                Err(_) => wanted.extend(nearest(&aside).map(Wanted::Made)),
            }
        }
        if let Some(says) = last.and_then(|news| self.says(&news, now)) {
            found.says = Some(says);
        }
        wanted
    }

    fn aside(&self, main: &Path) -> Option<PathBuf> {
        let name = self.profile.transcripts_aside(&self.subject.conversation)?;
        Some(main.parent()?.join(name))
    }

    /// The folders in which the transcript may turn up.
    fn where_it_will_be(&self) -> Vec<Wanted> {
        let Subject { places, directory, .. } = &self.subject;
        // The program makes it too, but only when its first conversation begins.
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(&places.transcripts);
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.clone());
        let folders = std::fs::read_dir(&places.transcripts).into_iter().flatten().flatten();
        let fits = |name: &str| self.profile.is_transcript_folder(name, &directory);
        let fitting = folders.filter(|it| it.file_name().to_str().is_some_and(fits));
        let fitting = fitting.map(|folder| Wanted::Made(folder.path()));
        fitting.chain([Wanted::Made(places.transcripts.clone())]).collect()
    }

    fn read(
        &mut self,
        path: &Path,
        aside: bool,
        now: Now,
        found: &mut Found,
        last: &mut Option<TranscriptNews>,
    ) {
        if let Err(error) = self.try_read(path, aside, now, found, last)
            && error.kind() != io::ErrorKind::NotFound
        {
            found.trouble = Some((path.to_owned(), error));
        }
    }

    fn try_read(
        &mut self,
        path: &Path,
        aside: bool,
        now: Now,
        found: &mut Found,
        last: &mut Option<TranscriptNews>,
    ) -> io::Result<()> {
        let below = path.strip_prefix(&self.subject.places.transcripts).unwrap_or(path);
        let name = below.to_string_lossy().into_owned();
        let since = born(self.subject.since, now);
        let known = self.files.known.get(&name);
        let was_open = self.open.contains_key(path);
        let mut count = known.cloned().unwrap_or_else(|| FileCount::new(0));
        let mut opened = match self.open.remove(path) {
            Some(opened) => opened,
            None => {
                let length = path.metadata()?.len();
                match known {
                    // Of sub-agents nothing but their cost is of interest.
                    Some(known) if aside && known.offset == length => return Ok(()),
                    Some(known) if known.offset > length => {
                        count.offset = 0;
                        Opened { lines: Lines::last(path, FIRST)?, after: Some(known.latest) }
                    }
                    Some(known) if aside || length - known.offset >= NEWEST => {
                        Opened { lines: Lines::from(path, known.offset), after: None }
                    }
                    Some(_) => Opened { lines: Lines::last(path, NEWEST)?, after: None },
                    None => {
                        let after = self.files.settled.max(Some(since));
                        Opened { lines: Lines::last(path, FIRST)?, after }
                    }
                }
            }
        };
        let (before, mut counted, mut after) = (count.offset, count.offset, opened.after);
        let mut at = opened.lines.offset();
        let profile = self.profile;
        let each = |line: Line<'_>| {
            if line.begin < at {
                // Cut short, or another file: what was counted is not counted again.
                (counted, after) = (0, after.max(Some(count.latest)));
            }
            at = line.begin;
            let Some(news) = profile.transcript_news(line.text) else { return };
            let is_new = line.begin >= counted && after.is_none_or(|after| news.at > after);
            if let Some(answer) = news.answer.as_ref().filter(|_| is_new) {
                // The turn is the session's, whoever works for it.
                let ends = answer.ends_turn && !aside && !news.aside;
                let spent = count.count(&answer.message, answer.tokens, ends);
                if spent != Spent::default() {
                    found.spent.push((news.at, spent));
                }
            }
            count.latest = count.latest.max(news.at);
            if !aside && !news.aside && news.doing.is_some() && news.at >= since {
                *last = Some(news);
            }
        };
        let reading = opened.lines.read(AT_ONCE, each)?;
        opened.after = after;
        let read_to = opened.lines.offset();
        // What was read again for what it says was counted before.
        count.offset = if reading.anew { read_to } else { before.max(read_to) };
        found.progress |= reading.bytes > 0 && was_open;
        found.more |= reading.bytes >= AT_ONCE;
        found.counted |= count.offset != before;
        self.open.insert(path.to_owned(), opened);
        self.files.known.insert(name, count);
        Ok(())
    }

    /// An error is said, and what takes it back; the rest others say sooner.
    fn says(&mut self, news: &TranscriptNews, now: Now) -> Option<(Mono, Doing, String)> {
        let doing = news.doing?;
        let failed = matches!(doing, Doing::Failed(_));
        let is_news = failed || self.said.is_some_and(|said| said != doing);
        if is_news {
            self.said = (doing != Doing::Idle).then_some(doing);
        }
        is_news.then(|| (now.mono_of(news.at), doing, news.evidence.clone()))
    }
}

/// The date of a moment of this boot.
fn born(since: Mono, now: Now) -> SystemTime {
    now.wall.checked_sub(now.mono.since(since)).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The files of a folder that are called like `like`.
fn files_in(folder: &Path, like: &Path) -> io::Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    Ok(files.filter(|path| path.extension() == like.extension()).collect())
}

/// The lowest folder above `path` that is there.
fn nearest(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned)
}

#[cfg(test)]
mod tests;
