//! The body of an answer as hyper sends it: step by step.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame};
use tokio::time::{Sleep, sleep};

use super::answer::Step;

/// What is still to be sent.
pub(super) struct Steps {
    left: VecDeque<Step>,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Steps {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        Self { left: steps.into(), waiting: None }
    }
}

impl Body for Steps {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(waiting.as_mut().poll(context));
                self.waiting = None;
            }
            match self.left.pop_front() {
                Some(Step::Send(text)) => return Poll::Ready(Some(Ok(Frame::data(text.into())))),
                Some(Step::Wait(delay)) => self.waiting = Some(Box::pin(sleep(delay))),
                // Hyper drops us when the caller hangs up.
                Some(Step::Hang) => {
                    self.left.push_front(Step::Hang);
                    return Poll::Pending;
                }
                None => return Poll::Ready(None),
            }
        }
    }
}
