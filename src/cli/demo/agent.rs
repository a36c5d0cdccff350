//! The hidden verb `demo-agent`: a program in a terminal that behaves like an agent. It draws a
//! prompt, takes a line, is busy with it for a moment, says that it is done. Not here: anything
//! that knows it is being watched.

use std::io::BufRead as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::SIGHUP;

use crate::cli::args;
use crate::cli::failure::Failure;
use crate::cli::render::{BOLD, BUSY, FAINT, GOOD, clean, paint, put};

/// What stands before the cursor while it is idle.
pub(super) const PROMPT: &str = "❯";
/// How a line begins that says what it is busy with; the spinner turns before it.
pub(super) const WORKING: &str = "working on ";
/// The same once it is done.
pub(super) const DONE: &str = "✓ done: ";

/// One turn of the spinner.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME: Duration = Duration::from_millis(80);
/// How long it is busy, in pictures of the spinner: a good second.
const FRAMES: usize = 15;

/// Runs until its terminal is gone.
pub(in crate::cli) fn run(args: &args::DemoAgent) -> Result<(), Failure> {
    // Agents outlive a hang-up, so whoever keeps them must cope with that.
    signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))
        .context("cannot ignore hang-ups")?;
    let name = paint(BOLD, &clean(&args.name));
    let pid = paint(FAINT, &format!("a scripted agent, pid {}", std::process::id()));
    put(&format!("{name} {pid}\n"))?;
    let mut lines = std::io::stdin().lock().lines();
    loop {
        put(&format!("{} ", paint(BUSY, PROMPT)))?;
        match lines.next() {
            Some(Ok(task)) if task.trim().is_empty() => {}
            Some(Ok(task)) => work(&clean(task.trim()))?,
            Some(Err(_)) | None => return Ok(()),
        }
    }
}

fn work(task: &str) -> Result<(), Failure> {
    for spinner in SPINNER.iter().cycle().take(FRAMES) {
        put(&format!("\r{} {WORKING}{task} …", paint(BUSY, spinner)))?;
        std::thread::sleep(FRAME);
    }
    put(&format!("\r\x1b[K{}{task}\n", paint(GOOD, DONE)))
}
