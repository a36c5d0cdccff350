//! Everything here runs on the real tmux, on sockets of its own.

mod elsewhere;
mod keys;
mod lives;
mod support;
