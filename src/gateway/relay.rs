//! What agents say to each other: read, judged, stored, answered. Not here: who the caller is (that
//! is [`super::callers`]'s) and how a letter gets to NanoClaw.

pub mod book;
pub mod guard;
pub mod message;
mod posting;

pub use posting::{Posted, Posting, SOURCE, post};
