//! What the gateway does besides answering: letters are delivered, and what verbs write into the
//! ledger is heeded. Not here: how a letter gets to NanoClaw (see [`super::courier`]).

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::courier::{Courier, Settings};
use super::handler::chain;
use super::ledger::{Ledger, retention};
use crate::config::Gateway;
use crate::world::inotify::{AsyncWatcher, WatchMask};

/// The file that a verb touches when it has written the ledger: SQLite tells no other process.
const BELL: &str = "gateway.wake";
/// Between two times of throwing away what is old, where there is no courier to do it.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);
/// The ledger is looked at by the clock where the kernel cannot tell of the bell.
const WITHOUT_BELL: Duration = Duration::from_secs(10);

/// Delivers letters until it is told to stop.
pub async fn deliver(config: Gateway, ledger: Ledger, mut stopped: watch::Receiver<bool>) {
    let Some(settings) = Settings::of(&config) else {
        tracing::warn!(
            "no [gateway.nanoclaw] directory is configured: letters are kept, and nobody gets them"
        );
        return sweep(&ledger, stopped).await;
    };
    let (courier, _) = Courier::new(ledger, settings);
    // Whoever could tell us to stop is gone: that is a stop as well.
    courier.run(async move { drop(stopped.wait_for(|stop| *stop).await) }).await;
}

/// Keeps the ledger from growing.
async fn sweep(ledger: &Ledger, mut stopped: watch::Receiver<bool>) {
    loop {
        let more = ledger.write(|it| retention::sweep(it, SystemTime::now())).await;
        if let Err(error) = &more {
            tracing::warn!(error = %chain(error), "old events cannot be thrown away");
        }
        let wait = if more.unwrap_or(false) { Duration::from_secs(1) } else { SWEEP_EVERY };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

/// Has the courier look when a verb has written the ledger.
pub async fn heed_verbs(config: Gateway, ledger: Ledger, mut stopped: watch::Receiver<bool>) {
    let bell = bell(&config);
    let watched = fs::write(&bell, b"").and_then(|()| {
        let mut watcher = AsyncWatcher::new()?;
        watcher.add(&bell, WatchMask::MODIFY | WatchMask::CLOSE_WRITE)?;
        Ok(watcher)
    });
    let mut watcher =
        watched.inspect_err(|error| tracing::warn!(%error, "verbs are heeded by the clock")).ok();
    loop {
        let rung = async {
            match &mut watcher {
                Some(watcher) => watcher.changed().await.map(drop),
                None => {
                    tokio::time::sleep(WITHOUT_BELL).await;
                    Ok(())
                }
            }
        };
        tokio::select! {
            rung = rung => if rung.is_err() { watcher = None },
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        // Whatever is written wakes the courier, nothing included.
        if let Err(error) = ledger.write(|_| Ok(())).await {
            tracing::debug!(error = %chain(&error), "the courier could not be woken");
        }
    }
}

/// Says that the ledger was written, to a gateway that may be running.
pub fn wake(config: &Gateway) {
    let bell = bell(config);
    if bell.exists() {
        // Without it the courier looks a little later.
        let _ = fs::write(bell, b"\n");
    }
}

fn bell(config: &Gateway) -> PathBuf {
    config.state_dir.join(BELL)
}
