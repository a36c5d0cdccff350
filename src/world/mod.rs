//! The hands: one file for each thing outside. No policy here: what is to be done, and when, is
//! decided elsewhere.

pub mod notify_socket;
pub mod probes;
pub mod scope;
pub mod systemd;
pub mod cgroup;
pub mod group;
pub mod pidfd;
pub mod procs;
pub mod reaper;
pub mod spawn;
