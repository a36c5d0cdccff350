//! The body of a request: no larger, no slower and, all together, no more than we can take. Not
//! here: what is in it.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a body may take as a whole.
const WITHIN: Duration = Duration::from_secs(60);
/// How long nothing of it may come.
const SILENCE: Duration = Duration::from_secs(10);
/// What is counted as one, in bytes.
const PIECE: u64 = 16 * 1024;
/// So many of the largest bodies may be received at once.
const LARGEST_AT_ONCE: u64 = 3;
/// Whoever is answered before all was read may go on sending for so long, and so much: a caller who
/// is cut off while sending does not see the answer.
const RUN_OUT_WITHIN: Duration = Duration::from_secs(2);
const RUN_OUT_MAX: usize = 8 << 20;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is larger than it may be.
    TooLarge,
    /// It took too long.
    TooSlow,
    /// Too many others are being received.
    Busy,
    /// It ended before its end, or is no body.
    Broken,
}

/// What all bodies together may take of memory.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

/// A body, and what it takes of the budget for as long as it is needed.
#[derive(Debug)]
pub struct Received {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Given back when it is dropped.
    pub share: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// One that suffices for a few of the largest bodies.
    pub fn new(largest: u64) -> Self {
        let pieces = usize::try_from(LARGEST_AT_ONCE * largest.div_ceil(PIECE));
        let pieces = pieces.unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(pieces)))
    }
}

/// Reads a body of at most `most` bytes.
///
/// # Errors
/// [`BodyError`]
pub async fn read(body: &mut Incoming, most: u64, budget: &Budget) -> Result<Received, BodyError> {
    match timeout(WITHIN, collect(body, most, budget)).await {
        Ok(received) => received,
        Err(_) => Err(BodyError::TooSlow),
    }
}

async fn collect(body: &mut Incoming, most: u64, budget: &Budget) -> Result<Received, BodyError> {
    let expected = body.size_hint().exact().unwrap_or_default();
    if expected > most {
        return Err(BodyError::TooLarge);
    }
    let expected = usize::try_from(expected.min(PIECE)).unwrap_or_default();
    let mut received = Received { bytes: Vec::with_capacity(expected), share: None };
    loop {
        let frame = match timeout(SILENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => return Err(BodyError::Broken),
            Ok(None) => return Ok(received),
            Err(_) => return Err(BodyError::TooSlow),
        };
        // Trailers say nothing to us.
        let Ok(data) = frame.into_data() else { continue };
        let size = received.bytes.len() + data.len();
        if size as u64 > most {
            return Err(BodyError::TooLarge);
        }
        received.hold(size, budget).await?;
        received.bytes.extend_from_slice(&data);
    }
}

impl Received {
    /// Takes so much of the budget that `size` bytes are covered.
    async fn hold(&mut self, size: usize, budget: &Budget) -> Result<(), BodyError> {
        let held = self.share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let needed = size.div_ceil(PIECE as usize).saturating_sub(held);
        let Some(needed) = u32::try_from(needed).ok().filter(|needed| *needed > 0) else {
            return Ok(());
        };
        let more = timeout(SILENCE, Arc::clone(&budget.0).acquire_many_owned(needed)).await;
        let Ok(Ok(more)) = more else { return Err(BodyError::Busy) };
        match &mut self.share {
            Some(share) => share.merge(more),
            None => self.share = Some(more),
        }
        Ok(())
    }
}

/// Lets a caller finish sending what nobody reads.
pub fn let_run_out(mut body: Incoming) {
    tokio::task::spawn_local(async move {
        let run_out = async {
            let mut left = RUN_OUT_MAX;
            while let Some(Ok(frame)) = body.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len()));
                if left == 0 {
                    break;
                }
            }
        };
        // However it ends, the connection is closed then.
        let _ = timeout(RUN_OUT_WITHIN, run_out).await;
    });
}
