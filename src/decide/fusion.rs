//! One reading from many channels.

use std::cmp::Ordering;

use super::{Channel, Doing, Mono, Sighting};

/// What each channel said last of one process.
#[derive(Clone, Debug, Default)]
pub(super) struct Sightings(Vec<Sighting>);

impl Sightings {
    /// Takes in what a channel says now, and says whether that is news: what is no younger than
    /// what it said before is an echo.
    pub(super) fn note(&mut self, sighting: Sighting) -> bool {
        match self.0.iter_mut().find(|it| it.channel == sighting.channel) {
            Some(known) if known.at <= sighting.at => {
                let news = *known != sighting;
                *known = sighting;
                news
            }
            Some(_) => false,
            None => {
                self.0.push(sighting);
                true
            }
        }
    }

    /// What is believed: the newest word, for channels tell of changes and do not lie; of two at
    /// the same moment the more trusted one. The screen is believed only as long as no other
    /// channel has spoken, unless it shows a dialog since (there, a wrong belief types an answer) or
    /// why a turn does not go on.
    ///
    /// A session that has failed sits at its prompt: to channels that do not know of failures it is
    /// idle, and that says nothing against it.
    pub(super) fn best(&self) -> Option<&Sighting> {
        let spoken = || self.0.iter().filter(|it| it.channel != Channel::Screen);
        let newest = spoken().max_by(by_age);
        let screen = self.0.iter().find(|it| it.channel == Channel::Screen);
        let newest = match (newest, screen) {
            (Some(newest), Some(screen)) if screen.stands_in_the_way() && screen.at > newest.at => {
                screen
            }
            (newest, screen) => newest.or(screen)?,
        };
        if newest.doing != Doing::Idle || newest.channel != Channel::Registry {
            return Some(newest);
        }
        let before = spoken().filter(|it| it.channel != newest.channel).max_by(by_age);
        Some(before.filter(|it| matches!(it.doing, Doing::Failed(_))).unwrap_or(newest))
    }

    /// What one channel said last.
    pub(super) fn last(&self, channel: Channel) -> Option<&Sighting> {
        self.0.iter().find(|it| it.channel == channel)
    }

    /// Since when it is in the middle of a turn, if that is what is believed, or would be but for
    /// the screen.
    pub(super) fn working_since(&self) -> Option<Mono> {
        let newest = self.0.iter().filter(|it| it.channel != Channel::Screen).max_by(by_age);
        newest.filter(|it| it.doing == Doing::Working).map(|it| it.at)
    }

    /// Whether any channel but the screen has said anything.
    pub(super) fn spoken(&self) -> bool {
        self.0.iter().any(|it| it.channel != Channel::Screen)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Of two of one moment the surer channel counts as the newer.
fn by_age(a: &&Sighting, b: &&Sighting) -> Ordering {
    a.at.cmp(&b.at).then_with(|| b.channel.cmp(&a.channel))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Dialog, Failure, Wedge};
    use super::*;

    fn said(channel: Channel, second: u64, doing: Doing) -> Sighting {
        let at = Mono::from_boot(Duration::from_secs(second));
        Sighting { channel, at, doing, evidence: String::new() }
    }

    fn fused(all: &[Sighting]) -> Option<Doing> {
        let mut sightings = Sightings::default();
        for it in all {
            sightings.note(it.clone());
        }
        sightings.best().map(|it| it.doing)
    }

    #[test]
    fn the_newest_word_counts_whoever_spoke_it() {
        let hook = said(Channel::Hook, 5, Doing::Working);
        // Esc ends a turn without a hook: only the registry tells.
        let registry = said(Channel::Registry, 9, Doing::Idle);
        assert_eq!(fused(&[hook.clone(), registry]), Some(Doing::Idle));
        let earlier = said(Channel::Registry, 4, Doing::Idle);
        assert_eq!(fused(&[hook, earlier]), Some(Doing::Working));
    }

    #[test]
    fn of_two_words_of_one_moment_the_hook_is_believed() {
        let hook = said(Channel::Hook, 5, Doing::Dialog(Dialog::Other));
        let registry = said(Channel::Registry, 5, Doing::Working);
        assert_eq!(fused(&[registry.clone(), hook.clone()]), Some(Doing::Dialog(Dialog::Other)));
        assert_eq!(fused(&[hook, registry]), Some(Doing::Dialog(Dialog::Other)));
    }

    #[test]
    fn the_screen_counts_only_where_nobody_else_has_spoken_but_for_a_dialog() {
        let screen = said(Channel::Screen, 9, Doing::Working);
        assert_eq!(fused(std::slice::from_ref(&screen)), Some(Doing::Working));
        let hook = said(Channel::Hook, 5, Doing::Idle);
        assert_eq!(fused(&[screen, hook.clone()]), Some(Doing::Idle));
        let dialog = said(Channel::Screen, 9, Doing::Dialog(Dialog::Other));
        assert_eq!(fused(&[dialog.clone(), hook]), Some(Doing::Dialog(Dialog::Other)));
        let answered = said(Channel::Hook, 10, Doing::Working);
        assert_eq!(fused(&[dialog, answered]), Some(Doing::Working));
    }

    #[test]
    fn an_idle_registry_does_not_heal_a_failure_but_a_turn_and_a_cleared_conversation_do() {
        let wedged = Doing::Failed(Failure::Wedged(Wedge::Poisoned));
        let failed = said(Channel::Hook, 5, wedged);
        let idle = said(Channel::Registry, 6, Doing::Idle);
        assert_eq!(fused(&[failed.clone(), idle.clone()]), Some(wedged));
        assert_eq!(fused(&[failed.clone(), said(Channel::Registry, 4, Doing::Idle)]), Some(wedged));
        let busy = said(Channel::Registry, 7, Doing::Working);
        assert_eq!(fused(&[failed, idle.clone(), busy]), Some(Doing::Working));
        // SessionStart of a cleared conversation, and the end of a good turn.
        let well = said(Channel::Hook, 8, Doing::Idle);
        assert_eq!(fused(&[idle, well]), Some(Doing::Idle));
    }

    #[test]
    fn an_echo_of_what_a_channel_said_before_changes_nothing() {
        let stop = said(Channel::Hook, 7, Doing::Idle);
        let prompt = said(Channel::Hook, 6, Doing::Working);
        assert_eq!(fused(&[stop, prompt]), Some(Doing::Idle));
    }
}
