//! Real git as the other writer, in folders of its own.

mod committing;
mod lines;
mod mirrors;
mod orders;
mod places;
mod support;
mod watching;
mod who;
