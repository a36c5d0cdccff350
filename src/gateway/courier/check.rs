//! Whether letters could be delivered, without delivering one: for the start, and for `doctor`.

use std::collections::BTreeMap;

use super::Settings;
use crate::gateway::nanoclaw_v1;
use crate::nanoclaw::{Generation, Unfit, generation, v2};

/// Looks at each group, by its name: whether a letter would wake it, or why not. It touches NanoClaw's
/// files and may wait for a lock.
pub fn check(settings: &Settings) -> BTreeMap<String, Result<(), Unfit>> {
    let directory = &settings.directory;
    let each = |say: &dyn Fn() -> Result<(), Unfit>| {
        settings.addressees.iter().map(|it| (it.name.clone(), say())).collect()
    };
    match generation(directory) {
        Err(why) => each(&|| Err(why.clone())),
        Ok(Generation::V1) => match nanoclaw_v1::look(directory, &settings.addressees, &[]) {
            Ok(look) => look.groups.into_iter().map(|(name, it)| (name, it.map(|_| ()))).collect(),
            Err(why) => each(&|| Err(why.clone())),
        },
        Ok(Generation::V2) => {
            let wired = settings.addressees.iter().map(|it| {
                let wiring = v2::wiring(directory, &it.folder, it.chat.as_deref());
                (it.name.clone(), wiring.map(|_| ()))
            });
            wired.collect()
        }
    }
}
