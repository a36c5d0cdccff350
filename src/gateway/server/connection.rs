//! One caller: requests one after the other, each within its time. Not here: what is answered.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::crowd::Crowd;
use super::listen::Stream;
use crate::gateway::handler::{Handler, Side};

/// How long a request's head may take, and how long a caller may say nothing between two of them.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// When we end, how long a caller may take who has connected and not asked yet.
const FIRST_WITHIN: Duration = Duration::from_millis(250);
/// The largest head of a request, in bytes.
const HEAD_MAX: usize = 32 * 1024;

/// Answers whoever is at the other end, until they go, or have to, or we do.
pub(super) async fn converse(
    stream: Stream,
    handler: Rc<Handler>,
    side: Rc<Side>,
    crowd: Rc<Crowd>,
    mut stopped: watch::Receiver<bool>,
) {
    let Some(place) = crowd.enter() else {
        tracing::debug!("a caller is turned away: all others are being answered");
        return;
    };
    let place = Rc::new(place);
    let spoke = Rc::new(Notify::new());
    let service = service_fn(|request| {
        let (handler, side, place) = (Rc::clone(&handler), Rc::clone(&side), Rc::clone(&place));
        spoke.notify_one();
        async move {
            place.is_heard();
            let response = handler.answer(&side, request).await;
            place.is_silent();
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = place.has_to_go() => None,
        _ = stopped.wait_for(|stop| *stop) => {
            // hyper closes one on which nothing was read yet: what was sent at once is read first.
            tokio::select! {
                ended = connection.as_mut() => Some(ended),
                _ = timeout(FIRST_WITHIN, spoke.notified()) => {
                    connection.as_mut().graceful_shutdown();
                    Some(connection.await)
                }
            }
        }
    };
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "a connection has ended");
    }
}
