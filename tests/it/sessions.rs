//! Sessions in tmux: how they are born, brought back, adopted and ended.

mod birth;
mod end;
mod kept;
mod lost;
mod screens;
mod storm;
mod typing;
