//! The hands: one file for each thing outside. No policy here: what is to be done, and when, is
//! decided elsewhere.

pub mod clock;
pub mod files;
pub mod inotify;
pub mod random;
pub mod tail;

pub mod boot;
pub mod journal;
pub mod lock;
pub mod logs;
pub mod ready;
pub mod reboots;
pub mod records;
pub mod saved;
pub mod screens;

pub mod cgroup;
pub mod group;
pub mod pidfd;
pub mod procs;
pub mod reaper;
pub mod spawn;

pub mod launch;
pub mod tmux;
pub mod transcripts;

pub mod git;

pub mod holders;
pub mod hook_spool;
pub mod json_keys;
pub mod leases;
pub mod lines;
pub mod presence;
pub mod usage;

pub mod children;
pub mod heartbeat;
pub mod http;
pub mod local_http;
pub mod outbox;
pub mod requirements;
pub mod told;

pub mod notify_socket;
pub mod oom;
pub mod probes;
pub mod scope;
pub mod systemd;
