//! One look at all processes for many units that are looked for at once: at the first start of a
//! hundred units it is made twice and not a hundred times.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::decide::{Mono, Process, UnitName};
use crate::world::{clock, procs};

/// A look takes milliseconds; one that takes this long hangs on a process that is stuck.
const CEILING: Duration = Duration::from_secs(5);

type Leaders = Rc<BTreeMap<UnitName, Process>>;

/// The last look, and when it began.
#[derive(Default)]
pub(super) struct Census(Mutex<Option<(Mono, Leaders)>>);

impl Census {
    /// The main process of each unit of `instance`, by a look that began after this call.
    pub(super) async fn leaders(&self, instance: &str) -> Result<Leaders, String> {
        let asked = clock::now().mono;
        let mut last = self.0.lock().await;
        if let Some((began, leaders)) = &*last
            && *began >= asked
        {
            return Ok(Rc::clone(leaders));
        }
        let began = clock::now().mono;
        let instance = instance.to_owned();
        let look = tokio::task::spawn_blocking(move || procs::leaders(&instance));
        let leaders = tokio::time::timeout(CEILING, look)
            .await
            .map_err(|_| "the look at all processes hangs".to_owned())?
            .map_err(|error| error.to_string())?;
        let leaders = Rc::new(leaders);
        *last = Some((began, Rc::clone(&leaders)));
        Ok(leaders)
    }
}
