//! What sessions have beyond every unit.

use std::time::Duration;

use super::Check;
use crate::config::checked::SessionKeys;
use crate::config::key::Key;
use crate::config::raw::{
    RawAgent, RawDialog, RawIdleNudge, RawRemoteControl, RawRole, RawSession,
};
use crate::decide::{IdleNudge, UnitName};

const IDLE_NUDGE_AFTER: Duration = Duration::from_secs(30 * 60);

impl Check<'_> {
    pub(super) fn session_keys(
        &mut self,
        key: &Key,
        name: &UnitName,
        raw: &RawSession,
    ) -> SessionKeys {
        let idle_nudge = self.idle_nudge(&key.of("idle_nudge"), raw.idle_nudge.as_ref());
        if raw.role != Some(RawRole::Orchestrator) {
            for (name, set) in [("at_boot", raw.at_boot), ("watch", raw.watch)] {
                if set == Some(false) {
                    let what = "is for an orchestrator alone; take it out, and `supervisor stop` \
                                the session, or write role = \"orchestrator\"";
                    self.wrong(&key.of(name), what);
                }
            }
        }
        self.no_nul(&key.of("args"), &raw.args);
        self.optional(key, "resume", raw.resume.as_ref());
        let own_name = || (raw.agent == Some(RawAgent::Claude)).then(|| name.to_string());
        let remote_control = match &raw.remote_control {
            None | Some(RawRemoteControl::Switch(true)) => own_name(),
            Some(RawRemoteControl::Switch(false)) => None,
            Some(RawRemoteControl::Named(label)) => {
                if label.trim().is_empty() {
                    self.wrong(&key.of("remote_control"), "is empty; write a label, or false");
                }
                Some(label.clone())
            }
        };
        SessionKeys {
            prompt_file: self.maybe_path(&key.of("prompt_file"), raw.prompt_file.as_ref()),
            remote_control,
            args: raw.args.clone(),
            resume: raw.resume.clone(),
            at_boot: raw.at_boot.unwrap_or(true),
            watch: raw.watch.unwrap_or(true),
            seed: raw.seed.unwrap_or(true),
            escape: raw.dialog == Some(RawDialog::Escape),
            idle_nudge,
            budget: raw.budget.as_ref().and_then(|it| self.budget(&key.of("budget"), it)),
        }
    }

    fn idle_nudge(&mut self, key: &Key, raw: Option<&RawIdleNudge>) -> Option<IdleNudge> {
        let Some(RawIdleNudge::On(nudge)) = raw else { return None };
        self.not_zero(&key.of("after"), nudge.after);
        self.optional(key, "text", nudge.text.as_ref());
        let text = || "You have been idle for a while. If work is left, go on with it.".to_owned();
        Some(IdleNudge {
            after: nudge.after.map_or(IDLE_NUDGE_AFTER, |after| after.0),
            text: nudge.text.clone().unwrap_or_else(text),
        })
    }
}
